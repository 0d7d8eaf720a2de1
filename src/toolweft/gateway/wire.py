"""Our words to MCP types, and nothing else. Pure.

A client of an older revision gets what its revision does not have as text: unknown fields are
harmless there, unknown kinds of content are not.
"""

import base64
import json
from collections.abc import Iterable
from typing import Final

import mcp_types
from pydantic import TypeAdapter, ValidationError

from toolweft.core.calls import Blob, Content, LinkContent, TextContent
from toolweft.core.errors import ToolweftError
from toolweft.core.json import Json, JsonObject
from toolweft.gateway.ports import Reply, ToolSurfaceTool

__all__ = ("fit_block", "text_block", "wire_failure", "wire_reply", "wire_tool")

# The first revisions that have the kind of content; revisions are dates and compare as text.
_AUDIO_SINCE = "2025-03-26"
_LINKS_SINCE = "2025-06-18"
_BLOCK: Final[TypeAdapter[mcp_types.ContentBlock]] = TypeAdapter(mcp_types.ContentBlock)


def wire_tool(tool: ToolSurfaceTool) -> mcp_types.Tool:
    """A tool as `tools/list` gives it."""
    hints = tool.annotations
    return mcp_types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        annotations=mcp_types.ToolAnnotations(
            title=tool.title,
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
    )


def wire_reply(reply: Reply, *, revision: str) -> mcp_types.CallToolResult:
    """An answer as `tools/call` gives it to a client of a protocol revision ("2025-06-18")."""
    blocks: list[mcp_types.ContentBlock] = []
    if reply.text or not reply.content:
        blocks.append(_text(reply.text))
    blocks.extend(_blocks(reply.content, revision))
    return mcp_types.CallToolResult(
        content=blocks, structured_content=reply.structured, is_error=reply.is_error
    )


def wire_failure(failure: ToolweftError) -> mcp_types.CallToolResult:
    """An error as a result the model can read; no more than code, message and hint."""
    text = f"{failure.code}: {failure.message}"
    if failure.hint:
        text += f"\nhint: {failure.hint}"
    return mcp_types.CallToolResult(content=[_text(text)], is_error=True)


def fit_block(block: Json, *, revision: str) -> JsonObject:
    """A raw block of content for clients of a revision; what they could not read as text."""
    if not isinstance(block, dict) or "type" not in block:
        # The SDK would guess.
        return text_block(block)
    fitted = _as_old_text(block, revision) or block
    try:
        _BLOCK.validate_python(fitted, by_name=False)
    except ValidationError:
        return text_block(block)
    return fitted


def text_block(value: Json) -> JsonObject:
    """The JSON of a value as a block of content."""
    return {"type": "text", "text": json.dumps(value, ensure_ascii=False, separators=(",", ":"))}


def _as_old_text(block: JsonObject, revision: str) -> JsonObject | None:
    """In words, where the block's kind is newer than the revision."""
    kind = block["type"]
    if kind == "audio" and revision < _AUDIO_SINCE:
        media_type, data = str(block.get("mimeType")), str(block.get("data", ""))
        return {"type": "text", "text": f"[{media_type}, {len(data) * 3 // 4} bytes]"}
    if kind == "resource_link" and revision < _LINKS_SINCE:
        uri, name = str(block.get("uri")), block.get("name")
        return {"type": "text", "text": f"{name}: {uri}" if name else uri}
    return None


def _blocks(content: Iterable[Content], revision: str) -> Iterable[mcp_types.ContentBlock]:
    for position, block in enumerate(content, start=1):
        match block:
            case TextContent():
                yield _text(block.text)
            case LinkContent():
                yield _link(block, revision)
            case Blob():
                yield _blob(block, position, revision)


def _text(text: str) -> mcp_types.TextContent:
    return mcp_types.TextContent(text=text)


def _link(link: LinkContent, revision: str) -> mcp_types.ContentBlock:
    if revision < _LINKS_SINCE:
        return _text(f"{link.name}: {link.uri}" if link.name else link.uri)
    return mcp_types.ResourceLink(
        uri=link.uri, name=link.name or link.uri, mime_type=link.media_type
    )


def _blob(blob: Blob, position: int, revision: str) -> mcp_types.ContentBlock:
    kind = blob.media_type.partition("/")[0]
    if kind == "audio" and revision < _AUDIO_SINCE:
        return _text(f"[{blob.media_type}, {len(blob.data)} bytes]")
    data = base64.b64encode(blob.data).decode()
    if kind == "image":
        return mcp_types.ImageContent(data=data, mime_type=blob.media_type)
    if kind == "audio":
        return mcp_types.AudioContent(data=data, mime_type=blob.media_type)
    # An embedded resource needs an address; this one only tells the blocks of a result apart.
    return mcp_types.EmbeddedResource(
        resource=mcp_types.BlobResourceContents(
            uri=f"toolweft:content/{position}", mime_type=blob.media_type, blob=data
        )
    )
