"""Request bodies of a description: which one is sent, and what its arguments are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.sources.openapi.arguments import ArgumentNames
from toolweft.sources.openapi.dialect import is_binary
from toolweft.sources.openapi.model import Body, BodyKind, Field
from toolweft.sources.openapi.references import References
from toolweft.sources.openapi.schemas import Schemas
from toolweft.sources.openapi.styles import STYLES, Style

__all__ = ("ReadBody", "is_json", "read_body")

# Where a description offers several, the first that fits.
_PREFERENCE: tuple[BodyKind, ...] = ("json", "multipart", "form", "text", "bytes")
# Deeper ones are rare, and may lead in a circle.
_MAX_ALL_OF = 8
# Says more than which properties there are.
_NOT_PLAIN = frozenset(
    {
        "anyOf",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "maxProperties",
        "minProperties",
        "not",
        "oneOf",
        "patternProperties",
        "propertyNames",
    }
)
_IN_BASE64 = "bytes, in base64"
_BYTES: JsonSchema = {
    "type": "string",
    "contentEncoding": "base64",
    "description": _IN_BASE64,
}
_FILE: JsonSchema = {
    "anyOf": [
        {"type": "string", "contentEncoding": "base64"},
        {
            "type": "object",
            "properties": {
                "content": {"type": "string", "contentEncoding": "base64"},
                "filename": {"type": "string"},
                "media_type": {"type": "string"},
            },
            "required": ["content"],
            "additionalProperties": False,
        },
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBody:
    """A body with what callers are told of its arguments."""

    body: Body
    # By argument.
    schemas: Mapping[str, JsonSchema]
    required: tuple[str, ...]


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON or builds on it."""
    essence = media_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def read_body(
    raw: Json, *, names: ArgumentNames, references: References, schemas: Schemas
) -> ReadBody | None:
    """The body of an operation, None where it has none.

    Raises:
        InvalidDefinition: it cannot be used.
    """
    if raw is None:
        return None
    described = references.follow(raw, what="the request body")
    content = described.get("content")
    if not isinstance(content, dict) or not content:
        return None
    media_type, media = _choose(content)
    kind = _kind(media_type)
    required = described.get("required") is True
    schema = media.get("schema", {})
    if kind in {"json", "form", "multipart"}:
        merged = _object_of(schema, schemas)
        if merged is not None:
            reader = _FieldReader(kind, media, schema=merged, names=names, schemas=schemas)
            return reader.read(media_type, is_required=required)
    argument = names.give("body", place="body")
    if kind == "bytes":
        whole = _BYTES
    elif kind == "text":
        whole = {"type": "string"}
    else:
        whole = schemas.build(schema, side="input")
    text = described.get("description")
    if isinstance(text, str) and text:
        whole = {**whole, "description": f"{text} ({_IN_BASE64})" if kind == "bytes" else text}
    return ReadBody(
        body=Body(kind=kind, media_type=media_type, is_required=required, argument=argument),
        schemas={argument: whole},
        required=(argument,) if required else (),
    )


class _FieldReader:
    """Makes the properties of one body arguments of their own."""

    def __init__(
        self,
        kind: BodyKind,
        media: JsonObject,
        *,
        schema: JsonObject,
        names: ArgumentNames,
        schemas: Schemas,
    ) -> None:
        self._kind = kind
        encoding = media.get("encoding")
        self._encodings: JsonObject = encoding if isinstance(encoding, dict) else {}
        self._schema = schema
        self._names = names
        self._schemas = schemas

    def read(self, media_type: str, *, is_required: bool) -> ReadBody:
        fields: list[Field] = []
        told: dict[str, JsonSchema] = {}
        for name, schema in self._schema["properties"].items():
            plain = self._schemas.plain(schema, what=f"property {name!r}")
            if isinstance(plain, dict) and plain.get("readOnly") is True:
                continue
            argument = self._names.give(name, place="body")
            fields.append(self._field(name, plain, argument))
            told[argument] = self._told(schema, plain, fields[-1])
        needed = self._schema["required"] if is_required else ()
        return ReadBody(
            body=Body(
                kind=self._kind,
                media_type=media_type,
                is_required=is_required,
                fields=tuple(fields),
            ),
            schemas=told,
            required=tuple(field.argument for field in fields if field.name in needed),
        )

    def _field(self, name: str, schema: Json, argument: str) -> Field:
        encoding = self._encodings.get(name)
        encoding = encoding if isinstance(encoding, dict) else {}
        style: Style = encoding.get("style", "form")
        style = style if style in STYLES["query"] else "form"
        explode = encoding.get("explode")
        media_type = encoding.get("contentType")
        # Several types leave the choice to the caller.
        media_type = media_type if isinstance(media_type, str) and "," not in media_type else ""
        return Field(
            name=name,
            argument=argument,
            is_binary=self._kind == "multipart" and self._holds_bytes(schema),
            style=style,
            explode=explode if isinstance(explode, bool) else style in {"form", "deepObject"},
            media_type="" if "*" in media_type else media_type,
        )

    def _told(self, schema: Json, plain: Json, field: Field) -> JsonSchema:
        if not field.is_binary:
            return self._schemas.build(schema, side="input")
        described = plain.get("description")
        text = f"{described} ({_IN_BASE64})" if isinstance(described, str) else _IN_BASE64
        if plain.get("type") == "array":
            return {"type": "array", "items": _FILE, "description": text}
        return {**_FILE, "description": text}

    def _holds_bytes(self, schema: Json) -> bool:
        if isinstance(schema, dict) and schema.get("type") == "array":
            items = self._schemas.plain(schema.get("items"), what="the items of a property")
            return is_binary(items)
        return is_binary(schema)


def _choose(content: JsonObject) -> tuple[str, JsonObject]:
    offered = {
        str(media_type): media if isinstance(media, dict) else {}
        for media_type, media in content.items()
    }
    best = min(offered, key=lambda media_type: _PREFERENCE.index(_kind(media_type)))
    return best, offered[best]


def _kind(media_type: str) -> BodyKind:
    essence = media_type.partition(";")[0].strip().lower()
    if is_json(essence) or essence == "*/*":
        return "json"
    if essence == "application/x-www-form-urlencoded":
        return "form"
    if essence == "multipart/form-data":
        return "multipart"
    if essence.startswith("text/") or essence.endswith(("xml", "yaml", "javascript", "graphql")):
        return "text"
    return "bytes"


def _object_of(schema: Json, schemas: Schemas, depth: int = 0) -> JsonObject | None:
    """`properties` and `required` of an object that is nothing but its properties, else None."""
    schema = schemas.plain(schema, what="the schema of the request body")
    if not isinstance(schema, dict) or depth > _MAX_ALL_OF:
        return None
    if schema.get("nullable") is True or schema.get("type", "object") != "object":
        return None
    if schema.keys() & _NOT_PLAIN or schema.get("additionalProperties", False) is not False:
        return None
    properties: JsonObject = {}
    required: list[str] = []
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        merged = _object_of(part, schemas, depth + 1)
        if merged is None or merged["properties"].keys() & properties.keys():
            return None
        properties |= merged["properties"]
        required += merged["required"]
    own = schema.get("properties")
    if isinstance(own, dict):
        if own.keys() & properties.keys():
            return None
        properties |= own
    needed = schema.get("required")
    required += needed if isinstance(needed, list) else []
    return {"properties": properties, "required": required} if properties else None
