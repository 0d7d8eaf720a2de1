"""toolweft: any model, thousands of tools, one program.

    async with toolweft.open("mcp.json", tools=[my_function]) as box:
        answer = await box.search("open issues")
        outcome = await box.run("print(await github.list_issues(repo='a/b'))")

Names are loaded on first use, so that importing toolweft stays quick.
"""

from importlib import import_module
from typing import Any

__all__ = (
    "CODE_EXECUTION_TOOL",
    "NOBODY",
    "Agent",
    "AgentResult",
    "AnthropicClient",
    "Ask",
    "Caller",
    "CallerInfo",
    "CallerType",
    "CallingClient",
    "CompletionResponse",
    "Container",
    "ContainerInfo",
    "DescribeAnswer",
    "FoundTool",
    "Placement",
    "Principal",
    "ProgramLimits",
    "ProgramOutcome",
    "QueryAnswer",
    "ReplayReport",
    "SavedProgram",
    "SearchAnswer",
    "SearchHit",
    "ToolCall",
    "ToolDefinition",
    "ToolExample",
    "ToolResult",
    "ToolSpec",
    "Toolbox",
    "ToolweftError",
    "__version__",
    "open",
    "tool",
)

__version__ = "0.1.0"

_HOMES = {
    "NOBODY": ("toolweft.core.client", "NOBODY"),
    "Agent": ("toolweft.bootstrap.agent", "Agent"),
    "AgentResult": ("toolweft.agent", "AgentResult"),
    "AnthropicClient": ("toolweft.bootstrap.clients", "AnthropicClient"),
    "Ask": ("toolweft.core.client", "Ask"),
    "CODE_EXECUTION_TOOL": ("toolweft.providers.anthropic.declared_tools", "CODE_EXECUTION_TOOL"),
    "CallingClient": ("toolweft.core.client", "CallingClient"),
    "Caller": ("toolweft.core.calls", "Caller"),
    "CallerInfo": ("toolweft.providers.anthropic.views", "CallerInfo"),
    "CallerType": ("toolweft.providers.anthropic.views", "CallerType"),
    "CompletionResponse": ("toolweft.providers.anthropic.responses", "CompletionResponse"),
    "Container": ("toolweft.core.programs", "Container"),
    "ContainerInfo": ("toolweft.providers.anthropic.views", "ContainerInfo"),
    "DescribeAnswer": ("toolweft.toolbox.answers", "DescribeAnswer"),
    "FoundTool": ("toolweft.toolbox.answers", "FoundTool"),
    "Placement": ("toolweft.core.search", "Placement"),
    "Principal": ("toolweft.core.calls", "Principal"),
    "ProgramLimits": ("toolweft.core.programs", "ProgramLimits"),
    "ProgramOutcome": ("toolweft.core.programs", "ProgramOutcome"),
    "QueryAnswer": ("toolweft.toolbox.answers", "QueryAnswer"),
    "ReplayReport": ("toolweft.programs.replay", "ReplayReport"),
    "SavedProgram": ("toolweft.core.saved", "SavedProgram"),
    "SearchAnswer": ("toolweft.toolbox.answers", "SearchAnswer"),
    "SearchHit": ("toolweft.core.search", "SearchHit"),
    "ToolCall": ("toolweft.providers.anthropic.views", "ToolCall"),
    "ToolDefinition": ("toolweft.core.tools", "ToolDefinition"),
    "ToolExample": ("toolweft.core.tools", "ToolExample"),
    "ToolResult": ("toolweft.core.calls", "ToolResult"),
    "ToolSpec": ("toolweft.core.tools", "ToolSpec"),
    "Toolbox": ("toolweft.toolbox", "Toolbox"),
    "ToolweftError": ("toolweft.core.errors", "ToolweftError"),
    "open": ("toolweft.bootstrap", "open_toolbox"),
    "tool": ("toolweft.sources", "tool"),
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'toolweft' has no attribute {name!r}")
    module, attribute = home
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
