"""A session whose guest has a container to itself."""

from toolweft.sandbox.container.guest import ContainerGuest
from toolweft.sandbox.session import GuestSession

__all__ = ("PAUSE_AFTER_S", "ContainerSession")

# Pausing and waking up cost the engine some 10 ms each, so not between runs that follow closely.
PAUSE_AFTER_S = 1.0


class ContainerSession(GuestSession[ContainerGuest]):
    """One container; made by `ContainerMaker.open_session`."""

    @property
    def container(self) -> str:
        """The engine's id of it, for whoever looks at it from outside."""
        return self._child.container

    def wait_for_run(self) -> None:
        """The guest is ready: from here on a frame outside of a run breaks the channel.

        Nothing runs in it yet, so it is not paused: frozen, it would not see its host go.
        """
        self._channel.detach()

    async def _end(self) -> int:
        went_away = self._channel.fault == "" and not self._child.was_killed
        self._channel.close()
        return await self._child.end(went_away=went_away)
