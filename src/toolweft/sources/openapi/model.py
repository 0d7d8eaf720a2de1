"""One operation of a description, ready to be shown and called. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from toolweft.core.json import JsonSchema
from toolweft.sources.openapi.styles import Place, Style

__all__ = (
    "Body",
    "BodyKind",
    "Field",
    "Operation",
    "Parameter",
    "Requirement",
    "SecurityScheme",
)

# bytes: any type but these, sent as it is.
BodyKind: TypeAlias = Literal["json", "form", "multipart", "text", "bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something that goes into the path, query, headers or cookies."""

    name: str
    place: Place
    # The tool's argument it is given by.
    argument: str
    style: Style
    explode: bool
    allow_reserved: bool = False
    # It is written as JSON in place of a style.
    is_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A property of a body that is an argument of its own."""

    name: str
    argument: str
    is_binary: bool = False
    # Of forms: how the value is written.
    style: Style = "form"
    explode: bool = True
    # Of parts: "" where it follows from the value.
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request carries."""

    kind: BodyKind
    media_type: str
    is_required: bool = False
    # Either its properties are arguments, or the whole is one.
    fields: tuple[Field, ...] = ()
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityScheme:
    """One way a service wants to know who asks."""

    name: str
    # bearer: a token in the Authorization header, whoever gave it out.
    kind: Literal["key", "basic", "bearer", "unknown"]
    # Of a key: where it goes, and under which name.
    place: Place = "header"
    key: str = ""
    # Of OAuth 2 with client credentials; "" where the description has no such flow.
    token_url: str = ""


# Scheme's name -> scopes; all of them together are one way in.
Requirement: TypeAlias = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    name: str
    # Upper-case.
    method: str
    path: str
    summary: str = ""
    description: str = ""
    category: str | None = None
    # As written, variables filled in; "" where the description names none.
    server: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    input_schema: JsonSchema = field(default_factory=lambda: {"type": "object"})
    output_schema: JsonSchema | None = None
    # Ways in, of which one is enough; None where the description says nothing at all.
    security: tuple[Requirement, ...] | None = None
    # Why it cannot be called; "" where it can.
    problem: str = ""
