"""What is left when a model or the search is away."""

import pytest
from tests.agent.world import (
    DELETE,
    PRICES,
    WEATHER,
    Planner,
    Stage,
    call,
    open_stage,
    program,
    say,
    texts_of,
    use,
)
from tests.programs.fakes import make_tool

from toolweft.agent.degradation import list_tools, saved_in
from toolweft.agent.events import Notice, ToolFinished, TurnStarted
from toolweft.core.agent_options import AgentOptions
from toolweft.core.calls import Failure
from toolweft.core.errors import ProviderError, SandboxUnavailable
from toolweft.core.events import ModelReplied
from toolweft.core.ids import SourceName

AWAY = ProviderError("the vendor is down", retryable=True)
REPORT = make_tool("saved.weekly_report", description="Write the weekly report of rain")
PURGE = make_tool("saved.purge", description="Purge the old files", severity="destructive")
NEEDY = make_tool(
    "saved.greet", description="Greet a person", parameters={"name": {}}, required=["name"]
)


def find_saved(stage: Stage, *, kind: str = "saved") -> None:
    object.__setattr__(stage.box.snapshot.sources[SourceName("saved")], "kind", kind)
    stage.find_saved = saved_in(stage.box)


async def test_the_next_planner_stands_in_and_stays() -> None:
    first = Planner(use(program("print(1)")), AWAY, name="one:big")
    second = Planner(use(program("print(2)")), say("Done."), name="two:big")
    async with open_stage(first, second) as stage:
        result = await stage.run()
    assert (result.status, result.text) == ("done", "Done.")
    assert [turn.model for turn in stage.of(TurnStarted)] == ["one:big", "one:big", "two:big"]
    (notice,) = stage.of(Notice)
    assert (notice.kind, "two:big stands in" in notice.text) == ("degraded", True)
    # It goes on in the same history.
    assert len(second.requests[0].messages) == 3


async def test_a_stream_that_breaks_off_is_asked_once_more() -> None:
    planner = Planner(AWAY, say("Whole."))
    planner.begins_with = "Ha"
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert (result.status, result.text) == ("done", "Whole.")
    assert [notice.kind for notice in stage.of(Notice)] == ["retry"]
    twice = Planner(AWAY, AWAY, say("never"))
    twice.begins_with = "Ha"
    async with open_stage(twice) as stage:
        assert (await stage.run()).status == "unavailable"


async def test_a_reply_that_broke_off_may_have_cost_all_that_was_put_aside() -> None:
    planner = Planner(AWAY, say("Whole."), prices=PRICES)
    planner.begins_with = "Ha"
    async with open_stage(planner) as stage:
        result = await stage.run()
        (first, _) = [e for e in stage.world.ledger.events if isinstance(e, ModelReplied)]
    assert result.cost_usd is not None
    # An output of 4,096 tokens at $50 for a million.
    assert result.cost_usd == first.cost_usd > 0.2
    away = Planner(AWAY, prices=PRICES)
    async with open_stage(away) as stage:
        assert (await stage.run()).cost_usd == 0


async def test_calls_that_share_an_id_are_not_made_and_it_is_asked_once_more() -> None:
    rain = call("call_tool", "c1", name="sky.rain", arguments={"city": "Oslo"})
    planner = Planner(use(rain, rain), use(rain), say("Four."))
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert (result.status, [made.tool for made in result.calls]) == ("done", ["sky.rain"])
    assert "several calls have the id 'c1'" in stage.of(Notice)[0].text
    assert len(planner.requests[2].messages) == 3


@pytest.mark.parametrize("times", [1, 2])
async def test_a_stream_that_breaks_off_before_any_text_is_paid_and_asked_once_more(
    times: int,
) -> None:
    """The model may have thought for long, or written arguments."""
    begun = ProviderError("the answer broke off", retryable=True, has_begun=True)
    planner = Planner(*[begun] * times, say("Whole."), prices=PRICES)
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert result.status == ("done" if times == 1 else "unavailable")
    assert [notice.kind for notice in stage.of(Notice)][:1] == ["retry"]
    (bill,) = stage.spending.bills
    assert bill.requests == 2
    assert result.cost_usd is not None
    # Each time the most that it may have cost, of which the longest answer alone is:
    assert result.cost_usd >= times * AgentOptions().max_tokens * PRICES.output / 1e6


async def test_a_request_that_was_never_answered_costs_nothing() -> None:
    async with open_stage(Planner(AWAY, prices=PRICES)) as stage:
        result = await stage.run()
    assert (result.status, result.cost_usd) == ("unavailable", 0.0)


async def test_a_saved_program_that_fits_stands_in() -> None:
    async with open_stage(Planner(AWAY), tools=(REPORT, WEATHER)) as stage:
        stage.world.road.answers["saved.weekly_report"] = {"mm": 12}
        find_saved(stage)
        result = await stage.run("the weekly report")
    assert (result.status, result.text) == ("saved_program", '{"mm":12}')
    assert result.is_ok
    (told,) = stage.of(ToolFinished)
    assert (told.tool, told.status) == ("saved.weekly_report", "ok")
    assert [(made.tool, made.status) for made in result.calls] == [("saved.weekly_report", "ok")]
    assert result.error is not None
    assert result.error.code == "model_unavailable"


async def test_values_that_nobody_chose_are_told() -> None:
    """The request may have meant others."""
    parameters = {"team": {"type": "string", "default": "sales"}}
    budget = make_tool("saved.budget", description="The budget of a team", parameters=parameters)
    async with open_stage(Planner(AWAY), tools=(budget,)) as stage:
        stage.world.road.answers["saved.budget"] = "2500"
        find_saved(stage)
        result = await stage.run("the budget of the support team")
    assert result.text == "[saved.budget ran with values of its own: team='sales']\n2500"


@pytest.mark.parametrize("task", ["purge the old files", "greet a person", "something else", " "])
async def test_no_saved_program_is_run_that_needs_a_decision(task: str) -> None:
    async with open_stage(Planner(AWAY), tools=(PURGE, NEEDY, WEATHER)) as stage:
        find_saved(stage)
        result = await stage.run(task)
        assert stage.world.road.calls == []
    assert result.status == "unavailable"


async def test_a_server_named_like_the_source_of_saved_programs_is_not_called() -> None:
    async with open_stage(Planner(AWAY), tools=(REPORT,)) as stage:
        find_saved(stage, kind="mcp stdio")
        assert (await stage.run("weekly report")).status == "unavailable"
        assert stage.world.road.calls == []


async def test_a_saved_program_that_fails_is_no_answer() -> None:
    async with open_stage(Planner(AWAY), tools=(REPORT,)) as stage:
        stage.world.road.answers["saved.weekly_report"] = Failure(code="x", message="no")
        find_saved(stage)
        result = await stage.run("weekly report")
    assert result.status == "unavailable"
    assert [(made.tool, made.status) for made in result.calls] == [("saved.weekly_report", "x")]


async def test_no_saved_program_is_run_once_something_was_done() -> None:
    planner = Planner(use(program("print(1)")), AWAY)
    async with open_stage(planner, tools=(REPORT,)) as stage:
        find_saved(stage)
        assert (await stage.run("weekly report")).status == "unavailable"


@pytest.mark.promise("agent.degraded")
@pytest.mark.parametrize(("told", "wait_s"), [(None, 60.0), (7.0, 7.0)])
async def test_the_error_says_when_to_ask_again(told: float | None, wait_s: float) -> None:
    away = ProviderError("429: slow down", hint="ask less", retryable=True, retry_after_s=told)
    async with open_stage(Planner(away)) as stage:
        result = await stage.run()
    assert result.error == Failure(
        code="model_unavailable",
        message="no model answered: 429: slow down",
        hint=f"ask again in {wait_s:g} s; ask less",
        retryable=True,
        retry_after_s=wait_s,
    )


@pytest.mark.promise("agent.degraded")
@pytest.mark.parametrize("status", [401, 404])
async def test_what_is_wrong_for_good_is_worth_no_wait(status: int) -> None:
    wrong = ProviderError("no such key", hint="look at it", status=status, retry_after_s=30.0)
    async with open_stage(Planner(wrong)) as stage:
        result = await stage.run()
    assert result.error == Failure(
        code="model_unavailable", message="no model answered: no such key", hint="look at it"
    )


async def test_tools_are_listed_where_they_cannot_be_searched() -> None:
    planner = Planner(use(call("search_tools", queries=["rain"])), say("Done."))

    class Broken:
        async def search(self, *_: object, **__: object) -> object:
            raise RuntimeError("the index is gone")

    async with open_stage(planner) as stage:
        stage.box._searcher = Broken()  # type: ignore[assignment]  # it fails altogether
        result = await stage.run()
    text = texts_of(planner.requests[1])[0]
    assert "sky.rain" in text
    assert "disk.delete" in text
    assert result.status == "done"
    assert [notice.kind for notice in stage.of(Notice)] == ["degraded"]
    assert "index is gone" not in text


async def test_as_many_tools_are_listed_as_fit() -> None:
    tools = [make_tool(f"many.tool_{n}", description="Does a thing") for n in range(100)]
    async with open_stage(Planner(), tools=tools) as stage:
        text = list_tools(stage.box.snapshot, budget_tokens=200)
    assert 100 < len(text) / 4 < 260
    assert text.endswith("more tools, which do not fit here]")


async def test_a_sandbox_that_is_away_is_an_error_the_model_reads() -> None:
    planner = Planner(use(program("print(1)")), say("No programs here."))
    async with open_stage(planner, tools=(DELETE,)) as stage:
        stage.world.backend.fault = SandboxUnavailable("no tier holds")
        result = await stage.run()
    assert result.status == "done"
    assert "no tier holds" in texts_of(planner.requests[1])[0]
