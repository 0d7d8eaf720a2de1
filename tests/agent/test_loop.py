"""One task over fakes: what the planner says, what is done, and how it ends."""

from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
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
    results_of,
    say,
    texts_of,
    use,
)

from toolweft.agent.events import (
    Notice,
    ProgramFinished,
    ProgramPrinted,
    SearchFinished,
    ToolFinished,
    TurnFinished,
    TurnStarted,
)
from toolweft.agent.spending import Spending
from toolweft.core.calls import Caller
from toolweft.core.errors import ContextFull, ProviderError
from toolweft.core.events import ModelReplied
from toolweft.core.ids import RunId
from toolweft.core.messages import (
    AssistantMessage,
    ModelCall,
    ModelEvent,
    ModelRequest,
    RawItems,
    ResultsMessage,
    TextPrinted,
    UserMessage,
)
from toolweft.core.models import TokenUsage


async def test_a_search_a_program_and_an_answer() -> None:
    planner = Planner(
        use(call("search_tools", queries=["rain"])),
        use(program("print(await sky.rain(city='Oslo'))")),
        say("Four."),
    )
    async with open_stage(planner) as stage:
        result = await stage.run()

    assert (result.status, result.text, result.turns, result.error) == ("done", "Four.", 3, None)
    assert [c.tool for c in result.calls] == ["search_tools", "sky.rain", "run_code"]
    assert stage.of(SearchFinished)[0].found == ("sky.rain",)
    assert stage.of(ProgramPrinted)[0].text == "4\n"
    assert [record.tool for record in stage.of(ProgramFinished)[0].calls] == ["sky.rain"]
    assert len(stage.of(TurnStarted)) == len(stage.of(TurnFinished)) == 3
    assert texts_of(planner.requests[2])[0].startswith("4\n")


async def test_the_history_only_grows_and_the_tools_stay() -> None:
    planner = Planner(use(program("print(1)")), use(program("print(2)")), say("Done."))
    async with open_stage(planner) as stage:
        result = await stage.run()

    for before, after in zip(planner.requests, planner.requests[1:], strict=False):
        assert after.messages[: len(before.messages)] == before.messages
        assert after.tools == before.tools
        assert after.system == before.system
    assert result.history[: len(planner.requests[-1].messages)] == planner.requests[-1].messages


async def test_calls_of_one_reply_run_at_once_and_are_answered_in_order() -> None:
    both_run = anyio.Event()
    waiting: list[str] = []

    async def meet(city: str) -> str:
        waiting.append(city)
        if len(waiting) == 2:
            both_run.set()
        with anyio.fail_after(5):
            await both_run.wait()
        return city

    planner = Planner(
        use(
            call("call_tool", "a", name="sky.rain", arguments={"city": "Oslo"}),
            call("call_tool", "b", name="sky.rain", arguments={"city": "Rome"}),
        ),
        say("Done."),
    )
    async with open_stage(planner) as stage:
        stage.world.road.answers["sky.rain"] = meet
        await stage.run()

    assert [result.call_id for result in results_of(planner.requests[1])] == ["a", "b"]
    assert texts_of(planner.requests[1]) == ["Oslo", "Rome"]


async def test_programs_of_one_container_follow_one_another() -> None:
    planner = Planner(use(program("x = 1\nprint(x)")))
    async with open_stage(planner) as stage:
        planner.steps.append(say("wait"))
        await stage.run()
        container = stage.of(ProgramFinished)[0].container_id
        again = Planner(
            use(
                program("x += 1\nprint(x)", "a", container_id=container),
                program("x += 1\nprint(x)", "b", container_id=container),
            ),
            say("Done."),
        )
        stage.planners = (again,)
        await stage.run()
    assert [text.partition("\n")[0] for text in texts_of(again.requests[1])] == ["2", "3"]


# -------------------------------------------------------------------------------------- repairs


async def test_arguments_that_are_no_json_are_told_and_nothing_is_called() -> None:
    broken = ModelCall(id="c1", name="call_tool", arguments=None, fault="Expecting value: line 1")
    planner = Planner(use(broken), say("Sorry."))
    async with open_stage(planner) as stage:
        result = await stage.run()
        assert stage.world.road.calls == []

    assert result.status == "done"
    assert results_of(planner.requests[1])[0].is_error
    assert "Expecting value" in texts_of(planner.requests[1])[0]


async def test_a_tool_that_does_not_exist_is_answered_with_near_names() -> None:
    planner = Planner(use(call("sky_rein", city="Oslo")), use(call("run_cod", code="1")), say("x"))
    async with open_stage(planner) as stage:
        await stage.run()

    assert "sky.rain" in texts_of(planner.requests[1])[0]
    assert "run_code" in texts_of(planner.requests[2])[0]
    assert [tool.status for tool in stage.of(ToolFinished)] == ["tool_not_found"] * 2


async def test_an_answer_that_was_cut_off_goes_on_once() -> None:
    planner = Planner(say("One, ", "max_tokens"), say("two."))
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert (result.status, result.text) == ("done", "One, two.")

    endless = Planner(*[say("more ", "max_tokens")] * 5)
    async with open_stage(endless) as stage:
        result = await stage.run()
    assert (result.status, result.text, result.turns) == ("max_tokens", "more more ", 2)


async def test_a_call_that_was_cut_off_is_not_made() -> None:
    cut = use(call("call_tool", name="disk.delete", arguments={}), stop="max_tokens")
    planner = Planner(cut, say("Sorry."))
    async with open_stage(planner) as stage:
        result = await stage.run()
        assert stage.world.road.calls == []
    assert result.status == "done"
    assert "not executed: your reply was cut off" in texts_of(planner.requests[1])[0]


async def test_an_empty_reply_is_asked_about_once() -> None:
    planner = Planner(say(""), say("Here."))
    async with open_stage(planner) as stage:
        assert (await stage.run()).text == "Here."
    silent = Planner(say(""), say(" "), say("never"))
    async with open_stage(silent) as stage:
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.error.code, result.turns) == ("failed", "empty_reply", 2)


async def test_a_paused_turn_is_sent_again_without_a_word() -> None:
    raw = RawItems(api="anthropic", platform="anthropic", items=({"type": "server"},))
    paused = replace(say(""), stop="pause_turn", message=AssistantMessage(raw=raw))
    planner = Planner(paused, say("Done."))
    async with open_stage(planner) as stage:
        await stage.run()
    assert planner.requests[1].messages == (*planner.requests[0].messages, paused.message)


async def test_a_refusal_ends_the_task_with_its_reason() -> None:
    async with open_stage(Planner(say("I won't.", "refusal", detail="policy: no"))) as stage:
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.text) == ("refused", "I won't.")
    assert "policy: no" in result.error.message
    assert not result.is_ok


# --------------------------------------------------------------------------------------- bounds


@pytest.mark.promise("agent.bounded")
async def test_a_model_that_never_stops_is_stopped() -> None:
    planner = Planner(*[use(program(f"print({n})")) for n in range(9)])
    async with open_stage(planner, max_turns=4) as stage:
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.turns, len(planner.requests)) == ("max_turns", 4, 4)
    assert "after 4 replies" in result.error.message


@pytest.mark.parametrize(
    "failing",
    [
        program("raise ValueError('no')"),
        call("call_tool", name="sky.rein", arguments={}),
        ModelCall(id="c", name="run_code", arguments=None, fault="not JSON"),
    ],
    ids=["program", "tool", "arguments"],
)
async def test_the_same_error_twice_in_a_row_ends_the_task(failing: ModelCall) -> None:
    planner = Planner(use(failing), use(failing), say("never"))
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.turns) == ("repeated_error", 2)
    assert failing.name in result.error.message


async def test_another_error_or_a_success_between_lets_it_go_on() -> None:
    one, two = program("raise ValueError('no')"), program("raise KeyError('no')")
    planner = Planner(use(one), use(two), use(one), use(program("print(1)")), use(one), say("ok"))
    async with open_stage(planner) as stage:
        assert (await stage.run()).status == "done"


async def test_a_task_stops_before_it_costs_more_than_it_may() -> None:
    usage = TokenUsage(input_tokens=1_000, output_tokens=100)
    steps = [use(program(f"print({n})"), usage=usage) for n in range(50)]
    planner = Planner(*steps, prices=PRICES)
    async with open_stage(planner, max_tokens=100) as stage:
        stage.spending = Spending(max_cost_usd=0.1)
        result = await stage.run()
    assert result.error is not None
    assert result.status == "budget"
    assert 1 < len(planner.requests) < 50
    # 1,000 x $10 + 100 x $50 for a million tokens.
    assert result.cost_usd == pytest.approx(len(planner.requests) * 0.015)
    assert result.cost_usd <= 0.1


# ----------------------------------------------------------------------------------- full context


async def test_a_full_context_begins_anew_once_with_what_was_done() -> None:
    planner = Planner(use(program("print('first finding')")), ContextFull("too long"), say("Done."))
    async with open_stage(planner) as stage:
        result = await stage.run("count them")
    (first,) = planner.requests[1].messages
    assert isinstance(first, UserMessage)
    text = first.content[0].text  # type: ignore[union-attr]  # it is text
    assert text.startswith("count them")
    assert "first finding" in text
    assert result.status == "done"
    assert [notice.kind for notice in stage.of(Notice)] == ["context"]


async def test_a_context_that_fills_again_ends_the_task() -> None:
    full = say("", "context_window_exceeded")
    planner = Planner(use(program("print(1)")), full, use(program("print(2)")), full, say("never"))
    async with open_stage(planner) as stage:
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.error.code) == ("context_full", "context_full")


async def test_a_task_that_is_too_long_itself_is_not_begun_anew() -> None:
    async with open_stage(Planner(ContextFull("too long"), say("never"))) as stage:
        result = await stage.run()
    assert (result.status, result.turns) == ("context_full", 1)


# -------------------------------------------------------------------------------------- containers


def _name(planner: Planner, **arguments: str) -> None:
    """Let the call of the next reply name a container or a run."""
    reply = planner._replies[len(planner.requests)]
    if not reply.message.calls:
        return
    (asked,) = reply.message.calls
    assert asked.arguments is not None
    named = replace(asked, arguments={**asked.arguments, **arguments})
    message = replace(reply.message, calls=(named,))
    replies = list(planner._replies)
    replies[len(planner.requests)] = replace(reply, message=message)
    planner._replies = tuple(replies)


def expire_between_turns(stage: Stage, planner: Planner) -> None:
    """Each program names the container of the one before, which has expired by then."""

    def follow(event: object) -> None:
        if isinstance(event, ProgramFinished) and event.container_id:
            _name(planner, container_id=event.container_id)
        if isinstance(event, TurnStarted) and event.turn > 1:
            stage.world.clock.advance(10_000)

    stage.on_event = follow


async def test_an_expired_container_is_renewed_once_and_the_model_is_told() -> None:
    planner = Planner(
        use(program("print(await sky.rain(city='Rome'))")),
        use(program("print('again')", container_id="?")),
        use(program("print('and again')", container_id="?")),
        say("Done."),
    )
    async with open_stage(planner) as stage:
        expire_between_turns(stage, planner)
        await stage.run()

    text = texts_of(planner.requests[2])[0]
    assert "is gone, and its variables with it: this ran in a fresh one]\nagain" in text
    assert "container_expired" in texts_of(planner.requests[3])[0]
    assert [notice.kind for notice in stage.of(Notice)] == ["container"]


async def test_a_container_in_which_something_was_changed_is_not_renewed() -> None:
    planner = Planner(
        use(program("print(await disk.delete())")),
        use(program("print('again')", container_id="?")),
        say("Done."),
    )
    async with open_stage(planner, tools=(WEATHER, DELETE)) as stage:
        expire_between_turns(stage, planner)
        await stage.run()
        assert len(stage.world.road.calls) == 1

    assert results_of(planner.requests[2])[0].is_error
    assert "container_expired" in texts_of(planner.requests[2])[0]
    assert stage.of(Notice) == []


# -------------------------------------------------------------------------------------- records


async def test_every_request_is_recorded_with_what_it_cost() -> None:
    usage = TokenUsage(input_tokens=1_000, output_tokens=100)
    planner = Planner(
        use(program("print(1)"), usage=usage),
        ProviderError("away", retryable=True),
        prices=PRICES,
        name="vendor:big",
    )
    async with open_stage(planner) as stage:
        result = await stage.run()
        records = [event for event in stage.world.ledger.events if isinstance(event, ModelReplied)]

    assert [(r.role, r.model, r.status, r.run_id) for r in records] == [
        ("planner", "vendor:big", "ok", None),
        ("planner", "vendor:big", "provider_error", None),
    ]
    assert records[0].cost_usd == pytest.approx(0.015)
    assert result.bills[0].requests == 1
    assert result.usage == usage


async def test_a_program_at_the_vendor_may_not_use_the_four_tools() -> None:
    caller = Caller(type="programmatic", program_id=RunId("srvtoolu_1"), call_index=1)
    asked = ModelCall(id="c", name="run_code", arguments={"code": "1"}, caller=caller)
    planner = Planner(use(asked, stop="awaiting_program"), say("Done."))
    async with open_stage(planner) as stage:
        await stage.run()
        assert stage.world.backend.sessions == []
    (result,) = results_of(planner.requests[1])
    assert result.is_error
    assert result.caller == caller
    assert "may not be called from a program" in texts_of(planner.requests[1])[0]


async def test_a_conversation_goes_on_from_its_history() -> None:
    async with open_stage(Planner(use(program("print(1)")), say("One."))) as stage:
        first = await stage.run("first")
        planner = Planner(say("Two."))
        stage.planners = (planner,)
        second = await stage.run("second", history=first.history)
    (request,) = planner.requests
    assert request.messages[: len(first.history)] == first.history
    assert any(isinstance(message, ResultsMessage) for message in request.messages)
    assert second.history[-1] == AssistantMessage(text="Two.")


async def test_a_program_that_still_runs_when_the_model_answers_is_stopped() -> None:
    async def rain(city: str) -> str:
        await anyio.sleep_forever()
        return city

    planner = Planner(
        use(program("print(await sky.rain(city='Oslo'))", wait_s=0)), say("I do not wait.")
    )
    async with open_stage(planner) as stage:
        stage.world.road.answers["sky.rain"] = rain
        result = await stage.run()
        (started,) = stage.of(ProgramFinished)
        with anyio.fail_after(5):
            reply = await stage.box.invoke("run_code", {"run_id": started.run_id, "wait_s": 5})

    assert (result.status, started.status) == ("done", "running")
    assert reply.is_error
    assert "the task that started it is over" in reply.text


async def test_a_program_that_outlasts_the_wait_is_waited_for_by_its_id() -> None:
    go_on = anyio.Event()

    async def rain(city: str) -> str:
        await go_on.wait()
        return city

    planner = Planner(
        use(program("print(await sky.rain(city='Oslo'))", wait_s=0)),
        use(call("run_code", run_id="?")),
        say("Done."),
    )
    async with open_stage(planner) as stage:
        stage.world.road.answers["sky.rain"] = rain

        def follow(event: object) -> None:
            if isinstance(event, ProgramFinished) and event.status == "running":
                _name(planner, run_id=event.run_id)
                go_on.set()

        stage.on_event = follow
        result = await stage.run()

    assert "still running: run_code(run_id=" in texts_of(planner.requests[1])[0]
    assert texts_of(planner.requests[2])[0].startswith("Oslo")
    assert [ended.status for ended in stage.of(ProgramFinished)] == ["running", "ok"]
    assert [c.tool for c in result.calls] == ["run_code", "sky.rain", "run_code"]


async def test_a_fault_of_ours_ends_the_call_and_not_the_conversation() -> None:
    def fail(city: str) -> None:
        raise RuntimeError(f"a secret of {city}")

    planner = Planner(use(call("call_tool", name="sky.rain", arguments={"city": "x"})), say("Ok."))
    async with open_stage(planner) as stage:
        stage.world.road.answers["sky.rain"] = fail
        result = await stage.run()
    assert result.status == "done"
    assert texts_of(planner.requests[1]) == ["internal_error: toolweft failed: RuntimeError"]


async def test_a_ledger_that_cannot_be_written_ends_the_task() -> None:
    async with open_stage(Planner(say("never"))) as stage:
        stage.world.ledger.is_broken = True
        result = await stage.run()
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "ledger_unavailable")


@pytest.mark.parametrize("length", [1, 3])
async def test_workers_and_planner_share_one_cap(length: int) -> None:
    prices = replace(PRICES, output=1_000)
    planner = Planner(*[use(program(f"print({n})")) for n in range(length)], prices=prices)
    async with open_stage(planner, max_tokens=1_000) as stage:
        stage.spending = Spending(max_cost_usd=1.5)
        # A worker has a request under way that may cost up to a dollar.
        most = TokenUsage(output_tokens=1_000)
        stage.spending.reserve(role="worker", model="w", prices=prices, most=most)
        result = await stage.run()
    assert (result.status, planner.requests) == ("budget", [])


async def test_a_reply_that_broke_off_is_counted_as_the_most_it_may_have_cost() -> None:
    cut = ProviderError("broke off", retryable=True)
    planner = Planner(cut, say("Done."), prices=PRICES)
    planner.begins_with = "so"
    async with open_stage(planner, max_tokens=1_000) as stage:
        result = await stage.run()
        told = [e.cost_usd for e in stage.world.ledger.events if isinstance(e, ModelReplied)]
    assert result.cost_usd is not None
    # 1,000 x $50 for a million tokens, and the prompt.
    assert result.cost_usd > 0.05
    assert told == [result.cost_usd, 0.0]


async def test_a_ledger_that_cannot_be_written_hides_no_cancellation() -> None:
    class Hanging(Planner):
        async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            await anyio.sleep_forever()
            yield TextPrinted("never")

    async with open_stage(Hanging()) as stage:
        stage.world.ledger.is_broken = True
        with anyio.move_on_after(0.05) as scope:
            await stage.run()
    assert scope.cancelled_caught


async def test_a_run_that_was_waited_for_makes_no_container_harmless() -> None:
    """Something was changed in the container before, by another run."""
    slow = "import anyio\nawait anyio.sleep(0.05)"
    planner = Planner(
        use(program("print(await disk.delete())")),
        use(program(slow, container_id="?", wait_s=0)),
        use(call("run_code", run_id="?", wait_s=5)),
        use(program("print('again')", container_id="?")),
        say("Done."),
    )
    async with open_stage(planner, tools=(WEATHER, DELETE)) as stage:

        def follow(event: object) -> None:
            if isinstance(event, ProgramFinished) and event.status == "running":
                _name(planner, run_id=event.run_id)
            elif isinstance(event, ProgramFinished) and event.container_id:
                _name(planner, container_id=event.container_id)
            if isinstance(event, TurnStarted) and event.turn == 4:
                stage.world.clock.advance(10_000)

        stage.on_event = follow
        await stage.run()
        assert [e.status for e in stage.of(ProgramFinished)][1:3] == ["running", "ok"]
    assert "container_expired" in texts_of(planner.requests[4])[0]
    assert stage.of(Notice) == []
