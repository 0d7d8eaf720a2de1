"""The official SDK, unchanged, against the server of the Responses API."""

import openai
import pytest
from openai import AsyncOpenAI

from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_http import Failure, Turn
from toolweft.testing.vendors.openai_items import (
    function_call,
    message,
    program,
    program_output,
    reasoning,
    refusal,
    tool_search_call,
)

pytestmark = pytest.mark.network

EVERYTHING = Turn(
    items=(
        reasoning(),
        message("I look.", phase="commentary"),
        function_call("get_stock", {"sku": "A"}, call_id="c1", namespace="get_stock"),
        tool_search_call({"query": "eta"}, call_id="s1"),
        program("text(1)", call_id="p1"),
        function_call("get_stock", {}, call_id="c2", program="p1"),
        program_output("1", call_id="p0"),
        refusal("No."),
    )
)


def connect(server: OpenAIServer) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=server.key, base_url=server.base_url, max_retries=0)


async def test_the_sdk_reads_every_item() -> None:
    async with OpenAIServer([EVERYTHING]) as server, connect(server) as client:
        response = await client.responses.create(model="gpt-5.6-sol", input="Hello")

    assert [item.type for item in response.output] == [item["type"] for item in EVERYTHING.items]
    assert response.output_text == "I look."
    assert response.usage is not None
    assert response.usage.input_tokens == 14


async def test_the_sdk_reads_every_event_of_a_stream() -> None:
    async with OpenAIServer([EVERYTHING]) as server, connect(server) as client:
        events = [
            event
            async for event in await client.responses.create(
                model="gpt-5.6-sol", input="Hello", stream=True
            )
        ]

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    last = events[-1]
    assert last.type == "response.completed"
    assert len(last.response.output) == len(EVERYTHING.items)
    begun = next(e for e in events if e.type == "response.output_item.added")
    assert begun.item.type == "reasoning"
    assert begun.item.encrypted_content != last.response.output[0].encrypted_content


async def test_the_sdk_puts_a_stream_together() -> None:
    async with (
        OpenAIServer([EVERYTHING]) as server,
        connect(server) as client,
        client.responses.stream(model="gpt-5.6-sol", input="Hello") as stream,
    ):
        response = await stream.get_final_response()

    assert response.output_text == "I look."


async def test_the_sdk_raises_what_the_server_refuses() -> None:
    async with OpenAIServer([]) as server, connect(server) as client:
        with pytest.raises(openai.NotFoundError, match="does not exist") as caught:
            await client.responses.create(model="gpt-2", input="Hello")
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError, match="'temperature' is not supported"):
            await client.responses.create(model="gpt-5.4", input="Hello", temperature=0.5)
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="other").responses.create(
                model="gpt-5.4", input="Hello"
            )

    assert len(server.refusals) == 3
    assert server.requests == []


async def test_the_sdk_tries_again_after_a_failure() -> None:
    script = [Failure(status=500, headers={"retry-after-ms": "1"}), Turn(items=(message("Yes."),))]
    async with OpenAIServer(script) as server, connect(server) as client:
        response = await client.with_options(max_retries=1).responses.create(
            model="gpt-5.4", input="Hello"
        )

    assert response.output_text == "Yes."


async def test_a_script_may_be_a_function_of_the_request() -> None:
    async with (
        OpenAIServer(lambda body: Turn(items=(message(body["input"].upper()),))) as server,
        connect(server) as client,
    ):
        response = await client.responses.create(model="gpt-5.4", input="Hello")

    assert response.output_text == "HELLO"


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_a_turn_may_be_cut_short(reason: str) -> None:
    turn = Turn(items=(message("The"),), stop=reason)
    async with OpenAIServer([turn]) as server, connect(server) as client:
        response = await client.responses.create(model="gpt-5.4", input="Hello")

    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == reason


async def test_a_body_that_is_no_json_is_refused() -> None:
    async with OpenAIServer([]) as server, connect(server) as client:
        with pytest.raises(openai.BadRequestError, match="could not parse"):
            await client.post("/responses", cast_to=object, content=b"[")
        with pytest.raises(openai.BadRequestError, match="could not parse"):
            await client.post("/responses", cast_to=object, content=b"[]")
