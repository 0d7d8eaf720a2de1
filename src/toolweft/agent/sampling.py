"""A model that answers servers which ask for one (MCP's sampling), on the budget of whoever calls.

What a server sends is a stranger's text: it reaches the model as one question, without tools.
"""

from dataclasses import replace
from typing import Final

from toolweft.agent.spending import Spending
from toolweft.agent.workers import WorkerOptions, WorkerPool
from toolweft.core.client import Ask
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import AskRefused, ToolweftError
from toolweft.core.json import Json, JsonObject
from toolweft.core.ports import Ledger
from toolweft.core.principals import Principal
from toolweft.core.providers import Provider
from toolweft.core.workers import WorkerRequest

__all__ = ("Sampler",)

# For one answer; a server that waits for it holds its call.
_TIMEOUT_S: Final = 120.0


class Sampler:
    """Answers `sampling/createMessage` with a model.

    Args:
        model: who answers; already entered.
        spending: what it costs, and the cap on that.
        ledger: records each answer, as of a worker.
        clock: for deadlines and records.
        principal: on whose behalf.
    """

    def __init__(
        self,
        model: Provider,
        *,
        spending: Spending,
        ledger: Ledger,
        clock: Clock,
        principal: Principal,
    ) -> None:
        self._model = model
        self._spending = spending
        self._ledger = ledger
        self._clock = clock
        self._principal = principal

    async def __call__(self, ask: Ask) -> JsonObject:
        """The result of `sampling/createMessage`.

        Raises:
            AskRefused: the question is not all text, the budget is spent, or no answer came.
        """
        options = WorkerOptions()
        most = ask.params.get("maxTokens")
        if isinstance(most, int) and most > 0:
            options = replace(options, max_tokens=min(most, options.max_tokens))
        pool = WorkerPool(
            (self._model,),
            spending=self._spending,
            ledger=self._ledger,
            clock=self._clock,
            options=options,
        )
        question = WorkerRequest(
            prompt=_render_question(ask),
            schema=None,
            run_id=None,
            principal=self._principal,
            countdown=Countdown(_TIMEOUT_S, clock=self._clock),
        )
        try:
            text = await pool.answer(question)
        except ToolweftError as exc:
            raise AskRefused(
                f"{ask.source!r} asks for a model, which did not answer: {exc.message}",
                hint=exc.hint,
            ) from exc
        return {
            "role": "assistant",
            "content": {"type": "text", "text": text},
            "model": self._model.name,
            "stopReason": "endTurn",
        }


def _render_question(ask: Ask) -> str:
    """What the server wants a model to read, as one text."""
    parts = []
    if system := ask.params.get("systemPrompt"):
        parts.append(f"Wanted: {system}")
    messages = ask.params.get("messages")
    listed = messages if isinstance(messages, list) else []
    texts = [
        (message.get("role"), _text_of(message.get("content"), ask))
        for message in listed
        if isinstance(message, dict)
    ]
    if len(texts) == 1:
        return "\n\n".join((*parts, texts[0][1]))
    return "\n\n".join((*parts, *(f"{role}: {text}" for role, text in texts)))


def _text_of(content: Json, ask: Ask) -> str:
    blocks = content if isinstance(content, list) else [content]
    for block in blocks:
        if not isinstance(block, dict) or block.get("type") != "text":
            raise AskRefused(
                f"{ask.source!r} asks a model about more than text",
                hint="the command line passes on texts only",
            )
    return "\n".join(str(block.get("text", "")) for block in blocks)
