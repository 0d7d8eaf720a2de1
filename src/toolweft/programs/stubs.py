"""Tools as Python stubs: what a model reads before it writes a call.

Pure and deterministic: the same tool gives the same text, and every text parses as Python. Text
that comes from a source is clipped and stripped of what does not print; it never leaves a
comment, a docstring or a literal. Used by the toolbox and by `tools.search` inside programs.
"""

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from toolweft.core.json import Json, JsonSchema
from toolweft.core.snapshot import CatalogTool
from toolweft.programs.clipping import clip_text
from toolweft.programs.schema_types import TypeWriter, write_literal
from toolweft.programs.stub_examples import render_examples, render_one_example

__all__ = ("DETAILS", "Detail", "render_signature", "render_stub")

# brief: name and parameters. typed: what a call needs. full: everything the source says.
Detail = Literal["typed", "brief", "full"]
DETAILS: tuple[Detail, ...] = ("typed", "brief", "full")

# A default longer than this is not worth its tokens; the parameter is then marked optional alone.
_MAX_DEFAULT_CHARACTERS = 40
# Parameters written of one tool; more do not fit into any stub.
MAX_PARAMETERS = 256
# The default already says so.
_OPTIONAL_PREFIX = re.compile(r"^\s*[(\[]?optional[)\].:,]*\s+", re.IGNORECASE)
_FILLER = frozenset({"a", "an", "the", "of", "to", "for", "in", "on", "and", "or", "value", "name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """How much of a tool is written."""

    # None: names alone, without types.
    parameter_depth: int | None
    result_depth: int
    max_result_characters: int
    max_comment_characters: int
    max_summary_characters: int


_FULL = _Measure(
    parameter_depth=8,
    result_depth=8,
    max_result_characters=4_000,
    max_comment_characters=400,
    max_summary_characters=3_000,
)
# From rich to bare; the first that fits under the cap is taken.
_TYPED = (
    _Measure(
        parameter_depth=2,
        result_depth=3,
        max_result_characters=320,
        max_comment_characters=56,
        max_summary_characters=160,
    ),
    _Measure(
        parameter_depth=2,
        result_depth=2,
        max_result_characters=200,
        max_comment_characters=36,
        max_summary_characters=120,
    ),
    _Measure(
        parameter_depth=1,
        result_depth=1,
        max_result_characters=120,
        max_comment_characters=0,
        max_summary_characters=120,
    ),
    _Measure(
        parameter_depth=0,
        result_depth=0,
        max_result_characters=40,
        max_comment_characters=0,
        max_summary_characters=80,
    ),
    _Measure(
        parameter_depth=None,
        result_depth=0,
        max_result_characters=40,
        max_comment_characters=0,
        max_summary_characters=60,
    ),
)
_CAPS: dict[Detail, int] = {"brief": 400, "typed": 900, "full": 8_000}


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    schema: Json
    required: bool


def render_stub(
    tool: CatalogTool, *, detail: Detail = "typed", max_characters: int | None = None
) -> str:
    """The stub of one tool under a comment with its full name and what is special about it.

    Args:
        tool: any tool, also one whose schemas are unusable.
        detail: how much is written.
        max_characters: the longest text, by default 400, 900 or 8,000 by detail; names alone
            may be longer.
    """
    cap = _CAPS[detail] if max_characters is None else max_characters
    if detail == "brief":
        return _render_brief(tool, cap)
    heading = f"# {tool.qualified}{_render_notes(tool)}\n"
    measures = (_FULL, *_TYPED) if detail == "full" else _TYPED
    for measure in measures:
        text = heading + render_signature(tool, measure)
        if len(text) <= cap:
            render = render_examples if detail == "full" else render_one_example
            return text + render(tool, room=cap - len(text))
    text = f"{heading}async def {tool.python_name}(**arguments) -> Any: ..."
    return text if len(text) <= cap else text[len(heading) :]


def render_signature(tool: CatalogTool, measure: _Measure = _TYPED[0]) -> str:
    """The function alone: parameters, result type and docstring."""
    schema = tool.definition.input_schema
    if measure.parameter_depth is None:
        entries = [(p.name if p.required else f"{p.name}=...", "") for p in _parameters_of(tool)]
    else:
        writer = TypeWriter(schema, max_depth=measure.parameter_depth)
        entries = [
            _render_parameter(parameter, writer, measure.max_comment_characters)
            for parameter in _parameters_of(tool)
        ]
    if _takes_more(tool):
        entries.append(("**more: Any", ""))
    result = _render_result(tool.definition.output_schema, measure)
    body = _render_docstring(tool, measure.max_summary_characters)
    return f"async def {tool.python_name}({_join_parameters(entries)}) -> {result}:{body}"


def _join_parameters(entries: list[tuple[str, str]]) -> str:
    if not entries:
        return ""
    star = "" if entries[0][0].startswith("**") else "*, "
    if not any(comment for _, comment in entries):
        return star + ", ".join(code for code, _ in entries)
    # The comma after **more is allowed since Python 3.6 in definitions.
    lines = [f"    {code},{'  # ' + comment if comment else ''}\n" for code, comment in entries]
    return star.rstrip() + "\n" + "".join(lines)


def _render_parameter(
    parameter: _Parameter, writer: TypeWriter, max_comment_characters: int
) -> tuple[str, str]:
    schema = parameter.schema if isinstance(parameter.schema, dict) else {}
    written = writer.write(parameter.schema)
    code = f"{parameter.name}: {written}"
    if not parameter.required:
        code += f" = {_render_default(schema, written)}"
    described = schema.get("description")
    comment = _OPTIONAL_PREFIX.sub("", described) if isinstance(described, str) else ""
    encoding = _encoding(schema)
    said = [encoding if encoding not in comment else "", comment]
    comment = clip_text("; ".join(filter(None, said)), max_comment_characters)
    return code, "" if _says_nothing(comment, parameter.name) else comment


def _encoding(schema: JsonSchema) -> str:
    """How a text stands for bytes, which its type does not say; empty for most."""
    choices = schema.get("anyOf")
    for part in (schema, *(choices if isinstance(choices, list) else ())):
        said = part.get("contentEncoding") if isinstance(part, dict) else None
        if isinstance(said, str):
            return said
    return ""


def _render_default(schema: JsonSchema, written: str) -> str:
    if "default" not in schema or (schema["default"] is None and "None" not in written):
        return "..."
    default = write_literal(schema["default"])
    return default if len(default) <= _MAX_DEFAULT_CHARACTERS else "..."


def _says_nothing(comment: str, name: str) -> bool:
    words = {word.strip(".,:;()'\"").lower() for word in comment.replace("_", " ").split()}
    return words <= set(name.lower().split("_")) | _FILLER | {""}


def _parameters_of(tool: CatalogTool) -> Iterator[_Parameter]:
    """At most `MAX_PARAMETERS` under their Python names, required ones first."""
    schema = tool.definition.input_schema
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, dict):
        return
    wanted = (
        {name for name in required if isinstance(name, str)}
        if isinstance(required, list)
        else set()
    )
    spelled: dict[str, str] = {original: python for python, original in tool.parameters.items()}
    named: set[str] = set()
    needed = (original for original in properties if original in wanted)
    others = (original for original in properties if original not in wanted)
    for original in chain(needed, others):
        if len(named) >= MAX_PARAMETERS:
            return
        name = spelled.get(str(original)) or str(original)
        if name.isidentifier() and not keyword.iskeyword(name) and name not in named:
            named.add(name)
            yield _Parameter(name, properties[original], original in wanted)


def _takes_more(tool: CatalogTool) -> bool:
    schema = tool.definition.input_schema
    additional = schema.get("additionalProperties")
    properties = schema.get("properties")
    written = {p.name for p in _parameters_of(tool)}
    total = len(properties) if isinstance(properties, dict) else 0
    if total > len(written):
        return "more" not in written
    return bool(additional) and "more" not in written


def _render_result(schema: JsonSchema | None, measure: _Measure) -> str:
    """The deepest result type that fits; a lone `result` key is unwrapped as calls unwrap it."""
    if not isinstance(schema, dict):
        return "Any"
    shown: Json = schema
    properties = schema.get("properties")
    if isinstance(properties, dict) and list(properties) == ["result"]:
        shown = properties["result"]
    for depth in range(measure.result_depth, 0, -1):
        text = TypeWriter(schema, max_depth=depth).write(shown)
        if len(text) <= measure.max_result_characters:
            return text
    for depth in (1, 0) if measure.result_depth else (0,):
        text = TypeWriter(schema, max_depth=depth, keys_only=True).write(shown)
        if len(text) <= measure.max_result_characters:
            return text
    return "Any"


def _render_docstring(tool: CatalogTool, max_characters: int) -> str:
    definition = tool.definition
    text = definition.short_description or definition.description
    if max_characters >= _FULL.max_summary_characters:
        text = definition.description or text
    text = clip_text(text, max_characters)
    if not text:
        return " ..."
    safe = text.replace("\\", "\\\\").replace('"""', "'''")
    if safe.endswith('"'):
        safe = safe[:-1] + '\\"'
    return f'\n    """{safe}"""'


def _render_notes(tool: CatalogTool) -> str:
    """What a caller must know beside the signature: effects, who may call, whether it is up."""
    notes = []
    if tool.severity != "write":
        notes.append(tool.severity.replace("_", "-"))
    if tool.callers == {"direct"}:
        notes.append("call_tool only, not in programs")
    elif tool.callers == {"programmatic"}:
        notes.append("in programs only")
    elif not tool.callers:
        notes.append("nobody may call it")
    if tool.status != "available":
        notes.append(clip_text(f"{tool.status}: {tool.status_reason}", 160))
    return f" ({', '.join(notes)})" if notes else ""


def _render_brief(tool: CatalogTool, cap: int) -> str:
    names = ", ".join(f"{p.name}{'' if p.required else '?'}" for p in _parameters_of(tool))
    definition = tool.definition
    summary = clip_text(definition.short_description or definition.description, 120)
    for parameters in (names, "..."):
        text = f"# {tool.qualified}({parameters}){_render_notes(tool)}"
        if len(text) <= cap:
            return clip_text(f"{text}: {summary}" if summary else text, cap)
    return f"# {tool.qualified}"
