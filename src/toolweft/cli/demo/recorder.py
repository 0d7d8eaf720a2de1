"""A policy that keeps what passes on the road, so that the demo can say what it cost."""

import json
from dataclasses import dataclass

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.ids import CallId
from toolweft.core.json import Json, JsonObject
from toolweft.core.ports import Proceed
from toolweft.core.snapshot import CatalogTool

__all__ = ("RecordedCall", "Recorder", "render_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One call with its arguments and the text a model would have been given."""

    id: CallId
    tool: str
    arguments: JsonObject
    # The program's line; None for a direct call.
    line: int | None
    result_text: str
    is_error: bool


class Recorder:
    """Lets every call through and remembers it."""

    def __init__(self) -> None:
        self.calls: list[RecordedCall] = []

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        """Record the call once its result is there."""
        result = await proceed(call, tool)
        self.calls.append(
            RecordedCall(
                id=call.id,
                tool=tool.qualified,
                arguments=call.arguments,
                line=call.line,
                result_text=render_value(result.value),
                is_error=result.is_error,
            )
        )
        return result


def render_value(value: Json) -> str:
    """A result as a model reads it: text as it is, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
