"""A turn of a model as a request to Interactions: its body. Pure functions.

Nothing is kept at the vendor's: the whole history goes with every request, as steps, and the
vendor's own steps go back as they came.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, assert_never

from toolweft.core.calls import Blob, TextContent
from toolweft.core.errors import ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
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

__all__ = ("API", "DEFAULT_SEARCH_NAME", "encode", "find_client_search", "name_search")

log = logging.getLogger(__name__)

API: Final = "gemini_interactions"
# What a search by the model is called where the request named no tool for it.
DEFAULT_SEARCH_NAME: Final = "search_tools"
# Of a deferred tool, where the list of all of them is in the prompt.
_MAX_SHORT_CHARACTERS: Final = 120


def encode(request: ModelRequest, target: Target) -> JsonObject:
    """The whole body of a request, without `stream`.

    Tools and the system's words depend on the request's own alone and are the same in every
    request of a conversation, until a message brings tools: they join at the end. No tool is ever
    forced.

    Raises:
        ProviderError: there are more tools than the user said the model takes.
    """
    plan = _plan_tools(list_tools(request), target)
    schema = request.output_schema
    is_enforced = target.capabilities.has_structured_output and (
        not plan.listed or target.joins_schema_and_tools
    )
    body: JsonObject = {"model": target.model}
    if plan.listed:
        body["tools"] = list(plan.listed)
    words = [request.system] if request.system.strip() else []
    if schema is not None and not is_enforced:
        words.append(instruct(schema))
    if words:
        body["system_instruction"] = "\n\n".join(words)
    body["input"] = _encode_history(request.messages, target, plan)
    config: JsonObject = {"max_output_tokens": request.max_tokens}
    if request.temperature is not None:
        if target.capabilities.takes_temperature:
            config["temperature"] = request.temperature
        else:
            log.debug("provider.temperature_dropped", extra={"model": target.model})
    body["generation_config"] = config
    if schema is not None and is_enforced:
        body["response_format"] = {
            "type": "text",
            "mime_type": "application/json",
            "schema": schema,
        }
    body["store"] = False
    return body


def name_search(request: ModelRequest) -> str:
    """The tool that the model's own form of a search stands for."""
    return next((tool.name for tool in request.tools if tool.is_search), DEFAULT_SEARCH_NAME)


def find_client_search(request: ModelRequest, target: Target) -> str | None:
    """The tool that goes out as a search that we answer; None where none does."""
    return _plan_tools(list_tools(request), target).search_name


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToolPlan:
    """What is declared with a request, and what may be said of it later."""

    # As they stand in the request.
    listed: tuple[JsonObject, ...]
    # The tool that goes out as a search that we answer; None where it is a function.
    search_name: str | None
    # Definitions of those that a search may reveal.
    deferred: dict[str, JsonObject]


def _plan_tools(tools: list[ModelTool], target: Target) -> _ToolPlan:
    """The tools in their order; which is the search, and which stay out of the prompt."""
    capabilities = target.capabilities
    deferred = {
        tool.name: _encode_tool(tool)
        for tool in tools
        if tool.is_deferred and not tool.is_search and capabilities.has_deferral
    }
    search_name = None
    if deferred and capabilities.reveal == "search_item":
        search_name = next((tool.name for tool in tools if tool.is_search), None)
    listed: list[JsonObject] = []
    if deferred and search_name is None:
        # Without a search of ours the vendor's own stands in: the model asks by name.
        listed.append({"type": "tool_search"})
    for tool in tools:
        if tool.name == search_name:
            listed.append(_encode_search(tool))
        elif tool.name not in deferred:
            listed.append(_encode_tool(tool))
        elif search_name is None or target.lists_deferred:
            short = _shorten(tool.description)
            listed.append({**deferred[tool.name], **short, "defer_loading": True})
    most = capabilities.max_tools
    if most is not None and len(listed) > most:
        raise ProviderError(
            f"{target.model} takes at most {most} tools in one request, not {len(listed):,}",
            hint="send fewer; let the model find the others by a search",
        )
    return _ToolPlan(listed=tuple(listed), search_name=search_name, deferred=deferred)


def _encode_tool(tool: ModelTool) -> JsonObject:
    return {
        "type": "function",
        "name": tool.name,
        "description": describe_tool(tool, has_output_schema=False),
        "parameters": tool.input_schema,
    }


def _encode_search(tool: ModelTool) -> JsonObject:
    return {**_encode_tool(tool), "type": "tool_search", "execution": "client"}


def _shorten(description: str) -> JsonObject:
    """What stands in the prompt for a deferred tool: the first line, and not all of a long one."""
    first = description.strip().split("\n", 1)[0]
    if len(first) > _MAX_SHORT_CHARACTERS:
        first = f"{first[: _MAX_SHORT_CHARACTERS - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"
    return {"short_description": first} if first and first != description else {}


def _encode_history(
    messages: Iterable[Message], target: Target, plan: _ToolPlan
) -> list[JsonObject]:
    steps: list[JsonObject] = []
    # Ids of searches that wait for their answer.
    searches: set[str] = set()
    # What the calls of the last reply are called, by their ids.
    names: dict[str, str] = {}
    for message in messages:
        match message:
            case AssistantMessage():
                added = _encode_assistant(message, plan)
                searches = {
                    str(step.get("id")) for step in added if step["type"] == "tool_search_call"
                }
                names = {str(s.get("id")): s["name"] for s in added if s.get("name")}
                steps += added
            case ResultsMessage():
                for result in message.results:
                    if result.call_id in searches:
                        steps.append(_encode_found(result, plan))
                    else:
                        name = names.get(result.call_id, result.name)
                        steps.append(_encode_result(result, target, name=name))
            case UserMessage():
                content = _encode_content(message.content, target)
                if content:
                    steps.append({"type": "user_input", "content": content})
            case ToolsMessage():
                # They stand among the request's tools.
                pass
            case _:
                assert_never(message)
    return steps


def _is_echoed(raw: RawItems | None) -> bool:
    """The vendor's own items go back as they are."""
    return raw is not None and raw.api == API and raw.platform == PLATFORM


def _encode_assistant(message: AssistantMessage, plan: _ToolPlan) -> list[JsonObject]:
    if message.raw is not None and _is_echoed(message.raw):
        return list(message.raw.items)
    steps: list[JsonObject] = []
    if message.text.strip():
        text = {"type": "text", "text": message.text}
        steps.append({"type": "model_output", "content": [text]})
    steps += [_encode_call(call, plan) for call in message.calls]
    return steps


def _encode_call(call: ModelCall, plan: _ToolPlan) -> JsonObject:
    arguments = call.arguments or {}
    if call.name == plan.search_name:
        return {"type": "tool_search_call", "id": call.id, "arguments": arguments}
    name = clean_name(call.name, LETTER_START)
    return {"type": "function_call", "id": call.id, "name": name, "arguments": arguments}


def _encode_found(result: ModelResult, plan: _ToolPlan) -> JsonObject:
    """The definitions that a search reveals; nothing for one that found none, or failed.

    Names that no tool has are dropped: it may have gone since.
    """
    names = () if result.is_error else dict.fromkeys(result.revealed)
    found = [plan.deferred[name] for name in names if name in plan.deferred]
    return {"type": "tool_search_result", "call_id": result.call_id, "result": found}


def _encode_result(result: ModelResult, target: Target, *, name: str) -> JsonObject:
    shows_images = target.takes_result_images and target.capabilities.takes_images
    text = render_text(result, shows_images=shows_images)
    images = [
        _encode_image(piece)
        for piece in result.content
        if isinstance(piece, Blob) and shows_images and is_shown(piece)
    ]
    encoded: JsonObject = {
        "type": "function_result",
        "call_id": result.call_id,
        "name": name,
        "result": text if text.strip() else NOTHING,
    }
    if images:
        texts = [{"type": "text", "text": text}] if text.strip() else []
        encoded["result"] = [*texts, *images]
    if result.is_error:
        encoded["is_error"] = True
    return encoded


def _encode_content(content: Iterable[TextContent | Blob], target: Target) -> list[JsonObject]:
    encoded: list[JsonObject] = []
    for piece in content:
        if isinstance(piece, TextContent):
            if piece.text.strip():
                encoded.append({"type": "text", "text": piece.text})
        elif target.capabilities.takes_images and is_shown(piece):
            encoded.append(_encode_image(piece))
        else:
            encoded.append({"type": "text", "text": render_blob(piece)})
    return encoded


def _encode_image(blob: Blob) -> JsonObject:
    return {"type": "image", "mime_type": blob.media_type, "data": encode_data(blob)}
