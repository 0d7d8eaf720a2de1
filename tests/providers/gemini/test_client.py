"""The whole way: our client, the vendor's own SDK, HTTP, and a server as strict as the vendor."""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from tests.providers.gemini.support import (
    FIND,
    MODEL,
    ORDER,
    REFUND,
    WEATHER,
    ask,
    call,
    called,
    result,
    results,
    user,
)

from toolweft.core.errors import ConfigError, ContextFull, ProviderError
from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest, RawItems, ReplyDone
from toolweft.core.providers import Provider
from toolweft.core.secret import Secret
from toolweft.providers.gemini import GeminiOptions, GeminiProvider
from toolweft.testing import FakeClock
from toolweft.testing.vendors.gemini import Failure, GeminiServer, Script, Turn
from toolweft.testing.vendors.gemini_parts import (
    call_part,
    call_step,
    say_part,
    say_step,
    search_step,
    think_step,
)

pytestmark = pytest.mark.network

GENERATE = "gemini"
INTERACT = "gemini_interactions"
APIS = [GENERATE, INTERACT]
LONG = "Hello there, \u2028 and a good day to you."


def say(api: str, text: str = LONG) -> Turn:
    return Turn(items=(say_part(text) if api == GENERATE else say_step(text),))


@asynccontextmanager
async def talk(
    script: Script, api: Any = GENERATE, *, server: GeminiServer | None = None, **options: Any
) -> AsyncIterator[tuple[GeminiServer, GeminiProvider]]:
    options = {"model": MODEL, "native": "on", "api": api, **options}
    async with server or GeminiServer(script) as served:
        chosen = GeminiOptions(**{"base_url": served.base_url, **options})
        provider = GeminiProvider(
            chosen,
            environment={"GEMINI_API_KEY": served.key},
            clock=FakeClock(),
            random=lambda: 0.0,
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
    return replace(request, messages=(*request.messages, reply.message, *more))


@pytest.mark.parametrize("api", APIS)
async def test_plain_and_streamed_turns_give_the_same_reply(api: str) -> None:
    async with talk([say(api)] * 2, api) as (server, provider):
        request = ask(system="Be brief.", tools=(WEATHER,))
        plain = await provider.complete(request)
        streamed = await finish(provider, request)

        assert (plain.message.text, plain.stop, plain.model) == (LONG, "end_turn", MODEL)
        assert replace(streamed, request_id=plain.request_id, usage=plain.usage) == plain
        assert (provider.name, provider.prices) == (f"gemini:{MODEL}", None)
        assert server.refusals == []
        assert all(path.startswith("/v1/") for path in server.paths)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_parallel_calls_are_answered(is_streamed: bool) -> None:
    both = (
        call_part("get_weather", {"city": "Oslo"}, call_id="a"),
        call_part("get_weather", {"city": "Bergen"}, call_id="b"),
    )
    request = ask(user("Weather?"), tools=(WEATHER,))
    async with talk([Turn(items=(say_part("I look."), *both)), say(GENERATE)]) as (
        server,
        provider,
    ):
        turn = (lambda asked: finish(provider, asked)) if is_streamed else provider.complete
        reply = await turn(request)
        assert reply.stop == "tool_use"
        made = [result(each.id, "4", name=each.name) for each in reply.message.calls]
        reply = await turn(go_on(request, reply, results(*made)))

        assert reply.message.text == LONG
        assert server.refusals == []


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_tool_is_found_revealed_and_called(is_streamed: bool) -> None:
    script = [
        Turn(items=(think_step("Find."), search_step({"query": "refund"}))),
        Turn(items=(think_step("Go."), call_step("refund_order", {"order_id": "A-7"}))),
        say(INTERACT),
    ]
    request = ask(user("Refund A-7."), tools=(FIND, REFUND, ORDER), system="Be brief.")
    async with talk(script, INTERACT) as (server, provider):
        turn = (lambda asked: finish(provider, asked)) if is_streamed else provider.complete
        reply = await turn(request)
        (search,) = reply.message.calls
        assert search.name == "find_tools"
        found = result(search.id, "x", name=search.name, revealed=("refund_order",))
        request = go_on(request, reply, results(found))
        reply = await turn(request)
        request = go_on(request, reply, results(result("f1", "ok", name="refund_order")))
        reply = await turn(request)

        assert reply.message.text == LONG
        assert server.refusals == []


@pytest.mark.promise("gemini.echo")
async def test_a_call_without_its_signature_is_refused() -> None:
    request = ask(user("Weather?"), tools=(WEATHER,))
    script = [Turn(items=(call_part("get_weather", {"city": "Oslo"}),)), say(GENERATE)]
    async with talk(script) as (_, provider):
        reply = await provider.complete(request)
        raw = reply.message.raw
        assert raw is not None
        bare = {"functionCall": raw.items[0]["functionCall"]}
        cut = replace(reply.message, raw=replace(raw, items=(bare,)))
        given = results(result("c1", "4", name="get_weather"))
        with pytest.raises(ProviderError, match="thought_signature") as caught:
            await provider.complete(go_on(request, replace(reply, message=cut), given))
        assert caught.value.hint is not None
        assert "go back as they came" in caught.value.hint

        changed = {**raw.items[0], "functionCall": {**bare["functionCall"], "args": {}}}
        cut = replace(reply.message, raw=replace(raw, items=(changed,)))
        with pytest.raises(ProviderError, match="Corrupted"):
            await provider.complete(go_on(request, replace(reply, message=cut), given))


@pytest.mark.promise("gemini.echo")
async def test_a_thought_that_is_not_echoed_is_refused() -> None:
    request = ask(user("Weather?"), tools=(WEATHER,))
    script = [Turn(items=(think_step("Hm."), call_step("get_weather", {}))), say(INTERACT)]
    async with talk(script, INTERACT) as (_, provider):
        reply = await provider.complete(request)
        raw = reply.message.raw
        assert raw is not None
        cut = replace(reply.message, raw=replace(raw, items=raw.items[1:]))
        given = results(result("f1", "4", name="get_weather"))
        with pytest.raises(ProviderError, match="signature"):
            await provider.complete(go_on(request, replace(reply, message=cut), given))


@pytest.mark.parametrize("api", APIS)
async def test_another_vendors_history_is_taken(api: str) -> None:
    raw = RawItems(api="anthropic", platform="anthropic", items=({"type": "thinking"},))
    said = called(call("toolu_1", "get_weather", city="Oslo"), text="I look.", raw=raw)
    given = results(result("toolu_1", "4", name="get_weather"))
    async with talk([say(api)], api) as (server, provider):
        await provider.complete(ask(user("?"), said, given, tools=(WEATHER,)))

        assert server.refusals == []


@pytest.mark.parametrize("api", APIS)
async def test_what_was_asked_before_is_read_from_the_cache(api: str) -> None:
    request = ask(system="Be brief. " * 1000, tools=(WEATHER,))
    async with talk([say(api)] * 2, api) as (_, provider):
        first = await provider.complete(request)
        second = await provider.complete(go_on(request, first, user("More.")))

    assert first.usage.cache_read_tokens == 0
    assert second.usage.cache_read_tokens > 2000
    assert second.usage.input_tokens < 300


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failure_that_may_pass_is_tried_again(
    api: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with talk([Failure(status=status), say(api), say(api)], api) as (server, provider):
        assert (await provider.complete(ask())).message.text == LONG
        assert len(server.requests) == 2


@pytest.mark.parametrize("api", APIS)
async def test_a_delay_beyond_our_patience_is_told(api: str) -> None:
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"}
    failure = Failure(status=429, name="RESOURCE_EXHAUSTED", message="Quota.", details=(wait,))
    async with talk([failure], api) as (server, provider):
        with pytest.raises(ProviderError, match="Quota") as caught:
            await provider.complete(ask())

        assert (caught.value.retry_after_s, caught.value.status) == (3600, 429)
        assert len(server.requests) == 1


@pytest.mark.promise("gemini.once")
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "fields",
    [
        {"break_after": 3},
        {"break_after": 3, "ends_early": True},
        {
            "break_after": 3,
            "stream_error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"},
        },
    ],
)
async def test_a_stream_that_breaks_off_is_never_begun_anew(
    api: str, fields: dict[str, Any]
) -> None:
    turn = replace(say(api, "word " * 20), **fields)
    async with talk([turn], api) as (server, provider):
        events: list[ModelEvent] = []
        with pytest.raises(ProviderError, match="broke off after"):
            await collect(provider, ask(), into=events)

        assert events
        assert not any(isinstance(event, ReplyDone) for event in events)
        assert len(server.requests) == 1


@pytest.mark.parametrize("api", APIS)
async def test_a_stream_that_fails_before_it_begins_is_tried_again(api: str) -> None:
    async with talk([Failure(status=503), say(api)], api) as (server, provider):
        assert (await finish(provider, ask())).message.text == LONG
        assert len(server.requests) == 2


@pytest.mark.parametrize("api", APIS)
async def test_a_wrong_key_is_told_without_the_key(api: str) -> None:
    async with talk([], api, key=Secret("very-wrong", reference="config")) as (_, provider):
        with pytest.raises(ProviderError, match="API key not valid") as caught:
            await provider.complete(ask())

    assert caught.value.hint is not None
    assert "GEMINI_API_KEY" in caught.value.hint
    assert "very-wrong" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not caught.value.is_retryable


async def test_a_history_too_long_is_told_apart() -> None:
    async with talk([], server=GeminiServer([], context_tokens=10)) as (_, provider):
        with pytest.raises(ContextFull):
            await provider.complete(ask(user("word " * 100)))


async def test_another_version_of_the_api_is_asked() -> None:
    async with talk([say(GENERATE)], api_version="v1beta") as (server, provider):
        await provider.complete(ask())

        assert server.paths == [f"/v1beta/models/{MODEL}:generateContent"]


async def test_a_model_that_does_not_exist() -> None:
    async with talk([], model="gemini-nobody/../x") as (_, provider):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(ask())

        assert caught.value.status == 404


async def test_nobody_there_is_an_error_that_may_pass() -> None:
    async with GeminiServer([]) as server:
        address = server.base_url
    options = GeminiOptions(model=MODEL, base_url=address, key=Secret("k", reference="config"))
    provider = GeminiProvider(options, environment={}, clock=FakeClock(), random=lambda: 0.0)
    async with provider:
        with pytest.raises(ProviderError) as caught:
            await provider.complete(ask())

    assert caught.value.is_retryable
    assert caught.value.status is None


@pytest.mark.parametrize("variables", [{}, {"GEMINI_API_KEY": " "}])
def test_without_a_key_nothing_begins(variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        GeminiProvider(
            GeminiOptions(model=MODEL), environment=variables, clock=FakeClock(), random=lambda: 0.0
        )


async def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google", None)
    provider = GeminiProvider(
        GeminiOptions(model=MODEL, key=Secret("k", reference="config")),
        environment={},
        clock=FakeClock(),
        random=lambda: 0.0,
    )
    with pytest.raises(ConfigError) as caught:
        await provider.__aenter__()

    assert caught.value.hint == "pip install 'toolweft[gemini]'"


async def test_a_key_that_no_header_can_carry() -> None:
    provider = GeminiProvider(
        GeminiOptions(model=MODEL, key=Secret("a\nb", reference="config")),
        environment={},
        clock=FakeClock(),
        random=lambda: 0.0,
    )
    with pytest.raises(ConfigError, match="no header can carry"):
        await provider.__aenter__()


async def test_a_provider_that_is_not_open_says_so() -> None:
    provider = GeminiProvider(
        GeminiOptions(model=MODEL, key=Secret("k", reference="config")),
        environment={},
        clock=FakeClock(),
        random=lambda: 0.0,
    )
    with pytest.raises(ProviderError, match="not open"):
        await provider.complete(ask())
