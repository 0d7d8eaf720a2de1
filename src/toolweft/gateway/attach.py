"""A client's standard input and output in front of a service that runs elsewhere.

Every message goes on as it came, in both directions: what the client sees is the service's. A
service that was started anew has forgotten the session; then the handshake is made again, what it
refused is sent again, and the client notices nothing. Knows nothing of toolboxes.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeGuard

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client import Transport
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
)
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

__all__ = ("Forwarder", "OpenService", "ServiceLink", "find_headers")

log = logging.getLogger(__name__)

# No client uses it: theirs are numbers, or texts of their own making.
_HANDSHAKE_ID: Final = "toolweft-attach-handshake"
# The handshake with a service that has just been started anew.
_HANDSHAKE_TIMEOUT_S: Final = 10.0
# Requests made at once are refused at once: their refusals come within this.
_GATHERING_S: Final = 0.2


class ServiceLink(Protocol):
    """An open way to the service."""

    @property
    def transport(self) -> Transport:
        """The message streams; entered once."""
        ...


OpenService = Callable[[], AbstractAsyncContextManager[ServiceLink]]


class Forwarder:
    """Passes one client's messages on; in the place of a server for `serve_descriptors`.

    Args:
        open_service: makes a new way to the service.
        is_forgotten: whether an error says that the service no longer knows the session.
    """

    def __init__(
        self, open_service: OpenService, *, is_forgotten: Callable[[types.ErrorData], bool]
    ) -> None:
        self._open_service = open_service
        self._is_forgotten = is_forgotten
        # What the client asked and nobody answered yet.
        self._unanswered: dict[types.RequestId, types.JSONRPCRequest] = {}
        # Refused because the session was forgotten.
        self._refused: list[types.JSONRPCRequest] = []
        self._handshake: types.JSONRPCRequest | None = None
        self._version = ""
        self._repeated: anyio.Event | None = None

    async def run(
        self,
        from_client: MemoryObjectReceiveStream[SessionMessage | Exception],
        to_client: MemoryObjectSendStream[SessionMessage],
        _options: object = None,
    ) -> None:
        """Forward until the client has said its last."""
        async with from_client, to_client:
            await self._forward(from_client, to_client)
            while self._refused:
                log.info("attach.session_forgotten", extra={"requests": len(self._refused)})
                await self._forward(from_client, to_client)

    def create_initialization_options(self) -> None:
        """Nothing: the service answers the handshake itself."""

    async def _forward(
        self,
        from_client: MemoryObjectReceiveStream[SessionMessage | Exception],
        to_client: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        """Forward over one link, until the client leaves or the service forgot the session."""
        again, self._refused = self._refused, []
        async with (
            self._open_service() as link,
            link.transport as (answers, requests),
            anyio.create_task_group() as tasks,
        ):
            forgotten = anyio.Event()

            async def read() -> None:
                async for item in answers:
                    if isinstance(item, SessionMessage) and self._is_for_client(item.message):
                        await to_client.send(item)
                    if self._refused:
                        forgotten.set()

            async def end() -> None:
                await forgotten.wait()
                await anyio.sleep(_GATHERING_S)
                tasks.cancel_scope.cancel()

            tasks.start_soon(read)
            tasks.start_soon(end)
            if again:
                await self._repeat_handshake(requests)
            for request in again:
                await requests.send(self._stamped(request))
            async for item in from_client:
                if isinstance(item, SessionMessage):
                    self._note(item.message)
                    await requests.send(self._stamped(item.message))
            tasks.cancel_scope.cancel()
        await self._fail_the_lost(to_client)

    def _note(self, message: types.JSONRPCMessage) -> None:
        if isinstance(message, types.JSONRPCRequest):
            self._unanswered[message.id] = message
            if message.method == "initialize":
                self._handshake = message
        elif _is_cancellation(message):
            # It may stay without an answer.
            self._unanswered.pop((message.params or {}).get("requestId", ""), None)

    def _is_for_client(self, message: types.JSONRPCMessage) -> bool:
        """Whether the client gets a message; the rest is taken care of here."""
        if not isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            return True
        if message.id == _HANDSHAKE_ID:
            if self._repeated is not None:
                self._repeated.set()
            return False
        request = self._unanswered.get(message.id) if message.id is not None else None
        if request is None:
            return True
        if isinstance(message, types.JSONRPCError):
            if self._is_forgotten(message.error):
                self._refused.append(request)
                return False
        elif request.method == "initialize":
            self._version = str(message.result.get("protocolVersion", ""))
        del self._unanswered[request.id]
        return True

    async def _repeat_handshake(self, requests: Any) -> None:
        """Make the client's handshake again; where it fails, the requests behind it say so."""
        if self._handshake is None:
            return
        self._repeated = anyio.Event()
        initialize = self._handshake.model_copy(update={"id": _HANDSHAKE_ID})
        await requests.send(SessionMessage(initialize))
        with anyio.move_on_after(_HANDSHAKE_TIMEOUT_S):
            await self._repeated.wait()
        done = types.JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
        await requests.send(self._stamped(done))

    def _stamped(self, message: types.JSONRPCMessage) -> SessionMessage:
        headers = find_headers(message, version=self._version)
        return SessionMessage(message, metadata=ClientMessageMetadata(headers=headers or None))

    async def _fail_the_lost(self, to_client: MemoryObjectSendStream[SessionMessage]) -> None:
        """Answer what was under way when the service forgot us, and may have been done."""
        refused = {request.id for request in self._refused}
        if not refused:
            return
        for request_id in [known for known in self._unanswered if known not in refused]:
            del self._unanswered[request_id]
            error = types.ErrorData(
                code=types.INTERNAL_ERROR,
                message="the service was started anew before it answered; it may have done"
                " what was asked",
            )
            lost = types.JSONRPCError(jsonrpc="2.0", id=request_id, error=error)
            await to_client.send(SessionMessage(lost))


def _is_cancellation(message: types.JSONRPCMessage) -> TypeGuard[types.JSONRPCNotification]:
    if not isinstance(message, types.JSONRPCNotification):
        return False
    return message.method == "notifications/cancelled"


def find_headers(message: types.JSONRPCMessage, *, version: str) -> dict[str, str]:
    """The HTTP headers by which a message is routed.

    Args:
        message: of the client.
        version: the revision of the handshake; "" before, and where there is none.
    """
    if isinstance(message, types.JSONRPCRequest):
        params: dict[str, Any] = message.params or {}
        own = (params.get("_meta") or {}).get(types.PROTOCOL_VERSION_META_KEY)
        if own in MODERN_PROTOCOL_VERSIONS:
            headers = {MCP_PROTOCOL_VERSION_HEADER: own, MCP_METHOD_HEADER: message.method}
            name = params.get(NAME_BEARING_METHODS.get(message.method, ""))
            if isinstance(name, str):
                headers[MCP_NAME_HEADER] = encode_header_value(name)
            return headers
        if message.method == "initialize":
            return {}
    return {MCP_PROTOCOL_VERSION_HEADER: version} if version else {}
