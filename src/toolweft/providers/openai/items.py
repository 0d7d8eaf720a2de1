"""A history as input items of the Responses API.

What came from this API and platform goes back as it came, item by item. What came from elsewhere is
written anew from its neutral parts.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from toolweft.core.calls import Blob, TextContent
from toolweft.core.json import JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelResult,
    RawItems,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.providers.call_words import clean_name
from toolweft.providers.openai.target import API, Target
from toolweft.providers.openai.tools import ToolPlan, encode_function
from toolweft.providers.openai_wire import (
    data_url,
    describe_blob,
    is_image,
    join_text,
    render_error,
)

__all__ = ("encode_items",)

_MAX_CALL_ID_CHARACTERS: Final = 64
_CALL_TYPES: Final = frozenset({"function_call", "tool_search_call"})


def encode_items(
    messages: Iterable[Message], *, plan: ToolPlan, target: Target
) -> list[JsonObject]:
    """The body's `input`."""
    writer = _Writer(plan, target)
    for message in messages:
        writer.add(message)
    return writer.items


class _Writer:
    """Writes items in order and remembers what was asked and revealed before."""

    def __init__(self, plan: ToolPlan, target: Target) -> None:
        self.items: list[JsonObject] = []
        self._plan = plan
        self._target = target
        # Call items by their id, as they went out.
        self._calls: dict[str, JsonObject] = {}
        # Deferred tools that an item has shown in full.
        self._shown: set[str] = set()

    def add(self, message: Message) -> None:
        """Write one message."""
        if isinstance(message, UserMessage):
            self.items.append(self._user_item(message.content))
        elif isinstance(message, AssistantMessage):
            self._add_assistant(message)
        elif isinstance(message, ResultsMessage):
            self._add_results(message)
        else:
            self._add_tools(message)

    def _user_item(self, content: Iterable[TextContent | Blob]) -> JsonObject:
        return {"type": "message", "role": "user", "content": self._parts(content)}

    def _add_assistant(self, message: AssistantMessage) -> None:
        raw = message.raw
        if raw is not None and self._can_echo(raw):
            items = [_mend_name(item) for item in _cut_dangling(raw.items)]
        else:
            items = self._synthesise(message)
        for item in items:
            call_id = item.get("call_id")
            if str(item.get("type")) in _CALL_TYPES and isinstance(call_id, str):
                self._calls[call_id] = item
        self.items += items

    def _can_echo(self, raw: RawItems) -> bool:
        if (raw.api, raw.platform) != (API, self._target.platform):
            return False
        # What another model of the same platform did may be unknown to this one.
        kinds = {str(item.get("type")) for item in raw.items}
        capabilities = self._target.capabilities
        is_lost = "tool_search_call" in kinds and not capabilities.has_deferral
        return not is_lost and not ("program" in kinds and capabilities.programs == "none")

    def _synthesise(self, message: AssistantMessage) -> list[JsonObject]:
        items: list[JsonObject] = []
        if message.text:
            items.append({"type": "message", "role": "assistant", "content": message.text})
        items += map(self._call_item, message.calls)
        return items

    def _call_item(self, call: ModelCall) -> JsonObject:
        arguments = call.arguments or {}
        call_id = _shorten_id(call.id)
        if call.name == self._plan.search_name:
            return {
                "type": "tool_search_call",
                "execution": "client",
                "call_id": call_id,
                "status": "completed",
                "arguments": arguments,
            }
        item: JsonObject = {
            "type": "function_call",
            "call_id": call_id,
            "name": clean_name(call.name),
            "arguments": json.dumps(arguments, ensure_ascii=False),
        }
        if call.name in self._plan.deferred:
            # A deferred function outside of any namespace has one of its own name.
            item["namespace"] = call.name
        return item

    def _add_results(self, message: ResultsMessage) -> None:
        revealed: list[str] = []
        for result in message.results:
            call = self._calls.get(_shorten_id(result.call_id), {})
            if call.get("type") == "tool_search_call":
                self._add_search_output(result)
            else:
                self.items.append(self._output_item(result, call))
                revealed += result.revealed
        if self._target.capabilities.addition == "item":
            # By another tool than the search, which has no item for that.
            names = [n for n in dict.fromkeys(revealed) if n in self._plan.deferred]
            self._add_definitions([n for n in names if self._is_new(n)])

    def _add_search_output(self, result: ModelResult) -> None:
        # Names that are told no more, say of a server that went away, are left out.
        names = [name for name in dict.fromkeys(result.revealed) if name in self._plan.by_name]
        capabilities = self._plan.capabilities
        self._shown.update(names)
        self.items.append(
            {
                "type": "tool_search_output",
                "execution": "client",
                "call_id": _shorten_id(result.call_id),
                "status": "completed",
                "tools": [
                    encode_function(self._plan.by_name[name], capabilities, is_deferred=True)
                    for name in names
                ],
            }
        )
        text = join_text(result.content)
        if text and not names:
            # The item holds definitions only; why there are none is said beside it.
            said = TextContent(f"{result.name}: {render_error(text) if result.is_error else text}")
            self.items.append(self._user_item((said,)))

    def _output_item(self, result: ModelResult, call: JsonObject) -> JsonObject:
        caller = call.get("caller")
        output: str | list[JsonObject] = join_text(result.content)
        if result.is_error:
            output = render_error(join_text(result.content))
        elif caller is None or caller.get("type") == "direct":
            # A program takes text alone.
            images = [b for b in result.content if isinstance(b, Blob) and self._takes(b)]
            output = self._parts(result.content) if images else output
        item: JsonObject = {
            "type": "function_call_output",
            "call_id": _shorten_id(result.call_id),
            "output": output,
        }
        if caller is not None:
            item["caller"] = caller
        return item

    def _add_tools(self, message: ToolsMessage) -> None:
        if self._target.capabilities.addition == "item":
            self._add_definitions([t.name for t in message.tools if self._is_new(t.name)])

    def _is_new(self, name: str) -> bool:
        is_listed = any(tool.get("name") == name for tool in self._plan.listed)
        return name not in self._shown and (name in self._plan.deferred or not is_listed)

    def _add_definitions(self, names: Iterable[str]) -> None:
        capabilities = self._plan.capabilities
        tools = [self._plan.by_name[name] for name in names]
        if capabilities.programs == "none":
            tools = [tool for tool in tools if "direct" in tool.callers]
        if not tools:
            return
        self._shown.update(tool.name for tool in tools)
        self.items.append(
            {
                "type": "additional_tools",
                "role": "developer",
                "tools": [encode_function(tool, capabilities, is_deferred=False) for tool in tools],
            }
        )

    def _takes(self, blob: Blob) -> bool:
        return is_image(blob) and self._target.capabilities.takes_images

    def _parts(self, content: Iterable[TextContent | Blob]) -> list[JsonObject]:
        return [self._part(piece) for piece in content]

    def _part(self, piece: TextContent | Blob) -> JsonObject:
        if isinstance(piece, TextContent):
            return {"type": "input_text", "text": piece.text}
        if self._takes(piece):
            return {"type": "input_image", "image_url": data_url(piece), "detail": "auto"}
        return {"type": "input_text", "text": describe_blob(piece)}


def _cut_dangling(items: Iterable[JsonObject]) -> list[JsonObject]:
    """All but the reasoning at the end of a reply that was cut short.

    The API refuses reasoning that nothing follows; everything else goes back whole.
    """
    kept = list(items)
    while kept and kept[-1].get("type") == "reasoning":
        kept.pop()
    return kept


def _mend_name(item: JsonObject) -> JsonObject:
    """The item as it came, but for a name that the model invented and the API refuses."""
    name = item.get("name")
    if item.get("type") != "function_call" or not isinstance(name, str):
        return item
    mended = clean_name(name)
    return item if mended == name else {**item, "name": mended}


def _shorten_id(call_id: str) -> str:
    """The id of a call within what the API takes; the same for a call and its result."""
    if len(call_id) <= _MAX_CALL_ID_CHARACTERS:
        return call_id
    return f"call_{sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
