"""Vendors' own forms: hidden tools that searches reveal, added tools, programs at the vendor."""

from dataclasses import replace
from datetime import UTC, datetime

import anyio
import pytest
from tests.agent.world import (
    DELETE,
    NATIVE,
    WEATHER,
    Planner,
    call,
    open_stage,
    program,
    results_of,
    say,
    texts_of,
    use,
)
from tests.programs.fakes import make_snapshot, make_tool

from toolweft.agent.events import Notice, ToolFinished, ToolsRevealed
from toolweft.core.calls import Caller, TextContent
from toolweft.core.errors import ProviderError, RemoteContainerGone
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.messages import ModelCall, ModelReply, ToolsMessage, UserMessage
from toolweft.core.programs import CONTAINER_LOST, Container

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTAINER = Container(
    id=ContainerId("container_1"), expires_at=NOW, last_active_at=NOW, status="busy", backend="a"
)
GONE = RemoteContainerGone("the container is over")


def from_program(name: str, call_id: str = "p1", **arguments: object) -> ModelCall:
    caller = Caller(type="programmatic", program_id=RunId("srvtoolu_1"), call_index=1)
    return ModelCall(id=call_id, name=name, arguments=dict(arguments), caller=caller)


def waiting(*calls: ModelCall) -> ModelReply:
    return use(*calls, stop="awaiting_program", container=CONTAINER)


# -------------------------------------------------------------------------------------- revealing


async def test_hidden_tools_are_declared_once_and_revealed_by_a_search() -> None:
    planner = Planner(
        use(call("search_tools", queries=["rain"])),
        use(call("sky-rain", city="Oslo")),
        say("Four."),
        capabilities=NATIVE,
    )
    async with open_stage(planner) as stage:
        result = await stage.run()

    assert [t.name for t in planner.requests[0].tools if t.is_deferred] == [
        "sky-rain",
        "disk-delete",
    ]
    assert [t.name for t in planner.requests[0].tools if t.is_search] == ["search_tools"]
    assert results_of(planner.requests[1])[0].revealed == ("sky-rain",)
    assert stage.of(ToolsRevealed)[0].names == ("sky-rain",)
    assert texts_of(planner.requests[2]) == ["4"]
    assert result.prompts[0].revealed == 0
    assert result.prompts[1].revealed > 0


async def test_without_deferral_nothing_is_declared_but_the_surface() -> None:
    planner = Planner(use(call("search_tools", queries=["rain"])), say("Done."))
    async with open_stage(planner) as stage:
        await stage.run()
    assert [tool.name for tool in planner.requests[1].tools] == [
        *("search_tools", "describe_tools", "call_tool", "run_code")
    ]
    assert results_of(planner.requests[1])[0].revealed == ()
    assert stage.of(ToolsRevealed) == []


async def test_a_tool_that_came_later_is_added_once_behind_the_results() -> None:
    later = make_tool("sky.wind", description="Wind in a city")
    search = call("search_tools", queries=["wind"])
    planner = Planner(
        use(search), use(search, call("sky-wind", "c2")), say("Calm."), capabilities=NATIVE
    )
    async with open_stage(planner) as stage:

        def grow(event: object) -> None:
            stage.world.holder.snapshot = make_snapshot(WEATHER, DELETE, later, version=2)
            stage.world.road.snapshot = stage.world.holder.snapshot

        stage.on_event = grow
        stage.world.road.answers["sky.wind"] = "none"
        await stage.run()

    added = [m for m in planner.requests[-1].messages if isinstance(m, ToolsMessage)]
    assert [[tool.name for tool in message.tools] for message in added] == [["sky-wind"]]
    assert planner.requests[-1].tools == planner.requests[0].tools
    assert texts_of(planner.requests[2])[1] == "none"


async def test_a_model_that_takes_fewer_tools_than_there_are_gets_the_four() -> None:
    planner = Planner(say("Done."), capabilities=replace(NATIVE, max_tools=5))
    async with open_stage(planner) as stage:
        await stage.run()
    assert len(planner.requests[0].tools) == 4


# ------------------------------------------------------------------------------ programs elsewhere


async def test_calls_of_a_program_at_the_vendor_are_answered_as_its_own() -> None:
    planner = Planner(
        waiting(from_program("sky-rain", city="Oslo"), from_program("sky-rain", "p2", city="Roma")),
        say("Same."),
        capabilities=NATIVE,
    )
    async with open_stage(planner) as stage:
        result = await stage.run()
        assert {c.caller.type for c in stage.world.road.calls} == {"programmatic"}
        assert {c.caller.program_id for c in stage.world.road.calls} == {"srvtoolu_1"}

    assert planner.requests[1].container_id == "container_1"
    assert texts_of(planner.requests[1]) == ["4", "4"]
    assert [r.caller.program_id for r in results_of(planner.requests[1])] == ["srvtoolu_1"] * 2
    assert all(tool.is_programmatic for tool in stage.of(ToolFinished))
    assert result.container == CONTAINER


async def test_direct_and_programmatic_calls_of_one_reply_are_both_answered() -> None:
    planner = Planner(
        waiting(call("search_tools", queries=["rain"]), from_program("sky-rain", city="Oslo")),
        say("Done."),
        capabilities=NATIVE,
    )
    async with open_stage(planner) as stage:
        await stage.run()
    assert [r.call_id for r in results_of(planner.requests[1])] == ["c1", "p1"]
    assert [r.caller.type for r in results_of(planner.requests[1])] == ["direct", "programmatic"]


async def test_a_call_that_a_program_would_not_wait_for_ends_before_it_gives_up() -> None:
    slow = from_program("sky-rain", city="Oslo")
    planner = Planner(
        waiting(slow, from_program("disk-delete", "p2")),
        use(call("sky-rain", city="Oslo")),
        say("Rain."),
        capabilities=replace(NATIVE, program_wait_s=0.2),
    )
    ended: list[str] = []

    async def rain(city: str) -> str:
        try:
            # Longer than a program there waits, and nothing to a direct call.
            await anyio.sleep(0.6 if stage.world.road.calls[-1].caller.type == "direct" else 60)
        finally:
            ended.append(city)
        return "much"

    async with open_stage(planner) as stage:
        stage.world.road.answers["sky.rain"] = rain
        await stage.run()

    late, done = results_of(planner.requests[1])
    assert late.is_error
    assert late.content[0].text == (
        "timeout: sky-rain was stopped after 0.2 s: no program there waits longer\n"
        "hint: it may have taken effect; call it directly, or in a program of run_code"
    )
    assert not done.is_error
    assert texts_of(planner.requests[2]) == ["much"]
    assert ended == ["Oslo", "Oslo"]
    assert [event.status for event in stage.of(ToolFinished)][-1] == "ok"


async def test_a_program_whose_container_is_gone_is_begun_once_more() -> None:
    reads = from_program("sky-rain", city="Oslo")
    planner = Planner(
        use(program("print(1)")),
        waiting(reads),
        GONE,
        waiting(reads),
        say("Done."),
        capabilities=NATIVE,
    )
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert result.status == "done"
    again = planner.requests[2]
    # What the program had begun is taken off; what stood before it stays.
    *kept, told = again.messages
    assert tuple(kept) == planner.requests[1].messages
    assert told == UserMessage(content=(TextContent(CONTAINER_LOST),))
    assert again.container_id is None
    assert [notice.kind for notice in stage.of(Notice)] == ["container"]


async def test_a_container_that_is_over_is_left_out_and_the_model_is_told_once() -> None:
    over = replace(CONTAINER, status="idle")
    planner = Planner(
        use(call("search_tools", queries=["rain"])),
        use(call("search_tools", "c2", queries=["wind"])),
        say("Done."),
        say("Again."),
        capabilities=NATIVE,
    )
    async with open_stage(planner) as stage:
        result = await stage.run(container=over)
        await stage.run(history=result.history, container=result.container)

    told = UserMessage(content=(TextContent(CONTAINER_LOST),))
    assert [request.container_id for request in planner.requests] == [None] * 4
    assert [request.messages.count(told) for request in planner.requests] == [1] * 4
    assert [notice.kind for notice in stage.of(Notice)] == ["container"]


@pytest.mark.promise("agent.once")
@pytest.mark.parametrize("fails", [1, 2])
async def test_it_is_not_begun_again_where_something_would_be_done_twice(fails: int) -> None:
    name = "disk-delete" if fails == 1 else "sky-rain"
    step = waiting(from_program(name, city="Oslo"))
    planner = Planner(*[step, GONE] * fails, say("never"), capabilities=NATIVE)
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "remote_container_gone")
    assert name in result.error.message
    assert len(planner.requests) == fails


async def test_a_program_that_waits_is_never_asked_about_twice() -> None:
    away = ProviderError("broke off", retryable=True)
    planner = Planner(
        waiting(from_program("sky-rain", city="Oslo")), away, say("never"), capabilities=NATIVE
    )
    planner.begins_with = "Ha"
    other = Planner(say("never"))
    async with open_stage(planner, other) as stage:
        result = await stage.run()
    assert (result.status, other.requests, len(planner.requests)) == ("unavailable", [], 1)


@pytest.mark.parametrize("away", [ProviderError("broke off", retryable=True), GONE])
async def test_nor_one_that_the_task_before_left_waiting(away: ProviderError) -> None:
    step = waiting(from_program("sky-rain", city="Oslo"))
    planner = Planner(step, away, say("never"), capabilities=NATIVE)
    async with open_stage(planner, max_turns=1) as stage:
        before = await stage.run()
        planner.begins_with = "so"
        stage.world.clock.advance(10_000)
        result = await stage.run(history=before.history, container=before.container)
    assert before.status == "max_turns"
    assert result.error is not None
    assert result.status == ("failed" if away is GONE else "unavailable")
