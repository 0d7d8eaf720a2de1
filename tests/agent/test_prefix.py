"""What a vendor's cache matches first stays the same, whatever happens in a task."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.world import Planner, call, open_stage, program, say, use
from tests.providers.anthropic.support import build_target as anthropic_target
from tests.providers.gemini.support import build_target as gemini_target

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelCall, ModelRequest
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.anthropic.encode import encode as to_anthropic
from toolweft.providers.gemini import generate_encode, interactions_encode
from toolweft.providers.openai import Target as OpenAITarget
from toolweft.providers.openai import encode as to_openai
from toolweft.providers.openai import find_model
from toolweft.providers.openai_chat import Target as ChatTarget
from toolweft.providers.openai_chat import encode as to_chat
from toolweft.providers.prefix import prefix_hash

Encode = Callable[[ModelRequest], JsonObject]

_CALLS: tuple[ModelCall, ...] = (
    call("search_tools", queries=["rain"]),
    call("search_tools", queries=["delete", "nothing at all"]),
    call("describe_tools", names=["sky.rain", "sky.none"]),
    call("call_tool", name="sky.rain", arguments={"city": "Oslo"}),
    call("sky-rain", city="Rome"),
    call("no_such_tool"),
    program("print(await sky.rain(city='Oslo'))"),
    program("1 / 0"),
    ModelCall(id="c", name="run_code", arguments=None, fault="no JSON"),
)


def _openai(platform: Any, model: str) -> tuple[ModelCapabilities, Encode]:
    row = find_model(platform, model)
    target = OpenAITarget(model=model, platform=platform, capabilities=row.capabilities)
    return row.capabilities, lambda request: to_openai(request, target)


def _anthropic(native: str) -> tuple[ModelCapabilities, Encode]:
    target = anthropic_target(native=native)
    return target.capabilities, lambda request: to_anthropic(request, target)


def _gemini(api: Any, encode: Any, native: str) -> tuple[ModelCapabilities, Encode]:
    target = gemini_target(api, native=native)
    return target.capabilities, lambda request: encode(request, target)


CHAT = ChatTarget(model="local", platform="ollama", capabilities=ModelCapabilities())
VENDORS = {
    "anthropic": _anthropic("off"),
    "anthropic, natively": _anthropic("on"),
    "openai, natively": _openai("openai", "gpt-5.6-sol"),
    "openai, a plain model": _openai("openai", "gpt-4.1"),
    "azure, natively": _openai("azure", "gpt-5.4"),
    "openai_chat": (CHAT.capabilities, lambda request: to_chat(request, CHAT)),
    "gemini": _gemini("gemini", generate_encode.encode, "off"),
    "gemini_interactions": _gemini("gemini_interactions", interactions_encode.encode, "off"),
    "gemini_interactions, natively": _gemini(
        "gemini_interactions", interactions_encode.encode, "on"
    ),
}


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=st.lists(st.lists(st.sampled_from(_CALLS), min_size=1, max_size=3), max_size=6))
@pytest.mark.promise("agent.prefix")
def test_the_prefix_is_the_same_in_every_request(vendor: str, turns: list[list[ModelCall]]) -> None:
    capabilities, encode = VENDORS[vendor]
    planner = Planner(
        *(use(*_numbered(calls, turn)) for turn, calls in enumerate(turns)),
        say("Cut ", "max_tokens"),
        say("off."),
        capabilities=capabilities,
    )

    async def run() -> None:
        async with open_stage(planner) as stage:
            await stage.run()

    anyio.run(run)
    bodies = [encode(request) for request in planner.requests]
    assert len({prefix_hash(body) for body in bodies}) == 1


def _numbered(calls: list[ModelCall], turn: int) -> list[ModelCall]:
    return [
        ModelCall(id=f"c{turn}_{n}", name=c.name, arguments=c.arguments, fault=c.fault)
        for n, c in enumerate(calls)
    ]
