"""What generateContent refuses, one rule a function.

The vendor's own words where they are known; a rule whose words are ours says so.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.gemini_request import (
    FOREIGN_SIGNATURE,
    FUNCTION_NAME,
    ParsedRequest,
    Refusal,
)

__all__ = (
    "GENERATE_RULES",
    "check_call_turns_follow_user_turns",
    "check_called_names",
    "check_calls_are_answered",
    "check_contents_are_given",
    "check_fields_are_known",
    "check_first_calls_are_signed",
    "check_function_count",
    "check_function_names",
    "check_model_exists",
    "check_objects",
    "check_parts_hold_one_thing",
    "check_result_ids",
    "check_schemas",
    "check_signed_parts_are_unchanged",
)

_MAX_FUNCTIONS: Final = 512
_FIELDS: Final = frozenset(
    {
        *("contents", "tools", "toolConfig", "systemInstruction", "generationConfig"),
        *("safetySettings", "cachedContent", "labels", "serviceTier"),
    }
)
_FUNCTION_FIELDS: Final = frozenset(
    {
        *("name", "description", "behavior", "parameters", "parametersJsonSchema"),
        *("response", "responseJsonSchema"),
    }
)
_DATA: Final = frozenset(
    {
        *("text", "inlineData", "fileData", "functionCall", "functionResponse"),
        *("executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
    }
)


def check_fields_are_known(request: ParsedRequest) -> None:
    """A field that the API does not have is refused, in functions too: there is no deferral."""
    for name in request.body.keys() - _FIELDS:
        raise _unknown(name)
    for function in _list_functions(request):
        for name in function.keys() - _FUNCTION_FIELDS:
            raise _unknown(name, at="tools[0].function_declarations[0]")


def check_model_exists(request: ParsedRequest) -> None:
    """The model in the address is one of the vendor's."""
    if request.model not in request.models:
        raise Refusal(
            f"models/{request.model} is not found for API version v1beta, or is not supported for"
            " generateContent.",
            status=404,
            name="NOT_FOUND",
        )


def check_contents_are_given(request: ParsedRequest) -> None:
    """There is a content, each has a role that exists, and none is empty."""
    contents = request.body.get("contents")
    if not contents:
        raise Refusal("* GenerateContentRequest.contents: contents is not specified")
    for number, content in enumerate(contents):
        if content.get("role", "user") not in {"user", "model"}:
            raise Refusal("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise Refusal(
                f"* GenerateContentRequest.contents[{number}].parts: contents.parts must not be"
                " empty."
            )


def check_parts_hold_one_thing(request: ParsedRequest) -> None:
    """A part holds one kind of data."""
    for number, content in enumerate(request.body["contents"]):
        for index, part in enumerate(content["parts"]):
            if len(part.keys() & _DATA) != 1:
                raise Refusal(
                    f"* GenerateContentRequest.contents[{number}].parts[{index}].data: required"
                    " oneof field 'data' must have one initialized field"
                )


def check_objects(request: ParsedRequest) -> None:
    """Arguments and responses are objects. The words are ours."""
    for _, _, part in _list_parts(request):
        for kind, key in (("functionCall", "args"), ("functionResponse", "response")):
            if kind in part and not isinstance(part[kind].get(key, {}), dict):
                raise Refusal(f"Invalid value at '{kind}.{key}', Starting an object expected")


def check_call_turns_follow_user_turns(request: ParsedRequest) -> None:
    """A turn with calls comes right after a turn of the user."""
    contents = request.body["contents"]
    for number, content in enumerate(contents):
        if content.get("role") != "model" or not _find(content, "functionCall"):
            continue
        if number == 0 or contents[number - 1].get("role", "user") != "user":
            raise Refusal(
                "Please ensure that function call turn comes immediately after a user turn or after"
                " a function response turn."
            )


def check_calls_are_answered(request: ParsedRequest) -> None:
    """The content after a turn of calls holds as many results, and results stand nowhere else."""
    contents = request.body["contents"]
    before: JsonObject = {}
    for number, content in enumerate(contents):
        calls = _find(before, "functionCall") if before.get("role") == "model" else []
        results = _find(content, "functionResponse")
        if results and not calls:
            raise Refusal(
                "Please ensure that function response turn comes immediately after a function call"
                " turn."
            )
        if len(calls) != len(results):
            raise Refusal(
                "Please ensure that the number of function response parts is equal to the number of"
                " function call parts of the function call turn."
            )
        before = contents[number]


def check_result_ids(request: ParsedRequest) -> None:
    """A result has the id of its call, and its name, in the order of the calls. Our words."""
    contents = request.body["contents"]
    for before, content in pairwise(contents):
        pairs = zip(_find(before, "functionCall"), _find(content, "functionResponse"), strict=False)
        for call, result in pairs:
            same = (call.get("id"), call["name"]) == (result.get("id"), result.get("name"))
            if not same:
                raise Refusal(
                    f"function response {result.get('id')}/{result.get('name')} does not match the"
                    f" function call {call.get('id')}/{call['name']}"
                )


def check_first_calls_are_signed(request: ParsedRequest) -> None:
    """The first call of each model step comes with its signature."""
    for number, content in enumerate(request.body["contents"]):
        calls = [part for part in content["parts"] if "functionCall" in part]
        if request.model in request.older_models or content.get("role") != "model":
            continue
        if calls and not calls[0].get("thoughtSignature"):
            raise Refusal(
                f"Function call is missing a thought_signature in functionCall parts. Function call"
                f" `default_api:{calls[0]['functionCall']['name']}`, position {number + 1}."
            )


def check_signed_parts_are_unchanged(request: ParsedRequest) -> None:
    """A signature stands on the part it came with, which is neither merged nor split."""
    for _, _, part in _list_parts(request):
        signature = part.get("thoughtSignature")
        if signature is None or signature == FOREIGN_SIGNATURE:
            continue
        if request.memory.signed.get(signature) != part:
            raise Refusal("Corrupted thought signature.")


def check_function_count(request: ParsedRequest) -> None:
    """At most 512 functions. The words are ours."""
    found = sum(1 for _ in _list_functions(request))
    if found > _MAX_FUNCTIONS:
        raise Refusal(f"at most {_MAX_FUNCTIONS} function declarations are allowed, got {found}")


def check_function_names(request: ParsedRequest) -> None:
    """Names have a form, and none stands twice."""
    seen: set[str] = set()
    for function in _list_functions(request):
        name = function.get("name") or ""
        _check_name(name, "tools[0].function_declarations[0]")
        if name in seen:
            raise Refusal(f"Duplicate function declaration found: {name}")
        seen.add(name)


def check_called_names(request: ParsedRequest) -> None:
    """Names in calls and results have the same form, but what it signed itself it takes back."""
    signed = request.memory.signed.values()
    own = {part["functionCall"]["name"] for part in signed if "functionCall" in part}
    for number, index, part in _list_parts(request):
        called = part.get("functionCall") or part.get("functionResponse")
        if called and called["name"] not in own:
            _check_name(called["name"], f"contents[{number}].parts[{index}]")


def _check_name(name: str, place: str) -> None:
    if not re.fullmatch(FUNCTION_NAME, name):
        raise Refusal(
            f"* GenerateContentRequest.{place}.name: [Invalid function name. Must start with a"
            " letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots"
            " (.), colons (:), or dashes (-), with a maximum length of 128.]"
        )


def check_schemas(request: ParsedRequest) -> None:
    """One form of schema a function; for the answer JSON alone, and not beside old models' tools.

    The words are ours.
    """
    for function in _list_functions(request):
        if "parameters" in function and "parametersJsonSchema" in function:
            raise Refusal("parameters and parameters_json_schema are mutually exclusive")
        schema = function.get("parametersJsonSchema")
        if schema is not None and schema.get("type") != "object":
            raise Refusal("functionDeclaration parameters schema should be of type OBJECT")
    config = request.body.get("generationConfig") or {}
    if "responseJsonSchema" not in config:
        return
    if config.get("responseMimeType") != "application/json":
        raise Refusal("response_json_schema is only allowed with mime type application/json")
    if request.body.get("tools") and request.model in request.older_models:
        raise Refusal(
            "Function calling with a response mime type: 'application/json' is unsupported"
        )


GENERATE_RULES: Final = (
    check_model_exists,
    check_fields_are_known,
    check_function_count,
    check_function_names,
    check_schemas,
    check_contents_are_given,
    check_parts_hold_one_thing,
    check_objects,
    check_called_names,
    check_call_turns_follow_user_turns,
    check_calls_are_answered,
    check_result_ids,
    check_first_calls_are_signed,
    check_signed_parts_are_unchanged,
)


def _list_functions(request: ParsedRequest) -> Iterator[JsonObject]:
    for tool in request.body.get("tools") or ():
        yield from tool.get("functionDeclarations") or ()


def _list_parts(request: ParsedRequest) -> Iterator[tuple[int, int, JsonObject]]:
    for number, content in enumerate(request.body["contents"]):
        for index, part in enumerate(content["parts"]):
            yield number, index, part


def _find(content: JsonObject, kind: str) -> list[JsonObject]:
    return [part[kind] for part in content.get("parts") or () if kind in part]


def _unknown(name: str, *, at: str = "") -> Refusal:
    place = f' at "{at}"' if at else ""
    return Refusal(
        f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
    )
