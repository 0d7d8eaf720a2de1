"""Whatever a conversation comes to hold, what the vendor caches first stays the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.openai.cases import (
    ETA,
    PROGRAM_STOCK,
    SEARCH,
    STOCK,
    result,
    results,
    said,
    target,
    user,
)

from toolweft.core.messages import Message, ModelRequest, ModelTool, ToolsMessage
from toolweft.providers.openai import encode
from toolweft.providers.prefix import prefix_hash

EXTRA = ModelTool(name="extra", description="More.", input_schema={"type": "object"})
PARTS: dict[str, tuple[Message, ...]] = {
    "words": (user("Go on."),),
    "call": (
        said({"type": "function_call", "call_id": "c", "name": "get_stock", "arguments": "{}"}),
        results(result("c", "3", revealed=("get_eta",))),
    ),
    "search": (
        said(
            {
                "type": "tool_search_call",
                "execution": "client",
                "call_id": "s",
                "arguments": {"query": "eta"},
            }
        ),
        results(result("s", name="search_tools", revealed=("get_eta",))),
    ),
    "tools": (ToolsMessage(tools=(EXTRA,)),),
}


@pytest.mark.promise("openai.prefix")
@given(
    parts=st.lists(st.sampled_from(sorted(PARTS)), max_size=8),
    model=st.sampled_from(["gpt-5.4", "gpt-5.6-sol"]),
)
def test_the_prefix_never_changes(parts: list[str], model: str) -> None:
    start = ModelRequest(system="Be brief.", tools=(SEARCH, PROGRAM_STOCK, STOCK, ETA))
    first = encode(start, target(model))
    messages = tuple(message for part in parts for message in PARTS[part])
    later = encode(
        ModelRequest(system=start.system, tools=start.tools, messages=messages), target(model)
    )

    assert prefix_hash(later) == prefix_hash(first)
    assert later["prompt_cache_key"] == first["prompt_cache_key"]


@given(parts=st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=6))
def test_a_history_only_grows(parts: list[str]) -> None:
    tools = (SEARCH, STOCK, ETA)
    messages: tuple[Message, ...] = ()
    before: list[object] = []
    for part in parts:
        messages += PARTS[part]
        items = encode(ModelRequest(tools=tools, messages=messages), target("gpt-5.4"))["input"]
        assert items[: len(before)] == before
        before = items
