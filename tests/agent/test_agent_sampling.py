"""A model that answers servers which ask for one: within the budget, recorded, texts only."""

from typing import Any

import pytest

from toolweft.agent.sampling import Sampler
from toolweft.agent.spending import Spending
from toolweft.core.calls import LOCAL
from toolweft.core.client import Ask
from toolweft.core.errors import AskRefused
from toolweft.core.events import ModelReplied
from toolweft.core.ids import SourceName
from toolweft.core.messages import AssistantMessage, ModelReply
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.providers.scripted import ScriptedProvider
from toolweft.testing import FakeClock, MemoryLedger

REPLY = ModelReply(
    message=AssistantMessage(text="Paris"),
    stop="end_turn",
    usage=TokenUsage(input_tokens=10, output_tokens=2),
    model="m",
)
PRICES = TokenPrices(input=1, output=1, cache_read=1, cache_write=1)


def sampler(*, max_cost_usd: float | None = None) -> tuple[Sampler, ScriptedProvider, MemoryLedger]:
    model, ledger = ScriptedProvider([REPLY], name="v:m", prices=PRICES), MemoryLedger()
    made = Sampler(
        model,
        spending=Spending(max_cost_usd=max_cost_usd),
        ledger=ledger,
        clock=FakeClock(),
        principal=LOCAL,
    )
    return made, model, ledger


def ask_for(*contents: Any, **more: Any) -> Ask:
    messages = [{"role": "user", "content": content} for content in contents]
    params = {"messages": messages, "maxTokens": 50, **more}
    return Ask(kind="sampling", source=SourceName("desk"), params=params)


@pytest.mark.promise("front.terminal")
async def test_the_models_answer_is_the_result_and_is_recorded() -> None:
    sample, model, ledger = sampler()

    answer = await sample(ask_for({"type": "text", "text": "Capital?"}, systemPrompt="Be short."))

    assert answer == {
        "role": "assistant",
        "content": {"type": "text", "text": "Paris"},
        "model": "v:m",
        "stopReason": "endTurn",
    }
    (request,) = model.requests
    assert request.max_tokens == 50
    assert request.messages[0].content[0].text == "Wanted: Be short.\n\nCapital?"
    (event,) = ledger.events
    assert isinstance(event, ModelReplied)
    assert (event.model, event.run_id, event.status) == ("v:m", None, "ok")
    assert event.cost_usd is not None
    assert event.cost_usd > 0


async def test_what_could_cost_more_than_is_left_is_refused() -> None:
    sample, model, _ = sampler(max_cost_usd=1e-9)

    with pytest.raises(AskRefused, match="did not answer"):
        await sample(ask_for({"type": "text", "text": "Capital?"}))

    assert model.requests == []


async def test_more_than_text_is_refused() -> None:
    sample, model, _ = sampler()

    with pytest.raises(AskRefused, match="more than text"):
        await sample(ask_for({"type": "image", "data": "", "mimeType": "image/png"}))

    assert model.requests == []


async def test_several_messages_are_told_apart() -> None:
    sample, model, _ = sampler()
    contents = [{"type": "text", "text": "One"}], {"type": "text", "text": "Two"}

    await sample(ask_for(*contents))

    assert model.requests[0].messages[0].content[0].text == "user: One\n\nuser: Two"
