from toolweft.agent import AgentResult as AgentResult
from toolweft.bootstrap import open_toolbox as open
from toolweft.bootstrap.agent import Agent as Agent
from toolweft.bootstrap.clients import AnthropicClient as AnthropicClient
from toolweft.core.calls import Caller as Caller
from toolweft.core.calls import Principal as Principal
from toolweft.core.calls import ToolResult as ToolResult
from toolweft.core.client import NOBODY as NOBODY
from toolweft.core.client import Ask as Ask
from toolweft.core.client import CallingClient as CallingClient
from toolweft.core.errors import ToolweftError as ToolweftError
from toolweft.core.programs import Container as Container
from toolweft.core.programs import ProgramLimits as ProgramLimits
from toolweft.core.programs import ProgramOutcome as ProgramOutcome
from toolweft.core.saved import SavedProgram as SavedProgram
from toolweft.core.search import Placement as Placement
from toolweft.core.search import SearchHit as SearchHit
from toolweft.core.tools import ToolDefinition as ToolDefinition
from toolweft.core.tools import ToolExample as ToolExample
from toolweft.core.tools import ToolSpec as ToolSpec
from toolweft.programs.replay import ReplayReport as ReplayReport
from toolweft.providers.anthropic.declared_tools import CODE_EXECUTION_TOOL as CODE_EXECUTION_TOOL
from toolweft.providers.anthropic.responses import CompletionResponse as CompletionResponse
from toolweft.providers.anthropic.views import CallerInfo as CallerInfo
from toolweft.providers.anthropic.views import CallerType as CallerType
from toolweft.providers.anthropic.views import ContainerInfo as ContainerInfo
from toolweft.providers.anthropic.views import ToolCall as ToolCall
from toolweft.sources import tool as tool
from toolweft.toolbox import Toolbox as Toolbox
from toolweft.toolbox.answers import DescribeAnswer as DescribeAnswer
from toolweft.toolbox.answers import FoundTool as FoundTool
from toolweft.toolbox.answers import QueryAnswer as QueryAnswer
from toolweft.toolbox.answers import SearchAnswer as SearchAnswer

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

__version__: str
