"""What the Responses API refuses of a history, one rule a function.

Sources: the vendor's SDK and documentation, and its own error texts where they are known. A rule
whose words are ours says so.
"""

import binascii
from base64 import b64decode
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.openai_http import Refusal
from toolweft.testing.vendors.openai_request import FUNCTION_NAME, ParsedRequest, flatten_tools

__all__ = (
    "ITEM_RULES",
    "check_additional_tools",
    "check_call_ids",
    "check_callers_are_copied",
    "check_calls_are_answered",
    "check_images",
    "check_items_are_known",
    "check_namespaces",
    "check_outputs_follow_calls",
    "check_program_calls_have_programs",
    "check_program_outputs_are_text",
    "check_programs_are_unchanged",
    "check_reasoning_is_carried",
    "check_reasoning_is_followed",
    "check_reasoning_is_kept",
    "check_reasoning_is_unchanged",
)

_ITEM_TYPES: Final = frozenset(
    [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "tool_search_call",
        "tool_search_output",
        "additional_tools",
        "program",
        "program_output",
        "mcp_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "compaction",
        "item_reference",
    ]
)
_ID_STARTS: Final = {"function_call": "fc", "message": "msg", "reasoning": "rs"}
_MAX_CALL_ID_CHARACTERS: Final = 64
_IMAGES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
# Calls that need an output, and the output they need.
_OUTPUTS: Final = {
    "function_call": "function_call_output",
    "tool_search_call": "tool_search_output",
}


def check_items_are_known(request: ParsedRequest) -> None:
    """An item has a type that exists, and an id that begins as those of its type do."""
    for index, item in enumerate(request.items):
        kind, given = item["type"], item.get("id")
        if kind not in _ITEM_TYPES:
            raise Refusal(
                f"Invalid value: '{kind}'.", code="invalid_value", param=f"input[{index}].type"
            )
        start = _ID_STARTS.get(kind)
        if given and start and not given.startswith(start):
            raise Refusal(
                f"Invalid 'input[{index}].id': '{given}'. Expected an ID that begins with"
                f" '{start}'.",
                code="invalid_value",
                param=f"input[{index}].id",
            )


def check_call_ids(request: ParsedRequest) -> None:
    """Calls and outputs have an id of at most 64 characters; a name fits, arguments are text."""
    for index, item in enumerate(request.of_type(*_OUTPUTS, *_OUTPUTS.values())):
        if item.get("execution") == "server":
            continue
        call_id = item.get("call_id")
        if not call_id:
            raise Refusal(
                f"Missing required parameter: 'input[{index}].call_id'.",
                code="missing_required_parameter",
            )
        if len(call_id) > _MAX_CALL_ID_CHARACTERS:
            raise Refusal(
                f"Invalid 'input[{index}].call_id': string too long. Expected a string with maximum"
                f" length {_MAX_CALL_ID_CHARACTERS}, but got a string with length {len(call_id)}"
                " instead.",
                code="string_above_max_length",
            )
        if item["type"] != "function_call":
            continue
        if not FUNCTION_NAME.fullmatch(str(item.get("name") or "")):
            raise Refusal(
                f"Invalid 'input[{index}].name': string does not match pattern. Expected a string"
                " that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                code="invalid_value",
                param=f"input[{index}].name",
            )
        if not isinstance(item.get("arguments"), str):
            raise Refusal(
                f"Invalid type for 'input[{index}].arguments': expected a string.",
                code="invalid_type",
            )


def check_outputs_follow_calls(request: ParsedRequest) -> None:
    """An output stands after the call it answers."""
    asked: set[tuple[str, Json]] = set()
    for item in request.items:
        kind = item["type"]
        if kind in _OUTPUTS:
            asked.add((_OUTPUTS[kind], item.get("call_id")))
        elif kind in _OUTPUTS.values() and (kind, item.get("call_id")) not in asked:
            if item.get("execution") == "server":
                continue
            what = kind.removesuffix("_output").replace("_", " ")
            raise Refusal(
                f"No tool call found for {what} output with call_id {item.get('call_id')}.",
                param="input",
            )


def check_calls_are_answered(request: ParsedRequest) -> None:
    """Every call of the history has its output."""
    given = {(item["type"], item.get("call_id")) for item in request.of_type(*_OUTPUTS.values())}
    for item in request.of_type(*_OUTPUTS):
        if item.get("execution") == "server":
            continue
        if (_OUTPUTS[item["type"]], item["call_id"]) not in given:
            what = item["type"].removesuffix("_call").replace("_", " ")
            raise Refusal(f"No tool output found for {what} call {item['call_id']}.", param="input")


def check_namespaces(request: ParsedRequest) -> None:
    """A call of a tool that was deferred names its namespace, its own name for a flat one."""
    found = [tool for item in request.of_type("tool_search_output") for tool in item["tools"]]
    deferred = {
        tool["name"]
        for tool in flatten_tools([*request.tools, *found])
        if tool.get("type") == "function" and tool.get("defer_loading")
    }
    for item in request.of_type("function_call"):
        if item.get("name") in deferred and not item.get("namespace"):
            raise Refusal(f"Missing namespace for function_call '{item['name']}'.", param="input")


def check_reasoning_is_carried(request: ParsedRequest) -> None:
    """Nothing is stored, so reasoning comes with what it was encrypted to."""
    if request.body.get("store") is not False:
        return
    for item in request.of_type("reasoning"):
        if not item.get("encrypted_content"):
            raise Refusal(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store`"
                " is set to false. Try again with `store` set to true, or remove this item from"
                " your input.",
                param="input",
            )


def check_reasoning_is_unchanged(request: ParsedRequest) -> None:
    """What reasoning was encrypted to comes back byte for byte."""
    for item in request.of_type("reasoning"):
        known = request.issued.get(str(item.get("id")))
        if known is None or known["encrypted_content"] != item.get("encrypted_content"):
            raise Refusal(
                f"The encrypted content for item {item.get('id')} could not be verified.",
                code="invalid_encrypted_content",
            )


def check_reasoning_is_followed(request: ParsedRequest) -> None:
    """Reasoning is followed by what came of it."""
    items = request.items
    for item, after in zip(items, [*items[1:], {"type": "message", "role": "user"}], strict=True):
        is_given = after["type"] in {*_OUTPUTS.values(), "additional_tools"}
        is_said = after["type"] == "message" and after.get("role") != "assistant"
        if item["type"] == "reasoning" and (is_given or is_said):
            raise Refusal(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required"
                " following item.",
                param="input",
            )


def check_reasoning_is_kept(request: ParsedRequest) -> None:
    """An item that came of reasoning is given with it."""
    given = {item.get("id") for item in request.of_type("reasoning")}
    for item in request.items:
        needed = request.reasons.get(str(item.get("id")))
        if needed is not None and needed not in given:
            raise Refusal(
                f"Item '{item['id']}' of type '{item['type']}' was provided without its required"
                f" 'reasoning' item: '{needed}'.",
                param="input",
            )


def check_programs_are_unchanged(request: ParsedRequest) -> None:
    """A program comes back with its code and fingerprint as they were. Wording ours."""
    for item in request.of_type("program"):
        known = request.issued.get(str(item.get("id")), {})
        for key in ("call_id", "code", "fingerprint"):
            if not item.get(key) or item[key] != known.get(key):
                raise Refusal(
                    f"Program '{item.get('id')}' could not be verified: its {key} is not the one"
                    " that was issued.",
                    param="input",
                )


def check_program_calls_have_programs(request: ParsedRequest) -> None:
    """A call by a program stands after that program, which has not ended. Wording ours."""
    running: set[Json] = set()
    for item in request.items:
        if item["type"] == "program":
            running.add(item.get("call_id"))
        elif item["type"] == "program_output":
            running.discard(item.get("call_id"))
        elif item["type"] == "function_call":
            caller = item.get("caller") or {}
            if caller.get("type") == "program" and caller.get("caller_id") not in running:
                raise Refusal(
                    f"No running program found for caller_id '{caller.get('caller_id')}'.",
                    param="input",
                )


def check_callers_are_copied(request: ParsedRequest) -> None:
    """The output of a program's call says whose call it was. Wording ours.

    The vendor's SDK always copies it; whether the API insists is not known.
    """
    callers = {item["call_id"]: item.get("caller") for item in request.of_type("function_call")}
    for item in request.of_type("function_call_output"):
        caller = callers.get(item["call_id"])
        if caller and caller.get("type") == "program" and item.get("caller") != caller:
            raise Refusal(
                f"The caller of the output of '{item['call_id']}' does not match its call.",
                param="input",
            )


def check_program_outputs_are_text(request: ParsedRequest) -> None:
    """What goes back to a program is text. Wording ours."""
    for item in request.of_type("function_call_output"):
        is_program = (item.get("caller") or {}).get("type") == "program"
        if is_program and not isinstance(item.get("output"), str):
            raise Refusal(
                f"The output of '{item['call_id']}' must be a string.",
                code="invalid_type",
                param="input",
            )


def check_additional_tools(request: ParsedRequest) -> None:
    """Tools are added by the developer alone, and there is at least one."""
    for index, item in enumerate(request.of_type("additional_tools")):
        if item.get("role") != "developer" or not item.get("tools"):
            raise Refusal(
                f"Invalid value: '{item.get('role')}'. Supported values are: 'developer'.",
                code="invalid_value",
                param=f"input[{index}].role",
            )


def check_images(request: ParsedRequest) -> None:
    """An image by value is base64 of a type that the model can see."""
    for item in request.items:
        for part in _parts(item):
            if part.get("type") == "input_image":
                _check_image(str(part.get("image_url")))


def _parts(item: JsonObject) -> list[JsonObject]:
    content = item.get("content") if item["type"] == "message" else item.get("output")
    return content if isinstance(content, list) else []


def _check_image(url: str) -> None:
    head, comma, data = url.partition(";base64,")
    if not comma:
        return
    if head.removeprefix("data:") not in _IMAGES:
        raise Refusal(
            "You uploaded an unsupported image. Please make sure your image is valid.",
            code="unsupported_image_media_type",
        )
    try:
        b64decode(data, validate=True)
    except binascii.Error:
        raise Refusal("Invalid base64 image.", code="invalid_base64_image") from None


ITEM_RULES: Final = (
    check_items_are_known,
    check_call_ids,
    check_outputs_follow_calls,
    check_calls_are_answered,
    check_namespaces,
    check_reasoning_is_carried,
    check_reasoning_is_unchanged,
    check_reasoning_is_followed,
    check_reasoning_is_kept,
    check_programs_are_unchanged,
    check_program_calls_have_programs,
    check_callers_are_copied,
    check_program_outputs_are_text,
    check_additional_tools,
    check_images,
)
