"""Asks planners: the first that answers, within the budget, each request recorded."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from toolweft.agent.events import Emit, Notice
from toolweft.agent.recording import record_reply
from toolweft.agent.spending import Spending
from toolweft.core.calls import Principal
from toolweft.core.clock import Clock
from toolweft.core.errors import BudgetSpent, ContextFull, ProviderError, RemoteContainerGone
from toolweft.core.events import ModelReplied
from toolweft.core.messages import (
    CallProposed,
    ModelReply,
    ModelRequest,
    ReplyDone,
    TextPrinted,
)
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.core.ports import Ledger
from toolweft.core.providers import Provider

__all__ = ("Answered", "Planners")

# Estimates are UTF-8 bytes / 4, which is too few for records and for other scripts than Latin.
_ESTIMATE_MARGIN: Final = 1.4
# These are for the loop: another planner would not help, or would not be the same conversation.
_NOT_AWAY: Final = (BudgetSpent, ContextFull, RemoteContainerGone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A reply, and what it cost."""

    reply: ModelReply
    model: str
    # None where the prices are not known.
    cost_usd: float | None


class Planners:
    """The planners of one task, in the order in which they stand in for one another.

    Args:
        providers: at least one; open.
        spending: what the task may cost.
        ledger: records each request.
        clock: for durations and dates.
        principal: on whose behalf.
        emit: gets text and calls as they are written.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        spending: Spending,
        ledger: Ledger,
        clock: Clock,
        principal: Principal,
        emit: Emit,
    ) -> None:
        self._providers = tuple(providers)
        self._spending = spending
        self._ledger = ledger
        self._clock = clock
        self._principal = principal
        self._emit = emit
        # Whoever stood in goes on: a change costs the whole cache.
        self._position = 0

    @property
    def current(self) -> Provider:
        """The one that is asked next."""
        return self._providers[self._position]

    async def ask(
        self,
        build: Callable[[Provider], ModelRequest],
        *,
        estimated_tokens: int,
        may_repeat: bool,
    ) -> Answered:
        """The reply of the first planner that gives one.

        Args:
            build: the request as it is put to one of them.
            estimated_tokens: what the request holds.
            may_repeat: False where a program at the vendor waits, which no other can go on with,
                and which may act again if it is asked twice.

        Raises:
            BudgetSpent: the reply might cost more than is left.
            ContextFull: the request is longer than the model takes.
            RemoteContainerGone: the container that the request names is over.
            ProviderError: none of them answered.
        """
        while True:
            provider = self.current
            try:
                return await self._ask(
                    provider,
                    build(provider),
                    estimated_tokens=estimated_tokens,
                    may_repeat=may_repeat,
                )
            except _NOT_AWAY:
                raise
            except ProviderError as exc:
                if not may_repeat or self._position + 1 >= len(self._providers):
                    raise
                self._position += 1
                text = f"{exc.message}; {self.current.name} stands in"
                self._emit(Notice(kind="degraded", text=text))

    async def _ask(
        self,
        provider: Provider,
        request: ModelRequest,
        *,
        estimated_tokens: int,
        may_repeat: bool,
    ) -> Answered:
        try:
            return await self._ask_once(provider, request, estimated_tokens)
        except _NOT_AWAY:
            raise
        except _CutOff as exc:
            if not may_repeat:
                raise exc.error from exc
            text = f"{exc.error.message}; what was written is void, and it is asked again"
            self._emit(Notice(kind="retry", text=text))
        try:
            return await self._ask_once(provider, request, estimated_tokens)
        except _CutOff as exc:
            raise exc.error from exc

    async def _ask_once(
        self, provider: Provider, request: ModelRequest, estimated_tokens: int
    ) -> Answered:
        reservation = self._spending.reserve(
            role="planner",
            model=provider.name,
            prices=provider.prices,
            most=_most(provider.prices, estimated_tokens, request.max_tokens),
        )
        started_s = self._clock.monotonic_s()
        status, usage, cost_usd = "cancelled", TokenUsage(), None
        written: list[TextPrinted | CallProposed] = []
        try:
            reply = await self._read(provider, request, written)
            usage, status = reply.usage, "ok"
            cost_usd = self._spending.settle(reservation, usage)
            return Answered(reply=reply, model=provider.name, cost_usd=cost_usd)
        except ProviderError as exc:
            status = exc.code
            if not (written or exc.has_begun):
                # Vendors charge nothing for a request that failed before it was answered.
                cost_usd = self._spending.release(reservation)
                raise
            cost_usd = self._spending.forfeit(reservation)
            if isinstance(exc, _NOT_AWAY):
                raise
            raise _CutOff(exc) from exc
        except BaseException:
            cost_usd = self._spending.forfeit(reservation)
            raise
        finally:
            record_reply(
                self._ledger,
                ModelReplied(
                    at=self._clock.now(),
                    principal=self._principal,
                    run_id=None,
                    role="planner",
                    model=provider.name,
                    status=status,
                    duration_ms=(self._clock.monotonic_s() - started_s) * 1_000,
                    usage=usage,
                    cost_usd=cost_usd,
                ),
            )

    async def _read(
        self, provider: Provider, request: ModelRequest, written: list[TextPrinted | CallProposed]
    ) -> ModelReply:
        """The reply; what is written of it meanwhile is told, and stands in `written`."""
        reply: ModelReply | None = None
        # To its end, so that the connection can be used again.
        async for event in provider.stream(request):
            if isinstance(event, ReplyDone):
                reply = event.reply
                continue
            written.append(event)
            self._emit(event)
        if reply is None:
            raise ProviderError(f"{provider.name}: the stream ended without a reply")
        ids = Counter(call.id for call in reply.message.calls)
        if repeated := [call_id for call_id, count in ids.items() if count > 1]:
            # It may be one call that was told twice, and a result could not say whose it is.
            raise ProviderError(f"{provider.name}: several calls have the id {repeated[0]!r:.80}")
        return reply


class _CutOff(Exception):
    """The reply broke off after it had begun; never leaves this file."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error.message)
        self.error = error


def _most(prices: TokenPrices | None, estimated_tokens: int, max_tokens: int) -> TokenUsage:
    """The dearest that a request may become."""
    tokens = ceil(estimated_tokens * _ESTIMATE_MARGIN)
    if prices is not None and prices.cache_write > prices.input:
        return TokenUsage(cache_write_tokens=tokens, output_tokens=max_tokens)
    return TokenUsage(input_tokens=tokens, output_tokens=max_tokens)
