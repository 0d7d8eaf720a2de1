"""Pieces of requests that both APIs of Google share: words about tools, images, results."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final

from toolweft.core.calls import Blob, TextContent
from toolweft.core.examples import render_examples
from toolweft.core.json import JsonSchema
from toolweft.core.messages import Message, ModelRequest, ModelResult, ModelTool, ToolsMessage

__all__ = (
    "NOTHING",
    "describe_tool",
    "encode_data",
    "instruct",
    "is_shown",
    "list_tools",
    "render_blob",
    "render_text",
)

# What the vendor shows to a model.
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
NOTHING: Final = "(empty result)"


def list_tools(request: ModelRequest) -> list[ModelTool]:
    """The request's tools, and at their end those that joined: neither API adds any in the middle.

    The first of each name alone.
    """
    found: dict[str, ModelTool] = {}
    for tool in (*request.tools, *_list_joined(request.messages)):
        found.setdefault(tool.name, tool)
    return list(found.values())


def _list_joined(messages: Iterable[Message]) -> Iterator[ModelTool]:
    for message in messages:
        if isinstance(message, ToolsMessage):
            yield from message.tools


def describe_tool(tool: ModelTool, *, has_output_schema: bool) -> str:
    """The tool's description with what has no field of its own: examples, and what comes back."""
    parts = [tool.description] if tool.description else []
    if tool.examples:
        parts.append(render_examples(tool.examples))
    if tool.output_schema is not None and not has_output_schema:
        parts.append(f"Returns JSON that fits this schema: {_compact(tool.output_schema)}")
    return "\n\n".join(parts)


def instruct(schema: JsonSchema) -> str:
    """Words that ask for an answer that fits a schema."""
    return (
        "Your final answer is one JSON value that fits the JSON Schema below, without a code fence"
        f" and with no other words around it.\n{_compact(schema)}"
    )


def is_shown(piece: TextContent | Blob) -> bool:
    """It is an image of a kind that the vendor's models see."""
    return isinstance(piece, Blob) and piece.media_type in _IMAGES


def encode_data(blob: Blob) -> str:
    """The bytes in base64."""
    return b64encode(blob.data).decode("ascii")


def render_blob(blob: Blob) -> str:
    """What is said in place of bytes that cannot be shown."""
    return f"[{blob.media_type}, {len(blob.data):,} bytes, not shown]"


def render_text(result: ModelResult, *, shows_images: bool) -> str:
    """A result in words; images that go beside it are left out."""
    lines = [
        piece.text if isinstance(piece, TextContent) else render_blob(piece)
        for piece in result.content
        if not (shows_images and is_shown(piece))
    ]
    return "\n".join(lines)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
