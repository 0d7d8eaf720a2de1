"""Stored results as MCP resources: listed for their owner, read whole or in parts.

Whose they are the toolbox knows; an address of somebody else's reads as one that never was.
"""

import base64
from typing import Final

import mcp_types
from mcp.shared.exceptions import MCPError

from toolweft.core.errors import ToolweftError
from toolweft.core.handles import Handle
from toolweft.gateway.ports import HandlesPort, Reading
from toolweft.toolbox.resources import TEMPLATE

__all__ = ("RESOURCE_NOT_FOUND", "list_handles", "list_templates", "read_handle")

# What a missing resource was called before it became a wrong parameter.
RESOURCE_NOT_FOUND: Final = -32002
# Newest first; who wants an older one knows its address.
_MAX_LISTED = 100
_TEMPLATE_TEXT = (
    "A stored result, whole where it is small; else page=2 (page_size=50 rows), slice=0:100,"
    " path=$.items[*].id (.name, ['name'], [n], [a:b], [*]) or grep=PATTERN. An answer in parts"
    " has its rows, and in `next` where to go on."
)


async def list_handles(handles: HandlesPort) -> mcp_types.ListResourcesResult:
    """The newest handles of whoever asks."""
    owned = await handles.owned()
    return mcp_types.ListResourcesResult(
        resources=[_resource(handle) for handle in owned[:_MAX_LISTED]]
    )


def list_templates() -> mcp_types.ListResourceTemplatesResult:
    """The one form of address there is."""
    return mcp_types.ListResourceTemplatesResult(
        resource_templates=[
            mcp_types.ResourceTemplate(
                name="handle", uri_template=TEMPLATE, description=_TEMPLATE_TEXT
            )
        ]
    )


async def read_handle(handles: HandlesPort, uri: str) -> mcp_types.ReadResourceResult:
    """A handle or a part of it.

    Raises:
        MCPError: no such handle, or it cannot be read in this way; the message says which.
    """
    try:
        reading = await handles.read(uri)
    except ToolweftError as exc:
        raise MCPError(
            code=mcp_types.INVALID_PARAMS, message=f"{exc.code}: {exc}", data={"uri": uri}
        ) from exc
    return mcp_types.ReadResourceResult(contents=[_contents(uri, reading)])


def _contents(
    uri: str, reading: Reading
) -> mcp_types.TextResourceContents | mcp_types.BlobResourceContents:
    if isinstance(reading.content, str):
        return mcp_types.TextResourceContents(
            uri=uri, mime_type=reading.media_type, text=reading.content
        )
    data = base64.b64encode(reading.content).decode()
    return mcp_types.BlobResourceContents(uri=uri, mime_type=reading.media_type, blob=data)


def _resource(handle: Handle) -> mcp_types.Resource:
    return mcp_types.Resource(
        uri=handle.uri,
        name=handle.name or handle.id,
        mime_type=handle.media_type,
        size=handle.size_bytes,
    )
