"""What the user decides about the catalog."""

from dataclasses import dataclass
from typing import Literal

from toolweft.core.calls import CallerType
from toolweft.core.tools import Severity, ToolExample

__all__ = ("LIBRARY_SOURCE", "OWN_KINDS", "CatalogOptions", "Profile", "ToolRule")

# The source of the functions that a program hands over; no section of toolweft.toml speaks of it.
LIBRARY_SOURCE = "local"
# Kinds of sources whose tools are the user's own code.
OWN_KINDS = frozenset({"python", "saved"})

# open: programs may call everything. standard: destructive tools only directly, or after opt-in.
# strict: programs may call read-only tools only.
Profile = Literal["open", "standard", "strict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """One configured decision about one or more tools; None leaves a field as it was."""

    # Globs over original names; later rules win over earlier ones.
    server: str = "*"
    tool: str = "*"
    # Of the one definition it speaks of; empty: of any.
    pin_hash: str = ""
    severity: Severity | None = None
    defer_loading: bool | None = None
    always_listed: bool | None = None
    allowed_callers: frozenset[CallerType] | None = None
    timeout_s: float | None = None
    enabled: bool | None = None
    # In place of those of the source; an empty tuple leaves the tool without.
    input_examples: tuple[ToolExample, ...] | None = None
    # Where it stands, for reasons shown to people: 'toolweft.toml, servers.git.configs."git_*"'.
    origin: str = "configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogOptions:
    """Defaults and rules for all tools."""

    profile: Profile = "standard"
    # False: the servers' own hints count for nothing.
    trust_hints: bool = True
    # Definitions together above this many estimated tokens are deferred.
    defer_above_tokens: int = 10_000
    max_examples: int = 5
    default_timeout_s: float = 60.0
    rules: tuple[ToolRule, ...] = ()
    # The file that advice names: 'toolweft.toml', or how to begin one.
    advised_file: str = "toolweft.toml"
