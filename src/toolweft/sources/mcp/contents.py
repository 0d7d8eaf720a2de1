"""What is known of one server's resources and prompts, and what is wanted of it.

Outlives the server's connections: between two of them the lists stay known and the subscriptions
wanted. Knows nothing of the protocol's SDK; `content_session` fills it while a connection lives.
"""

from collections import Counter
from collections.abc import Callable, Set
from typing import Final

import anyio

from toolweft.core.contents import (
    NO_CONTENTS,
    ContentKind,
    ContentListener,
    Contents,
    ResourceChanged,
)
from toolweft.core.ids import SourceName

__all__ = ("KINDS", "ServerContents")

KINDS: Final[tuple[ContentKind, ...]] = ("resources", "templates", "prompts")


class ServerContents:
    """One server's lists and subscriptions.

    Args:
        name: of the server.
        listener: hears of changes; None where nobody does.
        has_resources: False leaves its resources out.
        has_prompts: False leaves its prompts out.

    Attributes:
        known: the lists of now.
        settled: set once they are known, or cannot be known for the time being.
    """

    def __init__(
        self,
        name: SourceName,
        *,
        listener: ContentListener | None = None,
        has_resources: bool = True,
        has_prompts: bool = True,
    ) -> None:
        self.known = NO_CONTENTS
        self.settled = anyio.Event()
        self.has_resources, self.has_prompts = has_resources, has_prompts
        self._name = name
        self._listener = listener
        self._wanted: Counter[str] = Counter()
        self._rewanted = anyio.Event()

    @property
    def wanted(self) -> frozenset[str]:
        """The addresses that somebody subscribed to."""
        return frozenset(self._wanted)

    async def wait_rewanted(self) -> None:
        """Return once the subscriptions are others than before; for one task at a time."""
        await self._rewanted.wait()
        self._rewanted = anyio.Event()

    def listed(self, contents: Contents) -> None:
        """These are all that the server has now; whoever listens hears what of it is new."""
        before, self.known = self.known, contents
        self.settled.set()
        changed = {kind for kind in KINDS if _entries(contents, kind) != _entries(before, kind)}
        if changed:
            self._tell(changed)

    def gave_up(self) -> None:
        """They cannot be known now; what was known stays."""
        self.settled.set()

    def resource_changed(self, uri: str) -> None:
        """The server said so of a resource."""
        if self._listener is not None:
            self._listener.resource_changed(ResourceChanged(source=self._name, uri=uri))

    def subscribe(self, uri: str) -> Callable[[], None]:
        """Count one more who wants to hear of a resource; what is returned ends it."""
        self._wanted[uri] += 1
        if self._wanted[uri] == 1:
            self._rewanted.set()
        is_ended = False

        def end() -> None:
            nonlocal is_ended
            if is_ended:
                return
            is_ended = True
            self._wanted[uri] -= 1
            if not self._wanted[uri]:
                del self._wanted[uri]
                self._rewanted.set()

        return end

    def _tell(self, kinds: Set[ContentKind]) -> None:
        if self._listener is not None:
            self._listener.contents_changed(self._name, kinds)


def _entries(contents: Contents, kind: ContentKind) -> str:
    # 1 and true are equal to Python, and not the same JSON.
    return repr(contents.listing(kind).entries)
