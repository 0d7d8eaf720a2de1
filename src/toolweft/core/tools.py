"""What a tool is: the definition a source gives, before the catalog names and classifies it.

Knows nothing of catalogs, calls or wires. Sources build these, the catalog reads them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from toolweft.core.calls import CallerType
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.packed import pack_fields

__all__ = (
    "SEVERITIES",
    "ExampleFault",
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

    # What someone wants who would call the tool so: "overdue invoices of one customer".
    scenario: str
    # The arguments under their original names.
    input: JsonObject
    # What the call gives; None where nothing is said of it.
    output: Json = None
    # What a reader of the schema would not guess.
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleFault:
    """Why an example of a tool is left out."""

    # Of the example among those of its tool, from 0.
    position: int
    # `$.input_examples[1].input.city`, from the tool's definition.
    path: str
    reason: str
    # The configuration the example stands in; empty where its source gave it.
    origin: str = ""

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.path}: {self.reason}" + (f" ({self.origin})" if self.origin else "")


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
    # A JSON Schema of type object; properties keep their original names and order. Sources that
    # have many tools give both schemas packed; whoever reads them gets the value.
    input_schema: JsonSchema = field(default_factory=lambda: {"type": "object"})
    output_schema: JsonSchema | None = None
    # As their source gives them they may be of any shape; the catalog keeps those that fit.
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
    # Tools that it calls itself, each open to programs; without one of them it is unavailable.
    needs: tuple[QualifiedName, ...] = ()
    # Whatever else its source says of it: a title, annotations, `_meta`, in canonical JSON, which
    # weighs a fifth of what it stands for. Hints and examples are read from it; beside that it
    # counts for the pin of the tool alone.
    other_fields: str = ""
    # SHA-256 in hex over name, description and schemas in canonical JSON; set by the catalog.
    definition_hash: str = ""
    # Why its source cannot offer it after all; the catalog then disables it with this reason.
    problem: str = ""
    # Why it cannot be called through us though its definition is sound; it is shown with this.
    unavailable: str = ""


pack_fields(ToolDefinition, "input_schema", "output_schema")


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
    # "direct", "programmatic", or as vendors write them. None: derived from the severity.
    allowed_callers: Collection[str] | None = None
    # None: decided by the catalog.
    defer_loading: bool | None = None
    handler: Callable[..., Any] | None = None
    # "package.module:function". Imported at the first call, or where `parameters` are to be read
    # off it, when the tool is loaded.
    handler_path: str | None = None
    # Worked uses, best first.
    input_examples: tuple[ToolExample, ...] = ()

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
            "allowed_callers": self.allowed_callers and sorted(self.allowed_callers),
            "defer_loading": self.defer_loading,
            "handler_path": self.handler_path,
            "input_examples": [asdict(example) for example in self.input_examples],
        }
