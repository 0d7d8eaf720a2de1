"""What is wrong or missing in the examples of a tool, by the rules of docs/input-examples.md.

Pure: one tool of a snapshot in, findings out. It changes nothing; what cannot be shown was left out
before, and is only told here. Used by `toolweft tools --lint-examples`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias

from toolweft.catalog.ambiguity import ITEM, find_ambiguities, resolve_schema
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.schema_faults import render_path
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolExample

__all__ = ("LINT_RULES", "ExampleFinding", "LintRule", "lint_examples")

LintRule = Literal[
    "left-out",
    "not-shown",
    "placeholder",
    "no-scenario",
    "duplicate",
    "repeats-defaults",
    "no-minimal",
    "no-full",
]
# Rule -> what to do.
LINT_RULES: dict[LintRule, str] = {
    "left-out": "correct the example where it stands, or remove it",
    "not-shown": "add an example that gives it, with data as they really look",
    "placeholder": "write a value as it really looks; no caller ever sends this one",
    "no-scenario": "say in a few words what someone wants who would call it so",
    "duplicate": "remove one of the two, or show another use",
    "repeats-defaults": "leave the defaults out, or give other values",
    "no-minimal": "add an example with the required parameters alone",
    "no-full": "add an example that gives most of the optional parameters",
}

_Shown: TypeAlias = tuple[tuple[int, ToolExample], ...]

# A full call of a tool with very many options would teach less than it costs.
_MAX_FULL = 6
_MAX_PLACEHOLDER_CHARACTERS = 80
_PLACEHOLDER = re.compile(
    r"string|text|value|foo|bar|baz|foobar|qux|test|tests|testing|example|examples|sample|abc|xyz"
    r"|x{2,}|todo|tbd|n/a|undefined|dummy|placeholder|lorem ipsum.*|hello world|asdf|1234\d*"
    r"|(?:my|your|some)[_-][\w-]+|<[\w -]+>|\{[\w -]+\}|\[[\w -]+\]"
    r"|(?:https?://)?(?:www\.)?example\.(?:com|org|net)/?",
    re.IGNORECASE,
)
_EMPTY_SCENARIO = re.compile(r"(?:example|case|usage|use|test|scenario|input)?[ #_-]*\d*", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleFinding:
    """One thing to mend."""

    tool: str
    rule: LintRule
    # `$.input_examples[1].input.city` or `$.input_schema.properties.city`, of the definition.
    path: str
    reason: str

    @property
    def hint(self) -> str:
        """What to do."""
        return LINT_RULES[self.rule]


def lint_examples(tool: CatalogTool) -> tuple[ExampleFinding, ...]:
    """Everything to mend, the faults of single examples first; none for a disabled tool."""
    if tool.status == "disabled":
        return ()
    shown = _shown(tool)
    rules: list[tuple[LintRule, Iterator[tuple[str, str]]]] = [
        ("left-out", _left_out(tool)),
        ("no-scenario", _without_scenario(tool, shown)),
        ("placeholder", _placeholders(tool, shown)),
        ("duplicate", _duplicates(shown)),
        ("repeats-defaults", _repeated_defaults(tool, shown)),
        ("no-minimal", _without_minimal(tool)),
        ("no-full", _without_full(tool)),
        ("not-shown", _not_shown(tool)),
    ]
    return tuple(
        ExampleFinding(tool=tool.qualified, rule=rule, path=path, reason=reason)
        for rule, found in rules
        for path, reason in found
    )


def _shown(tool: CatalogTool) -> _Shown:
    """The examples that are shown, under their positions before others were left out."""
    gone = {fault.position for fault in tool.example_faults}
    positions = (position for position in count() if position not in gone)
    return tuple(zip(positions, tool.definition.input_examples, strict=False))


def _left_out(tool: CatalogTool) -> Iterator[tuple[str, str]]:
    for fault in tool.example_faults:
        yield fault.path, f"{fault.reason} ({fault.origin})" if fault.origin else fault.reason


def _without_scenario(tool: CatalogTool, shown: _Shown) -> Iterator[tuple[str, str]]:
    own = {str(tool.definition.name).casefold(), tool.python_name.casefold()}
    for position, example in shown:
        said = example.scenario.strip()
        if _EMPTY_SCENARIO.fullmatch(said) or said.casefold() in own:
            yield f"{_place(position)}.scenario", f"{said!r} does not say what the call is for"


def _placeholders(tool: CatalogTool, shown: _Shown) -> Iterator[tuple[str, str]]:
    root = tool.definition.input_schema
    for position, example in shown:
        for path, value in _placeholders_in(example.input, root, root):
            yield f"{_place(position)}.input{path}", f"{value!r} is a placeholder"


def _placeholders_in(
    value: Json, schema: JsonSchema, root: JsonSchema
) -> Iterator[tuple[str, str]]:
    part = resolve_schema(schema, root)
    if isinstance(value, str):
        # What the schema itself offers is real.
        is_offered = "enum" in part or "const" in part or value == part.get("default")
        said = value.strip()
        is_short = len(said) <= _MAX_PLACEHOLDER_CHARACTERS
        if not is_offered and is_short and _PLACEHOLDER.fullmatch(said):
            yield "", value
    elif isinstance(value, dict):
        properties = part.get("properties")
        known = properties if isinstance(properties, dict) else {}
        for name, below in value.items():
            for path, text in _placeholders_in(below, known.get(name, {}), root):
                yield f"{render_path((name,))[1:]}{path}", text
    elif isinstance(value, list):
        for index, below in enumerate(value):
            for path, text in _placeholders_in(below, part.get("items", {}), root):
                yield f"[{index}]{path}", text


def _duplicates(shown: _Shown) -> Iterator[tuple[str, str]]:
    inputs: dict[str, int] = {}
    scenarios: dict[str, int] = {}
    for position, example in shown:
        first = inputs.setdefault(json.dumps(example.input, sort_keys=True), position)
        if first != position:
            yield f"{_place(position)}.input", f"the same as {_place(first)}.input"
        said = example.scenario.casefold()
        first = scenarios.setdefault(said, position) if said else position
        if first != position:
            yield f"{_place(position)}.scenario", f"the same as {_place(first)}.scenario"


def _repeated_defaults(tool: CatalogTool, shown: _Shown) -> Iterator[tuple[str, str]]:
    properties, required = _parameters(tool)
    for position, example in shown:
        given = [name for name in example.input if name in properties and name not in required]
        if given and all(_is_default(properties[n], example.input[n]) for n in given):
            names = ", ".join(map(repr, given))
            yield f"{_place(position)}.input", f"{names} only as the default is anyway"


def _is_default(schema: Json, value: Json) -> bool:
    if not isinstance(schema, dict) or "default" not in schema:
        return False
    # For Python, not in JSON, 1 is True.
    return json.dumps(schema["default"], sort_keys=True) == json.dumps(value, sort_keys=True)


def _without_minimal(tool: CatalogTool) -> Iterator[tuple[str, str]]:
    properties, required = _parameters(tool)
    examples = tool.definition.input_examples
    if not examples or len(properties) == len(required):
        return
    # Where nothing is required the smallest call that says something has one parameter.
    most = len(required) or 1
    if not any(len(example.input) <= most for example in examples):
        listed = ", ".join(map(repr, sorted(required))) or "one parameter"
        yield "$.input_examples", f"no example is a minimal call, with {listed} alone"


def _without_full(tool: CatalogTool) -> Iterator[tuple[str, str]]:
    properties, required = _parameters(tool)
    examples = tool.definition.input_examples
    optional = properties.keys() - required
    if not examples or not optional:
        return
    wanted = min(-(-len(optional) // 2), _MAX_FULL)
    best = max(len(optional & example.input.keys()) for example in examples)
    if best < wanted:
        reason = f"no example is a full call: the fullest gives {best} of {len(optional)} optional"
        yield "$.input_examples", f"{reason} parameters, {wanted} would do"


def _not_shown(tool: CatalogTool) -> Iterator[tuple[str, str]]:
    inputs = [example.input for example in tool.definition.input_examples]
    for ambiguity in find_ambiguities(tool.definition.input_schema):
        if not any(_gives(given, ambiguity.path) for given in inputs):
            where = "".join(
                ".items" if step == ITEM else f".properties{render_path((step,))[1:]}"
                for step in ambiguity.path
            )
            yield f"$.input_schema{where}", f"no example shows it, and {ambiguity.reason}"


def _gives(value: Json, path: Sequence[str]) -> bool:
    if not path:
        return True
    if path[0] == ITEM:
        return isinstance(value, list) and any(_gives(item, path[1:]) for item in value)
    return isinstance(value, dict) and path[0] in value and _gives(value[path[0]], path[1:])


def _parameters(tool: CatalogTool) -> tuple[JsonObject, frozenset[str]]:
    """The properties of a tool, and which of them are required."""
    schema = tool.definition.input_schema
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    return known, frozenset(name for name in needed if isinstance(name, str))


def _place(position: int) -> str:
    return f"$.input_examples[{position}]"
