"""Models of Anthropic behind its Messages API.

Takes the vendor's SDK (`pip install 'toolweft[anthropic]'`), which is loaded when a provider is
opened and not before.
"""

from toolweft.providers.anthropic.client import AnthropicProvider
from toolweft.providers.anthropic.options import AnthropicOptions
from toolweft.providers.anthropic.target import Headers

__all__ = ("AnthropicOptions", "AnthropicProvider", "Headers")
