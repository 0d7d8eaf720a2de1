"""Tools, histories and targets that the tests of Chat Completions share."""

from dataclasses import replace

from toolweft.core.calls import Blob, TextContent
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    ModelCall,
    ModelRequest,
    ModelResult,
    ModelTool,
    RawItems,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.core.providers import ModelCapabilities
from toolweft.core.tools import ToolExample
from toolweft.providers.openai_chat import Target

SKU = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
ANSWER = {
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
    "additionalProperties": False,
}
STOCK = ModelTool(
    name="get_stock",
    description="Units of an article.",
    input_schema=SKU,
    output_schema={"type": "object"},
    examples=(ToolExample(scenario="a known article", input={"sku": "A-7"}, notes="fast"),),
)
ETA = ModelTool(name="get_eta", description="When.", input_schema=SKU, is_deferred=True)
ONLY_PROGRAMS = ModelTool(
    name="bulk", description="", input_schema=SKU, callers=frozenset({"programmatic"})
)
PIXEL = Blob(data=b"\x89PNG\r\n", media_type="image/png")
TARGET = Target(model="local", platform="ollama", capabilities=ModelCapabilities())
BLIND = replace(TARGET, capabilities=ModelCapabilities(takes_images=False))


def user(text: str) -> UserMessage:
    return UserMessage(content=(TextContent(text),))


def results(*given: ModelResult) -> ResultsMessage:
    return ResultsMessage(results=given)


def result(call_id: str, text: str = "", name: str = "get_stock", **more: Json) -> ModelResult:
    content = (TextContent(text),) if text else ()
    return ModelResult(call_id=call_id, name=name, **{"content": content, **more})


def said(item: JsonObject, platform: str = "ollama", **more: Json) -> AssistantMessage:
    """A message that came from this API."""
    raw = RawItems(api="openai_chat", platform=platform, items=(item,))
    return AssistantMessage(raw=raw, **more)


def wire_call(arguments: str = '{"sku":"A"}', call_id: str = "call_1") -> JsonObject:
    function = {"name": "get_stock", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


ASKED = {
    "role": "assistant",
    "content": None,
    "reasoning_content": "Hmm.",
    "tool_calls": [wire_call()],
}
FOREIGN = AssistantMessage(
    text="I look.",
    calls=(
        ModelCall(id="toolu_1", name="get_stock", arguments={"sku": "A"}),
        ModelCall(id="toolu_2", name="get_stock", arguments=None, fault="no JSON"),
    ),
    raw=RawItems(api="anthropic", platform="anthropic", items=({"type": "thinking"},)),
)

REQUESTS: dict[str, tuple[ModelRequest, Target]] = {
    "plain": (
        ModelRequest(system="Be brief.", messages=(user("Hello"),), temperature=0.2),
        TARGET,
    ),
    "tools": (
        ModelRequest(
            tools=(STOCK, ETA, ONLY_PROGRAMS),
            messages=(user("When?"), ToolsMessage(tools=(replace(ETA, name="later"), STOCK))),
        ),
        replace(TARGET, limit_name="max_completion_tokens"),
    ),
    "echo": (
        ModelRequest(messages=(user("How many?"), said(ASKED), results(result("call_1", "3")))),
        TARGET,
    ),
    "foreign": (
        ModelRequest(
            messages=(
                user("How many?"),
                FOREIGN,
                results(result("toolu_1", "3"), result("toolu_2", "no JSON", is_error=True)),
                AssistantMessage(),
            )
        ),
        TARGET,
    ),
    "images": (
        ModelRequest(
            messages=(
                UserMessage(content=(TextContent("What is it?"), PIXEL)),
                said(ASKED),
                results(
                    ModelResult(
                        call_id="call_1", name="get_stock", content=(TextContent("See:"), PIXEL)
                    )
                ),
            )
        ),
        TARGET,
    ),
    "blind": (
        ModelRequest(messages=(UserMessage(content=(TextContent("What is it?"), PIXEL)),)),
        BLIND,
    ),
    "structured": (ModelRequest(messages=(user("Sum?"),), output_schema=ANSWER), TARGET),
}
