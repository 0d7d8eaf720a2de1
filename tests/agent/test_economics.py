"""Tokens by part, and what direct calling would have held."""

from tests.agent.world import DELETE, WEATHER, Planner, call, open_stage, program, say, use
from tests.programs.fakes import make_snapshot, make_tool

from toolweft.agent.economics import (
    PromptMeter,
    PromptTokens,
    measure_definitions,
    measure_tools,
)
from toolweft.core.calls import Blob, TextContent
from toolweft.core.messages import (
    AssistantMessage,
    ModelResult,
    ModelTool,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)

TOOL = ModelTool(name="tool", description="x" * 400, input_schema={"type": "object"})


def test_every_message_counts_for_its_part() -> None:
    meter = PromptMeter(system="s" * 40, tools=(TOOL,), definitions=0)
    surface = measure_tools((TOOL,))
    assert surface > 100
    meter.add(UserMessage(content=(TextContent("u" * 400), Blob(data=b"x"))))
    meter.add(AssistantMessage(text="a" * 40, calls=(program("c" * 400),)))
    shown = ModelResult(call_id="c", name="run_code", content=(TextContent("r" * 800),))
    meter.add(ResultsMessage(results=(shown,)))
    meter.add(ToolsMessage(tools=(TOOL,)))
    parts = meter.parts
    assert (parts.system, parts.surface, parts.revealed) == (10, surface, surface)
    assert (parts.other, parts.results) == (1_110, 200)
    assert 100 < parts.programs < 110
    assert parts.total == 10 + surface * 2 + 1_110 + 200 + parts.programs
    meter.restart()
    assert meter.parts == PromptTokens(system=10, surface=surface)


def test_direct_calling_lists_every_tool_and_shows_every_result() -> None:
    tools = [make_tool(f"many.tool_{n}", description="d" * 400) for n in range(10)]
    hidden = make_tool("many.hidden", description="d" * 4_000, callers=frozenset())
    suspended = make_tool("many.other", description="d" * 4_000, status="suspended")
    definitions = measure_definitions(make_snapshot(*tools, hidden, suspended))
    assert 1_000 < definitions < 1_300
    meter = PromptMeter(system="s" * 40, tools=(TOOL,), definitions=definitions)
    meter.withhold(500)
    meter.add(UserMessage(content=(TextContent("u" * 40),)))
    assert meter.direct == 10 + definitions + 500 + 10


async def test_a_suspended_tool_is_not_declared() -> None:
    planner = Planner(say("Ok."))
    listed = make_tool("many.listed", always_listed=True, deferred=False)
    suspended = make_tool(
        "many.other", always_listed=True, deferred=False, status="suspended", status_reason="new"
    )
    async with open_stage(planner, tools=(WEATHER, listed, suspended)) as stage:
        await stage.run()
    declared = {tool.name for tool in planner.requests[0].tools}
    assert "many-listed" in declared
    assert "many-other" not in declared


async def test_a_result_says_what_its_requests_held() -> None:
    code = "rows = await sky.rain(city='x')\nprint(len(rows))"
    planner = Planner(use(call("search_tools", queries=["rain"])), use(program(code)), say("Ok."))
    many = [make_tool(f"many.tool_{n}", description="d" * 400) for n in range(200)]
    async with open_stage(planner, tools=(WEATHER, DELETE, *many)) as stage:
        stage.world.road.answers["sky.rain"] = ["row"] * 5_000
        result = await stage.run()

    first, second, third = result.prompts
    assert first.results == first.programs == 0
    assert 0 < second.results < third.results < 200
    assert first.surface == second.surface == third.surface
    assert result.prompt_tokens.total == first.total + second.total + third.total
    # 202 definitions in each of three requests, and 5,000 rows in the last.
    assert result.direct_tokens > 60_000 > 10 * result.prompt_tokens.total
