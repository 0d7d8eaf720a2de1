import ast

from hypothesis import given
from hypothesis import strategies as st

from toolweft.cli.demo.costs import Evidence, compute_costs, count_stages
from toolweft.cli.demo.program import render_program
from toolweft.cli.demo.recorder import RecordedCall, render_value
from toolweft.core.ids import CallId


def recorded(tool: str, *, line: int, result: str = "r") -> RecordedCall:
    return RecordedCall(
        id=CallId(tool), tool=tool, arguments={}, line=line, result_text=result, is_error=False
    )


def evidence(*, calls: tuple[RecordedCall, ...]) -> Evidence:
    return Evidence(
        question="q",
        definitions=("d" * 10, "e" * 10, "f" * 10),
        used_definitions=("d" * 10,),
        search_definition="s" * 5,
        surface=("s" * 5, "t" * 5),
        search_arguments="a" * 3,
        search_answer="b" * 4,
        program="x\ny",
        printed="p" * 2,
        calls=calls,
    )


def test_calls_of_one_statement_are_one_stage_even_over_several_lines() -> None:
    program = "a = await gather(\n  f(),\n  g(),\n)\nb = await h()\n"
    calls = [recorded("f", line=2), recorded("g", line=3), recorded("h", line=5)]

    assert count_stages(program, calls) == 2


def test_round_trips_are_stages_and_answer_with_a_turn_more_to_search() -> None:
    direct, deferred, program = compute_costs(
        evidence(calls=(recorded("f", line=1), recorded("g", line=2))), len
    )

    assert (direct.round_trips, deferred.round_trips, program.round_trips) == (3, 4, 3)


def test_only_the_program_keeps_results_out_of_the_context() -> None:
    few = compute_costs(evidence(calls=(recorded("f", line=1, result="r"),)), len)
    many = compute_costs(evidence(calls=(recorded("f", line=1, result="r" * 1001),)), len)

    assert [b.context_tokens - a.context_tokens for a, b in zip(few, many, strict=True)] == [
        1000,
        1000,
        0,
    ]


@given(count=st.integers(min_value=0, max_value=30))
def test_a_way_never_costs_less_with_more_calls(count: int) -> None:
    calls = tuple(recorded("f", line=1) for _ in range(count))

    fewer = compute_costs(evidence(calls=calls), len)
    more = compute_costs(evidence(calls=(*calls, recorded("f", line=1))), len)

    assert all(a.context_tokens <= b.context_tokens for a, b in zip(fewer, more, strict=True))


def test_the_program_is_python_whatever_the_repository_is_called() -> None:
    program = render_program("/a 'b'\\{c}")

    tree = compile(program, "program", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert tree is not None
    assert "REPOSITORY = " in program


def test_text_is_shown_to_a_model_as_it_is_and_structure_as_compact_json() -> None:
    assert render_value("text") == "text"
    assert render_value({"a": [1, "é"]}) == '{"a":[1,"é"]}'
