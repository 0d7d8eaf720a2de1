"""What servers of Chat Completions refuse, one rule a function.

OpenAI's own words where they are known. A rule that other servers have says whose it is.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Final

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.openai_http import Refusal
from toolweft.testing.vendors.openai_request import FUNCTION_NAME

__all__ = (
    "RULES",
    "ChatRequest",
    "check_arguments_are_json",
    "check_calls_are_answered",
    "check_calls_are_complete",
    "check_content_is_given",
    "check_images",
    "check_messages_are_given",
    "check_model_exists",
    "check_output_limit",
    "check_parameters_are_known",
    "check_response_format",
    "check_results_are_text",
    "check_results_follow_calls",
    "check_stream_options",
    "check_tools_are_complete",
)

_ROLES: Final = ("system", "developer", "user", "assistant", "tool")
_PARAMETERS: Final = frozenset(
    [
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A body, and what its server is."""

    body: JsonObject
    models: frozenset[str]
    takes_images: bool = True
    # Refuses the older name of the output's limit, as OpenAI does for models that reason.
    wants_completion_limit: bool = False

    @property
    def messages(self) -> list[JsonObject]:
        """Those given."""
        return list(self.body.get("messages") or ())


def check_parameters_are_known(request: ChatRequest) -> None:
    """A parameter that the API does not have is refused."""
    for name in request.body:
        if name not in _PARAMETERS:
            raise Refusal(
                f"Unrecognized request argument supplied: {name}", code="unknown_parameter"
            )


def check_model_exists(request: ChatRequest) -> None:
    """The model is one that the server has."""
    model = request.body.get("model")
    if model not in request.models:
        raise Refusal(f"The model `{model}` does not exist.", code="model_not_found", status=404)


def check_messages_are_given(request: ChatRequest) -> None:
    """There is at least one message, each with a role that exists."""
    if not request.messages:
        raise Refusal(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            code="empty_array",
            param="messages",
        )
    for index, message in enumerate(request.messages):
        if message.get("role") not in _ROLES:
            raise Refusal(
                f"Invalid value: '{message.get('role')}'.",
                code="invalid_value",
                param=f"messages[{index}].role",
            )


def check_content_is_given(request: ChatRequest) -> None:
    """A message has content; that of a model may be null beside calls alone."""
    for index, message in enumerate(request.messages):
        has_calls = message["role"] == "assistant" and message.get("tool_calls")
        if message.get("content") is None and not has_calls and not message.get("refusal"):
            raise Refusal(
                "Invalid value for 'content': expected a string, got null.",
                param=f"messages[{index}].content",
            )


def check_results_follow_calls(request: ChatRequest) -> None:
    """A result stands after the message with its call, and nothing but results between."""
    open_ids: set[str] = set()
    for index, message in enumerate(request.messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_ids:
                raise Refusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a"
                    " preceeding message with 'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
        else:
            open_ids = {call["id"] for call in message.get("tool_calls") or ()}


def check_calls_are_answered(request: ChatRequest) -> None:
    """Every call has its result before anybody speaks again."""
    missing: list[str] = []
    for index, message in enumerate([*request.messages, {"role": "end"}]):
        if message["role"] == "tool":
            missing = [call_id for call_id in missing if call_id != message["tool_call_id"]]
            continue
        if missing:
            raise Refusal(
                "An assistant message with 'tool_calls' must be followed by tool messages"
                " responding to each 'tool_call_id'. The following tool_call_ids did not have"
                f" response messages: {', '.join(missing)}",
                param=f"messages.[{index}].role",
            )
        missing = [call["id"] for call in message.get("tool_calls") or ()]


def check_calls_are_complete(request: ChatRequest) -> None:
    """A call has an id of its own, a type, a name that fits, and arguments as text."""
    for message in request.messages:
        calls = message.get("tool_calls")
        if calls is not None and not calls:
            raise Refusal(
                "Invalid 'messages.tool_calls': empty array. Expected an array with minimum length"
                " 1, but got an empty array instead.",
                code="empty_array",
            )
        counts = Counter(call.get("id") for call in calls or ())
        for call in calls or ():
            function = call.get("function") or {}
            is_whole = call.get("type") == "function" and function.get("name")
            if not is_whole or not call.get("id") or counts[call["id"]] > 1:
                raise Refusal("Invalid 'messages.tool_calls'.", code="invalid_value")
            if not FUNCTION_NAME.fullmatch(function["name"]):
                raise Refusal(
                    "Invalid 'messages.tool_calls.function.name': string does not match pattern."
                    " Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                    code="invalid_value",
                )
            if not isinstance(function.get("arguments"), str):
                raise Refusal("Invalid type for 'arguments': expected a string.")


def check_arguments_are_json(request: ChatRequest) -> None:
    """Arguments of the history are a JSON object: vLLM and llama.cpp parse them to show them."""
    for message in request.messages:
        for call in message.get("tool_calls") or ():
            try:
                value = json.loads(call["function"]["arguments"])
            except ValueError as exc:
                raise Refusal(f"Failed to parse tool call arguments as JSON: {exc}") from None
            if not isinstance(value, dict):
                raise Refusal("Tool call arguments must be a JSON object.")


def check_results_are_text(request: ChatRequest) -> None:
    """A result is text, or parts that are text."""
    for message in request.messages:
        content = message.get("content")
        if message["role"] != "tool" or isinstance(content, str):
            continue
        if any(part.get("type") != "text" for part in content or ()):
            raise Refusal("Invalid value: 'image_url'. Supported values are: 'text'.")


def check_tools_are_complete(request: ChatRequest) -> None:
    """A tool is a function with a name that fits, none like another, and an object's schema."""
    tools = request.body.get("tools")
    if tools is not None and not tools:
        raise Refusal(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an"
            " empty array instead.",
            code="empty_array",
            param="tools",
        )
    seen: set[str] = set()
    for index, tool in enumerate(tools or ()):
        function = tool.get("function") or {}
        if tool.get("type") != "function":
            raise Refusal(f"Invalid value: '{tool.get('type')}'.", param=f"tools[{index}].type")
        name = function.get("name") or ""
        if not FUNCTION_NAME.fullmatch(name) or name in seen:
            raise Refusal(
                f"Invalid 'tools[{index}].function.name'.",
                code="invalid_value",
                param=f"tools[{index}].function.name",
            )
        seen.add(name)
        if (function.get("parameters") or {"type": "object"}).get("type") != "object":
            raise Refusal(
                f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type:"
                ' "object"\'.',
                code="invalid_function_parameters",
            )


def check_response_format(request: ChatRequest) -> None:
    """An answer's schema has a name, and where it is strict requires every property."""
    form = request.body.get("response_format") or {}
    if form.get("type") != "json_schema":
        return
    given = form.get("json_schema") or {}
    schema = given.get("schema")
    if not FUNCTION_NAME.fullmatch(given.get("name") or "") or not schema:
        raise Refusal(
            "Missing required parameter: 'response_format.json_schema.name'.",
            code="missing_required_parameter",
        )
    properties = schema.get("properties") or {}
    is_closed = schema.get("additionalProperties") is False
    if given.get("strict") and not (is_closed and set(properties) == set(schema["required"])):
        raise Refusal(
            f"Invalid schema for response_format '{given['name']}': In context=(),"
            " 'additionalProperties' is required to be supplied and to be false.",
        )


def check_stream_options(request: ChatRequest) -> None:
    """Options of a stream need a stream."""
    if request.body.get("stream_options") and not request.body.get("stream"):
        raise Refusal(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def check_output_limit(request: ChatRequest) -> None:
    """OpenAI's models that reason know the limit by its newer name alone."""
    if request.wants_completion_limit and "max_tokens" in request.body:
        raise Refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
            " 'max_completion_tokens' instead.",
            code="unsupported_parameter",
            param="max_tokens",
        )


def check_images(request: ChatRequest) -> None:
    """Images go to models that see; llama.cpp and vLLM refuse them for others."""
    for message in request.messages:
        parts = message.get("content") if isinstance(message.get("content"), list) else ()
        if not request.takes_images and any(p.get("type") == "image_url" for p in parts or ()):
            raise Refusal("image input is not supported", status=500)


RULES: Final = (
    check_parameters_are_known,
    check_model_exists,
    check_messages_are_given,
    check_content_is_given,
    check_calls_are_complete,
    check_results_follow_calls,
    check_calls_are_answered,
    check_arguments_are_json,
    check_results_are_text,
    check_tools_are_complete,
    check_response_format,
    check_stream_options,
    check_output_limit,
    check_images,
)
