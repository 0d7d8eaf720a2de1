"""A cap on what is held of an answer, counted as its bytes come and after they were unpacked.

An SDK reads answers whole, and so does what it reads events with. Knows no vendor; whatever sends
requests calls `cap_answer` on each answer before anything of it is read.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Final

import httpx2

__all__ = ("CappedStream", "cap_answer")

_FIRST_FAILURE: Final = 400
# What a vendor says of a failure is a few lines; what comes after is left unread.
_MAX_FAILURE_BYTES: Final = 1024**2


class CappedStream(httpx2.AsyncByteStream):
    """The unpacked bytes of an answer."""

    def __init__(self, answer: httpx2.Response, check_size: Callable[[int], None]) -> None:
        self._answer = answer
        self._check_size = check_size
        self._held_bytes = 0
        # One for all who ask, so that a stream that was left can be read to its end.
        self._pieces = self._read()

    def restart(self, check_size: Callable[[int], None]) -> None:
        """Count from here, as what came so far is no longer held."""
        self._check_size = check_size
        self._held_bytes = 0

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they come; raises what `check_size` does once there are too many."""
        return self._pieces

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._answer.aclose()

    async def _read(self) -> AsyncGenerator[bytes, None]:
        is_failure = self._answer.status_code >= _FIRST_FAILURE
        async for piece in self._answer.aiter_bytes():
            self._held_bytes += len(piece)
            if is_failure and self._held_bytes > _MAX_FAILURE_BYTES:
                return
            self._check_size(self._held_bytes)
            yield piece


def cap_answer(answer: httpx2.Response, check_size: Callable[[int], None]) -> None:
    """Make an answer's bytes go through a `CappedStream`.

    Args:
        answer: of which nothing was read.
        check_size: takes how many bytes came since the last `restart`; raises where they are too
            many.
    """
    packed = httpx2.Response(answer.status_code, headers=answer.headers, stream=answer.stream)
    answer.headers.pop("content-encoding", None)
    answer.stream = CappedStream(packed, check_size)
