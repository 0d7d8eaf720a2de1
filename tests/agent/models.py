"""Models for tests: each answers by a function of what it is asked."""

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio.lowlevel

from toolweft.core.messages import (
    AssistantMessage,
    ModelEvent,
    ModelReply,
    ModelRequest,
    ReplyDone,
    StopReason,
    UserMessage,
)
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.core.providers import ModelCapabilities

__all__ = ("ONE_CENT", "FakeModel", "last_text")

# A thousand tokens for a cent, read or written.
ONE_CENT = TokenPrices(input=10.0, output=10.0, cache_read=1.0, cache_write=12.5)
USAGE = TokenUsage(input_tokens=60, output_tokens=40)

Answer = str | Exception | ModelReply | None


def last_text(request: ModelRequest) -> str:
    """What a model is asked last."""
    message = request.messages[-1]
    assert isinstance(message, UserMessage)
    return "".join(getattr(part, "text", "") for part in message.content)


def make_reply(text: str, *, stop: StopReason = "end_turn", detail: str = "") -> ModelReply:
    message = AssistantMessage(text=text)
    return ModelReply(message=message, stop=stop, usage=USAGE, model="m", detail=detail)


class FakeModel:
    """Answers with one thing after another, the last one again and again; None never answers."""

    def __init__(
        self,
        *answers: Answer | Callable[[ModelRequest], Answer],
        name: str = "fake:small",
        prices: TokenPrices | None = ONE_CENT,
        capabilities: ModelCapabilities | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.prices = prices
        self.capabilities = capabilities or ModelCapabilities()
        self.requests: list[ModelRequest] = []
        self.running = self.most = 0
        self._answers = list(answers)
        self._before = before

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await (self._before() if self._before is not None else anyio.lowlevel.checkpoint())
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if callable(answer):
                answer = answer(request)
            if answer is None:
                await anyio.sleep_forever()
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, ModelReply) else make_reply(str(answer))
        finally:
            self.running -= 1

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield ReplyDone(await self.complete(request))
