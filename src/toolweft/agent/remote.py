"""The vendor's container of one task, and the program that waits in it.

A state machine: what is asked and what is taken off the history is done by the loop.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from toolweft.agent.endings import end_task
from toolweft.core.errors import RemoteContainerGone
from toolweft.core.messages import AssistantMessage, Message, ModelCall, ModelReply
from toolweft.core.programs import Container

__all__ = ("RemotePrograms",)


class RemotePrograms:
    """Knows in which container to go on, and whether a program may be begun once more.

    Args:
        container: of the conversation that the task goes on in.
        history: of that conversation.
    """

    def __init__(self, container: Container | None, history: Sequence[Message] = ()) -> None:
        self.container = container
        # Where the program that waits was begun in the history; None while none waits.
        self.start: int | None = _find_waiting(history)
        # All that was called since may be called again; nobody saw what another task called.
        self._is_harmless = self.start is None
        self._was_restarted = False

    def add(self, reply: ModelReply) -> None:
        """Take over the container of a reply."""
        self.container = reply.container or self.container

    def note_calls(
        self,
        calls: Sequence[ModelCall],
        *,
        position: int,
        may_repeat: Callable[[Sequence[ModelCall]], bool],
    ) -> None:
        """Remember a program that waits for these calls.

        Args:
            calls: of one reply.
            position: of that reply in the history.
            may_repeat: whether calls may be made again.
        """
        if all(call.caller.type == "direct" for call in calls):
            self.start = None
            return
        if self.start is None:
            self.start = position
        # What the model itself called beside its program would be done again too.
        self._is_harmless &= may_repeat(calls)

    @property
    def container_id(self) -> str | None:
        """What a request names."""
        return None if self.container is None else self.container.id

    def leave_expired(self, now: datetime) -> bool:
        """Leave a container that is over, unless a program waits in it; whether there was one."""
        container = self.container
        if container is None or self.start is not None or not container.is_expired(now):
            return False
        self.container = None
        return True

    def forget(self) -> None:
        """Begin without any."""
        self.container = None
        self.start = None

    def restart(self, error: RemoteContainerGone, *, called: Sequence[str]) -> int | None:
        """Go on without the container, once in a task.

        Args:
            error: which says that it is gone.
            called: what programs called so far, for the message.

        Returns:
            From where on the history is taken off; None where no program waited.

        Raises:
            EndedError: it was restarted before, or something would be done twice.
        """
        if self._was_restarted or not self._is_harmless:
            listed = ", ".join(dict.fromkeys(called)) or "none"
            reason = f"{error.message}; calls of its programs that were made: {listed}"
            hint = "not begun anew: some of them may not be made twice"
            if self._was_restarted:
                hint = "it was begun anew once already"
            raise end_task("failed", reason, hint, code=error.code)
        self._was_restarted = True
        start = self.start
        self.forget()
        return start


def _find_waiting(history: Sequence[Message]) -> int | None:
    """Where the reply stands whose program a task left waiting; None where there is none."""
    for position in reversed(range(len(history))):
        message = history[position]
        if isinstance(message, AssistantMessage):
            waits = any(call.caller.type == "programmatic" for call in message.calls)
            return position if waits else None
    return None
