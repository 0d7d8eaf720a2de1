"""What follows from a reply, and what a new beginning is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.world import call, say, use

from toolweft.agent.decisions import RepeatedFault, choose_step, summarise, user_message
from toolweft.core.calls import TextContent
from toolweft.core.messages import AssistantMessage, ModelResult, ResultsMessage

ONE = ("run_code", "error", "ValueError: no")
TWO = ("run_code", "error", "KeyError: no")


@pytest.mark.parametrize(
    ("reply", "step"),
    [
        (say("Hi."), "answer"),
        (say("Hi.", "stop_sequence"), "answer"),
        (say(" "), "nothing_said"),
        (say("", "tool_use"), "nothing_said"),
        (say("H", "max_tokens"), "go_on"),
        (say("", "pause_turn"), "resend"),
        (say("", "refusal"), "refused"),
        (say("", "context_window_exceeded"), "context_full"),
        (say("H", "incomplete"), "cut_off"),
        (say("", "awaiting_program"), "cut_off"),
        (use(call("x")), "call"),
        (use(call("x"), stop="awaiting_program"), "call"),
        (use(call("x"), stop="end_turn"), "call"),
        (use(call("x"), stop="max_tokens"), "refuse_calls"),
        (use(call("x"), stop="incomplete"), "refuse_calls"),
        (use(call("x"), stop="refusal"), "refused"),
    ],
)
def test_what_follows_from_a_reply(reply: Any, step: str) -> None:
    assert choose_step(reply) == step


def test_a_fault_counts_where_it_comes_twice_in_a_row() -> None:
    faults = RepeatedFault()
    assert faults.add([ONE], has_success=False) is None
    assert faults.add([TWO], has_success=False) is None
    assert faults.add([ONE, TWO], has_success=False) == TWO


def test_a_turn_in_which_something_went_well_begins_anew() -> None:
    faults = RepeatedFault()
    faults.add([ONE], has_success=False)
    assert faults.add([ONE], has_success=True) is None
    assert faults.add([ONE], has_success=False) is None
    assert faults.add([], has_success=True) is None


@given(st.lists(st.text(max_size=3_000), max_size=8), st.integers(0, 3_000))
def test_a_summary_keeps_the_task_and_its_bound(results: list[str], most: int) -> None:
    history: list[Any] = [user_message("the task"), AssistantMessage(text="", calls=(call("x"),))]
    history += [
        ResultsMessage(results=(ModelResult(call_id="c", name="x", content=(TextContent(text),)),))
        for text in results
    ]
    text = summarise("the task", history, max_characters=most)
    assert text.startswith("the task")
    assert len(text) <= most + 300
