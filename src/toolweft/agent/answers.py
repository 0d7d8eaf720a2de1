"""What an answer of a worker has to be, how a model is told so, and whether it is.

Pure. The schema is a program's and the answer a model's, both strangers: the one is held to the
bounds of a tool's schema before it is used, the other is checked against it.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from toolweft.catalog.schemas import check_schema_bounds
from toolweft.core.errors import InvalidArguments, InvalidDefinition
from toolweft.core.json import Json, JsonObject, JsonSchema, decode_json
from toolweft.core.providers import ModelCapabilities
from toolweft.core.schema_faults import SchemaValidator, list_faults
from toolweft.policies.validate_arguments import build_validator

__all__ = ("AnswerForm", "DoesNotFitError", "Wish", "parse_form")

_PLACE: Final = "the schema of worker()"
_MAX_FAULTS: Final = 8
# A whole answer in a fence, or the only one in it.
_FENCE: Final = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?```", re.DOTALL)
# Under which an answer stands that is no object: vendors hold models to objects only.
_WRAPPED: Final = "answer"
_COMBINED: Final = frozenset({"$ref", "allOf", "anyOf", "else", "if", "not", "oneOf", "then"})


class DoesNotFitError(ValueError):
    """An answer that the schema refuses; `faults` has each with its place."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How one model is told what its answer has to be."""

    # For the vendor's own form; None where words say it.
    output_schema: JsonSchema | None = None
    # Words for the model; "" where the vendor's form says it.
    words: str = ""
    # The answer stands inside an object.
    is_wrapped: bool = False


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """A schema that can be used, compiled."""

    schema: JsonSchema
    validator: SchemaValidator

    def wish_of(self, capabilities: ModelCapabilities) -> Wish:
        """In the vendor's own form where it has one that says all of it, else in words."""
        native = _typed(self.schema) if capabilities.has_structured_output else None
        if native is None:
            return Wish(words=_describe(self.schema))
        if native["type"] == "object":
            return Wish(output_schema=native)
        wrapped: JsonSchema = {
            "type": "object",
            "properties": {_WRAPPED: native},
            "required": [_WRAPPED],
            "additionalProperties": False,
        }
        return Wish(output_schema=wrapped, is_wrapped=True)

    def read(self, text: str, wish: Wish) -> Json:
        """The value that a model wrote.

        Raises:
            DoesNotFitError: it is no JSON, or does not fit the schema.
        """
        try:
            value = _decode(text)
        except (ValueError, RecursionError) as exc:
            # A model that is asked for one word may well leave the quotes out.
            value = text.strip()
            if self._list_faults(value):
                raise DoesNotFitError([f"$: not JSON: {str(exc)[:120]}"]) from None
            return value
        if wish.is_wrapped and isinstance(value, dict) and value.keys() == {_WRAPPED}:
            value = value[_WRAPPED]
        self.check(value)
        return value

    def check(self, value: Json) -> None:
        """Nothing, where a value fits.

        Raises:
            DoesNotFitError: it does not.
        """
        if faults := self._list_faults(value):
            raise DoesNotFitError(faults)

    def _list_faults(self, value: Json) -> list[str]:
        try:
            if self.validator.is_valid(value):
                return []
            return list_faults(self.validator, value, schema=self.schema, limit=_MAX_FAULTS)
        except ValueError as exc:
            # Numbers or text no validator can read, or a pattern that takes too long.
            return [f"$: {str(exc)[:120]}"]

    def describe_faults(self, faults: list[str], wish: Wish) -> str:
        """What a model is told whose answer does not fit."""
        listed = "\n".join(f"- {fault}" for fault in faults)
        told = wish.words or _describe(wish.output_schema or self.schema)
        return f"That answer does not fit:\n{listed}\n\n{told} Correct it."


def parse_form(schema: JsonSchema) -> AnswerForm:
    """The form of a program's schema.

    Raises:
        InvalidArguments: it is none, or more than is read.
    """
    try:
        checked = check_schema_bounds(schema, place=_PLACE)
        return AnswerForm(checked, build_validator(checked, place=_PLACE))
    except InvalidDefinition as exc:
        raise InvalidArguments(exc.message, hint='schema={"enum": ["yes", "no"]}') from exc


def _describe(schema: JsonSchema) -> str:
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON value that fits this JSON Schema, and nothing else: {text}"


def _decode(text: str) -> Json:
    try:
        return decode_json(text.strip())
    except ValueError:
        fenced = _FENCE.findall(text)
        if len(fenced) != 1:
            raise
        return decode_json(fenced[0])


def _typed(schema: Json) -> JsonSchema | None:
    """The schema with a type in each of its parts; None where some part has no single one.

    Every vendor takes such a schema; of others each refuses or leaves out its own share.
    """
    if not isinstance(schema, dict) or _COMBINED & schema.keys():
        return None
    kind = schema.get("type")
    literals = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if kind is None and isinstance(literals, list) and literals:
        kind = "string" if all(isinstance(literal, str) for literal in literals) else None
    if not isinstance(kind, str):
        return None
    typed: JsonObject = {**schema, "type": kind}
    if kind == "object":
        return _typed_object(typed)
    if kind == "array":
        typed["items"] = _typed(schema.get("items"))
        return None if typed["items"] is None else typed
    return typed


def _typed_object(schema: JsonSchema) -> JsonSchema | None:
    properties = schema.get("properties")
    # One with keys of any name cannot be said to all.
    if not isinstance(properties, dict) or not properties or "patternProperties" in schema:
        return None
    typed = {name: _typed(part) for name, part in properties.items()}
    if schema.get("additionalProperties", False) is not False or None in typed.values():
        return None
    return {**schema, "properties": typed, "additionalProperties": False}
