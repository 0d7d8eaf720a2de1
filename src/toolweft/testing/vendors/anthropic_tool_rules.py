"""What the Messages API refuses of a request's frame and tools, one rule a function.

The vendor's own words where they are known; a rule whose words are ours says so.
"""

from collections import Counter
from typing import Final

from toolweft.catalog.schemas import check_schema_meaning
from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.testing.vendors.anthropic_request import (
    CODE_TOOLS,
    TOOL_NAME,
    ParsedRequest,
    Refusal,
)

__all__ = (
    "TOOL_RULES",
    "check_betas_exist",
    "check_callers_exist",
    "check_choice_is_free",
    "check_deferred_are_not_marked",
    "check_examples_fit",
    "check_marks_are_few",
    "check_model_exists",
    "check_not_all_are_deferred",
    "check_output_schema_fits",
    "check_parameters_are_known",
    "check_programmatic_are_not_recursive",
    "check_programmatic_are_not_strict",
    "check_required_is_given",
    "check_sampling_is_not_set",
    "check_tool_names",
    "check_tool_schemas",
    "check_version_is_given",
)

_VERSIONS: Final = ("2023-06-01", "2026-10-21")
_NO_SAMPLING_SINCE: Final = "2026-10-21"
_PARAMETERS: Final = frozenset(
    {
        *("cache_control", "container", "context_management", "diagnostics", "inference_geo"),
        *("max_tokens", "mcp_servers", "messages", "metadata", "model", "output_config"),
        *("service_tier", "speed", "stop_sequences", "stream", "system", "temperature"),
        *("thinking", "tool_choice", "tools", "top_k", "top_p"),
    }
)
_BETAS: Final = frozenset(
    {
        "advanced-tool-use-2025-11-20",
        "inline-tools-2026-09-15",
        "mcp-client-2025-11-20",
        "mcp-client-2026-09-15",
        "mid-conversation-tool-changes-2026-07-01",
    }
)
_MAX_MARKS: Final = 4
_MAX_TOOLS: Final = 10_000


def check_version_is_given(request: ParsedRequest) -> None:
    """Every request names a version of the API that exists."""
    version = request.headers.get("anthropic-version")
    if not version:
        raise Refusal("anthropic-version: header is required")
    if version not in _VERSIONS:
        raise Refusal(f'anthropic-version: "{version}" is not a valid version')


def check_betas_exist(request: ParsedRequest) -> None:
    """A beta that does not exist is refused."""
    for beta in sorted(request.betas - _BETAS):
        raise Refusal(f"Unexpected value(s) `{beta}` for the `anthropic-beta` header.")


def check_parameters_are_known(request: ParsedRequest) -> None:
    """A parameter that the API does not have is refused."""
    for name in request.body:
        if name not in _PARAMETERS:
            raise Refusal(f"{name}: Extra inputs are not permitted")


def check_required_is_given(request: ParsedRequest) -> None:
    """Model, messages and the most that may be written are required."""
    for name in ("model", "max_tokens", "messages"):
        if request.body.get(name) is None:
            raise Refusal(f"{name}: Field required")
    if request.body["max_tokens"] < 1:
        raise Refusal("max_tokens: Input should be greater than or equal to 1")


def check_model_exists(request: ParsedRequest) -> None:
    """The model is one that the key may use."""
    model = request.body["model"]
    if model not in request.models:
        raise Refusal(f"model: {model}", status=404, kind="not_found_error")


def check_sampling_is_not_set(request: ParsedRequest) -> None:
    """From version 2026-10-21 on there is no temperature, top_p or top_k. Wording ours."""
    if request.headers["anthropic-version"] >= _NO_SAMPLING_SINCE:
        for name in ("temperature", "top_p", "top_k"):
            if name in request.body:
                raise Refusal(f"{name}: Extra inputs are not permitted")


def check_tool_names(request: ParsedRequest) -> None:
    """Names are letters, digits, "_" and "-", and no two alike; there are at most 10,000."""
    for index, tool in enumerate(request.tools):
        if not TOOL_NAME.fullmatch(str(tool.get("name", ""))):
            raise Refusal(
                f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )
    if any(count > 1 for count in Counter(tool["name"] for tool in request.tools).values()):
        raise Refusal("tools: Tool names must be unique.")
    if len(request.tools) > _MAX_TOOLS:
        raise Refusal("tools: too many tools", error_code="available_tools_limit_exceeded")


def check_tool_schemas(request: ParsedRequest) -> None:
    """An input schema is an object's and valid."""
    for index, tool in enumerate(request.tools):
        if tool.get("type", "custom") != "custom":
            continue
        place = f"tools.{index}.custom.input_schema"
        schema = tool.get("input_schema")
        if not isinstance(schema, dict):
            raise Refusal(f"{place}: Field required")
        if schema.get("type") != "object":
            raise Refusal(f"{place}.type: Input should be 'object'")
        try:
            check_schema_meaning(schema, place=place)
        except InvalidDefinition as exc:
            raise Refusal(f"{place}: JSON schema is invalid: {exc}") from exc


def check_not_all_are_deferred(request: ParsedRequest) -> None:
    """At least one tool is not deferred."""
    if request.tools and all(tool.get("defer_loading") for tool in request.tools):
        raise Refusal(
            "At least one tool must have defer_loading=false. All tools cannot be deferred."
        )


def check_deferred_are_not_marked(request: ParsedRequest) -> None:
    """A deferred tool stands outside of what is cached, so it carries no mark."""
    for tool in request.tools:
        if tool.get("defer_loading") and tool.get("cache_control"):
            raise Refusal(
                f"Tool '{tool['name']}' cannot have both defer_loading=true and cache_control set."
                " Tools with defer_loading cannot use prompt caching."
            )


def check_marks_are_few(request: ParsedRequest) -> None:
    """There are four marks for the cache at most."""
    marks = _count_marks(request.body)
    if marks > _MAX_MARKS:
        raise Refusal(
            f"A maximum of {_MAX_MARKS} blocks with cache_control may be provided. Found {marks}."
        )


def check_examples_fit(request: ParsedRequest) -> None:
    """Each input example is valid against its tool's schema. Wording ours."""
    for index, tool in enumerate(request.tools):
        if not tool.get("input_examples"):
            continue
        place = f"tools.{index}.custom.input_examples"
        if tool.get("type", "custom") != "custom":
            raise Refusal(f"{place}: Extra inputs are not permitted")
        validator = check_schema_meaning(tool["input_schema"], place=place)
        for number, example in enumerate(tool["input_examples"]):
            if not validator.is_valid(example):
                raise Refusal(f"{place}.{number}: does not match the tool's input_schema")


def check_callers_exist(request: ParsedRequest) -> None:
    """Callers are the model or a version of the code tool that runs programs. Wording ours."""
    for index, tool in enumerate(request.tools):
        callers = tool.get("allowed_callers", ["direct"])
        if not callers or not set(callers) <= {"direct", *CODE_TOOLS}:
            raise Refusal(f"tools.{index}.allowed_callers: Input should be a known caller")


def check_programmatic_are_not_strict(request: ParsedRequest) -> None:
    """Programs do not call strict tools. Wording ours."""
    for tool in request.tools:
        if _is_programmatic(tool) and tool.get("strict"):
            raise Refusal(f"Tool '{tool['name']}': strict is not supported with allowed_callers")


def check_programmatic_are_not_recursive(request: ParsedRequest) -> None:
    """A schema that refers to itself cannot be offered to programs. Wording ours."""
    for tool in request.tools:
        if _is_programmatic(tool) and _reaches(tool["input_schema"], tool["input_schema"], ()):
            raise Refusal(f"Tool '{tool['name']}': recursive $ref in input_schema")


def check_choice_is_free(request: ParsedRequest) -> None:
    """The newest models are not forced; nobody is to a tool that only programs may call."""
    choice = request.body.get("tool_choice") or {"type": "auto"}
    kind = choice.get("type")
    if kind in {"any", "tool"} and request.body["model"] in request.unforced_models:
        raise Refusal(f"tool_choice: type '{kind}' is not supported on this model")
    for tool in request.tools:
        if not _is_programmatic(tool):
            continue
        if choice.get("disable_parallel_tool_use"):
            raise Refusal(
                "disable_parallel_tool_use is not supported with programmatic tool calling"
            )
        is_named = kind == "tool" and tool["name"] == choice.get("name")
        if is_named and "direct" not in tool["allowed_callers"]:
            raise Refusal("tool_choice: the tool cannot be called directly")


def check_output_schema_fits(request: ParsedRequest) -> None:
    """In an answer's schema every object is closed, and nothing refers to itself."""
    schema = ((request.body.get("output_config") or {}).get("format") or {}).get("schema")
    if schema is None:
        return
    if _reaches(schema, schema, ()):
        raise Refusal("output_config.format.schema: Recursive schemas are not supported.")
    _check_closed(schema)


TOOL_RULES: Final = (
    check_version_is_given,
    check_betas_exist,
    check_parameters_are_known,
    check_required_is_given,
    check_model_exists,
    check_sampling_is_not_set,
    check_tool_names,
    check_tool_schemas,
    check_not_all_are_deferred,
    check_deferred_are_not_marked,
    check_marks_are_few,
    check_examples_fit,
    check_callers_exist,
    check_programmatic_are_not_strict,
    check_programmatic_are_not_recursive,
    check_choice_is_free,
    check_output_schema_fits,
)


def _is_programmatic(tool: JsonObject) -> bool:
    return not CODE_TOOLS.isdisjoint(tool.get("allowed_callers", ()))


def _count_marks(value: Json) -> int:
    if isinstance(value, list):
        return sum(map(_count_marks, value))
    if not isinstance(value, dict):
        return 0
    # What a tool takes or was given may hold any words.
    inner = (v for key, v in value.items() if key not in {"input", "input_schema"})
    return bool(value.get("cache_control")) + sum(map(_count_marks, inner))


def _reaches(node: Json, root: JsonSchema, on_the_way: tuple[str, ...]) -> bool:
    """Whether following references from here comes back to one that is being followed."""
    if isinstance(node, list):
        return any(_reaches(item, root, on_the_way) for item in node)
    if not isinstance(node, dict):
        return False
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference in on_the_way:
            return True
        target: Json = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            target = target.get(part, {}) if part else target
        if _reaches(target, root, (*on_the_way, reference)):
            return True
    return any(_reaches(v, root, on_the_way) for key, v in node.items() if key != "$defs")


def _check_closed(schema: Json) -> None:
    if isinstance(schema, list):
        for item in schema:
            _check_closed(item)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            raise Refusal(
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be"
                " explicitly set to false"
            )
        for item in schema.values():
            _check_closed(item)
