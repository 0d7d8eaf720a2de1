"""Asking a model again after a failure that may pass.

Knows no vendor: what may pass is what a `ProviderError` says of itself. Every provider uses it for
requests that have not begun to answer.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import ProviderError

__all__ = ("with_retries",)

log = logging.getLogger(__name__)

_MAX_TRIES: Final = 3
_FIRST_DELAY_S: Final = 0.5
_MAX_DELAY_S: Final = 8.0
# From the first try to the start of the last one; a vendor that asks for more gets an error.
_DEADLINE_S: Final = 60.0

T = TypeVar("T")


async def with_retries(
    attempt: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    random: Callable[[], float],
    is_allowed: bool = True,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> T:
    """What `attempt` gives, tried up to three times.

    Args:
        attempt: one request; nothing of its answer has been passed on when it raises.
        clock: for the deadline over all tries.
        random: a number of [0, 1) at each call, for jitter.
        is_allowed: False where a second try could repeat what the first one did.
        sleep: waits that many seconds.

    Raises:
        ProviderError: the last one; the first where it does not call itself retryable.
    """
    deadline_s = clock.monotonic_s() + _DEADLINE_S
    for tried in range(1, _MAX_TRIES):
        try:
            return await attempt()
        except ProviderError as exc:
            delay_s = _choose_delay_s(exc, tried=tried, random=random)
            is_late = clock.monotonic_s() + delay_s > deadline_s
            if not (is_allowed and exc.is_retryable) or is_late:
                _tell_wait(exc)
                raise
            log.info("provider.retry", extra={"attempt": tried, "status": exc.status})
        await sleep(delay_s)
    try:
        return await attempt()
    except ProviderError as exc:
        _tell_wait(exc)
        raise


def _tell_wait(error: ProviderError) -> None:
    """Say of an error why it was not waited for; how long stands in `retry_after_s`."""
    wait_s = error.retry_after_s
    if error.is_retryable and wait_s is not None and wait_s > _DEADLINE_S:
        error.message += (
            f"; it asks to wait {wait_s:,g} s, and no request waits longer than {_DEADLINE_S:g} s"
        )
        error.args = (error.message,)


def _choose_delay_s(error: ProviderError, *, tried: int, random: Callable[[], float]) -> float:
    backoff_s = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2.0 ** (tried - 1))
    # Between half of it and the whole, so that clients that failed together do not return together.
    jittered_s = backoff_s * (0.5 + random() / 2)
    return max(jittered_s, error.retry_after_s or 0.0)
