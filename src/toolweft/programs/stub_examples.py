"""Examples of a tool under its stub, as comments that hold the call a program would write.

Pure. An example is written whole or not at all: half a call would teach a wrong one.
"""

import keyword

from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolExample
from toolweft.programs.clipping import clip_text
from toolweft.programs.schema_types import write_literal

__all__ = ("render_examples", "render_one_example")

# In a search's answer each of five tools may have one: 35 tokens.
_MAX_SHORT_CHARACTERS = 140
_MAX_SHORT_SCENARIO_CHARACTERS = 48
_MAX_SCENARIO_CHARACTERS = 160
_MAX_NOTES_CHARACTERS = 400
# More of a result than its shape is not worth its tokens.
_MAX_OUTPUT_CHARACTERS = 600


def render_one_example(tool: CatalogTool, *, room: int) -> str:
    """The first example that is short, beginning with a line break; empty where none is.

    Args:
        tool: any tool.
        room: characters there are.
    """
    most = min(room, _MAX_SHORT_CHARACTERS)
    for example in tool.definition.input_examples:
        line = _render_call(tool, example, max_scenario=_MAX_SHORT_SCENARIO_CHARACTERS)
        if len(line) <= most:
            return line
    return ""


def render_examples(tool: CatalogTool, *, room: int) -> str:
    """Every example with its output and notes, and how many there was no room for."""
    parts: list[str] = []
    left_out = 0
    for example in tool.definition.input_examples:
        part = _render_whole(tool, example)
        if len(part) > room:
            left_out += 1
            continue
        room -= len(part)
        parts.append(part)
    note = f"\n# examples too long to show here: {left_out}"
    if left_out and len(note) <= room:
        parts.append(note)
    return "".join(parts)


def _render_whole(tool: CatalogTool, example: ToolExample) -> str:
    text = _render_call(tool, example, max_scenario=_MAX_SCENARIO_CHARACTERS)
    if example.output is not None:
        output = write_literal(example.output)
        if len(output) <= _MAX_OUTPUT_CHARACTERS:
            text += f"\n#   gives {output}"
    if notes := clip_text(example.notes or "", _MAX_NOTES_CHARACTERS):
        text += f"\n#   {notes}"
    return text


def _render_call(tool: CatalogTool, example: ToolExample, *, max_scenario: int) -> str:
    spelled = {original: python for python, original in tool.parameters.items()}
    arguments: list[str] = []
    others = {}
    for original, value in example.input.items():
        name = spelled.get(original, original)
        if name.isascii() and name.isidentifier() and not keyword.iskeyword(name):
            arguments.append(f"{name}={write_literal(value)}")
        else:
            others[original] = value
    if others:
        arguments.append(f"**{write_literal(others)}")
    scenario = clip_text(example.scenario, max_scenario)
    lead = f"{scenario}: " if scenario else ""
    return f"\n# {lead}await {tool.qualified}({', '.join(arguments)})"
