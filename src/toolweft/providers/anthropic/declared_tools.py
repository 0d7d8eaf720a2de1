"""Tools as users declare them, for one request: specs, and plain objects in the vendor's shape."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final, TypeAlias, TypeVar

from toolweft.core.calls import CallerType
from toolweft.core.errors import InvalidValue
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.messages import ModelTool
from toolweft.core.tools import SEVERITIES, Severity, ToolDefinition, ToolExample, ToolSpec
from toolweft.providers.anthropic.tools import CODE_TOOL
from toolweft.providers.anthropic.views import CallerType as WireCaller

__all__ = ("CODE_EXECUTION_TOOL", "DeclaredTools", "Define", "GivenTool", "read_tools")

GivenTool: TypeAlias = ToolSpec | JsonObject
# What a declaration defines, with its severity and its callers decided.
Define: TypeAlias = Callable[[ToolSpec | ToolDefinition], ToolDefinition]

CODE_EXECUTION_TOOL: Final = ToolSpec(
    name=CODE_TOOL.name,
    description="Runs a program in a container at the vendor; programs may call other tools.",
    category="code",
    severity="destructive",
    parameters={
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The program, in Python."}},
        "required": ["code"],
    },
    timeout_s=300.0,
    # A program that starts programs would escape every limit of its own.
    allowed_callers=frozenset({"direct"}),
)

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYS: Final = frozenset(
    {
        *("name", "type", "description", "parameters", "input_schema", "output_schema"),
        *("allowed_callers", "defer_loading", "input_examples", "severity"),
        # Of a spec's own `to_dict`.
        *("category", "version", "timeout_s", "handler_path"),
    }
)
_EXAMPLE_KEYS: Final = frozenset({"scenario", "input", "output", "notes"})
_KIND_NAMES: Final[Mapping[type, str]] = {
    str: "text",
    bool: "true or false",
    dict: "JSON Schema",
    list: "list",
}

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTools:
    """The tools of one request, in their order."""

    tools: tuple[ModelTool, ...]
    # Names of those that change nothing, so that calling them again does no harm.
    read_only: frozenset[str]


def read_tools(given: Iterable[GivenTool], *, define: Define, has_programs: bool) -> DeclaredTools:
    """Check and read them.

    Args:
        given: specs; objects with "name", and "parameters" or "input_schema".
        define: decides what a declaration leaves open.
        has_programs: programs may run at the vendor; without, models call directly.

    Raises:
        InvalidValue: one of them cannot be declared; the message names its place.
    """
    tools: dict[str, ModelTool] = {}
    read_only = set()
    for number, item in enumerate(given):
        place = f"tools[{number}]"
        if _is_code_tool(item):
            if has_programs:
                tools[CODE_TOOL.name] = CODE_TOOL
            continue
        definition = _read_tool(item, define, place)
        tool = _build_tool(definition, place)
        if tool.name in tools or (has_programs and tool.name == CODE_TOOL.name):
            raise InvalidValue(
                f"{place}: the name {tool.name!r} is taken", hint="give every tool its own name"
            )
        if not has_programs:
            tool = _close_to_programs(tool, place)
        tools[tool.name] = tool
        if definition.severity == "read_only":
            read_only.add(tool.name)
    return DeclaredTools(tools=tuple(tools.values()), read_only=frozenset(read_only))


def _is_code_tool(item: GivenTool) -> bool:
    if not isinstance(item, dict):
        return item == CODE_EXECUTION_TOOL
    is_vendors = str(item.get("type")).startswith(f"{CODE_TOOL.name}_")
    return is_vendors or item == CODE_EXECUTION_TOOL.to_dict()


def _read_tool(item: GivenTool, define: Define, place: str) -> ToolDefinition:
    if not isinstance(item, ToolSpec | dict):
        raise InvalidValue(f"{place} is {item!r:.80}", hint="give a ToolSpec or a plain object")
    if isinstance(item, dict):
        return define(_read_object(item, place))
    if item.allowed_callers is None:
        return define(item)
    callers = _read_callers(item.allowed_callers, f"{place}.allowed_callers")
    return replace(define(item), allowed_callers=callers)


def _read_object(item: JsonObject, place: str) -> ToolDefinition:
    for key in item:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            raise InvalidValue(
                f"{place} has the key {key!r:.80}, which is not known",
                hint=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(_KEYS))}",
            )
    if item.get("type") not in (None, "custom"):
        raise InvalidValue(
            f"{place}.type is {item['type']!r:.80}",
            hint="of the vendor's own tools only code_execution can be declared",
        )
    callers = item.get("allowed_callers")
    return ToolDefinition(
        name=ToolName(_read(item, "name", str, place) or ""),
        namespace=SourceName(""),
        description=_read(item, "description", str, place) or "",
        input_schema=_read_schema(item, place),
        output_schema=_read(item, "output_schema", dict, place),
        input_examples=tuple(_read_examples(item, place)),
        severity=_read_severity(item, place),
        defer_loading=_read(item, "defer_loading", bool, place),
        allowed_callers=None
        if callers is None
        else _read_callers(callers, f"{place}.allowed_callers"),
    )


def _read_schema(item: JsonObject, place: str) -> JsonSchema:
    given = [key for key in ("parameters", "input_schema") if item.get(key) is not None]
    if len(given) != 1:
        raise InvalidValue(
            f"{place} has {' and '.join(given) or 'no parameters'}",
            hint='give one JSON Schema: "parameters": {"type": "object", "properties": {}}',
        )
    schema = item[given[0]]
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise InvalidValue(
            f"{place}.{given[0]} is {schema!r:.80}", hint='a JSON Schema with "type": "object"'
        )
    return schema


def _read_examples(item: JsonObject, place: str) -> Iterator[ToolExample]:
    for number, example in enumerate(_read(item, "input_examples", list, place) or (), start=1):
        if not isinstance(example, dict):
            raise InvalidValue(
                f"{place}.input_examples[{number - 1}] is {example!r:.80}",
                hint="an object of arguments",
            )
        is_told = {"scenario", "input"} <= example.keys() <= _EXAMPLE_KEYS
        yield ToolExample(
            scenario=str(example["scenario"]) if is_told else f"example {number}",
            input=example["input"] if is_told else example,
        )


def _read_severity(item: JsonObject, place: str) -> Severity | None:
    given = item.get("severity")
    if given is None or given in SEVERITIES:
        return given
    raise InvalidValue(f"{place}.severity is {given!r:.80}", hint=f"one of {', '.join(SEVERITIES)}")


def _read_callers(given: Json, place: str) -> frozenset[CallerType]:
    try:
        callers = frozenset(WireCaller(caller).to_caller_type() for caller in given)
    except (TypeError, ValueError):
        callers = frozenset()
    if not callers or isinstance(given, str):
        raise InvalidValue(
            f"{place} is {given!r:.80}",
            hint='a list of "direct" and "programmatic", or a version of "code_execution"',
        )
    return callers


def _read(item: JsonObject, key: str, kind: type[_Value], place: str) -> _Value | None:
    value = item.get(key)
    if value is None or isinstance(value, kind):
        return value
    raise InvalidValue(f"{place}.{key} is {value!r:.80}", hint=f"a {_KIND_NAMES[kind]}")


def _build_tool(definition: ToolDefinition, place: str) -> ModelTool:
    if not _NAME.fullmatch(definition.name):
        raise InvalidValue(
            f"{place}.name is {definition.name!r:.80}",
            hint='letters, digits, "_" and "-", at most 64',
        )
    return ModelTool(
        name=definition.name,
        description=definition.description,
        input_schema=definition.input_schema,
        output_schema=definition.output_schema,
        examples=definition.input_examples,
        is_deferred=bool(definition.defer_loading),
        callers=definition.allowed_callers or frozenset({"direct"}),
    )


def _close_to_programs(tool: ModelTool, place: str) -> ModelTool:
    if "direct" not in tool.callers:
        raise InvalidValue(
            f"{place}: {tool.name!r} is for programs only, and none can run",
            hint='add "direct" to its allowed_callers, or take enable_ptc=True and a model that'
            " runs programs",
        )
    return replace(tool, callers=frozenset({"direct"}))
