"""Parameter objects of a description to parameters of an operation. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.sources.openapi.arguments import ArgumentNames
from toolweft.sources.openapi.model import Parameter
from toolweft.sources.openapi.references import References
from toolweft.sources.openapi.schemas import Schemas
from toolweft.sources.openapi.styles import STYLES, Place

__all__ = ("ReadParameter", "read_parameters")

_PLACES: tuple[Place, ...] = ("path", "query", "header", "cookie")
# Source: RFC 9110, section 5.6.2.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# The description says elsewhere what goes into the first three; the rest is the connection's.
_NOT_PARAMETERS = frozenset(
    {
        "accept",
        "authorization",
        "content-type",
        "connection",
        "content-length",
        "cookie",
        "host",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadParameter:
    """A parameter with what callers are told of it."""

    parameter: Parameter
    schema: JsonSchema
    is_required: bool


def read_parameters(
    shared: Json, own: Json, *, names: ArgumentNames, references: References, schemas: Schemas
) -> list[ReadParameter]:
    """The parameters of an operation, those of the path first.

    Args:
        shared: the list of the path.
        own: the list of the operation, which replaces those of the same name and place.
        names: of its arguments.
        references: of the description.
        schemas: of the description.

    Raises:
        InvalidDefinition: one cannot be used; the message names it.
    """
    found: dict[tuple[Place, str], JsonObject] = {}
    for number, raw in enumerate((*_listed(shared), *_listed(own)), start=1):
        described = references.follow(raw, what=f"parameter {number}")
        name, place = described.get("name"), described.get("in")
        if not isinstance(name, str) or not name or place not in _PLACES:
            raise InvalidDefinition(
                f"parameter {number} has the name {str(name)[:40]!r} and is in {str(place)[:20]!r}",
                hint="a parameter has a name and is in path, query, header or cookie",
            )
        if place == "header" and not _HEADER_NAME.match(name):
            raise InvalidDefinition(
                f"parameter {number} is the header {name[:40]!r}, which is none"
            )
        if place != "header" or name.lower() not in _NOT_PARAMETERS:
            found[place, name] = described
    # A later parameter of the same name gets the suffix, so places come in a fixed order.
    ordered = sorted(found.items(), key=lambda item: _PLACES.index(item[0][0]))
    return [
        _read(described, name, place, names=names, schemas=schemas)
        for (place, name), described in ordered
    ]


def _read(
    described: JsonObject, name: str, place: Place, *, names: ArgumentNames, schemas: Schemas
) -> ReadParameter:
    schema, is_json = _schema(described, name)
    style = described.get("style", STYLES[place][0])
    if style not in STYLES[place]:
        raise InvalidDefinition(
            f"parameter {name!r} has the style {str(style)[:30]!r}, which a {place} cannot have",
            hint=f"use one of: {', '.join(STYLES[place])}",
        )
    explode = described.get("explode")
    parameter = Parameter(
        name=name,
        place=place,
        argument=names.give(name, place=place),
        style=style,
        explode=explode if isinstance(explode, bool) else style in {"form", "deepObject"},
        allow_reserved=described.get("allowReserved") is True,
        is_json=is_json,
    )
    built = schemas.build(schema, side="input")
    return ReadParameter(
        parameter=parameter,
        schema=_described(built, described),
        is_required=place == "path" or described.get("required") is True,
    )


def _schema(described: JsonObject, name: str) -> tuple[Json, bool]:
    content = described.get("content")
    if not isinstance(content, dict) or not content:
        return described.get("schema", {}), False
    media_type, media = next(iter(content.items()))
    if not str(media_type).partition(";")[0].strip().endswith("json"):
        raise InvalidDefinition(f"parameter {name!r} is written as {str(media_type)[:60]!r}")
    return (media.get("schema", {}) if isinstance(media, dict) else {}), True


def _described(schema: JsonSchema, described: JsonObject) -> JsonSchema:
    added: JsonSchema = {}
    text = described.get("description")
    if isinstance(text, str) and text:
        added["description"] = text
    if described.get("deprecated") is True:
        added["deprecated"] = True
    return {**schema, **added} if added else schema


def _listed(value: Json) -> Iterable[Json]:
    return value if isinstance(value, list) else ()
