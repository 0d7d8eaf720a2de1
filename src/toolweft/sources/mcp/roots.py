"""Says to a server that a client's folders are others now, and lets it ask for them.

The notification says nothing of whose folders they are, and the question that follows belongs to
no call. So a server hears of it only while it has served nobody else, and for a moment such a
question goes to that client; while calls of others are under way it is refused.
"""

import logging
from typing import Final

import anyio
import mcp_types as types

from toolweft.core.client import CallingClient
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal
from toolweft.sources.mcp.connection import Connection
from toolweft.sources.mcp.exchange import Invitation

__all__ = ("tell_roots_changed",)

log = logging.getLogger(__name__)

# A server that wants to know asks at once.
_ASKS_WITHIN_S: Final = 2.0


async def tell_roots_changed(
    connection: Connection, client: CallingClient, *, principal: Principal, source: SourceName
) -> None:
    """Tell one connection's server; returns once it has its answer, or does not ask.

    Args:
        connection: live.
        client: asked by the server.
        principal: behind that client.
        source: the server, for the log.
    """
    underway = connection.underway
    # Since 2026-07-28 there is no such notification: a server asks in each call.
    if connection.is_modern or underway.is_ending or not underway.has_asked_roots:
        return
    if not underway.has_served_only(principal):
        log.info("source.roots_not_told", extra={"source": source})
        return
    invitation = Invitation(client=client)
    with underway.invite(invitation):
        with anyio.move_on_after(_ASKS_WITHIN_S):
            await connection.client.session.send_notification(types.RootsListChangedNotification())
            await invitation.begun.wait()
        if invitation.begun.is_set():
            await invitation.over.wait()
