"""Clients whose connection broke come back to the stream of their request, over real HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream
from tests.gateway.fake_toolbox import Desk
from tests.gateway.test_gateway_http import ACCEPT, HELLO, LOCKED, OPEN, connected, served

from toolweft.gateway.kept_streams import KEPT_S, KeptStreams
from toolweft.gateway.resuming import ResumableStreams
from toolweft.testing import FakeClock

pytestmark = pytest.mark.network

NEW = "2025-11-25"
OLD = "2025-06-18"
PATIENT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Event:
    id: str
    retry: str
    data: str

    @property
    def message(self) -> Any:
        return json.loads(self.data) if self.data else None


async def read_events(answer: httpx2.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif fields:
            yield Event(
                id=fields.get("id", ""), retry=fields.get("retry", ""), data=fields.get("data", "")
            )
            fields = {}


async def open_session(
    http: httpx2.AsyncClient, url: str, *, version: str = NEW, key: str | None = None
) -> dict[str, str]:
    """The headers of a new session."""
    own = {} if key is None else {"authorization": f"Bearer {key}"}
    hello = {**HELLO, "params": {**HELLO["params"], "protocolVersion": version}}
    answer = await http.post(url, json=hello, headers=own)
    session = answer.headers["mcp-session-id"]
    headers = {**own, "mcp-session-id": session, "mcp-protocol-version": version}
    await http.post(
        url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers
    )
    return headers


def call(name: str, request_id: int = 2, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": f"p{request_id}"}}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


@asynccontextmanager
async def called(
    http: httpx2.AsyncClient, url: str, session: dict[str, str], message: dict[str, Any]
) -> AsyncIterator[AsyncIterator[Event]]:
    async with http.stream("POST", url, json=message, headers=session) as answer:
        assert answer.status_code == 200
        yield read_events(answer)


@asynccontextmanager
async def resumed(
    http: httpx2.AsyncClient, url: str, session: dict[str, str], event_id: str
) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {**session, "last-event-id": event_id}
    async with http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["mcp-session-id"] == session["mcp-session-id"]
        yield read_events(answer)


@asynccontextmanager
async def client_of(**served_with: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
    async with (
        served(served_with.pop("options", OPEN), **served_with) as url,
        httpx2.AsyncClient(headers=ACCEPT, timeout=PATIENT_S) as http,
    ):
        yield http, url


async def call_and_leave(
    http: httpx2.AsyncClient, url: str, session: dict[str, str], request_id: int = 2
) -> list[Event]:
    """Call what holds, and break off after its first words; what was heard until then."""
    async with called(http, url, session, call("hold", request_id)) as events:
        heard = [await anext(events), await anext(events)]
    assert heard[1].message["params"]["message"] == "before"
    return heard


def texts(events: list[Event]) -> list[str]:
    """What progress says, and the answer."""
    said = []
    for event in events:
        message = event.message
        if "result" in message:
            said.append(message["result"]["content"][0]["text"])
        else:
            said.append(message["params"]["message"])
    return said


async def test_a_stream_begins_with_an_event_that_only_names_itself() -> None:
    async with client_of() as (http, url):
        session = await open_session(http, url)
        async with called(http, url, session, call("echo", text="a")) as events:
            first, last = [event async for event in events]

    assert first.data == ""
    assert int(first.retry) > 0
    assert last.message["result"]["content"][0]["text"] == "a"
    assert first.id
    assert first.id != last.id


async def test_clients_before_2025_11_25_are_not_sent_empty_events_but_may_come_back() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url, version=OLD)
        async with called(http, url, session, call("hold")) as events:
            first = await anext(events)
        desk.released.set()
        async with resumed(http, url, session, first.id) as events:
            rest = [event async for event in events]

    assert texts([first, *rest]) == ["before", "after", "held"]


@pytest.mark.promise("gateway.resumed")
async def test_who_comes_back_gets_what_was_missed() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        primed, before = await call_and_leave(http, url, session)
        desk.released.set()
        async with resumed(http, url, session, before.id) as events:
            rest = [event async for event in events]
        async with resumed(http, url, session, primed.id) as events:
            whole = [event async for event in events]

    assert texts(rest) == ["after", "held"]
    assert whole == [before, *rest]


async def test_who_comes_back_early_hears_what_comes() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        primed, _ = await call_and_leave(http, url, session)
        async with resumed(http, url, session, primed.id) as events:
            first = await anext(events)
            desk.released.set()
            rest = [event async for event in events]

    assert texts([first, *rest]) == ["before", "after", "held"]


async def test_the_newest_connection_alone_goes_on() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        async with called(http, url, session, call("hold")) as first:
            primed, before = await anext(first), await anext(first)
            async with resumed(http, url, session, primed.id) as second:
                assert await anext(second) == before
                # Ended in order, not broken.
                assert [event async for event in first] == []
                async with resumed(http, url, session, before.id) as third:
                    assert [event async for event in second] == []
                    desk.released.set()
                    assert texts([event async for event in third]) == ["after", "held"]


async def test_coming_back_very_often_changes_nothing() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        primed, before = await call_and_leave(http, url, session)
        for _ in range(100):
            async with resumed(http, url, session, primed.id) as events:
                assert await anext(events) == before
        desk.released.set()
        async with resumed(http, url, session, before.id) as events:
            assert texts([event async for event in events]) == ["after", "held"]
        async with called(http, url, session, call("echo", 3, text="on")) as events:
            assert texts([event async for event in events][1:]) == ["on"]


async def test_calls_of_one_session_do_not_mix() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        one, _ = await call_and_leave(http, url, session, 2)
        other, _ = await call_and_leave(http, url, session, 3)
        desk.released.set()
        for request_id, primed in ((2, one), (3, other)):
            async with resumed(http, url, session, primed.id) as events:
                heard = [event async for event in events]
            tokens = {e.message["params"]["progressToken"] for e in heard[:-1]}
            assert tokens == {f"p{request_id}"}
            assert heard[-1].message["id"] == request_id


async def refused(
    http: httpx2.AsyncClient, url: str, session: dict[str, str], event_id: str | bytes
) -> str:
    """Why nothing is resumed after an event."""
    headers: dict[str, Any] = {**session, "last-event-id": event_id}
    answer = await http.get(url, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.headers["mcp-session-id"] == session["mcp-session-id"]
    error = answer.json()["error"]
    assert error["code"] == -32600
    assert "make the request again" in error["message"]
    assert len(error["message"]) < 500
    return error["message"]


@pytest.mark.parametrize(
    "event_id",
    ["x", ".", "1", "0.0", "{key}", "{key}.", "{key}.9", "{key}.-1", "{key}.1e0", "9" * 9_000],
)
async def test_an_odd_event_id_is_refused_by_name(event_id: str) -> None:
    async with client_of() as (http, url):
        session = await open_session(http, url)
        async with called(http, url, session, call("echo", text="a")) as events:
            first, _ = [event async for event in events]
        key = first.id.rpartition(".")[0]
        event_id = event_id.replace("{key}", key)

        assert repr(event_id[:100]) in await refused(http, url, session, event_id)


async def test_an_event_id_that_is_no_text_is_refused() -> None:
    async with client_of() as (http, url):
        session = await open_session(http, url)

        assert "'éÿ'" in await refused(http, url, session, "é\xff".encode("latin-1"))


@pytest.mark.promise("gateway.resumed-alone")
async def test_an_event_of_another_session_is_refused() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        one, other = await open_session(http, url), await open_session(http, url)
        primed, before = await call_and_leave(http, url, one)
        desk.released.set()

        for event in (primed, before):
            assert "held" not in await refused(http, url, other, event.id)


@pytest.mark.promise("gateway.resumed-alone")
async def test_an_event_of_another_user_is_refused_whatever_session_is_named() -> None:
    desk = Desk()
    async with client_of(desk=desk, options=LOCKED) as (http, url):
        anna = await open_session(http, url, key="anna's key")
        ben = await open_session(http, url, key="ben's key")
        primed, _ = await call_and_leave(http, url, anna)
        desk.released.set()

        assert "held" not in await refused(http, url, ben, primed.id)
        stolen = {**anna, "authorization": ben["authorization"], "last-event-id": primed.id}
        answer = await http.get(url, headers=stolen)
        assert (answer.status_code, "held" in answer.text) == (404, False)
        del stolen["authorization"]
        assert (await http.get(url, headers=stolen)).status_code == 401
        async with resumed(http, url, anna, primed.id) as events:
            assert texts([event async for event in events])[-1] == "held"


async def test_what_is_too_old_is_refused_and_says_how_long_things_are_kept(
    clock: FakeClock,
) -> None:
    desk = Desk()
    async with client_of(desk=desk, clock=clock) as (http, url):
        session = await open_session(http, url)
        primed, before = await call_and_leave(http, url, session)
        clock.advance(KEPT_S + 1)

        assert f"{KEPT_S:g} s" in await refused(http, url, session, primed.id)
        # Nothing was missed, so the call that still runs is found.
        async with resumed(http, url, session, before.id) as events:
            desk.released.set()
            assert texts([event async for event in events]) == ["after", "held"]
        clock.advance(KEPT_S + 1)
        assert f"{KEPT_S:g} s" in await refused(http, url, session, before.id)


async def test_a_session_that_is_over_is_said_to_be_over() -> None:
    async with client_of() as (http, url):
        session = await open_session(http, url)
        async with called(http, url, session, call("echo", text="a")) as events:
            first = await anext(events)
        assert (await http.delete(url, headers=session)).status_code == 200
        answer = await http.get(url, headers={**session, "last-event-id": first.id})

    assert answer.status_code == 404
    assert "Session not found" in answer.json()["error"]["message"]


async def test_the_end_of_a_session_ends_who_came_back_to_it() -> None:
    async with client_of() as (http, url):
        session = await open_session(http, url)
        primed, before = await call_and_leave(http, url, session)
        async with resumed(http, url, session, primed.id) as events:
            assert await anext(events) == before
            await http.delete(url, headers=session)
            assert "held" not in str([event async for event in events])


async def test_who_takes_no_stream_is_told_so() -> None:
    async with client_of() as (http, url):
        session = await open_session(http, url)
        headers = {**session, "accept": "application/json", "last-event-id": "x"}

        assert (await http.get(url, headers=headers)).status_code == 406


async def test_clients_of_the_stateless_revision_have_nothing_to_come_back_to() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        primed, _ = await call_and_leave(http, url, session)
        desk.released.set()
        headers = {**session, "mcp-protocol-version": "2026-07-28", "last-event-id": primed.id}
        answer = await http.get(url, headers=headers)

    assert answer.status_code >= 400
    assert "held" not in answer.text


async def test_a_stream_for_news_is_opened_beside_those_that_are_resumed() -> None:
    desk = Desk()
    async with client_of(desk=desk) as (http, url):
        session = await open_session(http, url)
        primed, _ = await call_and_leave(http, url, session)
        async with (
            http.stream("GET", url, headers=session) as news,
            resumed(http, url, session, primed.id) as events,
        ):
            assert news.status_code == 200
            desk.released.set()
            assert texts([event async for event in events])[-1] == "held"


class Line:
    """A network between client and server whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cut = anyio.Event()

    def cut(self) -> None:
        self._cut.set()
        self._cut = anyio.Event()

    async def carry(self, near: SocketStream) -> None:
        async with (
            near,
            await anyio.connect_tcp("127.0.0.1", self._port) as far,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_pump, near, far, tasks.cancel_scope)
            tasks.start_soon(_pump, far, near, tasks.cancel_scope)
            await self._cut.wait()
            tasks.cancel_scope.cancel()


async def _pump(one: SocketStream, other: SocketStream, scope: anyio.CancelScope) -> None:
    try:
        async for data in one:
            await other.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass
    scope.cancel()


@asynccontextmanager
async def breakable(url: str) -> AsyncIterator[tuple[Line, str]]:
    """Such a network before a server, and its address there."""
    line = Line(httpx2.URL(url).port or 0)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, line.carry)
        yield line, f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/mcp"
        tasks.cancel_scope.cancel()


@pytest.mark.promise("gateway.resumed")
async def test_the_official_client_gets_its_answer_over_a_network_that_breaks() -> None:
    desk = Desk()
    heard: list[str | None] = []
    begun = anyio.Event()

    async def on_progress(_progress: float, _total: float | None, message: str | None) -> None:
        heard.append(message)
        begun.set()

    async with (
        served(OPEN, desk=desk) as url,
        breakable(url) as (line, near),
        connected(near, mode="legacy") as client,
    ):
        answers: list[Any] = []

        async def use() -> None:
            answers.append(await client.call_tool("hold", {}, progress_callback=on_progress))

        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(use)
                await begun.wait()
                line.cut()
                desk.released.set()

    assert answers[0].content[0].text == "held"
    assert heard == ["before", "after"]


class Side:
    """One connection as a server sees it: what was sent on it, and whether its client is there."""

    def __init__(self, method: str, headers: dict[str, str]) -> None:
        raw = [(name.encode(), value.encode()) for name, value in (ACCEPT | headers).items()]
        self.scope = {"type": "http", "method": method, "headers": raw}
        self.sent: list[bytes] = []
        self.gone = anyio.Event()
        # Not set: it takes nothing any more.
        self.flows = anyio.Event()
        self.flows.set()
        self.news = anyio.Event()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.flows.wait()
        self.sent.append(message.get("body", b""))
        self.news.set()

    async def heard(self, text: bytes) -> bytes:
        """All that was sent, once this is a part of it."""
        while text not in b"".join(self.sent):
            self.news = anyio.Event()
            await self.news.wait()
        return b"".join(self.sent)


class Speaker:
    """An application that answers with events when told to, and ends when its client is gone."""

    def __init__(self) -> None:
        self._said: list[bytes] = []
        self._news = anyio.Event()
        self.ended = anyio.Event()

    def say(self, *parts: bytes) -> None:
        self._said += parts
        self._news.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 405, "headers": []})
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                assert (await receive())["type"] == "http.disconnect"
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            while True:
                while self._said:
                    part = self._said.pop(0)
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                self._news = anyio.Event()
                await self._news.wait()
        self.ended.set()


SESSION = {"mcp-session-id": "s", "mcp-protocol-version": NEW}


def coming_back(side: Side) -> Side:
    """Who got the first event only."""
    event_id = side.sent[1].split(b"\r\n")[0].removeprefix(b"id: ").decode()
    return Side("GET", {**SESSION, "last-event-id": event_id})


async def test_a_stream_whose_client_is_away_goes_on_until_the_server_stops() -> None:
    app, stopping, side = Speaker(), anyio.Event(), Side("POST", SESSION)
    streams = ResumableStreams(app, kept=KeptStreams(FakeClock()), stopping=stopping)
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(streams, side.scope, side.receive, side.send)
            await side.heard(b"retry")
            side.gone.set()
            app.say(b"data: still there\r\n\r\n")
            other = coming_back(side)
            tasks.start_soon(streams, other.scope, other.receive, other.send)
            await other.heard(b"still there")
            assert not app.ended.is_set()
            stopping.set()
            await app.ended.wait()


async def test_a_stream_to_which_nobody_comes_back_ends() -> None:
    app, kept, side = Speaker(), KeptStreams(FakeClock()), Side("POST", SESSION)
    streams = ResumableStreams(app, kept=kept, stopping=anyio.Event(), max_away_s=0.01)
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(streams, side.scope, side.receive, side.send)
            await side.heard(b"retry")
            other = coming_back(side)
            tasks.start_soon(streams, other.scope, other.receive, other.send)
            app.say(b"data: one\r\n\r\n")
            await other.heard(b"one")
            side.gone.set()
            app.say(b"data: two\r\n\r\n")
            await other.heard(b"two")
            assert not app.ended.is_set()
            other.gone.set()
            await app.ended.wait()


async def test_a_connection_that_takes_nothing_any_more_holds_nobody_up() -> None:
    app, side = Speaker(), Side("POST", SESSION)
    streams = ResumableStreams(app, kept=KeptStreams(FakeClock()), stopping=anyio.Event())
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(streams, side.scope, side.receive, side.send)
            await side.heard(b"retry")
            side.flows = anyio.Event()
            app.say(b"data: one\r\n\r\n")
            other = coming_back(side)
            tasks.start_soon(streams, other.scope, other.receive, other.send)
            await other.heard(b"one")
            app.say(b"data: two\r\n\r\n")
            await other.heard(b"two")
            assert b"one" not in b"".join(side.sent)
            tasks.cancel_scope.cancel()


async def test_events_are_whole_and_signs_of_life_are_not_kept() -> None:
    app, side = Speaker(), Side("POST", SESSION)
    streams = ResumableStreams(app, kept=KeptStreams(FakeClock()), stopping=anyio.Event())
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(streams, side.scope, side.receive, side.send)
            app.say(b": ping\r\n\r\n", b"data: a ", b"half\r\n", b"\r\n", b"data: b\r\n\r\n")
            heard = await side.heard(b"data: b")
            other = coming_back(side)
            tasks.start_soon(streams, other.scope, other.receive, other.send)
            again = await other.heard(b"data: b")
            tasks.cancel_scope.cancel()

    assert b": ping" in heard
    assert b": ping" not in again
    assert again.count(b"id: ") == 2
    assert b"data: a half\r\n\r\nid: " in again
