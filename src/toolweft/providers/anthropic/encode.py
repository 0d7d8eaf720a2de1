"""A turn of a model as a request to the Messages API: its body and its headers. Pure functions."""

import json
import logging
from collections.abc import Iterator

from toolweft.core.errors import ProviderError
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.core.messages import ModelRequest, ModelTool, ToolsMessage
from toolweft.providers.anthropic.history import encode_history
from toolweft.providers.anthropic.program_names import name_for_programs, spell_messages
from toolweft.providers.anthropic.schemas import fit_output_schema
from toolweft.providers.anthropic.target import Headers, Target
from toolweft.providers.anthropic.tools import CACHE_MARK, ToolPlan, plan_tools

__all__ = ("build_headers", "encode")

log = logging.getLogger(__name__)

_ADVANCED_FIELDS = ("defer_loading", "allowed_callers")


def encode(request: ModelRequest, target: Target) -> JsonObject:
    """The whole body of a request, without `stream`.

    What stands in `tools` and `system` depends on the request's own tools and words only, so it is
    the same in every request of a conversation. No tool is ever forced.

    Raises:
        ProviderError: a program waits at the vendor and the request does not say in which
            container.
    """
    names = name_for_programs(request, target)
    plan = plan_tools(_list_tools(request, target), target, names=names)
    history = encode_history(spell_messages(request.messages, names), target=target, plan=plan)
    body: JsonObject = {"model": target.model, "max_tokens": request.max_tokens}
    if plan.declared:
        body["tools"] = list(plan.declared)
    schema = request.output_schema
    fitted = _fit(schema, target)
    system = _encode_system(request.system, target, schema if fitted is None else None)
    if system:
        body["system"] = system
    body["messages"] = history.messages
    if history.answers_program and request.container_id is None:
        raise ProviderError(
            "a program waits at the vendor and its container is not known",
            hint="pass the container of the reply before as container_id",
        )
    container_id = _choose_container(request, plan)
    if container_id is not None:
        body["container"] = container_id
    if output_config := _encode_output_config(fitted, target):
        body["output_config"] = output_config
    if request.temperature is not None:
        if target.capabilities.takes_temperature:
            body["temperature"] = request.temperature
        else:
            log.debug("provider.temperature_dropped", extra={"model": target.model})
    return body


def build_headers(body: JsonObject, target: Target) -> dict[str, str]:
    """The version of the API, and of the betas those that the body needs.

    Betas that the target names stand in their place.
    """
    headers = {"anthropic-version": target.headers.version}
    needed = _list_betas(body, target.headers) if target.betas is None else target.betas
    if betas := ",".join(beta for beta in needed if beta):
        headers["anthropic-beta"] = betas
    return headers


def _list_betas(body: JsonObject, wanted: Headers) -> Iterator[str | None]:
    if any(field in tool for tool in body.get("tools", ()) for field in _ADVANCED_FIELDS):
        yield wanted.tool_use_beta
    added = {
        block["tool"]["type"]
        for message in body["messages"]
        if message["role"] == "system"
        for block in message["content"]
    }
    if "tool_definition" in added:
        yield wanted.definition_beta
    elif added:
        yield wanted.reference_beta


def _list_tools(request: ModelRequest, target: Target) -> tuple[ModelTool, ...]:
    """The request's tools; where none can be added later, those that joined stand at their end."""
    if target.capabilities.addition == "system_block":
        return request.tools
    joined = (
        tool
        for message in request.messages
        if isinstance(message, ToolsMessage)
        for tool in message.tools
    )
    return (*request.tools, *joined)


def _encode_system(
    system: str, target: Target, schema: JsonSchema | None
) -> list[JsonObject] | None:
    blocks: list[JsonObject] = []
    if system.strip():
        block: JsonObject = {"type": "text", "text": system}
        if target.capabilities.has_cache_marks:
            block["cache_control"] = CACHE_MARK
        blocks.append(block)
    if schema is not None:
        # After the mark: what is cached of the conversation's own words stays usable.
        blocks.append({"type": "text", "text": _instruct(schema)})
    return blocks or None


def _instruct(schema: JsonSchema) -> str:
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return (
        "Your final answer is one JSON value that fits the JSON Schema below, without a code fence"
        f" and with no other words around it.\n{text}"
    )


def _fit(schema: JsonSchema | None, target: Target) -> JsonSchema | None:
    if schema is None or not target.capabilities.has_structured_output:
        return None
    return fit_output_schema(schema)


def _encode_output_config(fitted: JsonSchema | None, target: Target) -> JsonObject:
    config: JsonObject = {}
    if target.effort is not None:
        config["effort"] = target.effort
    if fitted is not None:
        config["format"] = {"type": "json_schema", "schema": fitted}
    return config


def _choose_container(request: ModelRequest, plan: ToolPlan) -> str | None:
    if request.container_id is not None and not plan.has_programs:
        # Refused in a request that cannot run programs.
        log.warning("provider.container_without_programs")
        return None
    return request.container_id
