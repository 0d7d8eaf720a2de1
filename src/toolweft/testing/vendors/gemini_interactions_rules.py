"""What Interactions refuses, one rule a function.

What the vendor documents or its types say; how it says so is not known, so the words are ours.
"""

import re
from collections.abc import Iterator
from typing import Final

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.gemini_request import FUNCTION_NAME, ParsedRequest, Refusal

__all__ = (
    "INTERACTIONS_RULES",
    "check_answer_format",
    "check_calls_have_results",
    "check_deferral_has_search",
    "check_fields_are_known",
    "check_functions",
    "check_input_is_given",
    "check_model_exists",
    "check_results_have_calls",
    "check_search_fields",
    "check_search_results",
    "check_signed_steps_are_echoed",
    "check_steps",
)

_FIELDS: Final = frozenset(
    {
        *("model", "input", "tools", "system_instruction", "generation_config", "store", "stream"),
        *("response_format", "previous_interaction_id", "background", "labels", "service_tier"),
        *("safety_settings", "continuation_token"),
    }
)
_FUNCTION_FIELDS: Final = frozenset(
    {"type", "name", "description", "short_description", "parameters", "defer_loading"}
)
_SEARCH_FIELDS: Final = frozenset({"type", "execution", "name", "description", "parameters"})
# The fields that each kind of step must have.
_STEPS: Final = {
    "user_input": ("content",),
    "model_output": (),
    "thought": (),
    "function_call": ("id", "name", "arguments"),
    "function_result": ("call_id", "result"),
    "tool_search_call": ("id", "arguments"),
    "tool_search_result": ("call_id",),
}
_CALLS: Final = {"function_call": "function_result", "tool_search_call": "tool_search_result"}


def check_fields_are_known(request: ParsedRequest) -> None:
    """A field that the API does not have is refused."""
    for name in request.body.keys() - _FIELDS:
        raise Refusal(f"unknown parameter '{name}'")


def check_model_exists(request: ParsedRequest) -> None:
    """The model is one of the vendor's."""
    if request.model not in request.models:
        raise Refusal(f"model '{request.model}' not found", status=404, name="NOT_FOUND")


def check_input_is_given(request: ParsedRequest) -> None:
    """There is something to answer."""
    if not request.body.get("input"):
        raise Refusal("input is required")


def check_functions(request: ParsedRequest) -> None:
    """Functions have known fields, names of a form, each once, and a schema of an object."""
    seen: set[str] = set()
    for tool in _list_tools(request, "function"):
        if unknown := tool.keys() - _FUNCTION_FIELDS:
            raise Refusal(f"unknown field '{min(unknown)}' of a function")
        name = tool.get("name") or ""
        _check_name(name)
        if name in seen:
            raise Refusal(f"duplicate function '{name}'")
        seen.add(name)
        if (tool.get("parameters") or {"type": "object"}).get("type") != "object":
            raise Refusal(f"parameters of '{name}' must be of type object")


def check_deferral_has_search(request: ParsedRequest) -> None:
    """Deferred functions need a tool_search, and only functions are deferred."""
    tools = request.body.get("tools") or ()
    deferred = [tool for tool in tools if tool.get("defer_loading")]
    if any(tool.get("type") != "function" for tool in deferred):
        raise Refusal("defer_loading is supported for functions only")
    if deferred and not any(tool.get("type") == "tool_search" for tool in tools):
        raise Refusal("defer_loading requires a tool_search tool")


def check_search_fields(request: ParsedRequest) -> None:
    """One search; a name, description and parameters only where the client executes it."""
    searches = list(_list_tools(request, "tool_search"))
    if len(searches) > 1:
        raise Refusal("at most one tool_search tool is allowed")
    for search in searches:
        if unknown := search.keys() - _SEARCH_FIELDS:
            raise Refusal(f"unknown field '{min(unknown)}' of tool_search")
        is_client = search.get("execution") == "client"
        if not is_client and search.keys() & {"name", "description", "parameters"}:
            raise Refusal("name, description and parameters need execution 'client'")
        if is_client and not search.get("description"):
            raise Refusal("description is required for execution 'client'")


def check_steps(request: ParsedRequest) -> None:
    """Steps are of a kind that exists, with what each must have; arguments are objects."""
    for number, step in enumerate(_list_steps(request)):
        kind = step.get("type")
        if kind not in _STEPS:
            raise Refusal(f"input[{number}].type: unknown step '{kind}'")
        for name in _STEPS[kind]:
            if name not in step:
                raise Refusal(f"input[{number}].{name} is required")
        own = {item.get("name") for item in request.memory.answers.get(step.get("id", ""), ())}
        if kind == "function_call" and step["name"] not in own:
            _check_name(step["name"])
        if not isinstance(step.get("arguments", {}), dict):
            raise Refusal(f"input[{number}].arguments must be an object")


def check_results_have_calls(request: ParsedRequest) -> None:
    """A result comes after the call it answers, once, and is of the call's kind and name."""
    open_calls: dict[str, str] = {}
    names: dict[str, str] = {}
    for step in _list_steps(request):
        if step["type"] in _CALLS:
            open_calls[step["id"]] = _CALLS[step["type"]]
            names[step["id"]] = step.get("name", "")
            continue
        is_result = step["type"] in _CALLS.values()
        if is_result and open_calls.pop(step["call_id"], None) != step["type"]:
            raise Refusal(f"{step['type']} '{step['call_id']}' has no matching call")
        if is_result and step.get("name", names[step["call_id"]]) != names[step["call_id"]]:
            raise Refusal(f"{step['type']} '{step['call_id']}' has another name than its call")


def check_calls_have_results(request: ParsedRequest) -> None:
    """Every call is answered before anything else is said."""
    waiting: set[str] = set()
    for step in _list_steps(request):
        if step["type"] in _CALLS:
            waiting.add(step["id"])
        elif step["type"] in _CALLS.values():
            waiting.discard(step["call_id"])
        elif step["type"] == "user_input" and waiting:
            raise Refusal(f"call '{min(waiting)}' has no result")
    if waiting:
        raise Refusal(f"call '{min(waiting)}' has no result")


def check_search_results(request: ParsedRequest) -> None:
    """What a search gives are definitions of functions."""
    for step in _list_steps(request):
        if step["type"] != "tool_search_result":
            continue
        result = step.get("result") or []
        if not isinstance(result, list) or any(
            item.get("type") != "function" or not item.get("name") for item in result
        ):
            raise Refusal("tool_search_result.result must be a list of functions")


def check_signed_steps_are_echoed(request: ParsedRequest) -> None:
    """With a call come all signed steps of its answer, unchanged and in their order."""
    steps = _list_steps(request)
    for step in steps:
        answer = request.memory.answers.get(step.get("id", "")) if "id" in step else None
        signed = [item for item in answer or () if item.get("signature")]
        given = [item for item in steps if item.get("signature")]
        if not _is_within(signed, given):
            raise Refusal("a thought signature is missing or was changed")


def check_answer_format(request: ParsedRequest) -> None:
    """A schema for the answer comes with the type of JSON, and not beside old models' tools."""
    form = request.body.get("response_format")
    if not isinstance(form, dict) or "schema" not in form:
        return
    if form.get("mime_type") != "application/json":
        raise Refusal("response_format.schema needs mime_type 'application/json'")
    if request.body.get("tools") and request.model in request.older_models:
        raise Refusal("response_format is unsupported together with tools")


INTERACTIONS_RULES: Final = (
    check_fields_are_known,
    check_model_exists,
    check_input_is_given,
    check_functions,
    check_deferral_has_search,
    check_search_fields,
    check_steps,
    check_results_have_calls,
    check_calls_have_results,
    check_search_results,
    check_signed_steps_are_echoed,
    check_answer_format,
)


def _check_name(name: str) -> None:
    if not re.fullmatch(FUNCTION_NAME, name):
        raise Refusal(f"invalid function name '{name}'")


def _list_tools(request: ParsedRequest, kind: str) -> Iterator[JsonObject]:
    return (tool for tool in request.body.get("tools") or () if tool.get("type") == kind)


def _list_steps(request: ParsedRequest) -> list[JsonObject]:
    given = request.body["input"]
    if isinstance(given, str):
        return [{"type": "user_input", "content": [{"type": "text", "text": given}]}]
    return list(given)


def _is_within(wanted: list[JsonObject], given: list[JsonObject]) -> bool:
    """The one list's items stand in the other's in the same order."""
    rest = iter(given)
    return all(any(item == other for other in rest) for item in wanted)
