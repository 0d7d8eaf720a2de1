"""A stream of server-sent events whose messages can be read: no half characters, not too deep.

Every event that is one line of data is looked at; one that spans several goes on as it is.
"""

from collections.abc import AsyncIterator
from typing import Final

import httpx2
import mcp_types as types

from toolweft.sources.mcp.depth import TooDeepError, mend_deep
from toolweft.sources.mcp.faults import build_fault
from toolweft.sources.mcp.halves import mend_escapes

__all__ = ("MendingStream",)

_FIELD: Final = b"data:"


class MendingStream(httpx2.AsyncByteStream):
    """The bytes of another stream, line by line.

    Args:
        stream: of a response, not packed.
        max_line_bytes: a longer line goes on unread; whoever reads it refuses it.
    """

    def __init__(self, stream: httpx2.AsyncByteStream, *, max_line_bytes: int) -> None:
        self._stream = stream
        self._max_line_bytes = max_line_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, in pieces."""
        held = bytearray()
        is_passing = False
        async for piece in self._stream:
            *ends, rest = piece.split(b"\n")
            for end in ends:
                held += end
                yield (bytes(held) if is_passing else _mend_line(bytes(held))) + b"\n"
                held.clear()
                is_passing = False
            held += rest
            if is_passing or len(held) > self._max_line_bytes:
                is_passing = True
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held) if is_passing else _mend_line(bytes(held))

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


def _mend_line(line: bytes) -> bytes:
    if not line.startswith(_FIELD):
        return line
    try:
        return _FIELD + mend_deep(mend_escapes(line[len(_FIELD) :]))
    except TooDeepError as exc:
        fault = build_fault("malformed", str(exc))
        # The SDK takes it for the answer of the request whose stream this is.
        error = types.JSONRPCError(jsonrpc="2.0", id=None, error=fault)
        return _FIELD + error.model_dump_json(by_alias=True).encode()
