"""The connection against servers that speak no API at all."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.secret import Secret
from toolweft.providers import connection as providers_connection
from toolweft.providers.openai_wire import OpenAIConnection, OpenAIConnectionOptions
from toolweft.testing import FakeClock
from toolweft.testing.vendors.serving import ServedApp

pytestmark = pytest.mark.network

OPTIONS = OpenAIConnectionOptions(name="openai:m", base_url="http://127.0.0.1:1/v1")


@asynccontextmanager
async def answering(response: Response, **options: object) -> AsyncIterator[OpenAIConnection]:
    async def answer(request: Request) -> Response:
        await request.body()
        return response

    app = Starlette(routes=[Route("/v1/x", answer, methods=["POST"])])
    async with ServedApp(app) as address:
        chosen = replace(OPTIONS, base_url=f"{address}/v1", **options)
        async with OpenAIConnection(chosen, clock=FakeClock()) as connection:
            yield connection


@pytest.mark.parametrize(
    ("content", "reason"), [("<html>", "not JSON"), ("[1]", "no JSON object"), ("[" * 9999, "JSON")]
)
async def test_an_answer_that_is_no_object_is_an_error(content: str, reason: str) -> None:
    async with answering(Response(content)) as connection:
        with pytest.raises(ProviderError, match=reason):
            await connection.post("/x", {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no stream of events"),
        ("data: {\n\n", "not JSON"),
        ("data: [1]\n\n", "no JSON object"),
        ("data: [DONE]\n\n", "no stream of events"),
        ('data: {"error": {"message": "it broke"}}\n\n', "it broke"),
    ],
)
async def test_a_stream_that_does_not_begin_is_an_error(content: str, reason: str) -> None:
    response = Response(content, media_type="text/event-stream")
    async with answering(response) as connection:
        with pytest.raises(ProviderError, match=reason):
            await connection.open_stream("/x", {})


async def test_a_page_of_a_proxy_is_told_with_its_status() -> None:
    async with answering(Response("<h1>Bad gateway</h1>", status_code=502)) as connection:
        with pytest.raises(ProviderError, match="Bad gateway") as caught:
            await connection.post("/x", {})

    assert caught.value.status == 502
    assert caught.value.is_retryable


async def test_a_server_that_never_answers_is_left() -> None:
    release = anyio.Event()

    async def wait(_: Request) -> Response:
        await release.wait()
        return Response("{}")

    app = Starlette(routes=[Route("/v1/x", wait, methods=["POST"])])
    async with ServedApp(app) as address:
        options = replace(OPTIONS, base_url=f"{address}/v1", timeout_s=0.05)
        async with OpenAIConnection(options, clock=FakeClock()) as connection:
            with pytest.raises(ProviderError, match="no answer") as caught:
                await connection.post("/x", {})
            with pytest.raises(ProviderError, match="no answer after"):
                await connection.open_stream("/x", {})
        release.set()

    assert caught.value.is_retryable


async def test_signs_of_life_do_not_hold_up_the_deadline() -> None:
    async def drip(_: Request) -> Response:
        async def comments() -> AsyncIterator[str]:
            while True:
                yield ": still there\n\n"
                await anyio.lowlevel.checkpoint()

        return StreamingResponse(comments(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/v1/x", drip, methods=["POST"])])
    async with ServedApp(app) as address:
        options = replace(OPTIONS, base_url=f"{address}/v1", timeout_s=0.2)
        async with OpenAIConnection(options, clock=FakeClock()) as connection:
            with pytest.raises(ProviderError, match="no answer after"):
                await connection.open_stream("/x", {})


async def test_half_a_character_is_sent_as_a_question_mark() -> None:
    bodies: list[bytes] = []

    async def keep(request: Request) -> Response:
        bodies.append(await request.body())
        return Response("{}")

    app = Starlette(routes=[Route("/v1/x", keep, methods=["POST"])])
    async with ServedApp(app) as address:
        options = replace(OPTIONS, base_url=f"{address}/v1")
        async with OpenAIConnection(options, clock=FakeClock()) as connection:
            await connection.post("/x", {"b": "ä\ud800", "a": 1})

    assert bodies == ['{"b":"ä?","a":1}'.encode()]


async def test_a_missing_sdk_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the import system finds when a package is not installed.
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ConfigError, match="openai") as caught:
        await OpenAIConnection(OPTIONS, clock=FakeClock()).__aenter__()

    assert caught.value.hint == "pip install 'toolweft[openai]'"


async def test_a_key_that_no_header_can_carry_is_named_by_where_it_stands() -> None:
    options = replace(OPTIONS, key=Secret("abc\n", reference="env:OPENAI_API_KEY"))
    with pytest.raises(ConfigError, match="no header") as caught:
        await OpenAIConnection(options, clock=FakeClock()).__aenter__()

    assert "abc" not in str(caught.value)
    assert "env:OPENAI_API_KEY" in str(caught.value)


async def test_no_error_shows_what_a_request_is_let_in_with() -> None:
    headers = {"X-Access": "gate-token", "X-Short": "a"}
    told = JSONResponse({"error": {"message": "a key-1234, gate-token refused"}}, status_code=401)
    key = Secret("key-1234", reference="env:KEY")
    async with answering(told, key=key, headers=headers) as connection:
        with pytest.raises(ProviderError, match=r"a \*\*\*, \*\*\* refused"):
            await connection.post("/x", {})


async def test_no_error_shows_the_password_of_an_address() -> None:
    options = replace(OPTIONS, base_url="http://ann:pass-word@127.0.0.1:1/v1")
    async with OpenAIConnection(options, clock=FakeClock()) as connection:
        with pytest.raises(ProviderError, match=r"http://ann:\*\*\*@127\.0\.0\.1:1/v1"):
            await connection.post("/x", {})


async def test_a_stream_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def flood(_: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            while True:
                yield "data: {}\n\n" * 100
                await anyio.lowlevel.checkpoint()

        return StreamingResponse(events(), media_type="text/event-stream")

    monkeypatch.setattr(providers_connection, "MAX_STREAM_BYTES", 100_000)
    app = Starlette(routes=[Route("/v1/x", flood, methods=["POST"])])
    async with ServedApp(app) as address:
        options = replace(OPTIONS, base_url=f"{address}/v1")
        async with OpenAIConnection(options, clock=FakeClock()) as connection:
            stream = await connection.open_stream("/x", {})
            with pytest.raises(ProviderError, match="above the cap of 100,000 bytes"):
                async for _ in stream:
                    pass
            await stream.aclose()


async def test_a_stream_that_drips_on_is_left() -> None:
    async def drip(_: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            while True:
                yield "data: {}\n\n"
                await anyio.sleep(0.05)

        return StreamingResponse(events(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/v1/x", drip, methods=["POST"])])
    async with ServedApp(app) as address:
        options = replace(OPTIONS, base_url=f"{address}/v1", timeout_s=1.0)
        async with OpenAIConnection(options, clock=FakeClock()) as connection:
            stream = await connection.open_stream("/x", {})
            with pytest.raises(ProviderError, match="did not end within 3 s"):
                async for _ in stream:
                    pass
            await stream.aclose()
