"""Tools as the Messages API declares them.

Which are hidden and which may be called by programs is settled once for a request, from its tools
and the model's capabilities alone, so that what a cache matches first never changes.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from toolweft.core.examples import render_examples
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelTool
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.anthropic.schemas import is_recursive
from toolweft.providers.anthropic.target import Target

__all__ = ("CACHE_MARK", "CODE_TOOL", "ToolPlan", "encode_added_tool", "plan_tools")

log = logging.getLogger(__name__)

_AS_THEY_ARE: Final[Mapping[str, str]] = MappingProxyType({})
# Kept for five minutes from its last use.
CACHE_MARK: Final[JsonObject] = {"type": "ephemeral"}
# Asks for the vendor's tool that runs programs, though no other tool is for them.
CODE_TOOL: Final = ModelTool(name="code_execution", description="", input_schema={"type": "object"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPlan:
    """What is declared with a request, and what may be said of it later."""

    # As they stand in the request.
    declared: tuple[JsonObject, ...]
    # Every name a message may mention, the hidden ones among them.
    names: frozenset[str]
    hidden: frozenset[str]
    # The vendor's own tool is declared: programs may run there.
    has_programs: bool


def plan_tools(
    tools: Iterable[ModelTool], target: Target, *, names: Mapping[str, str] = _AS_THEY_ARE
) -> ToolPlan:
    """The tools of a request, in their order, the vendor's code tool first where it is needed.

    A tool of which nothing can be called is left out: one for programs only, where none run.

    Args:
        tools: in their order.
        target: where they go.
        names: of those that are called otherwise there.
    """
    given = _first_of_each(tools)
    usable = {names.get(tool.name, tool.name): tool for tool in given if tool != CODE_TOOL}
    callers = {name: _choose_callers(tool, target) for name, tool in usable.items()}
    told = [name for name in usable if callers[name]]
    is_code_wanted = CODE_TOOL in given and target.capabilities.programs == "python"
    has_programs = is_code_wanted or any(target.code_tool in callers[name] for name in told)
    hidden = {name for name in told if usable[name].is_deferred}
    if not target.capabilities.has_deferral:
        hidden.clear()
    if told and len(hidden) == len(told) and not has_programs:
        # The vendor refuses a request whose tools are all hidden.
        log.warning("provider.all_tools_deferred", extra={"tool": told[0]})
        hidden.discard(told[0])
    declared: list[JsonObject] = []
    if has_programs:
        declared.append({"type": target.code_tool, "name": CODE_TOOL.name})
    for name in told:
        encoded = _encode(usable[name], target, name=name, callers=callers[name])
        declared.append({**encoded, "defer_loading": True} if name in hidden else encoded)
    if target.capabilities.has_cache_marks:
        _mark_last_loaded(declared)
    return ToolPlan(
        declared=tuple(declared),
        names=frozenset(told),
        hidden=frozenset(hidden),
        has_programs=has_programs,
    )


def encode_added_tool(tool: ModelTool, target: Target, *, has_programs: bool) -> JsonObject | None:
    """The definition of a tool that joins in the middle; None where nobody could call it.

    Args:
        tool: the tool.
        target: where it goes.
        has_programs: the vendor's code tool is declared in the request.
    """
    callers = _choose_callers(tool, target)
    if not has_programs and target.code_tool in callers:
        callers.remove(target.code_tool)
    return _encode(tool, target, name=tool.name, callers=callers) if callers else None


def _encode(tool: ModelTool, target: Target, *, name: str, callers: list[str]) -> JsonObject:
    """One tool's declaration; never `strict`, which programs do not take."""
    is_for_programs = target.code_tool in callers
    encoded: JsonObject = {
        "name": name,
        "description": _describe(tool, target.capabilities, is_for_programs=is_for_programs),
        "input_schema": tool.input_schema,
    }
    if target.capabilities.has_examples and tool.examples:
        encoded["input_examples"] = [example.input for example in tool.examples]
    if is_for_programs:
        encoded["allowed_callers"] = callers
    return encoded


def _mark_last_loaded(declared: list[JsonObject]) -> None:
    """A mark on a hidden tool is refused: they stand outside of what is cached."""
    for position in range(len(declared) - 1, -1, -1):
        if not declared[position].get("defer_loading"):
            declared[position] = {**declared[position], "cache_control": CACHE_MARK}
            return


def _choose_callers(tool: ModelTool, target: Target) -> list[str]:
    """The vendor's names of who may call; empty where nobody can."""
    callers = ["direct"] if "direct" in tool.callers else []
    if "programmatic" not in tool.callers or target.capabilities.programs != "python":
        return callers
    if is_recursive(tool.input_schema):
        log.warning("provider.recursive_schema_not_for_programs", extra={"tool": tool.name})
        return callers
    return [*callers, target.code_tool]


def _describe(tool: ModelTool, capabilities: ModelCapabilities, *, is_for_programs: bool) -> str:
    parts = [tool.description] if tool.description else []
    if not capabilities.has_examples and tool.examples:
        parts.append(render_examples(tool.examples))
    if is_for_programs:
        parts.append(_render_returns(tool, capabilities))
    return "\n\n".join(parts)


def _render_returns(tool: ModelTool, capabilities: ModelCapabilities) -> str:
    """What a program gets: a function there returns text, whatever the tool gave."""
    if tool.output_schema is None or capabilities.has_output_schema:
        return "Called from code it returns a string, JSON where the result is structured."
    schema = _compact(tool.output_schema)
    return f"Called from code it returns a JSON string; json.loads gives: {schema}"


def _first_of_each(tools: Iterable[ModelTool]) -> list[ModelTool]:
    found: dict[str, ModelTool] = {}
    for tool in tools:
        found.setdefault(tool.name, tool)
    return list(found.values())


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
