"""What every vendor's client does alike, each against the server that speaks its API."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolweft.core.calls import TextContent
from toolweft.core.errors import ProviderError, ProviderUnavailable
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelRequest, ReplyDone, UserMessage
from toolweft.core.providers import ModelCapabilities, Provider
from toolweft.core.secret import Secret
from toolweft.providers import client
from toolweft.providers.anthropic import AnthropicOptions, AnthropicProvider
from toolweft.providers.gemini import GeminiOptions, GeminiProvider
from toolweft.providers.openai import OpenAIOptions, OpenAIProvider
from toolweft.providers.openai_chat import OpenAIChatOptions, OpenAIChatProvider
from toolweft.testing import FakeClock
from toolweft.testing.vendors import anthropic, gemini, openai, openai_chat, openai_http
from toolweft.testing.vendors.anthropic_blocks import say as say_block
from toolweft.testing.vendors.gemini_parts import say_part, say_step
from toolweft.testing.vendors.openai_items import message
from toolweft.testing.vendors.serving import ServedApp

pytestmark = pytest.mark.network

HELLO = ModelRequest(messages=(UserMessage(content=(TextContent("Hello."),)),))
WARM = ModelCapabilities(takes_temperature=True)
KEY = Secret("test-key", reference="test")
# Longer than the deadline over all tries, so that a failure is told at once.
LATER = {"retry-after": "3600"}


@dataclass(frozen=True)
class Form:
    """One API: its server, its client, and what its answers and requests look like."""

    server: Callable[..., Any]
    client: Callable[..., Any]
    options: Callable[..., Any]
    turn: Any
    failure: Callable[..., Any]
    model: str
    limit: Callable[[JsonObject], object]
    warmth: Callable[[JsonObject], object]
    # Events of its turn that come before what says that the answer is complete.
    before_end: int
    more: dict[str, Any]


def read_config(*path: str) -> Callable[[JsonObject], object]:
    def read(body: JsonObject) -> object:
        found: Any = body
        for key in path:
            found = found.get(key, {})
        return None if found == {} else found

    return read


FORMS = {
    "anthropic": Form(
        server=anthropic.AnthropicServer,
        client=AnthropicProvider,
        options=AnthropicOptions,
        turn=anthropic.Turn(blocks=(say_block("Hi."),)),
        failure=anthropic.Failure,
        model="claude-haiku-4-5",
        limit=read_config("max_tokens"),
        warmth=read_config("temperature"),
        before_end=5,
        more={},
    ),
    "openai": Form(
        server=openai.OpenAIServer,
        client=OpenAIProvider,
        options=OpenAIOptions,
        turn=openai_http.Turn(items=(message("Hi."),)),
        failure=openai_http.Failure,
        model="gpt-4.1",
        limit=read_config("max_output_tokens"),
        warmth=read_config("temperature"),
        before_end=8,
        more={},
    ),
    "openai_chat": Form(
        server=lambda script, **more: openai_chat.OpenAIChatServer(script, key="test-key", **more),
        client=OpenAIChatProvider,
        options=OpenAIChatOptions,
        turn=openai_http.Turn(items=(openai_chat.say("Hi."),)),
        failure=openai_http.Failure,
        model="local",
        limit=read_config("max_tokens"),
        warmth=read_config("temperature"),
        before_end=2,
        more={},
    ),
    "gemini": Form(
        server=gemini.GeminiServer,
        client=GeminiProvider,
        options=GeminiOptions,
        turn=gemini.Turn(items=(say_part("Hi."),)),
        failure=gemini.Failure,
        model="gemini-3.8-flash",
        limit=read_config("generationConfig", "maxOutputTokens"),
        warmth=read_config("generationConfig", "temperature"),
        before_end=1,
        more={},
    ),
    "gemini_interactions": Form(
        server=gemini.GeminiServer,
        client=GeminiProvider,
        options=GeminiOptions,
        turn=gemini.Turn(items=(say_step("Hi."),)),
        failure=gemini.Failure,
        model="gemini-3.8-flash",
        limit=read_config("generation_config", "max_output_tokens"),
        warmth=read_config("generation_config", "temperature"),
        before_end=4,
        more={"api": "gemini_interactions"},
    ),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


@asynccontextmanager
async def talk(
    form: Form, script: list[Any], *, clock: FakeClock, **options: Any
) -> AsyncIterator[tuple[Any, Provider]]:
    async with form.server(script) as server:
        chosen = {"model": form.model, "base_url": server.base_url, "key": KEY}
        provider = form.client(
            form.options(**{**chosen, **form.more, **options}),
            environment={},
            clock=clock,
            random=lambda: 0.0,
        )
        async with provider:
            with anyio.fail_after(50):
                yield server, provider


async def fail(provider: Provider, times: int) -> list[ProviderError]:
    errors = []
    for _ in range(times):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(HELLO)
        errors.append(caught.value)
    return errors


async def test_4096_tokens_are_asked_for_and_no_temperature_is_sent(
    form: Form, clock: FakeClock
) -> None:
    async with talk(form, [form.turn], clock=clock, capabilities=WARM) as (server, provider):
        await provider.complete(HELLO)

    (body,) = server.requests
    assert (form.limit(body), form.warmth(body)) == (4096, None)


# The version of Anthropic's API that requests name has none.
@pytest.mark.parametrize("api", sorted(FORMS.keys() - {"anthropic"}))
async def test_a_temperature_that_is_set_is_sent(api: str, clock: FakeClock) -> None:
    form = FORMS[api]
    request = ModelRequest(messages=HELLO.messages, temperature=0.2, max_tokens=77)
    async with talk(form, [form.turn], clock=clock, capabilities=WARM) as (server, provider):
        await provider.complete(request)

    (body,) = server.requests
    assert (form.limit(body), form.warmth(body)) == (77, 0.2)


@pytest.mark.promise("breaker.providers")
async def test_a_model_that_fails_is_left_alone_for_a_while(form: Form, clock: FakeClock) -> None:
    broken = form.failure(status=503, message="Too busy.", headers=LATER)
    async with talk(form, [*[broken] * 5, form.turn], clock=clock) as (server, provider):
        await fail(provider, 5)
        (refused,) = await fail(provider, 1)
        with pytest.raises(ProviderUnavailable):
            await anext(aiter(provider.stream(HELLO)))
        assert len(server.requests) == 5

        clock.advance(5)
        reply = await provider.complete(HELLO)

    assert isinstance(refused, ProviderUnavailable)
    assert (refused.is_retryable, refused.retry_after_s) == (True, 5.0)
    assert "Too busy." in refused.message
    assert refused.message.count(provider.name) == 1
    assert reply.message.text == "Hi."


async def test_a_vendor_that_asks_for_fewer_requests_is_there(form: Form, clock: FakeClock) -> None:
    busy = form.failure(status=429, headers=LATER)
    async with talk(form, [*[busy] * 9, form.turn], clock=clock) as (_, provider):
        errors = await fail(provider, 9)
        reply = await provider.complete(HELLO)

    assert {error.status for error in errors} == {429}
    assert reply.message.text == "Hi."


async def test_what_a_request_is_refused_for_is_not_held_against_the_model(
    form: Form, clock: FakeClock
) -> None:
    refused = form.failure(status=400, message="No.")
    async with talk(form, [*[refused] * 12, form.turn], clock=clock) as (_, provider):
        errors = await fail(provider, 12)
        reply = await provider.complete(HELLO)

    assert {error.status for error in errors} == {400}
    assert reply.message.text == "Hi."


async def test_nobody_at_the_address_opens_it_within_the_tries(
    form: Form, clock: FakeClock
) -> None:
    async with talk(form, [], clock=clock, base_url="http://127.0.0.1:9") as (_, provider):
        first, second = await fail(provider, 2)

    assert not isinstance(first, ProviderUnavailable)
    assert isinstance(second, ProviderUnavailable)
    assert "127.0.0.1:9" in second.message


async def test_a_stream_that_begins_shows_that_the_model_is_back(
    form: Form, clock: FakeClock
) -> None:
    broken = form.failure(status=500, headers=LATER)
    script = [*[broken] * 5, form.turn, *[broken] * 4, form.turn]
    async with talk(form, script, clock=clock) as (_, provider):
        await fail(provider, 5)
        clock.advance(5)
        last = [event async for event in provider.stream(HELLO)][-1]
        await fail(provider, 4)
        reply = await provider.complete(HELLO)

    assert isinstance(last, ReplyDone)
    assert reply.message.text == "Hi."


BREAKS = {
    "connection": {},
    "end": {"ends_early": True},
    "event": {"stream_error": {"type": "server_error", "code": 503, "message": "Busy."}},
}


@pytest.mark.parametrize("kind", BREAKS)
async def test_a_stream_that_breaks_off_is_told_alike_and_not_begun_again(
    form: Form, clock: FakeClock, kind: str
) -> None:
    turn = replace(form.turn, break_after=form.before_end, **BREAKS[kind])
    async with talk(form, [turn], clock=clock) as (server, provider):
        with pytest.raises(ProviderError, match="the answer broke off after 3 char") as caught:
            async for _ in provider.stream(HELLO):
                pass

        assert len(server.requests) == 1
    assert caught.value.message.startswith(f"{provider.name}: the answer")
    assert caught.value.message.count(provider.name) == 1
    assert caught.value.has_begun


async def test_no_answer_that_tells_an_error_shows_the_key(clock: FakeClock) -> None:
    async def answer(request: Request) -> Response:
        await request.body()
        return JSONResponse({"error": {"message": f"{KEY.reveal()} is over its limit"}})

    app = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
    async with ServedApp(app) as address:
        options = OpenAIChatOptions(model="m", base_url=f"{address}/v1", key=KEY)
        chosen = OpenAIChatProvider(options, environment={}, clock=clock, random=lambda: 0.5)
        async with chosen as client:
            with pytest.raises(ProviderError, match=r"\*\*\* is over its limit"):
                await client.complete(HELLO)


async def test_a_model_that_never_stops_is_left(
    form: Form, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_MAX_TOKEN_CHARACTERS", 0)
    monkeypatch.setattr(client, "_LEAST_ALLOWED_CHARACTERS", 2)
    async with talk(form, [form.turn], clock=clock) as (_, provider):
        with pytest.raises(ProviderError, match="does not stop at 4,096 tokens"):
            async for _ in provider.stream(HELLO):
                pass
