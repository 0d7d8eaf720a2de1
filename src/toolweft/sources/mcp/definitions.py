"""The protocol's raw tools as tool definitions. Pure; used for live servers and recorded lists."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject, JsonSchema, encode_canonical
from toolweft.core.packed import pack_json
from toolweft.core.tools import Hints, ToolDefinition, ToolExample
from toolweft.sources.mcp.depth import MAX_DEPTH, find_depth

__all__ = ("EXAMPLES_KEY", "PLAIN_EXAMPLES_KEY", "build_definition", "build_definitions")

# Of a tool's `_meta`. The protocol has no field for examples. Under ours each has a scenario, an
# input, and perhaps an output and notes; under the other, which servers are seen to send, it is
# the input alone. Where both are there ours is taken.
EXAMPLES_KEY = "toolweft/input_examples"
PLAIN_EXAMPLES_KEY = "anthropic/inputExamples"

# What a definition has a field for that holds all of it.
_TAKEN = frozenset({"name", "description", "inputSchema", "outputSchema"})
_HINTS = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}


def build_definitions(
    tools: Sequence[Json], *, namespace: SourceName
) -> tuple[tuple[ToolDefinition, ...], tuple[str, ...]]:
    """The definitions of a tool list, and what was wrong with entries left out.

    Args:
        tools: the `tools` array as it came; nothing is trusted.
        namespace: the source.

    Returns:
        Definitions in the server's order, the first of each name; and one sentence per entry
        that has no usable name or repeats one.
    """
    definitions: dict[str, ToolDefinition] = {}
    faults: list[str] = []
    known: dict[bytes, bytes] = {}
    for position, raw in enumerate(tools):
        fault = _why_nameless(raw)
        if fault:
            faults.append(f"$.tools[{position}]{fault}: it is left out")
            continue
        name = raw["name"]
        if name in definitions:
            faults.append(
                f"$.tools[{position}] repeats the name {name!r:.80}: the first one is used"
            )
        else:
            definitions[name] = _packed(build_definition(raw, namespace=namespace), known)
    return tuple(definitions.values()), tuple(faults)


def build_definition(raw: JsonObject, *, namespace: SourceName) -> ToolDefinition:
    """One tool; `raw` has a name, and whatever else does not fit is taken as absent."""
    annotations = _object(raw.get("annotations")) or {}
    title = _text(raw.get("title")) or _text(annotations.get("title"))
    other = {key: value for key, value in raw.items() if key not in _TAKEN}
    return ToolDefinition(
        name=ToolName(raw["name"]),
        namespace=namespace,
        description=_text(raw.get("description")) or title,
        # Whatever it is, the catalog checks it, and disables the tool where it is no schema.
        input_schema=_schema(raw),
        output_schema=raw.get("outputSchema"),
        input_examples=tuple(_examples(_object(raw.get("_meta")) or {})),
        hints=_hints(**{ours: _flag(annotations.get(theirs)) for ours, theirs in _HINTS.items()}),
        other_fields=encode_canonical(other) if other else "",
        unavailable=_why_unavailable(raw),
        problem=_why_unreadable(raw),
    )


def _why_nameless(raw: Json) -> str:
    if not isinstance(raw, dict):
        return f" is {raw!r:.80}, not an object"
    if "name" not in raw:
        return " has no name"
    if not isinstance(raw["name"], str):
        return f".name is {raw['name']!r:.80}, not a text"
    return "" if raw["name"] else ".name is empty"


def _why_unavailable(raw: JsonObject) -> str:
    execution = _object(raw.get("execution")) or {}
    if execution.get("taskSupport") == "required":
        return "it runs only as a task, which no client can follow through toolweft"
    return ""


def _why_unreadable(raw: JsonObject) -> str:
    depth = find_depth(raw)
    if depth is None:
        return ""
    return f"its definition is nested {depth:,} levels deep, and at most {MAX_DEPTH} can be read"


def _packed(definition: ToolDefinition, known: dict[bytes, bytes]) -> ToolDefinition:
    """The definition with its schemas packed, as parsed they weigh more than all the rest."""
    return replace(
        definition,
        input_schema=pack_json(definition.input_schema, known),
        output_schema=pack_json(definition.output_schema, known),
    )


# There are few that differ, and thousands of tools.
@cache
def _hints(**said: bool | None) -> Hints:
    return Hints(**said)


def _examples(meta: JsonObject) -> Iterator[ToolExample]:
    # Whatever they are, the catalog checks them, and says which cannot be used.
    key = EXAMPLES_KEY if EXAMPLES_KEY in meta else PLAIN_EXAMPLES_KEY
    given = meta.get(key)
    if given is None:
        return
    entries: list[Json] = given if isinstance(given, list) else [given]
    for entry in entries:
        if key == EXAMPLES_KEY and isinstance(entry, dict):
            arguments: Json = entry.get("input")
            yield ToolExample(
                scenario=entry.get("scenario", ""),
                input=arguments,
                output=entry.get("output"),
                notes=entry.get("notes"),
            )
        else:
            yield ToolExample(scenario="", input=entry)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _schema(raw: JsonObject) -> JsonSchema:
    # None and an empty one stand for a tool without parameters.
    schema: Any = raw.get("inputSchema")
    return {"type": "object"} if schema is None or schema == {} else schema


def _object(value: Json) -> JsonObject | None:
    return value if isinstance(value, dict) else None


def _flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None
