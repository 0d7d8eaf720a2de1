"""What the Responses API refuses of tools and settings, one rule a function.

Sources: the vendor's SDK and documentation, and its own error texts where they are known. A rule
whose words are ours says so.
"""

from collections import Counter
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.openai_http import Refusal
from toolweft.testing.vendors.openai_request import FUNCTION_NAME, ParsedRequest

__all__ = (
    "SETTING_RULES",
    "check_client_search_is_described",
    "check_deferred_tools_have_search",
    "check_model_exists",
    "check_output_limit",
    "check_parameters_are_known",
    "check_program_tool_is_one",
    "check_programmatic_tools_have_programs",
    "check_programs_are_supported",
    "check_programs_have_tools",
    "check_reasoning_settings",
    "check_search_is_one",
    "check_search_is_supported",
    "check_strict_functions",
    "check_temperature",
    "check_text_format",
    "check_tool_names",
    "check_tools_are_complete",
)

_MIN_OUTPUT_TOKENS: Final = 16
_PARAMETERS: Final = frozenset(
    [
        "background",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
_TOOL_TYPES: Final = frozenset(
    [
        "function",
        "custom",
        "namespace",
        "tool_search",
        "programmatic_tool_calling",
        "mcp",
        "web_search",
        "file_search",
        "code_interpreter",
        "image_generation",
        "local_shell",
        "shell",
        "apply_patch",
        "computer",
    ]
)


def check_parameters_are_known(request: ParsedRequest) -> None:
    """A parameter that the API does not have is refused."""
    for name in request.body:
        if name not in _PARAMETERS:
            raise Refusal(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def check_model_exists(request: ParsedRequest) -> None:
    """The model is one that the account can use."""
    model = request.body.get("model")
    if not model:
        raise Refusal("you must provide a model parameter", param="model")
    if model not in request.models:
        raise Refusal(
            f"The model '{model}' does not exist or you do not have access to it.",
            code="model_not_found",
            status=404,
        )


def check_tools_are_complete(request: ParsedRequest) -> None:
    """A tool has a type that exists; a function has a name, and parameters that are an object."""
    for index, tool in enumerate(request.tools):
        if tool.get("type") not in _TOOL_TYPES:
            raise Refusal(
                f"Invalid value: '{tool.get('type')}'.",
                code="invalid_value",
                param=f"tools[{index}].type",
            )
    for tool in request.functions:
        if not tool.get("name"):
            raise Refusal(
                "Missing required parameter: 'tools[0].name'.", code="missing_required_parameter"
            )
        schema = tool.get("parameters")
        if schema is not None and schema.get("type") != "object":
            raise Refusal(
                f"Invalid schema for function '{tool['name']}': schema must be a JSON Schema of"
                f" 'type: \"object\"', got 'type: \"{schema.get('type')}\"'.",
                code="invalid_function_parameters",
            )


def check_tool_names(request: ParsedRequest) -> None:
    """Names are letters, digits, "_" and "-", at most 64, and no two at the start are alike."""
    for tool in request.functions:
        if not FUNCTION_NAME.fullmatch(tool["name"]):
            raise Refusal(
                f"Invalid 'tools[0].name': string does not match pattern: '{tool['name']}'."
                " Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                code="invalid_value",
            )
    counts = Counter(t.get("name") for t in request.tools if t.get("name"))
    for name, count in counts.items():
        if count > 1:
            raise Refusal(f"Duplicate tool name: '{name}'.", param="tools")


def check_deferred_tools_have_search(request: ParsedRequest) -> None:
    """Deferred tools at the start need a tool search beside them."""
    has_search = any(tool.get("type") == "tool_search" for tool in request.tools)
    if not has_search and any(t.get("defer_loading") for t in _start(request)):
        raise Refusal("Deferred tools require tools.tool_search.", param="tools")


def check_search_is_one(request: ParsedRequest) -> None:
    """There is one tool search at most. Wording ours."""
    if sum(tool.get("type") == "tool_search" for tool in request.tools) > 1:
        raise Refusal("Only one tool_search tool may be provided.", param="tools")


def check_client_search_is_described(request: ParsedRequest) -> None:
    """A search that the client executes has a description. Wording ours."""
    for tool in request.tools:
        is_client = tool.get("type") == "tool_search" and tool.get("execution") == "client"
        if is_client and not tool.get("description"):
            raise Refusal("Client-executed tool_search requires a description.", param="tools")


def check_search_is_supported(request: ParsedRequest) -> None:
    """Search and what belongs to it need a model that has it."""
    uses = any(tool.get("type") == "tool_search" for tool in request.tools)
    if (uses or request.of_type("additional_tools")) and not request.facts.has_search:
        raise Refusal(
            f"Tool 'tool_search' is not supported with {request.body['model']}.", param="tools"
        )


def check_programs_are_supported(request: ParsedRequest) -> None:
    """Programs, and tools for them, need a model that writes them."""
    uses = _program_tools(request) or any(t.get("allowed_callers") for t in request.functions)
    if uses and not request.facts.has_programs:
        raise Refusal(
            f"Tool 'programmatic_tool_calling' is not supported with {request.body['model']}.",
            param="tools",
        )


def check_program_tool_is_one(request: ParsedRequest) -> None:
    """There is one tool for programs at most. Wording ours."""
    if _program_tools(request) > 1:
        raise Refusal("Only one programmatic_tool_calling tool may be provided.", param="tools")


def check_programmatic_tools_have_programs(request: ParsedRequest) -> None:
    """A tool that programs may call needs the tool for programs. Wording ours."""
    if _program_tools(request):
        return
    for tool in request.functions:
        if "programmatic" in (tool.get("allowed_callers") or ()):
            raise Refusal(
                f"Tool '{tool['name']}' allows programmatic callers but"
                " tools.programmatic_tool_calling is missing.",
                param="tools",
            )


def check_programs_have_tools(request: ParsedRequest) -> None:
    """The tool for programs needs a tool to call, or a search that may bring one. Wording ours."""
    eligible = any("programmatic" in (t.get("allowed_callers") or ()) for t in _start(request))
    has_search = any(tool.get("type") == "tool_search" for tool in request.tools)
    if _program_tools(request) and not eligible and not has_search:
        raise Refusal(
            "programmatic_tool_calling requires at least one tool that allows programmatic"
            " callers.",
            param="tools",
        )


def check_strict_functions(request: ParsedRequest) -> None:
    """A strict function's objects require every property and allow no others."""
    for tool in request.functions:
        if tool.get("strict"):
            _check_strict(tool.get("parameters"), f"function '{tool['name']}'")


def check_text_format(request: ParsedRequest) -> None:
    """An answer's schema has a name, and where it is strict requires every property."""
    form = (request.body.get("text") or {}).get("format") or {}
    if form.get("type") != "json_schema":
        return
    for key in ("name", "schema"):
        if not form.get(key):
            param = f"text.format.{key}"
            raise Refusal(
                f"Missing required parameter: '{param}'.",
                code="missing_required_parameter",
                param=param,
            )
    if not FUNCTION_NAME.fullmatch(form["name"]):
        raise Refusal("Invalid 'text.format.name'.", code="invalid_value", param="text.format.name")
    if form.get("strict"):
        _check_strict(form["schema"], f"response_format '{form['name']}'")


def check_temperature(request: ParsedRequest) -> None:
    """Models that reason take no temperature."""
    if "temperature" in request.body and request.facts.is_reasoning:
        raise Refusal(
            "Unsupported parameter: 'temperature' is not supported with this model.",
            param="temperature",
        )


def check_reasoning_settings(request: ParsedRequest) -> None:
    """Models that do not reason take no settings of it, and give nothing encrypted."""
    if request.facts.is_reasoning:
        return
    if request.body.get("reasoning"):
        raise Refusal(
            "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
            code="unsupported_parameter",
            param="reasoning.effort",
        )
    if "reasoning.encrypted_content" in (request.body.get("include") or ()):
        raise Refusal("Encrypted content is not supported with this model.", param="include")


def check_output_limit(request: ParsedRequest) -> None:
    """The limit of the output is 16 tokens or more."""
    limit = request.body.get("max_output_tokens")
    if limit is not None and limit < _MIN_OUTPUT_TOKENS:
        raise Refusal(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >="
            f" {_MIN_OUTPUT_TOKENS}, but got {limit} instead.",
            code="integer_below_min_value",
            param="max_output_tokens",
        )


def _start(request: ParsedRequest) -> list[JsonObject]:
    """The functions and servers at the start, in namespaces too."""
    told: list[JsonObject] = []
    for tool in request.tools:
        told += tool.get("tools") or () if tool.get("type") == "namespace" else (tool,)
    return told


def _program_tools(request: ParsedRequest) -> int:
    return sum(tool.get("type") == "programmatic_tool_calling" for tool in request.tools)


def _check_strict(schema: Json, place: str) -> None:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False:
            raise Refusal(
                f"Invalid schema for {place}: In context=(), 'additionalProperties' is required to"
                " be supplied and to be false.",
                code="invalid_json_schema",
            )
        if set(properties) != set(schema.get("required") or ()):
            raise Refusal(
                f"Invalid schema for {place}: In context=(), 'required' is required to be supplied"
                " and to be an array including every key in properties.",
                code="invalid_json_schema",
            )
    for part in [*(schema.get("properties") or {}).values(), schema.get("items")]:
        _check_strict(part, place)


SETTING_RULES: Final = (
    check_parameters_are_known,
    check_model_exists,
    check_tools_are_complete,
    check_tool_names,
    check_deferred_tools_have_search,
    check_search_is_one,
    check_client_search_is_described,
    check_search_is_supported,
    check_programs_are_supported,
    check_program_tool_is_one,
    check_programmatic_tools_have_programs,
    check_programs_have_tools,
    check_strict_functions,
    check_text_format,
    check_temperature,
    check_reasoning_settings,
    check_output_limit,
)
