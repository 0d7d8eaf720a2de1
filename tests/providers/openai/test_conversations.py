"""Whole conversations against a server that refuses what the vendor refuses."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from tests.providers.openai.cases import (
    ANSWER,
    ETA,
    PIXEL,
    PROGRAM_STOCK,
    SEARCH,
    STOCK,
    result,
    results,
    user,
)

from toolweft.core.calls import TextContent
from toolweft.core.errors import ConfigError, ContextFull, ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    CallProposed,
    Message,
    ModelEvent,
    ModelRequest,
    ReplyDone,
    TextPrinted,
    ToolsMessage,
    UserMessage,
)
from toolweft.providers.openai import OpenAIOptions, OpenAIProvider, Target, encode, find_model
from toolweft.testing import FakeClock
from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_http import Failure, Refusal, Script, Turn
from toolweft.testing.vendors.openai_items import (
    function_call,
    message,
    program,
    program_output,
    reasoning,
    tool_search_call,
)

pytestmark = pytest.mark.network

Opened = tuple[OpenAIProvider, OpenAIServer]


@asynccontextmanager
async def talking(script: Script, **options: object) -> AsyncIterator[Opened]:
    async with OpenAIServer(script) as server:
        chosen = OpenAIOptions(
            **{"model": "gpt-5.6-sol", "native": "on", "base_url": server.base_url, **options}
        )
        provider = OpenAIProvider(
            chosen,
            environment={"OPENAI_API_KEY": server.key or ""},
            clock=FakeClock(),
            random=lambda: 0.0,
        )
        async with provider:
            yield provider, server


async def test_a_tool_is_called_and_its_result_goes_back() -> None:
    script = [
        Turn(items=(reasoning(), message("I look."), function_call("get_stock", {}, call_id="c1"))),
        Turn(items=(message("Three."),)),
    ]
    async with talking(script) as (provider, server):
        request = ModelRequest(system="Be brief.", tools=(STOCK,), messages=(user("How many?"),))
        first = await provider.complete(request)
        history = (*request.messages, first.message, results(result("c1", "3")))
        second = await provider.complete(replace(request, messages=history))

    assert (first.stop, first.message.text) == ("tool_use", "I look.")
    assert (second.stop, second.message.text) == ("end_turn", "Three.")
    assert second.request_id == "req_2"
    assert first.message.raw is not None
    assert server.requests[1]["input"][1:4] == list(first.message.raw.items)


async def test_a_search_of_ours_answers_the_search_of_the_model() -> None:
    script = [
        Turn(items=(reasoning(), tool_search_call({"query": "when"}, call_id="s1"))),
        Turn(items=(function_call("get_eta", {}, call_id="c1", namespace="get_eta"),)),
        Turn(items=(message("Monday."),)),
    ]
    async with talking(script) as (provider, server):
        request = ModelRequest(tools=(SEARCH, STOCK, ETA), messages=(user("When?"),))
        first = await provider.complete(request)
        [search] = first.message.calls
        found = result(search.id, name=search.name, revealed=("get_eta",))
        history: tuple[Message, ...] = (*request.messages, first.message, results(found))
        second = await provider.complete(replace(request, messages=history))
        history += (second.message, results(result("c1", "Monday", name="get_eta")))
        third = await provider.complete(replace(request, messages=history))

    assert (search.name, search.arguments) == ("search_tools", {"query": "when"})
    assert [call.name for call in second.message.calls] == ["get_eta"]
    assert third.message.text == "Monday."
    assert len({str(body["tools"]) for body in server.requests}) == 1


async def test_a_program_of_the_model_is_answered_until_it_ends() -> None:
    script = [
        Turn(
            items=(
                reasoning(),
                program("...", call_id="p1"),
                function_call("get_stock", {"sku": "A"}, call_id="c1", program="p1"),
                function_call("get_stock", {"sku": "B"}, call_id="c2", program="p1"),
            )
        ),
        Turn(items=(program_output('{"low": ["A"]}', call_id="p1"), message("A is low."))),
        Turn(items=(message("You are welcome."),)),
    ]
    async with talking(script) as (provider, server):
        request = ModelRequest(tools=(PROGRAM_STOCK,), messages=(user("Which?"),))
        first = await provider.complete(request)
        given = [
            result(call.id, '{"units": 3}', caller=call.caller) for call in first.message.calls
        ]
        history = (*request.messages, first.message, results(*given))
        second = await provider.complete(replace(request, messages=history))
        history += (second.message, user("Thanks."))
        third = await provider.complete(replace(request, messages=history))

    assert first.stop == "awaiting_program"
    assert {call.caller.program_id for call in first.message.calls} == {"p1"}
    assert (second.stop, second.message.text) == ("end_turn", "A is low.")
    assert third.stop == "end_turn"
    assert server.refusals == []


async def test_tools_are_added_in_the_middle() -> None:
    script = [
        Turn(items=(message("I cannot."),)),
        Turn(items=(function_call("get_eta", {}, call_id="c1"),)),
    ]
    async with talking(script, model="gpt-5.4") as (provider, server):
        request = ModelRequest(tools=(STOCK,), messages=(user("When?"),))
        first = await provider.complete(request)
        added = ToolsMessage(tools=(replace(ETA, is_deferred=False),))
        history = (*request.messages, first.message, added, user("And now?"))
        second = await provider.complete(replace(request, messages=history))

    assert [call.name for call in second.message.calls] == ["get_eta"]
    assert server.requests[0]["tools"] == server.requests[1]["tools"]


async def test_images_and_schemas_pass() -> None:
    async with talking([Turn(items=(message('{"total": 3}'),))]) as (provider, _):
        content = (TextContent("What is it?"), PIXEL)
        request = ModelRequest(messages=(UserMessage(content=content),), output_schema=ANSWER)
        reply = await provider.complete(request)

    assert reply.message.text == '{"total": 3}'


async def test_a_stream_ends_with_the_reply_that_a_plain_request_gives() -> None:
    turn = Turn(
        items=(reasoning(), message("I look."), function_call("get_stock", {}, call_id="c1"))
    )
    async with talking([turn, turn]) as (provider, _):
        request = ModelRequest(tools=(STOCK,), messages=(user("How many?"),))
        events = [event async for event in provider.stream(request)]
    async with talking([turn]) as (provider, _):
        plain = await provider.complete(request)

    *watched, done = events
    assert isinstance(done, ReplyDone)
    assert done.reply == plain
    assert "".join(e.text for e in watched if isinstance(e, TextPrinted)) == "I look."
    assert watched[-1] == CallProposed("get_stock")


async def test_what_was_sent_before_is_read_from_the_cache() -> None:
    script = [Turn(items=(message("Yes."),))] * 2
    async with talking(script) as (provider, _):
        request = ModelRequest(system="Be brief. " * 600, messages=(user("Hello"),))
        first = await provider.complete(request)
        history = (*request.messages, first.message, user("Really?"))
        second = await provider.complete(replace(request, messages=history))

    assert first.usage.cache_read_tokens == 0
    assert first.usage.cache_write_tokens > 1024
    assert second.usage.cache_read_tokens == first.usage.cache_write_tokens
    assert second.usage.input_tokens == 0


Removal = Callable[[JsonObject], None]

# What an encoder that lost something would send; each must be refused.
LOSSES: dict[str, tuple[Removal, str]] = {
    "reasoning": (lambda body: body["input"].pop(1), "without its required 'reasoning' item"),
    "encrypted reasoning": (
        lambda body: body["input"][1].pop("encrypted_content"),
        "not persisted when `store` is set to false",
    ),
    "seal": (
        lambda body: body["input"][1].update(encrypted_content="gAAAAother"),
        "could not be verified",
    ),
    "program": (lambda body: body["input"].pop(2), "No running program"),
    "fingerprint": (lambda body: body["input"][2].pop("fingerprint"), "fingerprint"),
    "code": (lambda body: body["input"][2].update(code="other"), "code"),
    "caller": (lambda body: body["input"][4].pop("caller"), "caller of the output"),
    "output": (lambda body: body["input"].pop(4), "No tool output found for function call c1"),
    "call": (lambda body: body["input"].pop(3), "No tool call found"),
}


@pytest.mark.promise("openai.echo")
@pytest.mark.parametrize("loss", LOSSES)
async def test_every_echo_is_needed(loss: str) -> None:
    lose, reason = LOSSES[loss]
    turn = Turn(
        items=(
            reasoning(),
            program("...", call_id="p1"),
            function_call("get_stock", {}, call_id="c1", program="p1"),
        )
    )
    async with talking([turn]) as (provider, server):
        request = ModelRequest(tools=(PROGRAM_STOCK,), messages=(user("Which?"),))
        first = await provider.complete(request)
    row = find_model("openai", "gpt-5.6-sol")
    target = Target(model="gpt-5.6-sol", platform="openai", capabilities=row.capabilities)
    history = (*request.messages, first.message, results(result("c1", "3")))
    body = encode(replace(request, messages=history), target)
    server.check(body)
    lose(body)

    with pytest.raises(Refusal, match=reason):
        server.check(body)


async def test_a_history_from_another_vendor_is_understood() -> None:
    foreign = AssistantMessage(text="I looked and found nothing.")
    async with talking([Turn(items=(message("Three."),))]) as (provider, server):
        request = ModelRequest(messages=(user("How many?"), foreign, user("Look again.")))
        await provider.complete(request)

    assert server.refusals == []


async def test_a_failure_that_passes_is_not_seen() -> None:
    script = [Failure(status=503), Turn(items=(message("Yes."),))]
    async with talking(script) as (provider, server):
        reply = await provider.complete(ModelRequest(messages=(user("Hello"),)))

    assert reply.message.text == "Yes."
    assert len(server.headers) == 2


async def test_a_stream_that_does_not_begin_is_asked_for_again() -> None:
    script = [Failure(status=429), Turn(items=(message("Yes."),))]
    async with talking(script) as (provider, _):
        request = ModelRequest(messages=(user("Hello"),))
        *_, done = [event async for event in provider.stream(request)]

    assert isinstance(done, ReplyDone)


@pytest.mark.promise("openai.once")
async def test_nothing_is_sent_twice_where_programs_run() -> None:
    async with talking([Failure(status=503)] * 2) as (provider, server):
        request = ModelRequest(tools=(PROGRAM_STOCK,), messages=(user("Hello"),))
        with pytest.raises(ProviderError) as caught:
            await provider.complete(request)

    assert len(server.headers) == 1
    assert caught.value.is_retryable


async def test_a_stream_that_breaks_off_is_not_begun_again() -> None:
    script = [Turn(items=(message("Hello there, friend."),), break_after=6)]
    seen: list[ModelEvent] = []

    async def watch(provider: OpenAIProvider) -> None:
        async for event in provider.stream(ModelRequest(messages=(user("Hello"),))):
            seen.append(event)

    async with talking(script) as (provider, server):
        with pytest.raises(ProviderError) as caught:
            await watch(provider)

    assert seen
    assert all(isinstance(event, TextPrinted) for event in seen)
    assert len(server.headers) == 1
    assert caught.value.is_retryable


async def test_whoever_stops_watching_leaves_the_next_request_alone() -> None:
    script = [Turn(items=(message("Hello there, friend."),)), Turn(items=(message("Yes."),))]
    async with talking(script) as (provider, _):
        request = ModelRequest(messages=(user("Hello"),))
        async with aclosing(provider.stream(request)) as events:
            first = await anext(events)
        second = await provider.complete(request)

    assert first == TextPrinted("Hello t")
    assert second.message.text == "Yes."


async def test_connections_are_used_again_after_streams() -> None:
    turn = Turn(items=(message("Hello."),))
    async with talking([turn] * 3) as (provider, server):
        for _ in range(3):
            async for _event in provider.stream(ModelRequest(messages=(user("Hello"),))):
                pass

    assert len(server.peers) == 1


FAILURES = {
    "quota": (Failure(status=429, code="insufficient_quota", message="pay first"), "pay first"),
    "key": (Failure(status=401, message="Incorrect API key: test-key"), r"API key: \*\*\*"),
    "elsewhere": (Failure(status=307, headers={"location": "http://127.0.0.1:1/"}), "server"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_that_stays_is_told_at_once(failure: str) -> None:
    step, reason = FAILURES[failure]
    async with talking([step]) as (provider, server):
        with pytest.raises(ProviderError, match=reason) as caught:
            await provider.complete(ModelRequest(messages=(user("Hello"),)))

    assert len(server.headers) == 1
    assert caught.value.status == step.status
    assert not caught.value.is_retryable


async def test_a_wait_longer_than_the_deadline_is_left_to_the_caller() -> None:
    step = Failure(status=429, headers={"retry-after": "3600"})
    async with talking([step]) as (provider, _):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(ModelRequest(messages=(user("Hello"),)))

    assert caught.value.retry_after_s == 3600.0


async def test_a_history_that_is_too_long_is_told_apart() -> None:
    async with talking([]) as (provider, _):
        with pytest.raises(ContextFull):
            await provider.complete(ModelRequest(messages=(user("word " * 400_000),)))


async def test_nobody_at_the_address_is_an_error() -> None:
    script = [Turn(items=(message("Yes."),))]
    async with talking(script, base_url="http://127.0.0.1:1/v1") as (provider, _):
        with pytest.raises(ProviderError, match=r"127\.0\.0\.1:1") as caught:
            await provider.complete(ModelRequest(messages=(user("Hello"),)))

    assert caught.value.is_retryable
    assert caught.value.status is None


async def test_the_environment_adds_nothing_to_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ambient")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-ambient")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-ambient")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    async with talking([Turn(items=(message("Yes."),))]) as (provider, server):
        await provider.complete(ModelRequest(messages=(user("Hello"),)))

    assert "ambient" not in str(server.headers)


@pytest.mark.parametrize(
    ("platform", "environment", "reason"),
    [
        ("openai", {}, "OPENAI_API_KEY"),
        ("azure", {"AZURE_OPENAI_API_KEY": "k"}, "base_url"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(
    platform: str, environment: dict[str, str], reason: str
) -> None:
    options = OpenAIOptions(model="gpt-5.4", platform=platform)
    with pytest.raises(ConfigError, match=reason):
        OpenAIProvider(options, environment=environment, clock=FakeClock(), random=lambda: 0.0)


async def test_native_forms_are_off_until_they_are_asked_for() -> None:
    async with talking([], native="off") as (provider, _):
        assert not provider.capabilities.has_deferral
        assert provider.capabilities.programs == "none"
    async with talking([], native="auto") as (provider, _):
        assert provider.capabilities.addition == "none"
    async with talking([], native="on") as (provider, _):
        assert provider.capabilities.reveal == "search_item"
        assert (provider.name, provider.prices) == ("openai:gpt-5.6-sol", None)


async def test_a_fresh_token_stands_in_for_a_key() -> None:
    async def give_token() -> str:
        return "test-key"

    script = [Turn(items=(message("Yes."),))]
    async with talking(script, platform="azure", token_source=give_token) as (provider, server):
        reply = await provider.complete(ModelRequest(messages=(user("Hello"),)))

    assert reply.message.raw is not None
    assert reply.message.raw.platform == "azure"
    assert server.headers[0]["authorization"] == "Bearer test-key"
