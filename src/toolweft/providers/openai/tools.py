"""Tools as the Responses API is told of them.

Which are listed, which are deferred, and which one is the search are settled once for a request;
for all requests of one conversation alike, as the cache wants it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelRequest, ModelTool, ToolsMessage
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.openai_wire import render_description

__all__ = ("ToolPlan", "encode_function", "plan_tools")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPlan:
    """The tools of one request."""

    # The body's `tools`.
    listed: tuple[JsonObject, ...]
    # Every tool that was ever told, those of messages too.
    by_name: dict[str, ModelTool]
    # Those told at the start that are not in the prompt, or not wholly.
    deferred: frozenset[str]
    # The tool that goes out as a search executed by the client; None where it is a function.
    search_name: str | None
    # Programs of the model may call tools, so nothing is sent twice.
    has_programs: bool
    # What holds in this request: without the item for programs no tool may name them.
    capabilities: ModelCapabilities


def plan_tools(
    request: ModelRequest, capabilities: ModelCapabilities, *, lists_deferred: bool
) -> ToolPlan:
    """How the tools of a request go out to a model of these capabilities.

    A deferred function that is listed keeps its name and description in the prompt. Where a search
    of ours brings its whole definition, it need not be listed, and then costs nothing until found.
    """
    later = [
        tool
        for message in request.messages
        if isinstance(message, ToolsMessage)
        for tool in message.tools
    ]
    # Without a way to add tools at their place they are added at the end, at the cache's cost.
    told = [*request.tools, *(later if capabilities.addition == "none" else ())]
    usable = [tool for tool in _first_of_each(told) if _is_usable(tool, capabilities)]
    deferred = frozenset(t.name for t in usable if t.is_deferred and capabilities.has_deferral)
    search_name = _find_search(usable, deferred, capabilities)
    has_programs = any(_callers(tool, capabilities) is not None for tool in usable)
    listed: list[JsonObject] = []
    if has_programs:
        listed.append({"type": "programmatic_tool_calling"})
    if deferred and search_name is None:
        # Deferred tools need a search; without one of ours the vendor's own stands in.
        listed.append({"type": "tool_search"})
    for tool in usable:
        if tool.name == search_name:
            listed.append(_encode_search(tool))
        elif tool.name not in deferred or search_name is None or lists_deferred:
            listed.append(encode_function(tool, capabilities, is_deferred=tool.name in deferred))
    return ToolPlan(
        listed=tuple(listed),
        by_name={tool.name: tool for tool in _first_of_each([*request.tools, *later])},
        deferred=deferred,
        search_name=search_name,
        has_programs=has_programs,
        capabilities=capabilities if has_programs else replace(capabilities, programs="none"),
    )


def encode_function(
    tool: ModelTool, capabilities: ModelCapabilities, *, is_deferred: bool
) -> JsonObject:
    """One tool as a function."""
    has_output_schema = capabilities.has_output_schema
    body: JsonObject = {
        "type": "function",
        "name": tool.name,
        "description": render_description(tool, has_output_schema=has_output_schema),
        "parameters": tool.input_schema,
        # Schemas of tools are seldom within what "strict" takes, and are checked on the road.
        "strict": False,
    }
    if tool.output_schema is not None and has_output_schema:
        body["output_schema"] = tool.output_schema
    callers = _callers(tool, capabilities)
    if callers is not None:
        body["allowed_callers"] = callers
    if is_deferred:
        body["defer_loading"] = True
    return body


def _encode_search(tool: ModelTool) -> JsonObject:
    return {
        "type": "tool_search",
        "execution": "client",
        # One without words is refused.
        "description": render_description(tool, has_output_schema=False) or "Finds tools.",
        "parameters": tool.input_schema,
    }


def _find_search(
    tools: Iterable[ModelTool], deferred: frozenset[str], capabilities: ModelCapabilities
) -> str | None:
    # A search item reveals what is deferred; with nothing deferred it is a tool like any other.
    if not deferred or capabilities.reveal != "search_item":
        return None
    return next((tool.name for tool in tools if tool.is_search), None)


def _is_usable(tool: ModelTool, capabilities: ModelCapabilities) -> bool:
    return "direct" in tool.callers or capabilities.programs != "none"


def _callers(tool: ModelTool, capabilities: ModelCapabilities) -> list[str] | None:
    """Who may call it, in one order; None where that is what the vendor assumes."""
    if capabilities.programs == "none" or "programmatic" not in tool.callers:
        return None
    return sorted(tool.callers)


def _first_of_each(tools: Iterable[ModelTool]) -> list[ModelTool]:
    """Without the second of a name, which the vendor refuses."""
    by_name: dict[str, ModelTool] = {}
    for tool in tools:
        by_name.setdefault(tool.name, tool)
    return list(by_name.values())
