"""A server's raw tool list as it is kept while the server lives: needed again only to be stored."""

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import overload

from toolweft.core.json import Json

__all__ = ("KeptTools", "keep_tools")


class KeptTools(Sequence[Json]):
    """A list of plain JSON values as compressed text, a twentieth of what it weighs parsed.

    Parsed anew at each use: go through it once.

    Args:
        packed: the list as JSON, compressed.
        count: how many values there are.
    """

    def __init__(self, packed: bytes, count: int) -> None:
        self._packed, self._count = packed, count

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> Json: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Json]: ...

    def __getitem__(self, index: int | slice) -> Json:
        """One of them, or some."""
        return self._parse()[index]

    def __iter__(self) -> Iterator[Json]:
        """All of them."""
        return iter(self._parse())

    def _parse(self) -> list[Json]:
        parsed: list[Json] = json.loads(zlib.decompress(self._packed))
        return parsed


def keep_tools(tools: Sequence[Json]) -> Sequence[Json]:
    """The same list, small; as it is where JSON cannot be written of it."""
    if not tools:
        return tools
    try:
        text = json.dumps(list(tools), separators=(",", ":"))
    except (ValueError, RecursionError):
        return tools
    return KeptTools(zlib.compress(text.encode("ascii"), level=1), len(tools))
