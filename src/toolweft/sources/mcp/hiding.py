"""A stream of bytes without the tokens that its server was sent.

What may be the beginning of a token waits for the rest; anything else goes on at once, so that no
event is held up.
"""

from collections.abc import AsyncIterator, Callable

import httpx2

__all__ = ("HidingStream",)


class HidingStream(httpx2.AsyncByteStream):
    """The bytes of another stream, searched.

    Args:
        stream: of a response, not packed.
        hide: takes the tokens out of bytes.
        begun: how many bytes at the end may begin a token.
    """

    def __init__(
        self,
        stream: httpx2.AsyncByteStream,
        *,
        hide: Callable[[bytes], bytes],
        begun: Callable[[bytes], int],
    ) -> None:
        self._stream = stream
        self._hide = hide
        self._begun = begun

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, in pieces."""
        held = b""
        async for piece in self._stream:
            whole = self._hide(held + piece)
            split = len(whole) - self._begun(whole)
            held = whole[split:]
            if split:
                yield whole[:split]
        if held:
            yield held

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()
