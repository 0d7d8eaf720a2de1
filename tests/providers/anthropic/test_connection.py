"""Servers that do not speak the Messages API at all."""

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toolweft.core.errors import ProviderError
from toolweft.core.secret import Secret
from toolweft.providers.anthropic.connection import (
    AnthropicConnection,
    AnthropicConnectionOptions,
)
from toolweft.testing import FakeClock
from toolweft.testing.vendors.serving import ServedApp

pytestmark = pytest.mark.network

STREAM = {"content-type": "text/event-stream"}


class Place:
    """Answers everything alike, after an event where one is given."""

    def __init__(self, response: Response, *, after: anyio.Event | None = None) -> None:
        self.paths: list[str] = []
        self._response = response
        self._after = after
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST"])]
        self.app = Starlette(routes=routes)

    async def _answer(self, request: Request) -> Response:
        self.paths.append(request.url.path)
        if self._after is not None:
            await self._after.wait()
        return self._response


async def ask(place: Place, *, is_streamed: bool = False, timeout_s: float = 40.0) -> None:
    key = Secret("the-key", reference="test")
    async with ServedApp(place.app) as base_url:
        options = AnthropicConnectionOptions(
            name="x:m", base_url=base_url, key=key, timeout_s=timeout_s
        )
        async with AnthropicConnection(options, clock=FakeClock()) as connection:
            if is_streamed:
                stream = await connection.open_stream("/v1/messages", {})
                await stream.aclose()
            else:
                await connection.post("/v1/messages", {})


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("response", "match"),
    [
        (Response("<html>the-key</html>", 502), r"<html>\*\*\*</html> \(502\)"),
        (Response("", 503), r"\(503\)"),
        (Response("{}", 418), r"\(418\)"),
        (Response("", 307, {"location": "/elsewhere"}), r"\(307\)"),
    ],
    ids=["page", "nothing", "object", "redirect"],
)
async def test_any_failure_is_told_without_the_key(
    response: Response, match: str, *, is_streamed: bool
) -> None:
    place = Place(response)

    with pytest.raises(ProviderError, match=match) as caught:
        await ask(place, is_streamed=is_streamed)

    assert caught.value.is_retryable == (response.status_code in {502, 503})
    # The key and the history go nowhere else.
    assert place.paths == ["/v1/messages"]


@pytest.mark.parametrize(
    ("text", "match"), [("<html>", "not JSON"), ("[1]", "no JSON object"), ("", "not JSON")]
)
async def test_an_answer_that_is_no_object_is_told(text: str, match: str) -> None:
    with pytest.raises(ProviderError, match=match) as caught:
        await ask(Place(Response(text)))

    assert not caught.value.is_retryable


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty one"),
        ("event: message_start\ndata: {\n\n", "not JSON"),
        ("event: message_start\ndata: [1]\n\n", "no JSON object"),
    ],
)
async def test_a_stream_that_is_none_is_told(text: str, match: str) -> None:
    with pytest.raises(ProviderError, match=match):
        await ask(Place(Response(text, headers=STREAM)), is_streamed=True)


async def test_an_overload_told_before_anything_was_written_may_be_tried_again() -> None:
    text = 'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'

    with pytest.raises(ProviderError) as caught:
        await ask(Place(Response(text, headers=STREAM)), is_streamed=True)

    assert (caught.value.status, caught.value.is_retryable) == (529, True)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_who_does_not_answer_in_time_is_told(*, is_streamed: bool) -> None:
    never = anyio.Event()
    place = Place(Response(""), after=never)
    try:
        with pytest.raises(ProviderError, match=r"in time|no answer after") as caught:
            await ask(place, is_streamed=is_streamed, timeout_s=0.2)
    finally:
        never.set()

    assert caught.value.is_retryable
