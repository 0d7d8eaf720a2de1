"""Models of Anthropic behind its Messages API.

Takes the vendor's SDK (`pip install 'toolweft[anthropic]'`), which is loaded when a provider is
opened and not before.
"""

from toolweft.providers.anthropic.client import AnthropicProvider
from toolweft.providers.anthropic.completions import CompletionClient
from toolweft.providers.anthropic.declared_tools import CODE_EXECUTION_TOOL
from toolweft.providers.anthropic.options import AnthropicOptions
from toolweft.providers.anthropic.responses import CompletionResponse
from toolweft.providers.anthropic.views import CallerInfo, CallerType, ContainerInfo, ToolCall

__all__ = (
    "CODE_EXECUTION_TOOL",
    "AnthropicOptions",
    "AnthropicProvider",
    "CallerInfo",
    "CallerType",
    "CompletionClient",
    "CompletionResponse",
    "ContainerInfo",
    "ToolCall",
)
