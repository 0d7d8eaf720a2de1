"""Which requests of a client have no answer yet. Pure but for the waiting."""

import anyio
from mcp_types import (
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

__all__ = ("Outstanding",)


class Outstanding:
    """Requests between their arrival and their answer."""

    def __init__(self) -> None:
        self._ids: set[RequestId] = set()
        self._changed = anyio.Event()

    def arrived(self, message: JSONRPCMessage) -> None:
        """Take note of what the client sent."""
        match message:
            case JSONRPCRequest():
                self._ids.add(message.id)
            case JSONRPCNotification(method="notifications/cancelled"):
                # A cancelled request may stay without an answer.
                self._forget((message.params or {}).get("requestId"))
            case _:
                pass

    def sent(self, message: JSONRPCMessage) -> None:
        """Take note of what the client was sent."""
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._forget(message.id)

    async def wait_until_none(self) -> None:
        """Return once every request has its answer."""
        while self._ids:
            await self._changed.wait()
            self._changed = anyio.Event()

    def _forget(self, request_id: object) -> None:
        if isinstance(request_id, str | int):
            self._ids.discard(request_id)
            self._changed.set()
