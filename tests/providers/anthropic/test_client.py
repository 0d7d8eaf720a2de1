"""The whole way: our client, the vendor's own SDK, HTTP, and a server as strict as the vendor."""

import itertools
import json
import logging
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from tests.providers.anthropic.support import (
    EXPENSES,
    FIND,
    MODEL,
    ORDER,
    REFUND,
    ask,
    build_tool,
    result,
    results,
    user,
)

from toolweft.core.errors import ConfigError, ContextFull, ProviderError, RemoteContainerGone
from toolweft.core.messages import (
    ModelEvent,
    ModelReply,
    ModelRequest,
    ReplyDone,
    TextPrinted,
    ToolsMessage,
)
from toolweft.core.providers import Provider
from toolweft.core.secret import Secret
from toolweft.providers.anthropic import AnthropicOptions, AnthropicProvider
from toolweft.testing import FakeClock
from toolweft.testing.vendors.anthropic import AnthropicServer, Failure, Script, Turn
from toolweft.testing.vendors.anthropic_blocks import code, code_result, say, think, use

pytestmark = pytest.mark.network

HELLO = Turn(blocks=(say("Hello there."),))
PAUSED = Turn(
    blocks=(
        think("Two at once."),
        code("print(await get_expenses({'emp': 'e1'}))", program="srvtoolu_9"),
        use("get_expenses", {"emp": "e1"}, call_id="toolu_a", program="srvtoolu_9"),
    )
)
OVER = Turn(blocks=(code_result("[]\n", program="srvtoolu_9"), say("Nobody is.")))


@asynccontextmanager
async def talk(
    script: Script, *, server: AnthropicServer | None = None, **options: Any
) -> AsyncIterator[tuple[AnthropicServer, AnthropicProvider]]:
    chosen = AnthropicOptions(
        model=options.pop("model", MODEL), native=options.pop("native", "on"), **options
    )
    clock = FakeClock()
    async with server or AnthropicServer(script) as served:
        chosen = replace(chosen, base_url=served.base_url)
        environment = {"ANTHROPIC_API_KEY": served.key, "ANTHROPIC_FOUNDRY_API_KEY": served.key}
        provider = AnthropicProvider(
            chosen, environment=environment, clock=clock, random=lambda: 0.0
        )
        async with provider:
            with anyio.fail_after(50):
                yield served, provider


async def collect(
    provider: Provider, request: ModelRequest, *, into: list[ModelEvent] | None = None
) -> list[ModelEvent]:
    events = [] if into is None else into
    async for event in provider.stream(request):
        events.append(event)
    return events


async def finish(provider: Provider, request: ModelRequest) -> ModelReply:
    last = (await collect(provider, request))[-1]
    assert isinstance(last, ReplyDone)
    return last.reply


def go_on(request: ModelRequest, reply: ModelReply, *more: Any) -> ModelRequest:
    container_id = reply.container.id if reply.container else None
    return replace(
        request,
        messages=(*request.messages, reply.message, *more),
        container_id=container_id,
    )


async def test_a_plain_turn() -> None:
    async with talk([HELLO]) as (server, provider):
        reply = await provider.complete(ask(system="Be brief.", tools=(FIND,)))

        assert (reply.message.text, reply.stop, reply.model) == ("Hello there.", "end_turn", MODEL)
        assert reply.request_id == "req_1"
        assert provider.name == f"anthropic:{MODEL}"
        assert provider.prices is not None
        assert server.headers[0]["anthropic-version"] == "2026-10-21"
        assert "anthropic-beta" not in server.headers[0]
        assert server.headers[0]["authorization"] == f"Bearer {server.key}"


async def test_a_streamed_turn_ends_in_the_same_reply() -> None:
    turn = Turn(
        blocks=(think("Hm."), say("I look."), use("find_tools", {"query": "x"}, call_id="a"))
    )
    request = ask(tools=(FIND,))
    async with talk([turn, turn]) as (_, provider):
        plain = await provider.complete(request)
        events = await collect(provider, request)

    assert isinstance(events[-1], ReplyDone)
    assert replace(events[-1].reply, request_id="") == replace(plain, request_id="")
    printed = [event.text for event in events if isinstance(event, TextPrinted)]
    assert "".join(printed) == "I look."


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_tool_is_found_revealed_and_called(is_streamed: bool) -> None:
    script = [
        Turn(blocks=(think("Find."), use("find_tools", {"query": "refund"}, call_id="toolu_s"))),
        Turn(blocks=(use("refund_order", {"order_id": "A-7"}, call_id="toolu_1"),)),
        Turn(blocks=(say("Done."),)),
    ]
    request = ask(user("Refund A-7."), tools=(FIND, REFUND, ORDER), system="Be brief.")
    async with talk(script) as (server, provider):
        turn = (lambda asked: finish(provider, asked)) if is_streamed else provider.complete
        reply = await turn(request)
        found = result("toolu_s", "Found.", revealed=("refund_order", "gone"))
        request = go_on(request, reply, results(found))
        reply = await turn(request)
        request = go_on(request, reply, results(result("toolu_1", "ok")))
        reply = await turn(request)

        assert reply.message.text == "Done."
        assert server.refusals == []
        assert len({json.dumps(body["tools"]) for body in server.requests}) == 1


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_program_at_the_vendor_is_answered_until_it_is_over(is_streamed: bool) -> None:
    request = ask(user("Who is over budget?"), tools=(EXPENSES, FIND))
    async with talk([PAUSED, OVER, HELLO]) as (server, provider):
        turn = (lambda asked: finish(provider, asked)) if is_streamed else provider.complete
        reply = await turn(request)
        assert (reply.stop, reply.container is not None) == ("awaiting_program", True)
        (made,) = reply.message.calls
        answer = result(made.id, "[]", name=made.name, caller=made.caller)
        request = go_on(request, reply, results(answer), user("Hurry."))
        reply = await turn(request)
        assert reply.message.text == "Nobody is."
        request = go_on(request, reply, user("Thanks."))
        await turn(request)

        assert server.refusals == []
        assert server.requests[1]["container"] == "container_01"
        assert [b["text"] for b in server.requests[2]["messages"][-1]["content"]] == [
            *("Hurry.", "Thanks.")
        ]


async def test_a_program_may_call_again_and_again() -> None:
    again = Turn(
        blocks=(use("get_expenses", {"emp": "e2"}, call_id="toolu_b", program="srvtoolu_9"),)
    )
    request = ask(user("Who?"), tools=(EXPENSES,))
    async with talk([PAUSED, again, OVER]) as (server, provider):
        reply = await provider.complete(request)
        request = go_on(request, reply, results(result("toolu_a", "[]")))
        reply = await provider.complete(request)
        (made,) = reply.message.calls
        assert (reply.stop, made.caller.call_index) == ("awaiting_program", 2)
        request = go_on(request, reply, results(result("toolu_b", "[]")))
        assert (await provider.complete(request)).stop == "end_turn"

        assert server.refusals == []


@pytest.mark.promise("anthropic.echo")
@pytest.mark.parametrize("left_out", ["thinking", "server_tool_use"])
async def test_what_is_not_echoed_is_refused(left_out: str) -> None:
    request = ask(user("Who?"), tools=(EXPENSES,))
    async with talk([PAUSED, OVER]) as (_, provider):
        reply = await provider.complete(request)
        raw = reply.message.raw
        assert raw is not None
        kept = tuple(item for item in raw.items if item["type"] != left_out)
        cut = replace(reply.message, raw=replace(raw, items=kept))
        answer = results(result("toolu_a", "[]"))
        with pytest.raises(ProviderError) as caught:
            await provider.complete(go_on(request, replace(reply, message=cut), answer))

    assert caught.value.status == 400
    assert not caught.value.is_retryable


@pytest.mark.promise("anthropic.program")
async def test_a_container_that_is_gone_is_never_replaced() -> None:
    request = ask(user("Who?"), tools=(EXPENSES,))
    async with talk([PAUSED, OVER]) as (server, provider):
        reply = await provider.complete(request)
        server.end_containers()
        answer = results(result("toolu_a", "[]"))
        with pytest.raises(RemoteContainerGone):
            await provider.complete(go_on(request, reply, answer))

        assert len(server.headers) == 2


async def test_tools_that_join_later_are_told_with_their_beta() -> None:
    request = ask(user("Hi."), tools=(FIND,))
    async with talk([HELLO, HELLO, HELLO]) as (server, provider):
        reply = await provider.complete(request)
        joined = ToolsMessage(tools=(build_tool("late"),))
        request = go_on(request, reply, joined, user("Now?"))
        request = go_on(request, await provider.complete(request), user("And now?"))
        await provider.complete(request)

        assert server.refusals == []
        assert server.headers[2]["anthropic-beta"] == "inline-tools-2026-09-15"


async def test_a_growing_conversation_is_read_from_the_cache() -> None:
    system = "Be brief. " * 600
    request = ask(user("Turn 0."), system=system, tools=(FIND, REFUND))
    usages = []
    async with talk([HELLO] * 4) as (_, provider):
        for number in range(4):
            reply = await provider.complete(request)
            usages.append(reply.usage)
            request = go_on(request, reply, user(f"Turn {number + 1}."))

    assert usages[0].cache_read_tokens == 0
    assert usages[0].cache_write_tokens > 1400
    for before, after in itertools.pairwise(usages):
        assert after.cache_read_tokens == before.cache_read_tokens + before.cache_write_tokens
        assert after.input_tokens == 0


async def test_a_turn_with_many_results_is_still_read_from_the_cache() -> None:
    calls = tuple(use("find_tools", {"query": "x"}, call_id=f"c{n}") for n in range(30))
    request = ask(user("Many."), system="Be brief. " * 600, tools=(FIND,))
    async with talk([Turn(blocks=calls), HELLO]) as (_, provider):
        first = await provider.complete(request)
        answers = results(*(result(f"c{n}", "nothing") for n in range(30)))
        second = await provider.complete(go_on(request, first, answers))

    assert second.usage.cache_read_tokens == first.usage.cache_write_tokens


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_overload_is_tried_again(is_streamed: bool) -> None:
    script = [Failure(status=529, kind="overloaded_error", headers={"retry-after": "0"}), HELLO]
    async with talk(script) as (server, provider):
        reply = await (finish(provider, ask()) if is_streamed else provider.complete(ask()))

        assert reply.message.text == "Hello there."
        assert len(server.requests) == 2


async def test_a_rate_limit_longer_than_our_patience_is_told() -> None:
    limit = Failure(status=429, kind="rate_limit_error", headers={"retry-after": "300"})
    async with talk([limit]) as (server, provider):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(ask())

        assert (caught.value.retry_after_s, caught.value.is_retryable) == (300.0, True)
        assert len(server.requests) == 1


@pytest.mark.promise("anthropic.once")
async def test_a_program_that_goes_on_is_never_sent_twice() -> None:
    request = ask(user("Who?"), tools=(EXPENSES,))
    async with talk([PAUSED, Failure(status=529)]) as (server, provider):
        reply = await provider.complete(request)
        with pytest.raises(ProviderError):
            await provider.complete(go_on(request, reply, results(result("toolu_a", "[]"))))

        assert len(server.requests) == 2


@pytest.mark.promise("anthropic.once")
@pytest.mark.parametrize(
    "turn",
    [
        replace(HELLO, break_after=4),
        replace(HELLO, break_after=4, stream_error={"type": "overloaded_error", "message": "Busy"}),
        replace(HELLO, break_after=4, ends_early=True),
    ],
    ids=["connection", "event", "end"],
)
async def test_a_stream_that_breaks_off_is_told_and_not_tried_again(
    turn: Turn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="uvicorn.error")
    written: list[ModelEvent] = []
    async with talk([turn]) as (server, provider):
        with pytest.raises(ProviderError, match="what was written is lost") as caught:
            await collect(provider, ask(), into=written)

        assert len(server.requests) == 1
    assert written == [TextPrinted("Hello t")]
    assert "after 7 characters" in caught.value.message
    assert caught.value.is_retryable


async def test_a_stream_may_be_left_early() -> None:
    async with talk([HELLO, HELLO]) as (_, provider):
        stream = provider.stream(ask())
        assert isinstance(await anext(stream), TextPrinted)
        await stream.aclose()  # type: ignore[attr-defined] # an async generator
        assert (await provider.complete(ask())).message.text == "Hello there."


async def test_a_wrong_key_is_told_and_not_repeated() -> None:
    server = AnthropicServer([HELLO], key="right")
    async with talk([], server=server, key=Secret("wrong-key", reference="test")) as (_, provider):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(ask())

    assert caught.value.status == 401
    assert "wrong-key" not in str(caught.value)


async def test_an_unknown_model_is_told() -> None:
    async with talk([HELLO], model="claude-nobody") as (_, provider):
        with pytest.raises(ProviderError, match="claude-nobody") as caught:
            await provider.complete(ask())

    assert caught.value.status == 404


async def test_a_history_that_is_too_long_is_told() -> None:
    server = AnthropicServer([HELLO], context_tokens=50)
    async with talk([], server=server) as (_, provider):
        with pytest.raises(ContextFull):
            await provider.complete(ask(user("word " * 200)))


async def test_a_place_that_does_not_answer_is_told() -> None:
    options = AnthropicOptions(model=MODEL, base_url="http://127.0.0.1:9", timeout_s=5)
    clock = FakeClock()
    provider = AnthropicProvider(
        options,
        environment={"ANTHROPIC_API_KEY": "k"},
        clock=clock,
        random=random.random,
    )
    async with provider:
        with pytest.raises(ProviderError, match=r"127\.0\.0\.1:9") as caught:
            await provider.complete(ask())

    assert caught.value.is_retryable


async def test_foundry_gets_the_key_its_own_way_and_the_beta_it_needs() -> None:
    async with talk([HELLO], platform="foundry") as (server, provider):
        await provider.complete(ask(tools=(FIND, ORDER)))

        (headers,) = server.headers
        assert "authorization" not in headers
        assert headers["x-api-key"] == headers["api-key"] == server.key
        assert headers["anthropic-beta"] == "advanced-tool-use-2025-11-20"


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({}, "ANTHROPIC_API_KEY"),
        ({"platform": "foundry", "base_url": "http://x"}, "ANTHROPIC_FOUNDRY_API_KEY"),
        ({"platform": "foundry"}, "base_url"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(
    fields: dict[str, Any], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        AnthropicProvider(
            AnthropicOptions(model=MODEL, **fields),
            environment={"ANTHROPIC_API_KEY": "  "},
            clock=FakeClock(),
            random=random.random,
        )


async def test_a_missing_sdk_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    provider = AnthropicProvider(
        AnthropicOptions(model=MODEL, key=Secret("k", reference="test")),
        environment={},
        clock=FakeClock(),
        random=random.random,
    )

    with pytest.raises(ConfigError, match=r"toolweft\[anthropic\]"):
        await provider.__aenter__()


async def test_a_key_that_no_header_carries_is_named() -> None:
    provider = AnthropicProvider(
        AnthropicOptions(model=MODEL, key=Secret("k\nk", reference="env:KEY")),
        environment={},
        clock=FakeClock(),
        random=random.random,
    )

    with pytest.raises(ConfigError, match="env:KEY"):
        await provider.__aenter__()


async def test_a_provider_that_is_not_open_says_so() -> None:
    provider = AnthropicProvider(
        AnthropicOptions(model=MODEL, key=Secret("k", reference="test")),
        environment={},
        clock=FakeClock(),
        random=random.random,
    )

    with pytest.raises(ProviderError, match="not open"):
        await provider.complete(ask())


def check_is_a_provider(provider: AnthropicProvider) -> Provider:
    """The type checker holds the port against the class."""
    return provider
