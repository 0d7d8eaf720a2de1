"""What the tests of this folder say again and again."""

import json
from dataclasses import replace
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
from toolweft.providers.gemini.models import find_model
from toolweft.providers.gemini.target import Api, Target
from toolweft.providers.native import limit_to_native

GOLDEN = Path(__file__).parent / "golden"
MODEL = "gemini-3.8-flash"
OLDER = "gemini-2.5-flash"
PNG = Blob(data=b"png", media_type="image/png")


def load(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def build_target(api: Api, model: str = MODEL, *, native: Any = "on", **fields: Any) -> Target:
    row = find_model(api, model)
    capabilities = limit_to_native(row.capabilities, native, is_proven=row.is_proven)
    return Target(
        model=model,
        api=api,
        capabilities=capabilities,
        joins_schema_and_tools=row.joins_schema_and_tools,
        takes_result_images=row.takes_result_images,
        **fields,
    )


def build_tool(name: str, *parameters: str, **fields: Any) -> ModelTool:
    schema = {
        "type": "object",
        "properties": {parameter: {"type": "string"} for parameter in parameters},
        "required": list(parameters),
    }
    tool = ModelTool(name=name, description=f"Does {name}.", input_schema=schema)
    return replace(tool, **fields)


FIND = build_tool("find_tools", "query", is_search=True)
WEATHER = build_tool("get_weather", "city", output_schema={"type": "object"})
REFUND = build_tool(
    "refund_order",
    "order_id",
    examples=(ToolExample(scenario="all of it", input={"order_id": "A-7"}),),
    is_deferred=True,
)
ORDER = build_tool("get_order", "order_id", is_deferred=True)


def user(*content: str | Blob) -> UserMessage:
    return UserMessage(content=tuple(TextContent(p) if isinstance(p, str) else p for p in content))


def result(call_id: str, *content: str | Blob, name: str = "tool", **fields: Any) -> ModelResult:
    pieces = tuple(TextContent(p) if isinstance(p, str) else p for p in content)
    return ModelResult(call_id=call_id, name=name, content=pieces, **fields)


def results(*given: ModelResult) -> ResultsMessage:
    return ResultsMessage(results=given)


def called(*calls: ModelCall, text: str = "", raw: RawItems | None = None) -> AssistantMessage:
    return AssistantMessage(text=text, calls=calls, raw=raw)


def call(call_id: str, name: str, **arguments: Any) -> ModelCall:
    return ModelCall(id=call_id, name=name, arguments=arguments)


def ask(*messages: Message, **fields: Any) -> ModelRequest:
    return ModelRequest(**{"messages": messages or (user("Hello."),), **fields})


def list_wire_events(data: list[str]) -> list[dict[str, Any]]:
    """The events of a stream, parsed, without the mark at its end."""
    texts = [event.split("data: ", 1)[1].strip() for event in data]
    return [json.loads(text) for text in texts if text != "[DONE]"]
