"""The protocol's raw tools as tool definitions. Pure; used for live servers and recorded lists."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject, JsonSchema, encode_canonical
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
    shared = _Shared()
    for position, raw in enumerate(tools):
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(name, str) or not name:
            faults.append(f"$.tools[{position}].name is {name!r}, not a text: the tool is left out")
        elif name in definitions:
            faults.append(f"$.tools[{position}] repeats the name {name!r}: the first one is used")
        else:
            definitions[name] = shared.parts_of(build_definition(raw, namespace=namespace))
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


class _Shared:
    """Lets equal parts of a server's definitions be one object: it halves what they weigh.

    Two parts are equal when they are the same JSON, so `1` and `true` are not, and keys keep
    their order.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Hashable, ...], Json] = {}

    def parts_of(self, definition: ToolDefinition) -> ToolDefinition:
        """The definition with its schemas made of shared parts; one too deep stays as it is."""
        try:
            return replace(
                definition,
                input_schema=self._share(definition.input_schema),
                output_schema=self._share(definition.output_schema),
            )
        except RecursionError:
            return definition

    def _share(self, value: Json) -> Json:
        if isinstance(value, dict):
            value = {key: self._share(part) for key, part in value.items()}
            identity = (dict, *((key, id(part)) for key, part in value.items()))
        elif isinstance(value, list):
            value = [self._share(part) for part in value]
            identity = (list, *map(id, value))
        else:
            identity = (type(value), value)
        # Whatever stands in `_known` lives as long as it, so an id is never that of another part.
        return self._known.setdefault(identity, value)


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
