"""What a server said of what it has when it was last asked, and where that is remembered.

Shared by sources, which ask and remember, and stores, which keep it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from toolweft.core.contents import Contents
from toolweft.core.json import Json

__all__ = ("Discovery", "DiscoveryCache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """One listing of one server, raw, so that a newer toolweft reads it with its own eyes."""

    # The entries of `tools/list` as they came; as untrusted as from the server itself.
    tools: Sequence[Json]
    listed_at: datetime
    instructions: str = ""
    protocol_version: str = ""
    # How long the server says its list holds; None where it says nothing.
    ttl_s: float | None = None
    # Its resources and prompts; None where they were not listed yet.
    contents: Contents | None = None
    # Whether it was seen to ask its clients without saying for which call, so that its calls run
    # one at a time.
    is_serial: bool = False


class DiscoveryCache(Protocol):
    """Remembers listings from one start to the next; never fails."""

    async def load(self, key: str) -> Discovery | None:
        """The last listing under a key; None where none can be used.

        Args:
            key: of a server together with its credential, in lower-case hex.
        """
        ...

    async def save(self, key: str, discovery: Discovery) -> None:
        """Remember a listing in place of the one before."""
        ...
