"""What of a conversation is kept when its container at the vendor is gone."""

from typing import Any

import pytest
from tests.providers.anthropic.support import NOW, load, user

from toolweft.core.calls import Caller
from toolweft.core.ids import RunId
from toolweft.core.messages import AssistantMessage, ModelCall, RawItems
from toolweft.providers.anthropic.fresh_container import FreshStart, plan_fresh_start
from toolweft.providers.anthropic.said import read_messages
from toolweft.testing.vendors.anthropic_blocks import code, code_result, say, use

ASK = {"role": "user", "content": "Who?"}
PROGRAM = "srvtoolu_9"
STARTED = code("...", program=PROGRAM)
CALLED = use("read", {}, call_id="a", program=PROGRAM)
READ_ONLY = frozenset({"read"})


def said(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def answered(call_id: str, *more: Any) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "1"}
    return {"role": "user", "content": [result, *more]}


def plan(*given: Any, read_only: frozenset[str] = READ_ONLY) -> FreshStart:
    read = read_messages(given, platform="anthropic", now=NOW)
    return plan_fresh_start(read, read_only=read_only)


def count_kept(start: FreshStart, *given: Any) -> int:
    assert not start.obstacle
    kept = 0
    while kept < len(given) and start.messages[kept] == given[kept]:
        kept += 1
    return kept


def test_where_every_program_ended_everything_is_kept() -> None:
    given = (ASK, said(STARTED, CALLED), answered("a"))
    given = (*given, said(code_result("1", program=PROGRAM), say("You.")), ASK)
    start = plan(*given)

    assert count_kept(start, *given) == len(given) == len(start.messages) - 1


@pytest.mark.parametrize(
    "tail",
    [
        (said(say("I look."), STARTED, CALLED), answered("a")),
        # The vendor paused before the program ended.
        (said(STARTED),),
        (said(STARTED, CALLED), answered("a"), said({**CALLED, "id": "b"}), answered("b")),
        # The program began before the conversation as it is told.
        (said(CALLED), answered("a")),
    ],
    ids=["waiting", "paused", "waiting again", "begun before"],
)
def test_a_program_that_has_not_ended_is_dropped_from_its_beginning(tail: tuple[Any, ...]) -> None:
    given = (ASK, said(say("Wait.")), ASK, *tail)
    start = plan(*given)

    assert count_kept(start, *given) == 3
    assert len(start.messages) == 4


def test_what_the_user_said_meanwhile_is_kept() -> None:
    given = (ASK, said(STARTED, CALLED), answered("a", {"type": "text", "text": "Hurry."}))
    start = plan(*given)

    assert start.messages[1] == user("Hurry.")
    assert len(start.messages) == 3


@pytest.mark.parametrize(
    "given",
    [
        # In a program that ended: its variables may say what was changed.
        (
            said(STARTED, use("write", {}, call_id="a", program=PROGRAM)),
            answered("a"),
            said(code_result("1", program=PROGRAM)),
            ASK,
        ),
        # By the model itself, beside a program that waits.
        (said(STARTED, use("write", {}, call_id="a")), answered("a")),
        (said(STARTED, use("write", {}, call_id="a", program=PROGRAM)), answered("a")),
    ],
    ids=["ended", "beside", "waiting"],
)
def test_a_call_that_changes_something_stands_against_it(given: tuple[Any, ...]) -> None:
    assert plan(ASK, *given).obstacle == "write"
    assert plan(ASK, *given, read_only=frozenset({"write"})).obstacle == ""


def test_a_direct_call_before_a_program_is_not_made_again() -> None:
    given = (ASK, said(use("write", {}, call_id="w")), answered("w"), said(STARTED, CALLED))
    start = plan(*given, answered("a"))

    assert count_kept(start, *given) == 3


def test_programs_of_other_vendors_ran_elsewhere() -> None:
    caller = Caller(type="programmatic", program_id=RunId("call_p1"), call_index=1)
    other = AssistantMessage(
        calls=(ModelCall(id="c", name="write", arguments={}, caller=caller),),
        raw=RawItems(api="openai", platform="openai", items=({"type": "program"},)),
    )
    given = (user("Who?"), other, user("And?"))
    start = plan(*given)

    assert count_kept(start, *given) == 3


def test_the_vendors_own_example_is_begun_again() -> None:
    reply = load("reply_paused_program")
    given = (ASK, said(*reply["content"]), answered("toolu_a"))
    start = plan(*given, read_only=frozenset({"get_expenses"}))

    assert start.messages[0] == ASK
    assert len(start.messages) == 2
