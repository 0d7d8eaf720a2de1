"""A request of ours as the body of `POST /chat/completions`.

The API can neither defer tools nor add them on the way: every tool is listed, and what comes later
stands at the end of the list, which costs the cache once.
"""

import json
from collections.abc import Iterable
from typing import Final

from toolweft.core.calls import Blob, TextContent
from toolweft.core.json import JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelRequest,
    ModelResult,
    ModelTool,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.providers.call_words import clean_name
from toolweft.providers.openai_chat.target import API, Target
from toolweft.providers.openai_wire import (
    data_url,
    describe_blob,
    is_image,
    is_strict_schema,
    join_text,
    parse_arguments,
    render_description,
    render_error,
)

__all__ = ("encode",)

_FORMAT_NAME: Final = "answer"


def encode(request: ModelRequest, target: Target) -> JsonObject:
    """The whole body."""
    body: JsonObject = {"model": target.model}
    tools = _list_tools(request)
    if tools:
        body["tools"] = [_encode_tool(tool) for tool in tools]
    messages: list[JsonObject] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for message in request.messages:
        messages += _encode_message(message, target)
    body["messages"] = messages
    body[target.limit_name] = request.max_tokens
    if request.temperature is not None and target.capabilities.takes_temperature:
        body["temperature"] = request.temperature
    schema = request.output_schema
    if schema is not None and target.capabilities.has_structured_output:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": _FORMAT_NAME,
                "schema": schema,
                "strict": is_strict_schema(schema),
            },
        }
    return body


def _list_tools(request: ModelRequest) -> list[ModelTool]:
    later = [
        tool
        for message in request.messages
        if isinstance(message, ToolsMessage)
        for tool in message.tools
    ]
    by_name: dict[str, ModelTool] = {}
    for tool in [*request.tools, *later]:
        # There are no programs at the vendor: what only they may call is nothing to the model.
        if "direct" in tool.callers:
            by_name.setdefault(tool.name, tool)
    return list(by_name.values())


def _encode_tool(tool: ModelTool) -> JsonObject:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": render_description(tool, has_output_schema=False),
            "parameters": tool.input_schema,
        },
    }


def _encode_message(message: Message, target: Target) -> list[JsonObject]:
    if isinstance(message, UserMessage):
        return [{"role": "user", "content": _encode_content(message.content, target)}]
    if isinstance(message, AssistantMessage):
        return _encode_assistant(message, target)
    if isinstance(message, ResultsMessage):
        return _encode_results(message, target)
    # Its tools stand in the list of tools.
    return []


def _encode_assistant(message: AssistantMessage, target: Target) -> list[JsonObject]:
    raw = message.raw
    if raw is not None and (raw.api, raw.platform) == (API, target.platform):
        return [_mend(item) for item in raw.items]
    item: JsonObject = {"role": "assistant", "content": message.text or None}
    if message.calls:
        item["tool_calls"] = [_encode_call(call) for call in message.calls]
    elif not message.text:
        item["content"] = ""
    return [item]


def _mend(item: JsonObject) -> JsonObject:
    """The message as it came, but for what servers send and do not take.

    Arguments that are no JSON object: servers parse those of a history to show them to the model,
    and refuse the whole request for one they cannot. What was wrong stands in the call's result.
    A name that the model invented in a form that OpenAI refuses.
    An empty list of calls, and no content where there are no calls either.
    """
    mended = dict(item)
    calls = mended.pop("tool_calls", None)
    if calls:
        # Where it stood, so that an item in order is the same to the byte.
        mended = {
            **item,
            "tool_calls": [_mend_call(call) for call in calls],
        }
    elif mended.get("content") is None and not mended.get("refusal"):
        mended["content"] = ""
    return mended


def _mend_call(call: JsonObject) -> JsonObject:
    function = call["function"]
    mended = {**function, "name": clean_name(function["name"])}
    if parse_arguments(function.get("arguments"))[0] is None:
        mended["arguments"] = "{}"
    return call if mended == function else {**call, "function": mended}


def _encode_call(call: ModelCall) -> JsonObject:
    arguments = json.dumps(call.arguments or {}, ensure_ascii=False)
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": clean_name(call.name), "arguments": arguments},
    }


def _encode_results(message: ResultsMessage, target: Target) -> list[JsonObject]:
    items: list[JsonObject] = []
    images: list[Blob] = []
    for result in message.results:
        items.append(_encode_result(result))
        images += [b for b in result.content if isinstance(b, Blob) and _takes(b, target)]
    if images:
        # A tool's message is text alone; what it shows follows, once all results are there.
        said = TextContent("Images of the results above, in their order:")
        items.append({"role": "user", "content": _encode_parts((said, *images), target)})
    return items


def _encode_result(result: ModelResult) -> JsonObject:
    text = join_text(result.content)
    return {
        "role": "tool",
        "tool_call_id": result.call_id,
        "content": render_error(text) if result.is_error else text,
    }


def _encode_content(
    content: Iterable[TextContent | Blob], target: Target
) -> str | list[JsonObject]:
    pieces = tuple(content)
    # The plain form is the one that every server takes.
    if any(isinstance(piece, Blob) and _takes(piece, target) for piece in pieces):
        return _encode_parts(pieces, target)
    return join_text(pieces)


def _encode_parts(content: Iterable[TextContent | Blob], target: Target) -> list[JsonObject]:
    parts: list[JsonObject] = []
    for piece in content:
        if isinstance(piece, TextContent):
            parts.append({"type": "text", "text": piece.text})
        elif _takes(piece, target):
            parts.append({"type": "image_url", "image_url": {"url": data_url(piece)}})
        else:
            parts.append({"type": "text", "text": describe_blob(piece)})
    return parts


def _takes(blob: Blob, target: Target) -> bool:
    return is_image(blob) and target.capabilities.takes_images
