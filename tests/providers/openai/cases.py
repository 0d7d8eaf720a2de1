"""Tools, histories and targets that the tests of the Responses API share."""

from dataclasses import replace

from toolweft.core.calls import Blob, Caller, TextContent
from toolweft.core.ids import RunId
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
from toolweft.core.tools import ToolExample
from toolweft.providers.openai import Target, find_model
from toolweft.providers.openai.target import Platform

NO_ARGUMENTS = {"type": "object", "properties": {}}
SKU = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
UNITS = {"type": "object", "properties": {"units": {"type": "integer"}}, "required": ["units"]}
ANSWER = {
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
    "additionalProperties": False,
}

SEARCH = ModelTool(
    name="search_tools",
    description="Find tools for a goal.",
    input_schema={"type": "object", "properties": {"query": {"type": "string"}}},
    is_search=True,
)
STOCK = ModelTool(name="get_stock", description="Units of an article.", input_schema=SKU)
ETA = ModelTool(
    name="get_eta", description="When an order comes.", input_schema=SKU, is_deferred=True
)
PROGRAM_STOCK = ModelTool(
    name="get_stock",
    description="Units of an article.",
    input_schema=SKU,
    output_schema=UNITS,
    callers=frozenset({"direct", "programmatic"}),
)
SHOWN = ModelTool(
    name="get_stock",
    description="Units of an article.",
    input_schema=SKU,
    output_schema=UNITS,
    examples=(ToolExample(scenario="a known article", input={"sku": "A-7"}, output={"units": 3}),),
)
PIXEL = Blob(data=b"\x89PNG\r\n", media_type="image/png")


def target(model: str = "gpt-5.6-sol", platform: Platform = "openai") -> Target:
    row = find_model(platform, model)
    return Target(
        model=model,
        platform=platform,
        capabilities=row.capabilities,
        is_reasoning=row.is_reasoning,
    )


def user(text: str) -> UserMessage:
    return UserMessage(content=(TextContent(text),))


def results(*given: ModelResult) -> ResultsMessage:
    return ResultsMessage(results=given)


def result(call_id: str, text: str = "", name: str = "get_stock", **more: Json) -> ModelResult:
    content = (TextContent(text),) if text else ()
    return ModelResult(call_id=call_id, name=name, **{"content": content, **more})


def said(*items: JsonObject, platform: str = "openai", **more: Json) -> AssistantMessage:
    """A message that came from this API."""
    return AssistantMessage(raw=RawItems(api="openai", platform=platform, items=items), **more)


def by_program(program_id: str) -> Caller:
    return Caller(type="programmatic", program_id=RunId(program_id))


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA1"}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "get_stock",
    "arguments": '{"sku":"A"}',
    "status": "completed",
}
SEARCH_CALL = {
    "type": "tool_search_call",
    "id": "ts_1",
    "execution": "client",
    "call_id": "call_s",
    "status": "completed",
    "arguments": {"query": "shipping eta"},
}
PROGRAM = {
    "type": "program",
    "id": "pr_1",
    "call_id": "call_p1",
    "code": "text(await tools.get_stock({sku: 'A'}))",
    "fingerprint": "fp-opaque",
}
PROGRAM_CALL = {
    "type": "function_call",
    "id": "fc_2",
    "call_id": "call_2",
    "name": "get_stock",
    "arguments": '{"sku":"A"}',
    "caller": {"type": "program", "caller_id": "call_p1"},
}
FOREIGN = AssistantMessage(
    text="I look.",
    calls=(
        ModelCall(id="toolu_1", name="get_stock", arguments={"sku": "A"}),
        ModelCall(id="toolu_s", name="search_tools", arguments={"query": "eta"}),
        ModelCall(id="toolu_2", name="get_eta", arguments={"sku": "A"}),
    ),
    raw=RawItems(api="anthropic", platform="anthropic", items=({"type": "thinking"},)),
)

REQUESTS: dict[str, tuple[ModelRequest, Target]] = {
    "plain": (ModelRequest(system="Be brief.", messages=(user("Hello"),)), target()),
    "older_model": (
        ModelRequest(tools=(SHOWN,), messages=(user("Hello"),), temperature=0.2, max_tokens=5),
        target("gpt-4.1"),
    ),
    "echo": (
        ModelRequest(
            tools=(STOCK,),
            messages=(user("How many?"), said(REASONING, CALL), results(result("call_1", "3"))),
        ),
        target("gpt-5.4"),
    ),
    "deferred": (
        ModelRequest(
            system="Be brief.",
            tools=(SEARCH, STOCK, ETA),
            messages=(
                user("When?"),
                said(SEARCH_CALL),
                results(result("call_s", name="search_tools", revealed=("get_eta", "gone"))),
            ),
        ),
        target("gpt-5.4"),
    ),
    "listed": (
        ModelRequest(tools=(SEARCH, STOCK, ETA), messages=(user("When?"),)),
        replace(target("gpt-5.4"), lists_deferred=True),
    ),
    "hosted_search": (
        ModelRequest(tools=(STOCK, ETA), messages=(user("When?"),)),
        target("gpt-5.4", "azure"),
    ),
    "added": (
        ModelRequest(
            tools=(STOCK,),
            messages=(user("When?"), ToolsMessage(tools=(replace(ETA, is_deferred=False),))),
        ),
        target("gpt-5.4"),
    ),
    "program": (
        ModelRequest(
            tools=(PROGRAM_STOCK,),
            messages=(
                user("How many?"),
                said(PROGRAM, PROGRAM_CALL),
                results(result("call_2", '{"units":3}', caller=by_program("call_p1"))),
            ),
        ),
        target(),
    ),
    "foreign": (
        ModelRequest(
            tools=(SEARCH, STOCK, ETA),
            messages=(
                user("When?"),
                FOREIGN,
                results(
                    result("toolu_1", "no such article", is_error=True),
                    result("toolu_s", name="search_tools", revealed=("get_eta",)),
                    result("toolu_2", "Monday", name="get_eta"),
                ),
            ),
        ),
        target("gpt-5.4"),
    ),
    "images": (
        ModelRequest(
            tools=(STOCK,),
            messages=(
                UserMessage(content=(TextContent("What is it?"), PIXEL)),
                said(CALL),
                results(
                    ModelResult(
                        call_id="call_1",
                        name="get_stock",
                        content=(TextContent("A photo:"), PIXEL, Blob(data=b"123")),
                    )
                ),
            ),
        ),
        target("gpt-5.4"),
    ),
    "structured": (
        ModelRequest(messages=(user("Sum?"),), output_schema=ANSWER),
        target("gpt-5.4"),
    ),
}
