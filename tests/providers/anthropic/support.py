"""What the tests of this folder say again and again."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolweft.core.calls import Blob, TextContent
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelRequest,
    ModelResult,
    ModelTool,
    RawItems,
    ResultsMessage,
    UserMessage,
)
from toolweft.core.tools import ToolExample
from toolweft.providers.anthropic.models import find_model
from toolweft.providers.anthropic.target import Platform, Target
from toolweft.providers.native import limit_to_native
from toolweft.testing.vendors.anthropic_events import render_events

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
MODEL = "claude-opus-5-5"


def load(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def build_target(
    model: str = MODEL, *, native: str = "on", platform: Platform = "anthropic"
) -> Target:
    row = find_model(platform, model)
    capabilities = limit_to_native(row.capabilities, native, is_proven=row.is_proven)  # type: ignore[arg-type] # one of three
    return Target(model=model, platform=platform, capabilities=capabilities, headers=row.headers)


NATIVE = build_target()
PLAIN = build_target(native="off")


def build_tool(name: str, *parameters: str, **fields: Any) -> ModelTool:
    schema = {
        "type": "object",
        "properties": {parameter: {"type": "string"} for parameter in parameters},
        "required": list(parameters),
    }
    tool = ModelTool(name=name, description=f"Does {name}.", input_schema=schema)
    return replace(tool, **fields)


REFUND = ModelTool(
    name="refund_order",
    description="Refund one order.",
    input_schema={
        "type": "object",
        "properties": {"order_id": {"type": "string"}, "cents": {"type": "integer"}},
        "required": ["order_id"],
    },
    examples=(
        ToolExample(scenario="all of it", input={"order_id": "A-7"}),
        ToolExample(scenario="a part", input={"order_id": "A-7", "cents": 1250}),
    ),
    is_deferred=True,
)
FIND = build_tool("find_tools", "query")
ORDER = build_tool("get_order", "order_id", is_deferred=True)
EXPENSES = build_tool(
    "get_expenses",
    "emp",
    callers=frozenset({"programmatic"}),
    output_schema={"type": "array", "items": {"type": "object"}},
)


def user(*content: str | Blob) -> UserMessage:
    return UserMessage(content=to_content(content))


def to_content(content: Sequence[str | Blob]) -> tuple[TextContent | Blob, ...]:
    return tuple(TextContent(piece) if isinstance(piece, str) else piece for piece in content)


def result(call_id: str, *content: str | Blob, name: str = "tool", **fields: Any) -> ModelResult:
    return ModelResult(call_id=call_id, name=name, content=to_content(content), **fields)


def results(*given: ModelResult) -> ResultsMessage:
    return ResultsMessage(results=given)


def called(*calls: ModelCall, text: str = "", raw: RawItems | None = None) -> AssistantMessage:
    return AssistantMessage(text=text, calls=calls, raw=raw)


def call(call_id: str, name: str, **arguments: Any) -> ModelCall:
    return ModelCall(id=call_id, name=name, arguments=arguments)


def ask(*messages: Message, **fields: Any) -> ModelRequest:
    return ModelRequest(**{"messages": messages or (user("Hello."),), **fields})


def list_wire_events(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream, parsed, without those the SDK keeps to itself."""
    data = [event.split("data: ", 1)[1] for event in render_events(message)]
    return [event for event in map(json.loads, data) if event["type"] != "ping"]
