"""What one model behind the Messages API is, apart from what is asked of it."""

from dataclasses import dataclass
from typing import Final, Literal

from toolweft.core.providers import ModelCapabilities

__all__ = ("API", "Platform", "Target")

API: Final = "anthropic"

# Who runs the model; signatures hold at one of them only.
Platform = Literal["anthropic", "foundry"]

CodeTool = Literal["code_execution_20260120", "code_execution_20260521"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a request goes to, and how it is set; the same for a whole conversation."""

    # On Foundry the name of the deployment.
    model: str
    platform: Platform = "anthropic"
    capabilities: ModelCapabilities
    # Which version of the vendor's tool runs programs, where `capabilities.programs` says so.
    code_tool: CodeTool = "code_execution_20260521"
    # In place of what the table says; None: as it says.
    betas: tuple[str, ...] | None = None
    # None: the vendor's default.
    effort: str | None = None
