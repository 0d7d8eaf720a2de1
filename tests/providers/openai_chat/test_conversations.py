"""Whole conversations against a server that refuses what such servers refuse."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.providers.openai_chat.cases import (
    ANSWER,
    FOREIGN,
    PIXEL,
    STOCK,
    result,
    results,
    user,
)

from toolweft.core.calls import TextContent
from toolweft.core.errors import ConfigError, ContextFull, ProviderError
from toolweft.core.messages import CallProposed, ModelRequest, ModelResult, ReplyDone, TextPrinted
from toolweft.core.providers import ModelCapabilities
from toolweft.core.secret import Secret
from toolweft.providers.openai_chat import OpenAIChatOptions, OpenAIChatProvider
from toolweft.testing import FakeClock
from toolweft.testing.vendors.openai_chat import OpenAIChatServer, call, say
from toolweft.testing.vendors.openai_http import Failure, Script, Turn

pytestmark = pytest.mark.network

Opened = tuple[OpenAIChatProvider, OpenAIChatServer]
HELLO = ModelRequest(messages=(user("Hello"),))


@asynccontextmanager
async def talking(
    script: Script, *, key: str | None = None, **options: object
) -> AsyncIterator[Opened]:
    async with OpenAIChatServer(script, key=key) as server:
        chosen = OpenAIChatOptions(
            **{"model": "local", "platform": "ollama", "base_url": server.base_url, **options}
        )
        provider = OpenAIChatProvider(
            chosen, environment={"LOCAL_KEY": "k"}, clock=FakeClock(), random=lambda: 0.0
        )
        async with provider:
            yield provider, server


async def test_tools_are_called_side_by_side_and_their_results_go_back() -> None:
    asking = say(
        "I look.",
        call("get_stock", {"sku": "A"}, call_id="c1"),
        call("get_stock", {"sku": "B"}, call_id="c2"),
        reasoning_content="Two articles.",
    )
    async with talking([Turn(items=(asking,)), Turn(items=(say("Three."),))]) as (provider, server):
        request = ModelRequest(tools=(STOCK,), messages=(user("How many?"),))
        first = await provider.complete(request)
        given = [result(c.id, "3") for c in first.message.calls]
        history = (*request.messages, first.message, results(*given))
        second = await provider.complete(replace(request, messages=history))

    assert first.stop == "tool_use"
    assert second.message.text == "Three."
    assert server.requests[1]["messages"][1] == asking


async def test_bad_arguments_do_not_spoil_the_conversation() -> None:
    asking = say(None, call("get_stock", "{sku: A}", call_id="c1"))
    async with talking([Turn(items=(asking,)), Turn(items=(say("Sorry."),))]) as (provider, _):
        request = ModelRequest(tools=(STOCK,), messages=(user("How many?"),))
        first = await provider.complete(request)
        [asked] = first.message.calls
        failed = result("c1", asked.fault, is_error=True)
        history = (*request.messages, first.message, results(failed))
        second = await provider.complete(replace(request, messages=history))

    assert asked.arguments is None
    assert second.message.text == "Sorry."


async def test_images_in_results_follow_them() -> None:
    asking = say(None, call("get_stock", {}, call_id="c1"), call("get_stock", {}, call_id="c2"))
    script = [Turn(items=(asking,)), Turn(items=(say("A cat."),))]
    async with talking(script, capabilities=ModelCapabilities()) as (provider, server):
        request = ModelRequest(tools=(STOCK,), messages=(user("What?"),))
        first = await provider.complete(request)
        shown = ModelResult(call_id="c1", name="get_stock", content=(TextContent("See:"), PIXEL))
        history = (*request.messages, first.message, results(shown, result("c2", "3")))
        await provider.complete(replace(request, messages=history))

    assert [m["role"] for m in server.requests[1]["messages"]][-3:] == ["tool", "tool", "user"]


async def test_a_history_from_another_vendor_is_understood() -> None:
    async with talking([Turn(items=(say("Three."),))]) as (provider, server):
        given = (result("toolu_1", "3"), result("toolu_2", "no JSON", is_error=True))
        history = (user("How many?"), FOREIGN, results(*given))
        await provider.complete(ModelRequest(messages=history, output_schema=ANSWER))

    assert server.refusals == []


async def test_a_stream_ends_with_the_reply_that_a_plain_request_gives() -> None:
    turn = Turn(items=(say("I look.", call("get_stock", {"sku": "A"}, call_id="c1")),))
    async with talking([turn]) as (provider, server):
        events = [event async for event in provider.stream(HELLO)]
    async with talking([turn]) as (provider, _):
        plain = await provider.complete(HELLO)

    *watched, done = events
    assert isinstance(done, ReplyDone)
    assert done.reply == plain
    assert plain.usage.input_tokens > 0
    assert "".join(e.text for e in watched if isinstance(e, TextPrinted)) == "I look."
    assert watched[-1] == CallProposed("get_stock")
    assert server.requests[0]["stream_options"] == {"include_usage": True}


async def test_no_key_is_sent_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ambient")
    async with talking([Turn(items=(say("Hi."),))] * 2) as (provider, server):
        await provider.complete(HELLO)
        _ = [event async for event in provider.stream(HELLO)]

    assert all("authorization" not in headers for headers in server.headers)


@pytest.mark.parametrize(
    "given", [{"key": Secret("k", reference="x")}, {"key_variable": "LOCAL_KEY"}]
)
async def test_a_key_is_sent_where_one_is_set(given: dict[str, object]) -> None:
    async with OpenAIChatServer([Turn(items=(say("Hi."),))], key="k") as server:
        options = OpenAIChatOptions(model="local", base_url=server.base_url, **given)
        async with OpenAIChatProvider(
            options, environment={"LOCAL_KEY": "k"}, clock=FakeClock(), random=lambda: 0.0
        ) as provider:
            reply = await provider.complete(HELLO)

    assert reply.message.text == "Hi."


async def test_a_failure_that_passes_is_not_seen() -> None:
    script = [Failure(status=500), Turn(items=(say("Hi."),))]
    async with talking(script) as (provider, _):
        reply = await provider.complete(HELLO)

    assert reply.message.text == "Hi."


async def test_an_error_told_in_a_stream_is_raised() -> None:
    turn = Turn(items=(say(""),), error={"message": "upstream broke", "code": 502})
    async with talking([turn] * 3) as (provider, _):
        with pytest.raises(ProviderError, match="upstream broke"):
            _ = [event async for event in provider.stream(HELLO)]


async def test_a_stream_that_breaks_off_is_an_error() -> None:
    turn = Turn(items=(say("Hello there, friend."),), break_after=2)
    async with talking([turn]) as (provider, server):
        with pytest.raises(ProviderError) as caught:
            _ = [event async for event in provider.stream(HELLO)]

    assert caught.value.is_retryable
    assert len(server.headers) == 1


async def test_a_history_that_is_too_long_is_told_apart() -> None:
    async with talking([]) as (provider, _):
        with pytest.raises(ContextFull):
            await provider.complete(ModelRequest(messages=(user("word " * 40_000),)))


@pytest.mark.parametrize("options", [{"key_variable": "UNSET"}, {"base_url": "localhost:80"}])
def test_what_is_missing_is_named_before_anything_is_sent(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"UNSET|localhost:80"):
        OpenAIChatProvider(
            OpenAIChatOptions(**{"model": "m", "base_url": "http://127.0.0.1:1/v1", **options}),
            environment={},
            clock=FakeClock(),
            random=lambda: 0.0,
        )


def test_a_server_without_a_name_is_called_by_its_address() -> None:
    options = OpenAIChatOptions(model="qwen3", base_url="http://me:pw@127.0.0.1:8000/v1")
    provider = OpenAIChatProvider(options, environment={}, clock=FakeClock(), random=lambda: 0.0)

    assert provider.name == "127.0.0.1:8000:qwen3"
