"""What a tool is: the definition a source gives, before the catalog names and classifies it.

Knows nothing of catalogs, calls or wires. Sources build these, the catalog reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toolweft.core.calls import CallerType
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject, JsonSchema

__all__ = (
    "SEVERITIES",
    "Hints",
    "Severity",
    "ToolDefinition",
    "ToolExample",
    "ToolSpec",
)

# read_only: changes nothing. write: changes something, destroys nothing. destructive: the rest,
# so also every tool that does not say.
Severity = Literal["read_only", "write", "destructive"]
SEVERITIES: tuple[Severity, ...] = ("read_only", "write", "destructive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """A source's claims about a tool; None where it claims nothing.

    Source: Model Context Protocol, `ToolAnnotations`.
    """

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolExample:
    """One worked use of a tool."""

    scenario: str
    input: JsonObject
    output: Json = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """Something callable, as its source describes it.

    Identity is (namespace, name).
    """

    name: ToolName
    namespace: SourceName
    description: str = ""
    # One line, at most 120 characters; the catalog derives it where the source has none.
    short_description: str = ""
    category: str | None = None
    # A JSON Schema of type object; properties keep their original names and order.
    input_schema: JsonSchema = field(default_factory=lambda: {"type": "object"})
    output_schema: JsonSchema | None = None
    input_examples: tuple[ToolExample, ...] = ()
    hints: Hints = Hints()
    # None: derived from the hints by the catalog.
    severity: Severity | None = None
    # None: decided by the catalog (automatic above the token threshold).
    defer_loading: bool | None = None
    always_listed: bool = False
    # None: derived from the severity and the profile by the catalog.
    allowed_callers: frozenset[CallerType] | None = None
    timeout_s: float | None = None
    version: str | None = None
    # SHA-256 in hex over name, description and schemas in canonical JSON; set by the catalog.
    definition_hash: str = ""
    # Why its source cannot offer it after all; the catalog then disables it with this reason.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """The convenient way to declare a Python tool; becomes a `ToolDefinition`.

    Exactly one of `handler` and `handler_path` is given.
    """

    name: str
    description: str = ""
    category: str | None = None
    # The caller's own code, so not destructive unless said.
    severity: Severity = "write"
    # A JSON Schema of type object; None: derived from the handler's signature.
    parameters: JsonSchema | None = None
    version: str | None = None
    timeout_s: float | None = None
    handler: Callable[..., Any] | None = None
    # "package.module:function", imported when the tool is loaded.
    handler_path: str | None = None

    def to_dict(self) -> Mapping[str, Json]:
        """The declaration without its handler, as plain JSON."""
        return {
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "severity": self.severity,
            "parameters": self.parameters,
            "version": self.version,
            "timeout_s": self.timeout_s,
            "handler_path": self.handler_path,
        }
