"""The official SDK, unchanged, against the server of Chat Completions."""

import openai
import pytest
from openai import AsyncOpenAI

from toolweft.testing.vendors.openai_chat import OpenAIChatServer, call, say
from toolweft.testing.vendors.openai_http import PrefixMeter, Turn

pytestmark = pytest.mark.network

ASKING = Turn(
    items=(
        say(
            "I look.",
            call("get_stock", {"sku": "A"}, call_id="c1"),
            call("get_stock", {"sku": "B"}, call_id="c2"),
        ),
    )
)


def connect(server: OpenAIChatServer) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="any", base_url=server.base_url, max_retries=0)


async def test_the_sdk_reads_a_completion() -> None:
    async with OpenAIChatServer([ASKING]) as server, connect(server) as client:
        completion = await client.chat.completions.create(
            model="local", messages=[{"role": "user", "content": "Hello"}]
        )

    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert [c.id for c in choice.message.tool_calls or ()] == ["c1", "c2"]
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 9


async def test_the_sdk_puts_a_stream_together() -> None:
    async with (
        OpenAIChatServer([ASKING]) as server,
        connect(server) as client,
        client.chat.completions.stream(
            model="local",
            messages=[{"role": "user", "content": "Hello"}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        completion = await stream.get_final_completion()

    message = completion.choices[0].message
    assert message.content == "I look."
    assert [c.function.arguments for c in message.tool_calls or ()] == [
        '{"sku": "A"}',
        '{"sku": "B"}',
    ]
    assert completion.usage is not None


async def test_the_sdk_raises_what_the_server_refuses() -> None:
    async with OpenAIChatServer([], context_tokens=100) as server, connect(server) as client:
        with pytest.raises(openai.BadRequestError, match="maximum context length"):
            await client.chat.completions.create(
                model="local", messages=[{"role": "user", "content": "word " * 200}]
            )

    assert len(server.refusals) == 1


def test_what_requests_share_from_their_start_is_counted_as_cached() -> None:
    meter = PrefixMeter(min_cached_tokens=10)
    long, other = "a" * 80, "b" * 80

    first = meter.count([long, other], key="k")
    second = meter.count([long, "c" * 80, other], key="k")
    elsewhere = meter.count([long, other], key="another")

    assert (first.total, first.cached, first.written) == (42, 0, 42)
    assert (second.total, second.cached, second.written) == (63, 21, 42)
    assert elsewhere.cached == 0


def test_a_short_prefix_is_not_cached() -> None:
    meter = PrefixMeter(min_cached_tokens=10)
    meter.count(["a" * 20], key="k")

    assert meter.count(["a" * 20, "b" * 80], key="k").cached == 0
