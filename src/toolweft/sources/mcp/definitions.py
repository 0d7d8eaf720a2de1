"""The protocol's raw tools as tool definitions. Pure; used for live servers and recorded lists."""

from collections.abc import Sequence

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.core.tools import Hints, ToolDefinition

__all__ = ("build_definition", "build_definitions")

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
    for position, raw in enumerate(tools):
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(name, str) or not name:
            faults.append(f"$.tools[{position}].name is {name!r}, not a text: the tool is left out")
        elif name in definitions:
            faults.append(f"$.tools[{position}] repeats the name {name!r}: the first one is used")
        else:
            definitions[name] = build_definition(raw, namespace=namespace)
    return tuple(definitions.values()), tuple(faults)


def build_definition(raw: JsonObject, *, namespace: SourceName) -> ToolDefinition:
    """One tool; `raw` has a name, and whatever else does not fit is taken as absent."""
    annotations = _object(raw.get("annotations")) or {}
    title = _text(raw.get("title")) or _text(annotations.get("title"))
    return ToolDefinition(
        name=ToolName(raw["name"]),
        namespace=namespace,
        description=_text(raw.get("description")) or title,
        input_schema=_object(raw.get("inputSchema")) or {"type": "object"},
        output_schema=_object(raw.get("outputSchema")),
        hints=Hints(**{ours: _flag(annotations.get(theirs)) for ours, theirs in _HINTS.items()}),
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Json) -> JsonObject | None:
    return value if isinstance(value, dict) else None


def _flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None
