"""A breaker before a model: while the model fails, it is not asked.

Knows no vendor: what counts is what a `ProviderError` says of itself.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from toolweft.core.breaker import Breaker
from toolweft.core.errors import ProviderError, ProviderUnavailable

__all__ = ("Gate",)

# The vendor is there, and asks for fewer requests: opens by its share alone.
_TOO_MANY: Final = 429
# Both probes are out; how long an answer takes is not known.
_PROBING_WAIT_S: Final = 1.0

T = TypeVar("T")


class Gate:
    """Lets requests through while its breaker does."""

    def __init__(self, breaker: Breaker, *, name: str) -> None:
        self._breaker = breaker
        self._name = name
        self._last = ""

    def check(self) -> None:
        """Refuse a new request at once while nobody is asked.

        Raises:
            ProviderUnavailable: for how long, and why.
        """
        if self._breaker.state == "open":
            raise self._refuse()

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What one request gives.

        Raises:
            ProviderUnavailable: it was not made, as too many before it failed.
            ProviderError: what `attempt` raised.
        """
        permit = self._breaker.try_enter()
        if permit is None:
            raise self._refuse()
        try:
            answer = await attempt()
        except ProviderError as exc:
            if exc.is_retryable:
                self._last = exc.message.removeprefix(f"{self._name}: ")
                permit.fail(is_hard=exc.status != _TOO_MANY)
            raise
        else:
            permit.succeed()
            return answer
        finally:
            # Of a request that was refused for its words, or cancelled.
            permit.abandon()

    def _refuse(self) -> ProviderUnavailable:
        wait_s = self._breaker.retry_after_s or _PROBING_WAIT_S
        why = self._last or "it took too long to answer"
        return ProviderUnavailable(
            f"{self._name}: not asked, as too many requests to it failed; it may be asked again in"
            f" {wait_s:.1f} s; the last failure: {why}",
            hint="wait that long, or ask another model",
            retryable=True,
            retry_after_s=wait_s,
        )
