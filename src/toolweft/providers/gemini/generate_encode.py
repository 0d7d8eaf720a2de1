"""A turn of a model as a request to generateContent: its body. Pure functions."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, assert_never

from toolweft.core.calls import Blob, TextContent
from toolweft.core.errors import ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelRequest,
    ModelResult,
    ModelTool,
    RawItems,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.providers.call_words import LETTER_START, clean_name
from toolweft.providers.gemini.content import (
    NOTHING,
    describe_tool,
    encode_data,
    instruct,
    is_shown,
    list_tools,
    render_blob,
    render_text,
)
from toolweft.providers.gemini.target import PLATFORM, Target

__all__ = ("API", "FOREIGN_SIGNATURE", "encode")

log = logging.getLogger(__name__)

API: Final = "gemini"
# Stands, by the vendor's documentation, where a call was made by somebody else.
FOREIGN_SIGNATURE: Final = "skip_thought_signature_validator"


def encode(request: ModelRequest, target: Target) -> JsonObject:
    """The whole body of a request; the model's name stands in the address.

    Tools and the system's words depend on the request's own alone and are the same in every
    request of a conversation, until a message brings tools: they join at the end. No tool is ever
    forced.

    Raises:
        ProviderError: there are more tools than the vendor takes.
    """
    tools = list_tools(request)
    _check_count(tools, target)
    schema = request.output_schema
    is_enforced = target.capabilities.has_structured_output and (
        not tools or target.joins_schema_and_tools
    )
    body: JsonObject = {}
    if tools:
        body["tools"] = [{"functionDeclarations": [_encode_tool(tool, target) for tool in tools]}]
    words = [request.system] if request.system.strip() else []
    if schema is not None and not is_enforced:
        words.append(instruct(schema))
    if words:
        body["systemInstruction"] = {"parts": [{"text": text} for text in words]}
    body["contents"] = _encode_history(request.messages, target)
    config: JsonObject = {"maxOutputTokens": request.max_tokens}
    if request.temperature is not None:
        if target.capabilities.takes_temperature:
            config["temperature"] = request.temperature
        else:
            log.debug("provider.temperature_dropped", extra={"model": target.model})
    if schema is not None and is_enforced:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = schema
    body["generationConfig"] = config
    return body


def _check_count(tools: list[ModelTool], target: Target) -> None:
    most = target.capabilities.max_tools
    if most is not None and len(tools) > most:
        raise ProviderError(
            f"{target.model} takes at most {most} tools in one request, not {len(tools):,}",
            hint="send fewer; let the model find the others by a search",
        )


def _encode_tool(tool: ModelTool, target: Target) -> JsonObject:
    has_output_schema = target.capabilities.has_output_schema
    encoded: JsonObject = {
        "name": tool.name,
        "description": describe_tool(tool, has_output_schema=has_output_schema),
        "parametersJsonSchema": tool.input_schema,
    }
    if has_output_schema and tool.output_schema is not None:
        encoded["responseJsonSchema"] = tool.output_schema
    return encoded


def _encode_history(messages: Iterable[Message], target: Target) -> list[JsonObject]:
    contents: list[JsonObject] = []
    # Calls of the last reply that had no id at the vendor's; ours stay at home.
    unnamed: frozenset[str] = frozenset()
    # Their names are the vendor's own, signed with them.
    is_echoed = False
    for message in messages:
        match message:
            case AssistantMessage():
                parts = _encode_assistant(message, target)
                unnamed = _find_unnamed(message)
                is_echoed = _is_echoed(message.raw)
                _append(contents, "model", parts)
            case ResultsMessage():
                results = message.results if is_echoed else map(_with_clean_name, message.results)
                parts = [_encode_result(r, target, unnamed=unnamed) for r in results]
                # By themselves: as many as there were calls.
                _append(contents, "user", parts)
            case UserMessage():
                parts = [part for piece in message.content for part in _encode_piece(piece, target)]
                _append(contents, "user", parts)
            case ToolsMessage():
                # They stand among the request's tools.
                pass
            case _:
                assert_never(message)
    return contents


def _append(contents: list[JsonObject], role: str, parts: list[JsonObject]) -> None:
    # A content without parts is refused.
    if parts:
        contents.append({"role": role, "parts": parts})


def _is_echoed(raw: RawItems | None) -> bool:
    """The vendor's own items go back as they are."""
    return raw is not None and raw.api == API and raw.platform == PLATFORM


def _encode_assistant(message: AssistantMessage, target: Target) -> list[JsonObject]:
    if message.raw is not None and _is_echoed(message.raw):
        return list(message.raw.items)
    parts: list[JsonObject] = [{"text": message.text}] if message.text.strip() else []
    for position, call in enumerate(message.calls):
        name = clean_name(call.name, LETTER_START)
        part: JsonObject = {
            "functionCall": {"id": call.id, "name": name, "args": call.arguments or {}}
        }
        if position == 0:
            # Of parallel calls only the first is signed.
            part["thoughtSignature"] = FOREIGN_SIGNATURE
        parts.append(part)
    return parts


def _with_clean_name(result: ModelResult) -> ModelResult:
    """As the call went out: the vendor compares them."""
    return replace(result, name=clean_name(result.name, LETTER_START))


def _find_unnamed(message: AssistantMessage) -> frozenset[str]:
    if message.raw is None or not _is_echoed(message.raw):
        return frozenset()
    calls = (item["functionCall"] for item in message.raw.items if "functionCall" in item)
    named = {call.get("id") for call in calls if isinstance(call, dict)}
    return frozenset(call.id for call in message.calls if call.id not in named)


def _encode_result(result: ModelResult, target: Target, *, unnamed: frozenset[str]) -> JsonObject:
    shows_images = target.takes_result_images and target.capabilities.takes_images
    text = render_text(result, shows_images=shows_images)
    images = [
        {"inlineData": {"mimeType": piece.media_type, "data": encode_data(piece)}}
        for piece in result.content
        if isinstance(piece, Blob) and shows_images and is_shown(piece)
    ]
    if not text.strip() and not images:
        text = NOTHING
    response: JsonObject = {"name": result.name, "response": {_key_of(result): text}}
    if result.call_id not in unnamed:
        response = {"id": result.call_id, **response}
    if images:
        response["parts"] = images
    return {"functionResponse": response}


def _key_of(result: ModelResult) -> str:
    return "error" if result.is_error else "output"


def _encode_piece(piece: TextContent | Blob, target: Target) -> list[JsonObject]:
    if isinstance(piece, TextContent):
        return [{"text": piece.text}] if piece.text.strip() else []
    if target.capabilities.takes_images and is_shown(piece):
        return [{"inlineData": {"mimeType": piece.media_type, "data": encode_data(piece)}}]
    return [{"text": render_blob(piece)}]
