"""What a task costs a model's context in three ways of working; pure.

The texts are those of the calls just made. What no call shows is assumed, and said so: the system
prompt, the wrapping of a call or result, and the words round the answer.
"""

import ast
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from toolweft.cli.demo.recorder import RecordedCall

__all__ = ("ASSUMPTIONS", "Cost", "Evidence", "compute_costs", "count_stages", "render_request")

_SYSTEM_TOKENS = 400
_WRAPPER_TOKENS = 8
_ANSWER_WORDS_TOKENS = 60

ASSUMPTIONS = (
    f"assumed: a system prompt of {_SYSTEM_TOKENS} tokens, {_WRAPPER_TOKENS} round each call and"
    f" result, {_ANSWER_WORDS_TOKENS} of words round the answer; no mistakes, and all calls that"
    " can go together in one turn"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The texts that passed, or would have."""

    question: str
    # Every tool of every source, as a client lists it to a model.
    definitions: tuple[str, ...]
    # Those of them that the program called.
    used_definitions: tuple[str, ...]
    # The search tool alone, and the four tools of the toolbox.
    search_definition: str
    surface: tuple[str, ...]
    # The search as the model writes it, and its answer.
    search_arguments: str
    search_answer: str
    program: str
    # What came back from the program; also the answer's data.
    printed: str
    calls: tuple[RecordedCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One way of working."""

    way: str
    # All tokens that entered the context or were written by the end.
    context_tokens: int
    # Turns of the model, the answer included.
    round_trips: int


def compute_costs(evidence: Evidence, count: Callable[[str], int]) -> tuple[Cost, Cost, Cost]:
    """Direct with the full list, direct with deferred tools, and one program.

    Args:
        evidence: what passed.
        count: tokens of a text; the same for all three.
    """

    def total(texts: Iterable[str]) -> int:
        return sum(count(text) for text in texts)

    stages = count_stages(evidence.program, evidence.calls)
    ends = (
        _SYSTEM_TOKENS
        + count(evidence.question)
        + _ANSWER_WORDS_TOKENS
        + count(evidence.printed)  # the model writes the answer's data, however it got them
    )
    calls = sum(
        2 * _WRAPPER_TOKENS + count(render_request(call)) + count(call.result_text)
        for call in evidence.calls
    )
    searched = 2 * _WRAPPER_TOKENS + count(evidence.search_arguments)
    return (
        Cost(
            way="direct",
            context_tokens=ends + total(evidence.definitions) + calls,
            round_trips=stages + 1,
        ),
        Cost(
            way="deferred",
            context_tokens=ends
            + count(evidence.search_definition)
            + searched
            + total(evidence.used_definitions)
            + calls,
            round_trips=stages + 2,
        ),
        Cost(
            way="program",
            context_tokens=ends
            + total(evidence.surface)
            + searched
            + count(evidence.search_answer)
            + 2 * _WRAPPER_TOKENS
            + count(evidence.program)
            + count(evidence.printed),
            round_trips=3,
        ),
    )


def render_request(call: RecordedCall) -> str:
    """A call as a model writes it."""
    return json.dumps(
        {"name": call.tool, "arguments": call.arguments},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def count_stages(program: str, calls: Sequence[RecordedCall]) -> int:
    """How many rounds of independent calls the program makes: calls of one statement go together.

    Args:
        program: its text.
        calls: those it made, with their lines.
    """
    spans = [(node.lineno, node.end_lineno or node.lineno) for node in ast.parse(program).body]
    stages = {
        next((index for index, (first, last) in enumerate(spans) if first <= line <= last), -1)
        for line in (call.line or 0 for call in calls)
    }
    return len(stages)
