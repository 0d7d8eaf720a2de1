"""What a tool's description says for an API that has no field for it."""

import json
from collections.abc import Mapping

from toolweft.core.examples import render_examples
from toolweft.core.json import Json
from toolweft.core.messages import ModelTool

__all__ = ("render_description",)


def render_description(tool: ModelTool, *, has_output_schema: bool) -> str:
    """The description, its examples, and the shape of its result where no field carries that.

    The same text for the same tool at all times, as caches match it by its bytes.
    """
    parts = [tool.description] if tool.description else []
    if tool.output_schema is not None and not has_output_schema:
        parts.append(f"Returns JSON of this schema: {_compact(tool.output_schema)}")
    if tool.examples:
        parts.append(render_examples(tool.examples))
    return "\n\n".join(parts)


def _compact(value: Mapping[str, Json] | Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
