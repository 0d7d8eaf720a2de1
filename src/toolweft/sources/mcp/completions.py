"""Addresses that have done their work, as a server says it: told to whoever wants to hear.

Knows nothing of the protocol's SDK, nor of who was asked to open them.
"""

from collections.abc import Callable

from toolweft.core.asides import AskCompleted, HearCompleted
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal

__all__ = ("Completions",)


class Completions:
    """What all processes and sessions of one server say.

    Args:
        source: the server.
    """

    def __init__(self, source: SourceName) -> None:
        self._source = source
        self._hearers: list[HearCompleted] = []

    def subscribe(self, hear: HearCompleted) -> Callable[[], None]:
        """Tell one more; what is returned ends it."""
        self._hearers.append(hear)

        def end() -> None:
            if hear in self._hearers:
                self._hearers.remove(hear)

        return end

    def teller(self, principal: Principal | None) -> Callable[[str], None]:
        """What one process or session is given to call with the ids of such addresses.

        Args:
            principal: whose it is; None for the one that all share.
        """

        def tell(elicitation_id: str) -> None:
            completed = AskCompleted(
                source=self._source, elicitation_id=elicitation_id, principal=principal
            )
            for hear in tuple(self._hearers):
                hear(completed)

        return tell
