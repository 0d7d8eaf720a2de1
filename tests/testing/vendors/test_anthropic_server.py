"""The vendor's own SDK, unmodified, against the server; and what the server counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import anyio
import pytest

from toolweft.testing.vendors.anthropic import AnthropicServer, Failure, Script, Turn
from toolweft.testing.vendors.anthropic_blocks import code, code_result, say, think, use

pytestmark = pytest.mark.network

MODEL = "claude-opus-5-5"
HI: Any = [{"role": "user", "content": "Hi."}]
HELLO = Turn(blocks=(say("Hello there."),))
TOOL: Any = {
    "name": "get",
    "description": "Gets.",
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
}


@asynccontextmanager
async def connect(script: Script, **fields: Any) -> AsyncIterator[tuple[AnthropicServer, Any]]:
    async with AnthropicServer(script, **fields) as server:
        client = anthropic.AsyncAnthropic(
            api_key=server.key, base_url=server.base_url, max_retries=0
        )
        async with client:
            with anyio.fail_after(50):
                yield server, client


async def test_the_sdk_reads_a_plain_answer() -> None:
    async with connect([Turn(blocks=(think("Hm."), say("Yes."), use("get", {}, call_id="a")))]) as (
        _,
        client,
    ):
        message = await client.messages.create(model=MODEL, max_tokens=9, messages=HI, tools=[TOOL])

    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens > 0


async def test_the_sdk_puts_a_stream_together() -> None:
    program = code("print(1)", program="srvtoolu_1")
    blocks = (
        *(think("Hm."), say("So."), program, code_result("1\n", program="srvtoolu_1")),
        use("get", {"q": "x"}, call_id="a"),
    )
    async with connect([Turn(blocks=blocks)] * 2) as (server, client):
        asked: Any = {"model": MODEL, "max_tokens": 9, "messages": HI, "tools": [TOOL]}
        plain = await client.messages.create(**asked)
        async with client.messages.stream(**asked) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            streamed = await stream.get_final_message()

    assert text == "So."
    assert [b.model_dump() for b in streamed.content] == [b.model_dump() for b in plain.content]
    assert (streamed.stop_reason, len(server.requests)) == ("tool_use", 2)


async def test_the_sdk_goes_on_with_a_program() -> None:
    calls = (
        code("print(await get({}))", program="srvtoolu_1"),
        use("get", {}, call_id="a", program="srvtoolu_1"),
    )
    tool = {**TOOL, "allowed_callers": ["code_execution_20260120"]}
    tools: Any = [{"type": "code_execution_20260120", "name": "code_execution"}, tool]
    script = [Turn(blocks=calls), Turn(blocks=(code_result("1", program="srvtoolu_1"), say("1.")))]
    async with connect(script) as (_, client):
        asked: Any = {"model": MODEL, "max_tokens": 9, "tools": tools}
        first = await client.messages.create(messages=HI, **asked)
        answer = {"type": "tool_result", "tool_use_id": "a", "content": "1"}
        history = [*HI, first.to_param(), {"role": "user", "content": [answer]}]
        second = await client.messages.create(
            messages=history, container=first.container.id, **asked
        )

    assert first.content[1].caller.tool_id == "srvtoolu_1"
    assert second.container.id == first.container.id
    assert second.content[-1].text == "1."


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(status=429, kind="rate_limit_error"), anthropic.RateLimitError),
        (Failure(status=500), anthropic.InternalServerError),
        (Failure(status=529, kind="overloaded_error"), anthropic.InternalServerError),
    ],
)
async def test_the_sdk_knows_failures_for_what_they_are(
    failure: Failure, kind: type[Exception]
) -> None:
    async with connect([failure]) as (_, client):
        with pytest.raises(kind):
            await client.messages.create(model=MODEL, max_tokens=9, messages=HI)


async def test_a_refusal_has_status_kind_and_code() -> None:
    async with connect([HELLO]) as (server, client):
        client.api_key = "wrong"
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await client.messages.create(model=MODEL, max_tokens=9, messages=HI)
        assert caught.value.type == "authentication_error"
        client.api_key = server.key
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(model="claude-nobody", max_tokens=9, messages=HI)

        assert server.refusals == ["invalid x-api-key", "model: claude-nobody"]
        assert server.requests == []


async def test_a_body_that_is_not_json_is_refused() -> None:
    async with connect([HELLO]) as (_, client):
        with pytest.raises(anthropic.BadRequestError, match="not valid JSON"):
            await client.post("/v1/messages", cast_to=object, content=b"{")


async def test_a_script_may_be_a_function() -> None:
    def answer(body: dict[str, Any]) -> Turn:
        return Turn(blocks=(say(f"{len(body['messages'])} message"),))

    async with connect(answer) as (_, client):
        message = await client.messages.create(model=MODEL, max_tokens=9, messages=HI)

    assert message.content[0].text == "1 message"


def build_history(turns: int, *, marked: range) -> Any:
    messages: list[Any] = []
    for number in range(turns):
        block: Any = {"type": "text", "text": f"Turn {number}: {'word ' * 100}"}
        if number in marked:
            block["cache_control"] = {"type": "ephemeral"}
        messages += [
            {"role": "user", "content": [block]},
            {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
        ]
    return messages[:-1]


async def count(client: Any, messages: Any, **fields: Any) -> tuple[int, int, int]:
    usage = (
        await client.messages.create(model=MODEL, max_tokens=9, messages=messages, **fields)
    ).usage
    return usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.input_tokens


async def test_only_what_a_mark_ends_is_read_again() -> None:
    async with connect([HELLO] * 4, min_cached_tokens=100) as (_, client):
        _, written, plain = await count(client, build_history(3, marked=range(1, 2)))
        assert min(written, plain) > 0
        read, more, _ = await count(client, build_history(4, marked=range(1, 4, 2)))
        assert (read, more > 0) == (written, True)
        # Without a mark nothing is read, and another beginning is not the same.
        assert (await count(client, build_history(4, marked=range(0))))[:2] == (0, 0)
        changed = [{"role": "user", "content": "Other."}, *build_history(4, marked=range(3, 4))[1:]]
        assert (await count(client, changed))[0] == 0


async def test_a_short_prefix_is_not_cached() -> None:
    async with connect([HELLO] * 2, min_cached_tokens=1024) as (_, client):
        for _ in range(2):
            read, written, _ = await count(client, build_history(1, marked=range(1)))
            assert (read, written) == (0, 0)


async def test_a_mark_finds_what_ended_at_most_twenty_blocks_before() -> None:
    for turns, is_found in ((10, True), (14, False)):
        async with connect([HELLO] * 2, min_cached_tokens=10) as (_, client):
            await count(client, build_history(1, marked=range(1)))
            read, _, _ = await count(client, build_history(turns, marked=range(turns - 1, turns)))
            assert (read > 0) == is_found, turns


async def test_hidden_tools_cost_nothing_until_they_are_referred_to() -> None:
    hidden = {**TOOL, "name": "hidden", "description": "Long. " * 400, "defer_loading": True}
    call = {"type": "tool_use", "id": "a", "name": "get", "input": {}}
    reference = {"type": "tool_reference", "tool_name": "hidden"}
    answer = {"type": "tool_result", "tool_use_id": "a", "content": [reference]}
    shown = [*HI, {"role": "assistant", "content": [call]}, {"role": "user", "content": [answer]}]
    async with connect([HELLO] * 3) as (_, client):
        _, _, bare = await count(client, HI, tools=[TOOL])
        _, _, with_hidden = await count(client, HI, tools=[TOOL, hidden])
        _, _, revealed = await count(client, shown, tools=[TOOL, hidden])

    assert with_hidden == bare
    assert revealed > bare + 600
