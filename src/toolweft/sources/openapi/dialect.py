"""Schemas of OpenAPI 3.0 and 3.1 as plain JSON Schema, node by node. Pure.

References stay references; `schemas.py` decides what becomes of them.
"""

from collections import Counter
from collections.abc import Callable
from typing import Literal

from toolweft.core.json import Json, JsonObject, JsonSchema

__all__ = ("Side", "Translator", "is_binary")

# What a schema is for: arguments leave out what only answers have, and the other way round.
Side = Literal["input", "output"]

_ONE = frozenset(
    {
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"dependentSchemas", "patternProperties", "properties"})
# Said to people or to generators of code; or about identity, which is the references' affair.
_DROPPED = frozenset(
    {
        "$anchor",
        "$comment",
        "$defs",
        "$dynamicAnchor",
        "$dynamicRef",
        "$id",
        "$schema",
        "definitions",
        "discriminator",
        "example",
        "externalDocs",
        "nullable",
        "readOnly",
        "writeOnly",
        "xml",
    }
)
_HIDDEN: dict[Side, str] = {"input": "readOnly", "output": "writeOnly"}
_MAX_EXAMPLE_CHARACTERS = 80


class Translator:
    """Turns one schema after another; remembers which references it met, and how often.

    Args:
        is_30: the description is OpenAPI 3.0, whose schemas are nearly JSON Schema.
        side: what the schemas are for.
        rename: a reference's new text.
    """

    def __init__(self, *, is_30: bool, side: Side, rename: Callable[[str], str]) -> None:
        self._is_30 = is_30
        self._side = side
        self._rename = rename
        self.references: Counter[str] = Counter()
        # Schemas inside schemas, the outermost included.
        self.nodes = 0

    def translate(self, schema: Json) -> Json:
        """The schema as JSON Schema; what is none stays as it is, for the catalog to refuse."""
        if not isinstance(schema, dict):
            return schema
        self.nodes += 1
        reference = schema.get("$ref")
        if isinstance(reference, str):
            self.references[reference] += 1
            pointing: JsonSchema = {"$ref": self._rename(reference)}
            if not self._is_30:
                pointing = {**self._members(schema), **pointing}
            elif isinstance(schema.get("description"), str):
                pointing["description"] = schema["description"]
            return _nullable(pointing) if schema.get("nullable") is True else pointing
        made = self._members(schema)
        if self._is_30:
            _set_bounds(made)
        if schema.get("nullable") is True:
            made = _nullable(made)
        if "discriminator" in schema:
            _name_discriminator(made, schema["discriminator"])
        example = schema.get("example")
        if isinstance(example, str | int | float) and len(str(example)) <= _MAX_EXAMPLE_CHARACTERS:
            made.setdefault("examples", [example])
        return made

    def _members(self, schema: JsonObject) -> JsonSchema:
        made: JsonSchema = {}
        for key, value in schema.items():
            if key in _DROPPED or key.startswith("x-") or key == "$ref":
                continue
            if key in _ONE and isinstance(value, dict):
                made[key] = self.translate(value)
            elif key in _LISTS and isinstance(value, list):
                made[key] = [self.translate(item) for item in value]
            elif key in _MAPS and isinstance(value, dict):
                made[key] = {name: self.translate(item) for name, item in value.items()}
            elif key != "required" or isinstance(value, list):
                made[key] = value
        self._hide(made, schema.get("properties"))
        return made

    def _hide(self, made: JsonSchema, properties: Json) -> None:
        """Take out what the other side alone has."""
        if not isinstance(properties, dict):
            return
        mark = _HIDDEN[self._side]
        hidden = {
            name
            for name, below in properties.items()
            if isinstance(below, dict) and below.get(mark) is True
        }
        if not hidden:
            return
        made["properties"] = {n: s for n, s in made["properties"].items() if n not in hidden}
        if "required" in made:
            made["required"] = [name for name in made["required"] if name not in hidden]


def is_binary(schema: Json) -> bool:
    """Whether a schema stands for bytes as they are, not for a text that encodes them."""
    if not isinstance(schema, dict):
        return False
    if schema.get("format") == "binary" or schema.get("contentEncoding") == "binary":
        return True
    media_type = schema.get("contentMediaType")
    return (
        isinstance(media_type, str)
        and "contentEncoding" not in schema
        and not media_type.startswith("text/")
        and not media_type.endswith("json")
    )


def _set_bounds(schema: JsonSchema) -> None:
    """In 3.0 an exclusive bound is a mark on the inclusive one."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        mark = schema.get(exclusive)
        if isinstance(mark, bool):
            del schema[exclusive]
            if mark and bound in schema:
                schema[exclusive] = schema.pop(bound)


def _nullable(schema: JsonSchema) -> JsonSchema:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema
    if kind is None and not schema.keys() <= {"description", "title", "default"}:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _name_discriminator(schema: JsonSchema, discriminator: Json) -> None:
    """One property decides between the variants, so it is no fault where several would fit."""
    if "oneOf" in schema and "anyOf" not in schema:
        schema["anyOf"] = schema.pop("oneOf")
    name = discriminator.get("propertyName") if isinstance(discriminator, dict) else None
    if not isinstance(name, str):
        return
    mapping = discriminator.get("mapping")
    values = ", ".join(map(str, mapping)) if isinstance(mapping, dict) else ""
    said = f"{name} names the variant" + (f": {values}" if values else "")
    before = schema.get("description")
    schema["description"] = f"{before} ({said})" if isinstance(before, str) and before else said
