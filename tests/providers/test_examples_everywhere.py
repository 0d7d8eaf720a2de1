"""A tool's examples in the request of every API: in its field, or in the description."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.providers.anthropic.support import NATIVE
from tests.providers.anthropic.support import PLAIN as ANTHROPIC
from tests.providers.gemini.support import build_target as build_gemini
from tests.providers.openai.cases import target as build_openai
from tests.providers.openai_chat.cases import TARGET as CHAT

from toolweft.core.examples import render_examples
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelRequest, ModelTool, UserMessage
from toolweft.core.tools import ToolExample
from toolweft.providers import openai, openai_chat
from toolweft.providers.anthropic.encode import encode as encode_anthropic
from toolweft.providers.anthropic.models import UNKNOWN
from toolweft.providers.gemini.generate_encode import encode as encode_generate
from toolweft.providers.gemini.interactions_encode import encode as encode_interactions

Encode = Callable[[ModelRequest], Any]

SCHEMA = {
    "type": "object",
    "properties": {"sku": {"type": "string"}, "units": {"type": "integer"}},
    "required": ["sku"],
}
EXAMPLES = (
    ToolExample(scenario="what is left of an article", input={"sku": "Ä-7"}),
    ToolExample(
        scenario="a reservation",
        input={"sku": "A-7", "units": 2},
        output={"left": 1},
        notes="units are pieces",
    ),
    ToolExample(scenario="", input={"sku": "B-1"}),
)
TEXT = """Examples:
- what is left of an article: {"sku":"Ä-7"}
- a reservation: {"sku":"A-7","units":2} -> {"left":1} (units are pieces)
- {"sku":"B-1"}"""
TOOL = ModelTool(name="stock", description="Stock.", input_schema=SCHEMA, examples=EXAMPLES)
IN_WORDS: dict[str, Encode] = {
    "openai": lambda request: openai.encode(request, build_openai()),
    "openai_chat": lambda request: openai_chat.encode(request, CHAT),
    "gemini": lambda request: encode_generate(request, build_gemini("gemini")),
    "gemini_interactions": lambda request: encode_interactions(
        request, build_gemini("gemini_interactions")
    ),
    "anthropic, unknown model": lambda request: encode_anthropic(
        request, replace(ANTHROPIC, capabilities=UNKNOWN.capabilities)
    ),
}


def ask(tool: ModelTool) -> ModelRequest:
    return ModelRequest(tools=(tool,), messages=(UserMessage(content=()),))


def declared(body: Any) -> JsonObject:
    """The one tool with this name, wherever the API has it."""
    found: list[JsonObject] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("name") == "stock":
                found.append(value)
            value = list(value.values())
        if isinstance(value, list | tuple):
            for item in value:
                look(item)

    look(body)
    (tool,) = found
    return tool


@pytest.mark.parametrize("encode", IN_WORDS.values(), ids=IN_WORDS)
def test_examples_stand_in_the_description_where_there_is_no_field(encode: Encode) -> None:
    tool = declared(encode(ask(TOOL)))

    assert tool["description"].startswith(f"Stock.\n\n{TEXT}")
    assert "input_examples" not in tool
    assert json.dumps(encode(ask(TOOL))) == json.dumps(encode(ask(replace(TOOL))))


@pytest.mark.parametrize("encode", IN_WORDS.values(), ids=IN_WORDS)
def test_without_examples_nothing_is_added(encode: Encode) -> None:
    assert declared(encode(ask(replace(TOOL, examples=()))))["description"] == "Stock."


@pytest.mark.parametrize("target", [NATIVE, ANTHROPIC])
def test_anthropic_gets_the_inputs_in_their_own_field(target: Any) -> None:
    tool = declared(encode_anthropic(ask(TOOL), target))

    assert tool["input_examples"] == [example.input for example in EXAMPLES]
    assert tool["description"] == "Stock."


TEXTS = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(TEXTS, JSON, max_size=3), min_size=1, max_size=4))
def test_every_input_can_be_read_back_from_the_words(inputs: list[JsonObject]) -> None:
    examples = [ToolExample(scenario="a use", input=given) for given in inputs]

    title, *lines = render_examples(examples).split("\n")

    assert title == "Examples:"
    assert [json.loads(line.removeprefix("- a use: ")) for line in lines] == inputs
