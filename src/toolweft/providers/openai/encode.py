"""A request of ours as the body of `POST /responses`."""

from typing import Final

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelRequest
from toolweft.providers.openai.items import encode_items
from toolweft.providers.openai.target import Target
from toolweft.providers.openai.tools import ToolPlan, plan_tools
from toolweft.providers.openai_wire import is_strict_schema
from toolweft.providers.prefix import prefix_hash

__all__ = ("encode", "encode_with_plan")

# The API refuses less.
_MIN_OUTPUT_TOKENS: Final = 16
_CACHE_KEY_DIGITS: Final = 32
_FORMAT_NAME: Final = "answer"


def encode(request: ModelRequest, target: Target) -> JsonObject:
    """The whole body.

    Nothing is stored at the vendor: every request holds the full history, with every item of the
    replies as they came.
    """
    return encode_with_plan(request, target)[0]


def encode_with_plan(request: ModelRequest, target: Target) -> tuple[JsonObject, ToolPlan]:
    """The whole body, and how its tools went into it."""
    plan = plan_tools(request, target.capabilities, lists_deferred=target.lists_deferred)
    body: JsonObject = {"model": target.model, "store": False}
    if plan.listed:
        body["tools"] = list(plan.listed)
    if request.system:
        body["instructions"] = request.system
    body["prompt_cache_key"] = target.cache_key or prefix_hash(body)[:_CACHE_KEY_DIGITS]
    body["input"] = encode_items(request.messages, plan=plan, target=target)
    body["max_output_tokens"] = max(request.max_tokens, _MIN_OUTPUT_TOKENS)
    if target.is_reasoning:
        body["include"] = ["reasoning.encrypted_content"]
    if target.effort is not None:
        body["reasoning"] = {"effort": target.effort}
    if request.temperature is not None and target.capabilities.takes_temperature:
        body["temperature"] = request.temperature
    schema = request.output_schema
    if schema is not None and target.capabilities.has_structured_output:
        body["text"] = {
            "format": {
                "type": "json_schema",
                "name": _FORMAT_NAME,
                "schema": schema,
                # Held to exactly where the API can; else the model is only told of it.
                "strict": is_strict_schema(schema),
            }
        }
    return body, plan
