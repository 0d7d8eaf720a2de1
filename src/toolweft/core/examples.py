"""A tool's examples in its description, for whoever has no field for them. Pure.

The same text for the same examples at all times, as caches match it by its bytes.
"""

import json
from collections.abc import Iterable

from toolweft.core.json import Json
from toolweft.core.tools import ToolExample

__all__ = ("render_examples",)


def render_examples(examples: Iterable[ToolExample]) -> str:
    """One line an example, under a title."""
    return "\n".join(["Examples:", *map(_render, examples)])


def _render(example: ToolExample) -> str:
    lead = f"{example.scenario}: " if example.scenario else ""
    line = f"- {lead}{_compact(example.input)}"
    if example.output is not None:
        line += f" -> {_compact(example.output)}"
    return f"{line} ({example.notes})" if example.notes else line


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
