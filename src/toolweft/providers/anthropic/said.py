"""What a user hands over as a conversation: messages in the vendor's shape, or the project's own.

Pure functions. An assistant's blocks are kept and echoed as they are; a user's are read into the
project's words, so that every rule of the vendor for turns holds for them too.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from toolweft.core.calls import Blob, TextContent
from toolweft.core.errors import InvalidValue
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelResult,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.providers.anthropic.decode import decode
from toolweft.providers.anthropic.responses import Said
from toolweft.providers.anthropic.target import Platform

__all__ = ("ReadMessage", "list_messages", "read_messages")

_OWN: Final = (AssistantMessage, ResultsMessage, ToolsMessage, UserMessage)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMessage:
    """One message that was handed over, and what it says."""

    given: Said
    # Results of calls and words of the user, which the vendor writes in one, are two.
    messages: tuple[Message, ...]


def list_messages(read: Iterable[ReadMessage]) -> tuple[Message, ...]:
    """All that they say, in order."""
    return tuple(message for item in read for message in item.messages)


def read_messages(
    given: Sequence[Said], *, platform: Platform, now: datetime
) -> tuple[ReadMessage, ...]:
    """Check and read them.

    Args:
        given: objects with "role" ("user" or "assistant") and "content" (a text or blocks), or
            messages of the project; both may be mixed.
        platform: where the assistant's blocks came from.
        now: for what is decoded.

    Raises:
        InvalidValue: one of them cannot be read; the message names its place.
    """
    read: list[ReadMessage] = []
    for number, item in enumerate(given):
        place = f"messages[{number}]"
        if isinstance(item, _OWN):
            messages: tuple[Message, ...] = (item,)
        elif isinstance(item, dict) and item.get("role") == "assistant":
            blocks = _read_blocks(item, place)
            history = list_messages(read)
            body: JsonObject = {"content": blocks}
            messages = (decode(body, platform=platform, now=now, history=history).message,)
        elif isinstance(item, dict) and item.get("role") == "user":
            messages = _read_user(_read_blocks(item, place), _list_open_calls(read), place)
        else:
            role = item.get("role") if isinstance(item, dict) else item
            raise InvalidValue(
                f"{place}.role is {role!r:.80}",
                hint='"user" or "assistant"; instructions are passed as system=...',
            )
        read.append(ReadMessage(given=item, messages=messages))
    if not read:
        raise InvalidValue("messages is empty", hint='[{"role": "user", "content": "..."}]')
    return tuple(read)


def _read_blocks(item: JsonObject, place: str) -> list[JsonObject]:
    content = item.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list | tuple):
        raise InvalidValue(f"{place}.content is {content!r:.80}", hint="a text or a list of blocks")
    for number, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise InvalidValue(
                f"{place}.content[{number}] is {block!r:.80}", hint="an object with a type"
            )
    return list(content)


def _list_open_calls(read: Sequence[ReadMessage]) -> dict[str, ModelCall]:
    for item in reversed(read):
        for message in item.messages:
            if isinstance(message, AssistantMessage):
                return {call.id: call for call in message.calls}
    return {}


def _read_user(
    blocks: Sequence[JsonObject], calls: dict[str, ModelCall], place: str
) -> tuple[Message, ...]:
    results: list[ModelResult] = []
    said: list[TextContent | Blob] = []
    for number, block in enumerate(blocks):
        where = f"{place}.content[{number}]"
        if block["type"] == "tool_result":
            results.append(_read_result(block, calls, where))
        else:
            said.append(_read_piece(block, where))
    messages: list[Message] = []
    if results:
        messages.append(ResultsMessage(results=tuple(results)))
    if said:
        messages.append(UserMessage(content=tuple(said)))
    return tuple(messages)


def _read_result(block: JsonObject, calls: dict[str, ModelCall], place: str) -> ModelResult:
    call_id = block.get("tool_use_id")
    call = calls.get(call_id) if isinstance(call_id, str) else None
    if call is None:
        raise InvalidValue(
            f"{place}.tool_use_id is {call_id!r:.80}, which is no call of the answer before",
            hint=f"there are: {', '.join(calls) or 'none'}",
        )
    content = block.get("content") or ()
    if isinstance(content, str):
        content = ({"type": "text", "text": content},)
    if not isinstance(content, list | tuple) or not all(isinstance(b, dict) for b in content):
        raise InvalidValue(f"{place}.content is {content!r:.80}", hint="a text or a list of blocks")
    references = [inner for inner in content if inner.get("type") == "tool_reference"]
    pieces = [
        _read_piece(inner, f"{place}.content[{number}]")
        for number, inner in enumerate(content)
        if inner.get("type") != "tool_reference"
    ]
    return ModelResult(
        call_id=call.id,
        name=call.name,
        content=tuple(pieces),
        is_error=block.get("is_error") is True,
        caller=call.caller,
        revealed=tuple(str(reference.get("tool_name")) for reference in references),
    )


def _read_piece(block: JsonObject, place: str) -> TextContent | Blob:
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return TextContent(block["text"])
    if kind in {"image", "document"}:
        return _read_blob(block.get("source"), place)
    raise InvalidValue(
        f"{place} is {block!r:.80}",
        hint="a user's blocks are text, image, document and tool_result",
    )


def _read_blob(source: Json, place: str) -> Blob:
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise InvalidValue(
            f"{place}.source is {source!r:.80}",
            hint='{"type": "base64", "media_type": "image/png", "data": "..."}',
        )
    try:
        data = b64decode(source.get("data", ""), validate=True)
    except (TypeError, ValueError, binascii.Error) as exc:
        raise InvalidValue(f"{place}.source.data is not base64: {exc}", hint="encode it") from exc
    return Blob(data=data, media_type=str(source.get("media_type") or ""))
