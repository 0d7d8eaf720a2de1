from toolweft.bootstrap import open_toolbox as open
from toolweft.core.calls import Caller as Caller
from toolweft.core.calls import Principal as Principal
from toolweft.core.calls import ToolResult as ToolResult
from toolweft.core.errors import ToolweftError as ToolweftError
from toolweft.core.programs import Container as Container
from toolweft.core.programs import ProgramLimits as ProgramLimits
from toolweft.core.programs import ProgramOutcome as ProgramOutcome
from toolweft.core.tools import ToolDefinition as ToolDefinition
from toolweft.core.tools import ToolExample as ToolExample
from toolweft.core.tools import ToolSpec as ToolSpec
from toolweft.sources import tool as tool
from toolweft.toolbox import Toolbox as Toolbox

__all__ = (
    "Caller",
    "Container",
    "Principal",
    "ProgramLimits",
    "ProgramOutcome",
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
