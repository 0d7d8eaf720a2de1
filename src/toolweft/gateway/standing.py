"""Ends streams that only wait for news when the server stops, so that stopping is quick."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ("StandingStreams",)


class StandingStreams:
    """Tells every GET stream that its client is gone once `stopping` is set.

    A handshake client keeps one such stream open for as long as its session lasts. Requests that
    do work are POSTs; they are left alone.
    """

    def __init__(self, app: ASGIApp, *, stopping: anyio.Event) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        is_open = False

        async def watched_send(message: Message) -> None:
            nonlocal is_open
            if message["type"] == "http.response.start":
                is_open = True
            elif not message.get("more_body", False):
                is_open = False
            await send(message)

        async def receive_until_stop() -> Message:
            return await self._receive_until_stop(receive)

        await self._app(scope, receive_until_stop, watched_send)
        if is_open and self._stopping.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

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
