"""Streams that only wait for news: which sessions have one, and their end with the server."""

from http import HTTPStatus
from typing import Final

import anyio
from mcp.server.streamable_http import LAST_EVENT_ID_HEADER, MCP_SESSION_ID_HEADER
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolweft.gateway.conversations import RequestContext

__all__ = ("StandingStreams", "wait_until_reachable")

# In the scope of every request.
_SCOPE_KEY: Final = "toolweft.standing"


class StandingStreams:
    """Tells every GET stream that its client is gone once `stopping` is set.

    A handshake client keeps one such stream open for as long as its session lasts, and opens
    another where that breaks. Requests that do work are POSTs; they are left alone.
    """

    def __init__(self, app: ASGIApp, *, stopping: anyio.Event) -> None:
        self._app = app
        self._stopping = stopping
        # Sessions that have one now.
        self._sessions: set[str] = set()
        self._opened = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, _SCOPE_KEY: self}
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # A stream that is resumed is one of a request, and carries no news.
        is_standing = not headers.get(LAST_EVENT_ID_HEADER)
        session = headers.get(MCP_SESSION_ID_HEADER, "") if is_standing else ""
        is_open = carries_news = False

        async def watched_send(message: Message) -> None:
            nonlocal is_open, carries_news
            if message["type"] == "http.response.start":
                is_open = True
            elif not message.get("more_body", False):
                is_open = False
            await send(message)
            if message.get("status") == HTTPStatus.OK and session:
                carries_news = True
                self._note(session)

        async def receive_until_stop() -> Message:
            return await self._receive_until_stop(receive)

        try:
            await self._app(scope, receive_until_stop, watched_send)
        finally:
            if carries_news:
                self._sessions.discard(session)
        if is_open and self._stopping.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def wait_until_open(self, session: str) -> None:
        """Return once a session has such a stream; what is sent to it before is lost."""
        while session not in self._sessions:
            await self._opened.wait()

    def _note(self, session: str) -> None:
        self._sessions.add(session)
        self._opened.set()
        self._opened = anyio.Event()

    async def _receive_until_stop(self, receive: Receive) -> Message:
        # What comes first wins; when the server stops, that is the end of the client.
        message: Message = {"type": "http.disconnect"}
        async with anyio.create_task_group() as tasks:

            async def receive_one() -> None:
                nonlocal message
                message = await receive()
                tasks.cancel_scope.cancel()

            tasks.start_soon(receive_one)
            await self._stopping.wait()
            tasks.cancel_scope.cancel()
        return message


async def wait_until_reachable(request: RequestContext) -> None:
    """Return once news reach the client of a request: over HTTP that takes a standing stream."""
    http = request.request
    if not isinstance(http, Request):
        return
    standing = http.scope.get(_SCOPE_KEY)
    session = http.headers.get(MCP_SESSION_ID_HEADER)
    if isinstance(standing, StandingStreams) and session is not None:
        await standing.wait_until_open(session)
