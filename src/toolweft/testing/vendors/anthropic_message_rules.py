"""What the Messages API refuses of a history, one rule a function.

The vendor's own words where they are known; a rule whose words are ours says so.
"""

import re
from typing import Final

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.anthropic_request import (
    TOOL_NAME,
    ParsedRequest,
    Refusal,
    is_caller,
    is_programmatic_call,
)

__all__ = (
    "MESSAGE_RULES",
    "check_answers_are_unchanged",
    "check_blocks_are_known",
    "check_calls_are_answered",
    "check_container",
    "check_content_is_given",
    "check_ids",
    "check_messages_begin_with_user",
    "check_programs_are_echoed",
    "check_references_resolve",
    "check_results_come_first",
    "check_results_have_calls",
    "check_results_hold_something",
    "check_system_stands_at_turn_ends",
    "check_tool_changes",
    "check_waiting_turn_is_plain",
)

_ROLES: Final = ("user", "assistant", "system")
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_BY_REFERENCE: Final = "mid-conversation-tool-changes-2026-07-01"
_BY_DEFINITION: Final = "inline-tools-2026-09-15"
_BLOCKS: Final = {
    "user": frozenset({"text", "image", "document", "search_result", "tool_result"}),
    "assistant": frozenset(
        {
            *("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"),
            *("code_execution_tool_result", "tool_search_tool_result", "mcp_tool_listing"),
        }
    ),
    "system": frozenset({"text", "tool_addition", "tool_removal"}),
}
_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")


def check_messages_begin_with_user(request: ParsedRequest) -> None:
    """There is a message, roles exist, and the first is the user's."""
    if not request.messages:
        raise Refusal("messages: at least one message is required")
    for number, message in enumerate(request.messages):
        if message.get("role") not in _ROLES:
            raise Refusal(f"messages.{number}.role: Input should be 'user' or 'assistant'")
    if request.messages[0]["role"] != "user":
        raise Refusal('messages: first message must use the "user" role')


def check_content_is_given(request: ParsedRequest) -> None:
    """No message is empty, and no text in it."""
    for number, message in enumerate(request.messages):
        is_last = number == len(request.messages) - 1
        if not message["content"] and not (is_last and message["role"] == "assistant"):
            raise Refusal(
                f"messages.{number}: all messages must have non-empty content except for the"
                " optional final assistant message"
            )
    for _, block in request.blocks("user", "assistant"):
        if block.get("type") == "text" and not str(block.get("text") or "").strip():
            raise Refusal("messages: text content blocks must contain non-whitespace text")


def check_blocks_are_known(request: ParsedRequest) -> None:
    """A block is of a kind that its role may hold."""
    for place, block in request.blocks(*_BLOCKS):
        role = request.messages[int(place.split(".")[1])]["role"]
        if block.get("type") not in _BLOCKS[role]:
            raise Refusal(
                f"{place}: Input tag '{block.get('type')}' found using 'type' does not match any of"
                " the expected tags"
            )


def check_system_stands_at_turn_ends(request: ParsedRequest) -> None:
    """A system message comes after a user's and before an assistant's, or at the end."""
    messages = request.messages
    for number, message in enumerate(messages):
        if message["role"] != "system":
            continue
        before = messages[number - 1]
        ends_in_server_result = before["role"] == "assistant" and str(
            before["content"][-1].get("type")
        ).endswith("_tool_result")
        if before["role"] != "user" and not ends_in_server_result:
            raise Refusal(
                f"messages.{number}: role 'system' must follow a 'user' message or an 'assistant'"
                " message ending in a server tool result"
            )
        if number + 1 < len(messages) and messages[number + 1]["role"] != "assistant":
            raise Refusal(
                f"messages.{number}: role 'system' must precede an 'assistant' message or end the"
                " array"
            )


def check_calls_are_answered(request: ParsedRequest) -> None:
    """The message after a call holds its result: all results of a turn stand in one message."""
    messages = request.messages
    for number, message in enumerate(messages[:-1]):
        calls = [b["id"] for b in message["content"] if b.get("type") == "tool_use"]
        after = messages[number + 1]
        # Turns of one side are read as one.
        if message["role"] != "assistant" or after["role"] == "assistant":
            continue
        given = {b.get("tool_use_id") for b in after["content"] if b.get("type") == "tool_result"}
        if missing := [call_id for call_id in calls if call_id not in given]:
            raise Refusal(
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks"
                f" immediately after: {', '.join(missing)}. Each `tool_use` block must have a"
                " corresponding `tool_result` block in the next message."
            )


def check_results_have_calls(request: ParsedRequest) -> None:
    """A result answers a call of the message before, once; never one that the vendor runs."""
    messages = request.messages
    for number, message in enumerate(messages):
        if message["role"] != "user":
            continue
        before = messages[number - 1]["content"] if number else []
        open_ids = {b["id"] for b in before if b.get("type") == "tool_use"}
        for index, block in enumerate(message["content"]):
            if block.get("type") != "tool_result":
                continue
            call_id = block.get("tool_use_id")
            if call_id not in open_ids:
                raise Refusal(
                    f"messages.{number}.content.{index}: unexpected `tool_use_id` found in"
                    f" `tool_result` blocks: {call_id}. Each `tool_result` block must have a"
                    " corresponding `tool_use` block in the previous message."
                )
            open_ids.discard(call_id)


def check_results_come_first(request: ParsedRequest) -> None:
    """In a message with results they stand before everything else. Wording ours."""
    for number, message in enumerate(request.messages):
        kinds = [block.get("type") == "tool_result" for block in message["content"]]
        if message["role"] == "user" and kinds != sorted(kinds, reverse=True):
            raise Refusal(f"messages.{number}: `tool_result` blocks must come before other content")


def check_ids(request: ParsedRequest) -> None:
    """Ids, names and callers have a form, and each id stands once; an input is an object."""
    seen: set[str] = set()
    for place, block in request.blocks("assistant"):
        if block.get("type") in {"tool_use", "server_tool_use"}:
            if not _ID.fullmatch(str(block.get("id") or "")):
                raise Refusal(f"{place}.tool_use.id: String should match '^[a-zA-Z0-9_-]+$'")
            if not isinstance(block.get("input"), dict):
                raise Refusal(f"{place}.tool_use.input: Input should be an object")
            if not TOOL_NAME.fullmatch(str(block.get("name") or "")):
                raise Refusal(
                    f"{place}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
                )
            if not is_caller(block.get("caller")):
                raise Refusal(
                    f"{place}.tool_use.caller: Input tag does not match any of the expected tags"
                )
            if block["id"] in seen:
                raise Refusal("messages: `tool_use` ids must be unique")
            seen.add(block["id"])


def check_results_hold_something(request: ParsedRequest) -> None:
    """A result's list of content is not empty; images are of four kinds, with their data."""
    for place, block in request.blocks("user"):
        content = block.get("content")
        if block.get("type") == "tool_result" and isinstance(content, list) and not content:
            raise Refusal(f"{place}.tool_result.content: content cannot be empty")
        inner = content if isinstance(content, list) else []
        for image in (b for b in [block, *inner] if b.get("type") == "image"):
            source = image["source"]
            if source.get("media_type") not in _IMAGES or not source.get("data"):
                raise Refusal(f"{place}.image.source.media_type: Input should be {_IMAGES}")


def check_references_resolve(request: ParsedRequest) -> None:
    """A reference in a result names a tool of the request."""
    names = {tool.get("name") for tool in request.tools}
    for place, block in request.blocks("user"):
        content = block.get("content")
        for inner in content if isinstance(content, list) else ():
            if inner.get("type") == "tool_reference" and inner["tool_name"] not in names:
                raise Refusal(
                    f"{place}: Tool reference '{inner['tool_name']}' not found in available tools"
                )


def check_tool_changes(request: ParsedRequest) -> None:
    """Adding a tool needs its beta; a reference resolves, and a new name is nobody else's."""
    names = {tool.get("name") for tool in request.tools}
    for place, block in request.blocks("system"):
        if block.get("type") != "tool_addition":
            continue
        tool = block["tool"]
        if tool["type"] == "tool_definition":
            if _BY_DEFINITION not in request.betas:
                raise Refusal(f"{place}: tool definitions require the {_BY_DEFINITION} beta")
            if tool["definition"]["name"] in names:
                raise Refusal(f"{place}: name is taken", error_code="tool_name_conflict")
            names.add(tool["definition"]["name"])
        elif not request.betas & {_BY_REFERENCE, _BY_DEFINITION}:
            raise Refusal(f"{place}: tool changes require the {_BY_REFERENCE} beta")
        elif tool["name"] not in names:
            raise Refusal(f"{place}: no such tool", error_code="tool_reference_unresolved")


def check_waiting_turn_is_plain(request: ParsedRequest) -> None:
    """While a program waits, a user message holds results alone, and these text alone."""
    waiting = request.find_waiting()
    last = request.messages[-1]
    if not waiting or last["role"] == "assistant":
        return
    for block in last["content"]:
        if last["role"] != "user" or block.get("type") != "tool_result":
            raise Refusal(
                "When responding to programmatic tool calls, the user message must contain only"
                " tool_result blocks."
            )
        content = block.get("content")
        kinds = {b.get("type") for b in content} if isinstance(content, list) else {"text"}
        if block["tool_use_id"] in waiting and kinds != {"text"}:
            raise Refusal("Results of programmatic tool calls must be text.")


def check_container(request: ParsedRequest) -> None:
    """A waiting program's container is named; one without a code tool is refused."""
    given = request.body.get("container")
    is_answer = request.messages[-1]["role"] != "assistant"
    if given is None:
        if request.find_waiting() and is_answer:
            raise Refusal("container_id is required when there are pending tool uses")
        return
    if not request.has_code_tool:
        raise Refusal("container: requires a code execution tool in `tools`")
    if isinstance(given, dict) and set(given) == {"id"}:
        raise Refusal("container: Input should be a valid string")
    container_id = given["id"] if isinstance(given, dict) else given
    if container_id not in request.memory.containers:
        raise Refusal("Container not found", status=404, kind="not_found_error")


def check_answers_are_unchanged(request: ParsedRequest) -> None:
    """Thoughts, programs and callers of an answer come back as they were, in their place."""
    for number, message in enumerate(request.messages):
        if message["role"] != "assistant":
            continue
        for block in message["content"]:
            answer = request.memory.answers.get(str(block.get("id")))
            if answer is not None and _bound(answer) != _bound(message["content"]):
                raise Refusal(
                    f"messages.{number}: `thinking` or `redacted_thinking` blocks in the latest"
                    " assistant message cannot be modified. These blocks must remain as they were"
                    " in the original response."
                )


def check_programs_are_echoed(request: ParsedRequest) -> None:
    """A program's call comes back with its caller, and with the program. Wording ours."""
    programs = {
        b["id"] for _, b in request.blocks("assistant") if b.get("type") == "server_tool_use"
    }
    for place, block in request.blocks("assistant"):
        answer = request.memory.answers.get(str(block.get("id")), ())
        known = next((b for b in answer if b.get("id") == block.get("id")), None)
        is_bound = known is not None and is_caller(known.get("caller"))
        if known is not None and is_bound and known.get("caller") != block.get("caller"):
            raise Refusal(f"{place}: the caller of a call cannot be changed")
        if is_programmatic_call(block) and block["caller"]["tool_id"] not in programs:
            raise Refusal(f"{place}: no server_tool_use with id {block['caller']['tool_id']}")


MESSAGE_RULES: Final = (
    check_messages_begin_with_user,
    check_content_is_given,
    check_blocks_are_known,
    check_system_stands_at_turn_ends,
    check_answers_are_unchanged,
    check_programs_are_echoed,
    check_ids,
    check_calls_are_answered,
    check_results_have_calls,
    check_results_come_first,
    check_results_hold_something,
    check_references_resolve,
    check_tool_changes,
    check_waiting_turn_is_plain,
    check_container,
)


def _bound(content: list[JsonObject]) -> list[JsonObject]:
    """The blocks that are signed or bound to their place, without marks for the cache."""
    kinds = {"thinking", "redacted_thinking", "server_tool_use", "code_execution_tool_result"}
    return [
        {key: value for key, value in block.items() if key != "cache_control"}
        for block in content
        if block.get("type") in kinds
    ]
