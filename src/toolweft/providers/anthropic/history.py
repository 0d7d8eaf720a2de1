"""A history as the Messages API writes it.

What stands between two messages of the assistant is one turn: a single user message, results first,
and after it at most one system message that adds tools, for the vendor takes that nowhere else.
While a program waits at the vendor its turn holds results alone; whatever was said meanwhile
stands in the first turn after it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, assert_never

from toolweft.core.json import JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.providers.anthropic.content import encode_content, encode_result
from toolweft.providers.anthropic.target import API, Target
from toolweft.providers.anthropic.tools import CACHE_MARK, ToolPlan, encode_added_tool
from toolweft.providers.call_words import CallIds, clean_name

__all__ = ("WireHistory", "encode_history")

log = logging.getLogger(__name__)

# Ids of what the vendor runs, and answers, itself.
_SERVER_ID: Final = "srvtoolu_"
# The vendor takes four; the tools and the system's words have one each. The last but one is where
# the request before ended: it is found however many blocks the newest turn has.
_MARKED_TURNS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WireHistory:
    """The messages of a request."""

    messages: list[JsonObject]
    # The last of them answers a program that waits at the vendor.
    answers_program: bool


def encode_history(messages: Iterable[Message], *, target: Target, plan: ToolPlan) -> WireHistory:
    """The messages in order; an assistant's own items go back as they came."""
    writer = _Writer(target, plan)
    for message in messages:
        writer.add(message)
    return writer.finish()


@dataclass(slots=True)
class _Turn:
    results: list[JsonObject] = field(default_factory=list)
    said: list[JsonObject] = field(default_factory=list)
    additions: list[JsonObject] = field(default_factory=list)


class _Writer:
    def __init__(self, target: Target, plan: ToolPlan) -> None:
        self._turn = _Turn()
        self._target = target
        self._plan = plan
        self._messages: list[JsonObject] = []
        # Where each turn ends that may be marked for the cache.
        self._turn_ends: list[int] = []
        # Tools that a message brought, or that one added by reference.
        self._added: set[str] = set()
        # Calls, of the assistant's last message, made by a program that waits at the vendor.
        self._waiting: frozenset[str] = frozenset()
        # Something stands after the assistant's last message.
        self._has_turn = False
        self._ids = CallIds()

    def add(self, message: Message) -> None:
        match message:
            case AssistantMessage():
                self._add_assistant(message)
                return
            case ResultsMessage():
                self._add_results(message)
            case UserMessage():
                takes_images = self._target.capabilities.takes_images
                self._turn.said += encode_content(message.content, takes_images=takes_images)
            case ToolsMessage():
                self._add_tools(message)
            case _:
                assert_never(message)
        self._has_turn = True

    def finish(self) -> WireHistory:
        answers_program = bool(self._waiting and self._turn.results)
        # An assistant's message at the end goes on as it is: nothing may follow it.
        if self._has_turn:
            self._end_turn()
        if self._target.capabilities.has_cache_marks:
            for position in self._turn_ends[-_MARKED_TURNS:]:
                self._messages[position] = _mark_end(self._messages[position])
        return WireHistory(messages=self._messages, answers_program=answers_program)

    def _add_assistant(self, message: AssistantMessage) -> None:
        raw = message.raw
        is_echoed = raw is not None and raw.api == API and raw.platform == self._target.platform
        blocks = list(raw.items) if raw is not None and is_echoed else _synthesise(message)
        if not blocks:
            # A message without content is refused; its neighbours become one turn.
            return
        self._end_turn()
        self._has_turn = False
        content = [self._mend_call(b) if b.get("type") == "tool_use" else b for b in blocks]
        self._messages.append({"role": "assistant", "content": content})
        programmatic = (c.id for c in message.calls if c.caller.type == "programmatic")
        # Of another vendor's programs nothing is left that could wait.
        self._waiting = frozenset(programmatic) if is_echoed else frozenset()

    def _add_results(self, message: ResultsMessage) -> None:
        for result in message.results:
            if result.call_id.startswith(_SERVER_ID):
                log.warning("provider.result_of_server_call", extra={"tool": result.name})
                continue
            encoded = encode_result(
                result,
                call_id=self._ids.name_result(result.call_id),
                referable=self._plan.hidden,
                is_for_program=result.call_id in self._waiting,
                takes_images=self._target.capabilities.takes_images,
            )
            self._turn.results.append(encoded)

    def _mend_call(self, block: JsonObject) -> JsonObject:
        """The call as it came, but for an id or a name that the vendor refuses in a history.

        That may be its own model's: a name that it invented.
        """
        call_id, name = str(block.get("id") or ""), str(block.get("name") or "")
        mended = {"id": self._ids.name_call(call_id), "name": clean_name(name)}
        return block if mended == {"id": call_id, "name": name} else {**block, **mended}

    def _add_tools(self, message: ToolsMessage) -> None:
        # Without a way to add them they stand among the request's tools.
        if self._target.capabilities.addition != "system_block":
            return
        for tool in message.tools:
            is_in_sight = tool.name in self._plan.names - self._plan.hidden
            if is_in_sight or tool.name in self._added:
                continue
            added: JsonObject | None = {"type": "tool_reference", "name": tool.name}
            if tool.name not in self._plan.names:
                definition = encode_added_tool(
                    tool, self._target, has_programs=self._plan.has_programs
                )
                added = definition and {"type": "tool_definition", "definition": definition}
            if added is not None:
                self._added.add(tool.name)
                self._turn.additions.append({"type": "tool_addition", "tool": added})

    def _end_turn(self) -> None:
        turn = self._turn
        if self._waiting:
            if turn.results:
                self._messages.append({"role": "user", "content": turn.results})
            # Kept for the first turn that no program waits for.
            self._turn = _Turn(said=turn.said, additions=turn.additions)
            return
        content = turn.results + turn.said
        if not content:
            return
        self._messages.append({"role": "user", "content": content})
        if turn.additions:
            self._messages.append({"role": "system", "content": turn.additions})
        self._turn_ends.append(len(self._messages) - 1)
        self._turn = _Turn()


def _mark_end(message: JsonObject) -> JsonObject:
    *before, last = message["content"]
    return {**message, "content": [*before, {**last, "cache_control": CACHE_MARK}]}


def _synthesise(message: AssistantMessage) -> list[JsonObject]:
    """What another vendor's model said and called, in this one's words."""
    blocks: list[JsonObject] = []
    if message.text.strip():
        blocks.append({"type": "text", "text": message.text})
    blocks.extend(_encode_call(call) for call in message.calls)
    return blocks


def _encode_call(call: ModelCall) -> JsonObject:
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": {} if call.arguments is None else call.arguments,
    }
