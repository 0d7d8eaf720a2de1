"""The vendor's own SDK, unmodified, against the server; and what the server counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from google import genai
from google.genai import errors

from toolweft.testing.vendors.gemini import Failure, GeminiServer, Script, Turn
from toolweft.testing.vendors.gemini_parts import (
    call_part,
    call_step,
    say_part,
    say_step,
    think_step,
)

pytestmark = pytest.mark.network

MODEL = "gemini-3.8-flash"
CONFIG: Any = {
    "tools": [
        {
            "function_declarations": [
                {"name": "get", "parameters_json_schema": {"type": "object", "properties": {}}}
            ]
        }
    ],
    "automatic_function_calling": {"disable": True},
}
TOOLS: Any = [{"type": "function", "name": "get", "parameters": {"type": "object"}}]


@asynccontextmanager
async def connect(script: Script) -> AsyncIterator[tuple[GeminiServer, Any]]:
    async with GeminiServer(script) as server, httpx2.AsyncClient() as http:
        client = genai.Client(
            api_key=server.key,
            vertexai=False,
            http_options={"base_url": server.base_url, "httpx_async_client": http},
        )
        with anyio.fail_after(50):
            yield server, client.aio
        client.close()


async def test_the_sdk_generates_and_goes_on() -> None:
    script = [
        Turn(items=(say_part("I look."), call_part("get", {}))),
        Turn(items=(say_part("4."),)),
    ]
    async with connect(script) as (server, client):
        contents: list[Any] = [{"role": "user", "parts": [{"text": "Hi."}]}]
        answer = await client.models.generate_content(model=MODEL, contents=contents, config=CONFIG)
        (made,) = answer.function_calls
        assert answer.candidates[0].content.parts[1].thought_signature
        response = {"id": made.id, "name": made.name, "response": {"output": "4"}}
        contents += [
            answer.candidates[0].content,
            {"role": "user", "parts": [{"function_response": response}]},
        ]
        answer = await client.models.generate_content(model=MODEL, contents=contents, config=CONFIG)

        assert answer.text == "4."
        assert server.refusals == []


async def test_the_sdk_reads_a_stream() -> None:
    async with connect([Turn(items=(say_part("Hello there, you."),))]) as (_, client):
        stream = await client.models.generate_content_stream(model=MODEL, contents="Hi.")
        texts = [piece.text async for piece in stream]

    assert "".join(text for text in texts if text) == "Hello there, you."
    assert len(texts) > 2


async def test_the_sdk_interacts() -> None:
    turn = Turn(items=(think_step("Hm."), say_step("I look."), call_step("get", {"a": 1})))
    async with connect([turn]) as (server, client):
        answer = await client.interactions.create(model=MODEL, input="Hi.", tools=TOOLS)

        assert answer.status == "requires_action"
        assert [step.type for step in answer.steps] == ["thought", "model_output", "function_call"]
        assert answer.steps[2].arguments == {"a": 1}
        assert server.refusals == []


async def test_the_sdk_reads_a_stream_of_steps() -> None:
    turn = Turn(items=(think_step("Hm."), say_step("Hello there."), call_step("get", {"a": 1})))
    async with connect([turn]) as (_, client):
        stream = await client.interactions.create(
            model=MODEL, input="Hi.", tools=TOOLS, stream=True
        )
        kinds = [event.event_type async for event in stream]

    assert kinds[0] == "interaction.created"
    assert kinds[-1] == "interaction.completed"
    assert "UNKNOWN" not in kinds


async def test_the_sdk_is_told_of_refusals_and_failures() -> None:
    async with connect([Failure(status=418, name="TEAPOT", message="Short.")]) as (server, client):
        with pytest.raises(errors.APIError) as caught:
            await client.models.generate_content(model="gemini-nobody", contents="Hi.")
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
        with pytest.raises(errors.APIError, match="Short"):
            await client.models.generate_content(model=MODEL, contents="Hi.")

        assert len(server.refusals) == 1
        assert len(server.requests) == 1
