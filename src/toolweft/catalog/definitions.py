"""One definition, checked and completed; or what may still be shown of one that cannot be used.

Pure. Knows nothing of names in Python, severity or callers.
"""

from dataclasses import replace
from hashlib import sha256
from json import JSONEncoder
from typing import TypeAlias

from toolweft.catalog.schemas import (
    MAX_SCHEMA_BYTES,
    check_input_schema,
    check_schema_bounds,
    check_schema_meaning,
    drop_unknown_dialect,
)
from toolweft.catalog.text import clean_text, shorten
from toolweft.core.errors import InvalidDefinition
from toolweft.core.ids import ToolName
from toolweft.core.json import Json, JsonSchema
from toolweft.core.packed import pack_json, replace_packed
from toolweft.core.tools import ToolDefinition

__all__ = (
    "SHOWN_NAME_CHARACTERS",
    "Fingerprint",
    "complete_definition",
    "conceal_definition",
    "fingerprint",
    "name_problem",
    "strip_definition",
)

# A hash, and a size in bytes.
Fingerprint: TypeAlias = tuple[str, int]

_MAX_NAME_BYTES = 1024
# Of a name that cannot be used, enough to recognise it.
SHOWN_NAME_CHARACTERS = 64

_encode = JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_NO_PARAMETERS: JsonSchema = {"type": "object"}


def name_problem(name: str) -> str:
    """What is wrong with a name as its source spells it; empty where nothing is."""
    if not name:
        return "its name is empty"
    if len(name.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES:
        return f"its name is longer than {_MAX_NAME_BYTES} bytes"
    if not name.isprintable():
        return f"its name holds unprintable characters: {name[:SHOWN_NAME_CHARACTERS]!r}"
    return ""


def complete_definition(
    definition: ToolDefinition, *, sound: Fingerprint | None = None
) -> tuple[ToolDefinition, int]:
    """The definition, checked and completed, and its size in UTF-8 bytes for a model.

    Its examples are left as they are: `check_examples` looks at them against these schemas.

    Args:
        definition: as its source gives it.
        sound: its own, where these very schemas were checked before and nothing was wrong.

    Raises:
        InvalidDefinition: a schema cannot be used.
    """
    place = f"the input schema of {definition.name!r}"
    output_place = f"the output schema of {definition.name!r}"
    given, given_output = definition.input_schema, definition.output_schema
    input_schema, output_schema = check_input_schema(given, place=place), given_output
    if sound is None:
        input_schema = check_schema_bounds(input_schema, place=place)
        if output_schema is not None:
            output_schema = check_schema_bounds(output_schema, place=output_place)
        # It refuses what is too large, which the validator would take long to compile.
        definition_hash, size_bytes = fingerprint(definition)
        check_schema_meaning(input_schema, place=place)
        if output_schema is not None:
            check_schema_meaning(output_schema, place=output_place)
    else:
        definition_hash, size_bytes = sound
        if output_schema is not None:
            output_schema = drop_unknown_dialect(output_schema)
    description = clean_text(definition.description)
    mended: dict[str, Json] = {}
    if input_schema is not given:
        mended["input_schema"] = pack_json(input_schema)
    if output_schema is not given_output:
        mended["output_schema"] = pack_json(output_schema)
    usable = replace_packed(
        definition,
        description=description,
        short_description=shorten(clean_text(definition.short_description) or description),
        definition_hash=definition_hash,
        **mended,
    )
    return usable, size_bytes


def fingerprint(definition: ToolDefinition) -> Fingerprint:
    """The hash of a definition and its size in UTF-8 bytes for a model, both as the source gave it.

    Both are taken from canonical JSON: the first of name, description and schemas, the second
    without the output schema.
    """
    texts = {
        "description": _encode(definition.description),
        "input_schema": _canonical(definition.input_schema, "input", definition.name),
        "name": _encode(definition.name),
        "output_schema": _canonical(definition.output_schema, "output", definition.name),
    }
    hashed = ",".join(f'"{key}":{text}' for key, text in texts.items())
    size_bytes = _size_bytes(f"{{{hashed}}}") - _size_bytes(',"output_schema":')
    size_bytes -= _size_bytes(texts["output_schema"])
    digest = sha256(f"{{{hashed}}}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest(), size_bytes


def strip_definition(definition: ToolDefinition) -> ToolDefinition:
    """What may still be shown of a definition that cannot be used: no schema, a short name."""
    name = definition.name
    if name_problem(name):
        name = ToolName("".join(filter(str.isprintable, name))[:SHOWN_NAME_CHARACTERS])
    description = clean_text(definition.description)
    return replace(
        definition,
        name=name,
        description=description,
        short_description=shorten(description),
        input_schema=_NO_PARAMETERS,
        output_schema=None,
        input_examples=(),
    )


def conceal_definition(definition: ToolDefinition) -> ToolDefinition:
    """A definition of which only the name may be read."""
    return ToolDefinition(
        name=definition.name,
        namespace=definition.namespace,
        definition_hash=definition.definition_hash,
    )


def _canonical(schema: Json, side: str, name: str) -> str:
    try:
        text = _encode(schema)
    except (TypeError, ValueError) as error:
        raise InvalidDefinition(
            f"the {side} schema of {name!r} is not plain JSON: {error!s:.200}"
        ) from error
    if _size_bytes(text) > MAX_SCHEMA_BYTES:
        raise InvalidDefinition(
            f"the {side} schema of {name!r} is larger than {MAX_SCHEMA_BYTES} bytes"
        )
    return text


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
