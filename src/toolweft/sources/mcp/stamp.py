"""Puts the capabilities of the calling client on each request, where the SDK puts its own.

Since 2026-07-28 a request says what its client can be asked. Ours come from many clients over one
connection, so what stands there is exchanged on its way out; whoever calls sees nothing of it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import mcp_types as types
from mcp.client import Transport
from mcp.shared.message import SessionMessage

from toolweft.core.json import Json, JsonObject
from toolweft.sources.mcp.exchange import current_exchange

__all__ = ("bridged_capabilities", "stamped", "without_stamp")

# What we can pass on to a client, with what each may hold.
_BRIDGED = {"elicitation": ("form", "url"), "sampling": ("tools", "context"), "roots": ()}


def bridged_capabilities(capabilities: JsonObject) -> JsonObject:
    """What of a client's capabilities holds through us, in the words of 2026-07-28."""
    bridged: JsonObject = {}
    for name, parts in _BRIDGED.items():
        offered: Json = capabilities.get(name)
        if isinstance(offered, dict):
            bridged[name] = {part: offered[part] for part in parts if part in offered}
    # Before addresses could be opened, an empty object stood for forms.
    if bridged.get("elicitation") == {}:
        bridged["elicitation"] = {"form": {}}
    return bridged


@asynccontextmanager
async def stamped(transport: Transport) -> AsyncIterator[tuple[Any, Any]]:
    """The same transport, whose requests carry the capabilities of who caused them."""
    async with transport as (read, write):
        yield read, _Writer(write)


class _Writer:
    """A write stream that changes what it is given and hands it on."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def send(self, item: SessionMessage, /) -> None:
        _stamp(item.message)
        await self._inner.send(item)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._inner.__aexit__(kind, error, traceback)


def _stamp(message: types.JSONRPCMessage) -> None:
    exchange = current_exchange()
    # What we want for ourselves says all that we could pass on.
    if exchange is None or exchange.is_own or not isinstance(message, types.JSONRPCRequest):
        return
    meta = (message.params or {}).get("_meta")
    if isinstance(meta, dict) and types.CLIENT_CAPABILITIES_META_KEY in meta:
        meta[types.CLIENT_CAPABILITIES_META_KEY] = bridged_capabilities(
            exchange.client.capabilities
        )


def without_stamp(raw: JsonObject) -> JsonObject:
    """The result without the name of the server, which would pass for ours."""
    meta = raw.get("_meta")
    if not isinstance(meta, dict) or types.SERVER_INFO_META_KEY not in meta:
        return raw
    kept = {key: value for key, value in meta.items() if key != types.SERVER_INFO_META_KEY}
    raw = {key: value for key, value in raw.items() if key != "_meta"}
    return {**raw, "_meta": kept} if kept else raw
