"""Lets handshake clients come back to the stream of a request after their connection broke.

Every event of such a stream goes out with an id; who asks for the stream again by the header
Last-Event-ID gets what it missed and then what comes, on the newest connection alone. The request
itself goes on meanwhile. Streams that only wait for news begin anew instead, and clients of the
stateless revision have no such thing.
"""

from http import HTTPStatus
from typing import Final

import anyio
import mcp_types
from mcp.server.streamable_http import (
    CONTENT_TYPE_SSE,
    LAST_EVENT_ID_HEADER,
    MCP_SESSION_ID_HEADER,
    check_accept_headers,
)
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolweft.core.calls import LOCAL, Principal
from toolweft.gateway.conversations import PrincipalUser
from toolweft.gateway.kept_streams import KEPT_S, KeptStream, KeptStreams

__all__ = ("ResumableStreams",)

# The first revision whose clients take an event without data, sent so that they know an id at once.
_PRIMED_SINCE: Final = "2025-11-25"
# Clients wait this long before they come back.
_RETRY_MS: Final = 1_000
# So that a connection that is gone is noticed, and one that is quiet is not cut.
_PING_S: Final = 15.0
# How often it is looked whether a client is back.
_LOOK_S: Final = 15.0
# A connection that does not even take its end is left to break.
_END_S: Final = 1.0
_EVENT_END: Final = b"\r\n\r\n"
_PRIMING: Final = b"data: \r\nretry: %d" % _RETRY_MS + _EVENT_END
_PING: Final = b": ping" + _EVENT_END


class ResumableStreams:
    """Keeps what goes out on streams of requests, and serves it to those who come back.

    Args:
        app: serves MCP, and knows which session is whose.
        kept: the events of all.
        stopping: once set, streams whose client is away end.
        max_away_s: so do those whose client is away for longer; what it asked for still goes on.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        kept: KeptStreams,
        stopping: anyio.Event,
        max_away_s: float = KEPT_S,
    ) -> None:
        self._app = app
        self._kept = kept
        self._connections = _Connections(stopping, max_away_s=max_away_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or serve what it missed."""
        session = _find_session(scope)
        if session is None:
            await self._app(scope, receive, send)
        elif scope["method"] == "POST":
            answer = _Answer(scope, session=session, kept=self._kept, connections=self._connections)
            await answer.serve(self._app, receive=receive, send=send)
        elif scope["method"] == "GET" and Headers(scope=scope).get(LAST_EVENT_ID_HEADER):
            await self._resume(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _resume(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what came after an event, and what comes, until the stream ends."""
        if not check_accept_headers(Request(scope))[1]:
            await self._app(scope, receive, send)
            return
        refusal = await self._find_refusal(scope)
        if refusal:
            for message in refusal:
                await send(message)
            return
        headers = Headers(scope=scope)
        session, event_id = headers[MCP_SESSION_ID_HEADER], headers[LAST_EVENT_ID_HEADER]
        found = self._kept.find(event_id, session=session)
        if found is None:
            await _nothing_kept(event_id, session)(scope, receive, send)
            return
        stream, number = found
        connection = _Connection(send)
        await connection.begin(session)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
                tasks.start_soon(_cancel_when_replaced, connection, tasks.cancel_scope)
                await self._connections.take_over(stream, connection)
                await _follow(stream, number, connection)
                tasks.cancel_scope.cancel()
        finally:
            self._connections.leave(stream, connection)

    async def _find_refusal(self, scope: Scope) -> list[Message]:
        """What is answered to who names a session that is over or another's; [] for their own.

        Whatever serves MCP knows that; of a session of theirs it says that this method is not
        allowed.
        """
        said: list[Message] = []

        async def receive_nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def note(message: Message) -> None:
            said.append(message)

        await self._app({**scope, "method": "HEAD"}, receive_nothing, note)
        return [] if said[0]["status"] == HTTPStatus.METHOD_NOT_ALLOWED else said


class _Connection:
    """One response on which the events of a stream go out, until another one takes over."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_over = False
        # Of what is being sent.
        self._scope = anyio.CancelScope()
        self.replaced = anyio.Event()

    async def begin(self, session: str) -> None:
        """Send the head of a response that resumes."""
        headers = {
            "content-type": CONTENT_TYPE_SSE,
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            MCP_SESSION_ID_HEADER: session,
        }
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": raw})

    async def write(self, data: bytes, *, is_last: bool = False) -> None:
        """Send a part of the response; nothing, once another connection has taken over."""
        if self._is_over:
            return
        self._is_over = is_last
        with anyio.CancelScope() as self._scope:
            await self._send(_body(data, is_last=is_last))

    async def give_up(self) -> None:
        """End the response here: the stream goes on elsewhere."""
        if self._is_over:
            return
        self._is_over = True
        self.replaced.set()
        # A client that is gone without a word takes nothing more, so this may wait for ever.
        self._scope.cancel()
        with anyio.move_on_after(_END_S):
            await self._send(_body(b"", is_last=True))


class _Connections:
    """Where the events of each stream go now."""

    def __init__(self, stopping: anyio.Event, *, max_away_s: float) -> None:
        self._stopping = stopping
        self._max_away_s = max_away_s
        self._known: dict[KeptStream, _Connection] = {}

    async def take_over(self, stream: KeptStream, connection: _Connection) -> None:
        """Let what comes go there, and nowhere else."""
        previous = self._known.get(stream)
        self._known[stream] = connection
        if previous is not None:
            await previous.give_up()

    def leave(self, stream: KeptStream, connection: _Connection) -> None:
        """A connection is over."""
        if self._known.get(stream) is connection:
            del self._known[stream]

    async def wait_until_lost(self, stream: KeptStream) -> None:
        """Return once nobody came back to a stream for too long, or the server stops."""
        look_s = min(_LOOK_S, self._max_away_s)
        away_s = 0.0
        while away_s < self._max_away_s and not self._stopping.is_set():
            with anyio.move_on_after(look_s):
                await self._stopping.wait()
            away_s = 0.0 if stream in self._known else away_s + look_s


class _Answer:
    """The answer to a request; where it is a stream, its events are kept as they go out.

    Args:
        scope: of the request.
        session: that it names.
        kept: the events of all.
        connections: of all.
    """

    def __init__(
        self, scope: Scope, *, session: str, kept: KeptStreams, connections: _Connections
    ) -> None:
        self._scope = scope
        self._session = session
        self._kept = kept
        self._connections = connections
        # None for an answer that is no stream.
        self._stream: KeptStream | None = None
        # Of an event that is still to end.
        self._rest = b""

    async def serve(self, app: ASGIApp, *, receive: Receive, send: Send) -> None:
        """Have it answered, even where its client goes away for a while."""
        connection = _Connection(send)

        async def receive_patiently() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and self._stream is not None:
                self._connections.leave(self._stream, connection)
                await self._connections.wait_until_lost(self._stream)
            return message

        async def keep_and_send(message: Message) -> None:
            if self._stream is not None:
                await self._pass_on(self._stream, message, connection)
                return
            await send(message)
            if message["type"] == "http.response.start" and _is_stream(message):
                await self._begin(connection)

        try:
            await app(self._scope, receive_patiently, keep_and_send)
        finally:
            if self._stream is not None:
                self._connections.leave(self._stream, connection)
                self._kept.end(self._stream)

    async def _begin(self, connection: _Connection) -> None:
        stream = self._kept.open(session=self._session, owner=_find_owner(self._scope))
        self._stream = stream
        await self._connections.take_over(stream, connection)
        version = Headers(scope=self._scope).get(MCP_PROTOCOL_VERSION_HEADER, "")
        if version >= _PRIMED_SINCE:
            await connection.write(self._kept.add(stream, _PRIMING))

    async def _pass_on(self, stream: KeptStream, message: Message, connection: _Connection) -> None:
        self._rest += message.get("body", b"")
        is_last = not message.get("more_body", False)
        if is_last or self._rest.startswith(b":"):
            await connection.write(self._rest, is_last=is_last)
            self._rest = b""
        elif self._rest.endswith(_EVENT_END):
            event, self._rest = self._rest, b""
            await connection.write(self._kept.add(stream, event))


async def _follow(stream: KeptStream, number: int, connection: _Connection) -> None:
    """Send what came after an event, and what comes, until the stream ends."""
    while True:
        changed = stream.changed
        missed = stream.after(number)
        # What was lost meanwhile is refused to who comes back for it.
        if missed is None or (not missed and stream.is_complete):
            break
        for event in missed:
            await connection.write(event.data)
            number = event.number
        if not missed:
            with anyio.move_on_after(_PING_S) as quiet:
                await changed.wait()
            if quiet.cancelled_caught:
                await connection.write(_PING)
    await connection.write(b"", is_last=True)


async def _cancel_when_replaced(connection: _Connection, scope: anyio.CancelScope) -> None:
    await connection.replaced.wait()
    scope.cancel()


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _find_session(scope: Scope) -> str | None:
    """The session that a request of a handshake client names."""
    if scope["type"] != "http":
        return None
    headers = Headers(scope=scope)
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return None
    return headers.get(MCP_SESSION_ID_HEADER)


def _find_owner(scope: Scope) -> Principal:
    user = scope.get("user")
    return user.principal if isinstance(user, PrincipalUser) else LOCAL


def _is_stream(start: Message) -> bool:
    content_type = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == HTTPStatus.OK and content_type.startswith(CONTENT_TYPE_SSE)


def _body(data: bytes, *, is_last: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": not is_last}


def _nothing_kept(event_id: str, session: str) -> Response:
    error = mcp_types.JSONRPCError(
        jsonrpc="2.0",
        id=None,
        error=mcp_types.ErrorData(
            code=mcp_types.INVALID_REQUEST,
            message=f"there is nothing to resume after the event {event_id[:100]!r}: it is none of"
            f" this session, nothing came after it, or that is no longer kept (for {KEPT_S:g} s at"
            " most); make the request again",
        ),
    )
    # Not 404: that would say that the session is over.
    return Response(
        error.model_dump_json(by_alias=True, exclude_unset=True),
        status_code=HTTPStatus.BAD_REQUEST,
        media_type="application/json",
        headers={MCP_SESSION_ID_HEADER: session},
    )
