"""What a client and a source tell one another outside of calls.

An address that somebody was asked to open has done its work; the folders of a client are others
than they were. Each concerns one client, and nobody else hears of it. Sources that can implement
`AsideSource`; the gateway puts the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from toolweft.core.client import CallingClient
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal

__all__ = ("AsideSource", "AskCompleted", "HearCompleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCompleted:
    """A source says that an address which it had opened has done its work."""

    source: SourceName
    # The source's own, as it stood in `elicitationId` when it asked.
    elicitation_id: str
    # In whose process or session it was said; None in the one that all share.
    principal: Principal | None


# Never waits.
HearCompleted: TypeAlias = Callable[[AskCompleted], None]


@runtime_checkable
class AsideSource(Protocol):
    """A source that has something to say between calls, or wants to be told something."""

    @property
    def name(self) -> SourceName:
        """The configured name."""
        ...

    def hear_completed(self, hear: HearCompleted) -> Callable[[], None]:
        """Tell somebody of every address that has done its work; what is returned ends it."""
        ...

    async def roots_changed(self, client: CallingClient, principal: Principal) -> None:
        """Say that the folders of a client are others now, where it asked for them before.

        Starts nothing, and never fails. Returns once the source has asked for them anew, or does
        not ask at once.

        Args:
            client: asked for them, if the source wants to know.
            principal: behind that client.
        """
        ...
