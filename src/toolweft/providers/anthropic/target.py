"""What one model behind the Messages API is, apart from what is asked of it."""

from dataclasses import dataclass
from typing import Final, Literal

from toolweft.core.providers import ModelCapabilities

__all__ = ("API", "API_VERSION", "PLAIN_HEADERS", "CodeTool", "Headers", "Platform", "Target")

API: Final = "anthropic"
# The version whose shapes this folder knows; the SDK's own default moves with the SDK.
API_VERSION: Final = "2026-10-21"

# Who runs the model; signatures hold at one of them only.
Platform = Literal["anthropic", "foundry"]

CodeTool = Literal["code_execution_20260120", "code_execution_20260521"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """What a model at a platform wants to hear beside the body.

    A beta goes out with a request that uses what it names, and with no other; None where it is
    generally available.
    """

    version: str = API_VERSION
    # Hidden tools and callers.
    tool_use_beta: str | None = None
    # Tools added in the middle, by reference and by their definition.
    reference_beta: str | None = "mid-conversation-tool-changes-2026-07-01"
    definition_beta: str | None = "inline-tools-2026-09-15"


# Where everything that is not added in the middle is generally available.
PLAIN_HEADERS: Final = Headers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a request goes to, and how it is set; the same for a whole conversation."""

    # On Foundry the name of the deployment.
    model: str
    platform: Platform = "anthropic"
    capabilities: ModelCapabilities
    # Which version of the vendor's tool runs programs, where `capabilities.programs` says so.
    code_tool: CodeTool = "code_execution_20260521"
    headers: Headers = PLAIN_HEADERS
    # In place of what the table says; None: as it says.
    betas: tuple[str, ...] | None = None
    # None: the vendor's default.
    effort: str | None = None
