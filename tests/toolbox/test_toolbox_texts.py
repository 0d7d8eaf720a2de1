"""What a model reads: the surface, requests, outcomes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import make_snapshot, make_tool

from toolweft.core.errors import InvalidArguments
from toolweft.core.ids import CallId, ContainerId, RunId
from toolweft.core.ports import SandboxCapabilities
from toolweft.core.programs import (
    CallRecord,
    Container,
    ProgramError,
    ProgramLimits,
    ProgramOutcome,
    ProgramWarning,
)
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import Hints, ToolExample
from toolweft.toolbox import INSTRUCTIONS, Surface, ToolboxOptions, build_surface, render_outcome
from toolweft.toolbox.render import cut_middle
from toolweft.toolbox.requests import parse_call, parse_describe, parse_run, parse_search

OPTIONS = ToolboxOptions()
CAPABILITIES = SandboxCapabilities(backend="process", tier="ns", language="CPython 3.11.7")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTAINER = Container(
    id=ContainerId("c_1"),
    expires_at=NOW + timedelta(seconds=270),
    last_active_at=NOW,
    status="idle",
    backend="process/ns",
)
OK = ProgramOutcome(run_id=RunId("run_1"), status="ok", container=CONTAINER)


def build(*tools: CatalogTool, **changes: Any) -> Surface:
    settings: dict[str, Any] = {
        "capabilities": CAPABILITIES,
        "limits": ProgramLimits(),
        "idle_s": 270.0,
        "options": OPTIONS,
    } | changes
    return build_surface(make_snapshot(*tools), **settings)


# ----------------------------------------------------------------------------------------- surface


def test_the_four_come_first_and_say_truly_what_they_do() -> None:
    surface = build(make_tool("a.b"))
    assert [
        (t.name, t.annotations.read_only, t.annotations.destructive) for t in surface.tools
    ] == [
        ("search_tools", True, False),
        ("describe_tools", True, False),
        ("call_tool", False, True),
        ("run_code", False, True),
    ]
    assert [t.annotations.open_world for t in surface.tools] == [False, False, True, True]
    assert surface.instructions == INSTRUCTIONS


def test_listed_tools_follow_with_their_own_schemas_and_what_the_catalog_decided() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    claims = Hints(read_only=True, destructive=False, idempotent=True, open_world=False)
    pinned = make_tool(
        "a.drop",
        schema=schema,
        description="Drop it",
        hints=claims,
        severity="destructive",
        always_listed=True,
    )
    hidden = [
        make_tool("a.b"),
        make_tool("a.c", deferred=False, status="disabled"),
        make_tool("a.d", deferred=False, callers=frozenset({"programmatic"})),
    ]
    (tool,) = build(pinned, *hidden).tools[4:]
    assert (tool.name, tool.input_schema, tool.description) == ("a-drop", schema, "Drop it")
    assert (tool.annotations.read_only, tool.annotations.destructive) == (False, True)
    assert (tool.annotations.idempotent, tool.annotations.open_world) == (True, False)


def test_a_listed_tool_says_its_examples_in_words() -> None:
    used = ToolExample(scenario="all of it", input={"x": 1})
    described = make_tool("a.b", description="Do it", deferred=False, input_examples=(used,))
    bare = make_tool("a.c", deferred=False, input_examples=(used,))

    first, second = build(described, bare).tools[4:]

    assert first.description == 'Do it\n\nExamples:\n- all of it: {"x":1}'
    assert second.description == 'Examples:\n- all of it: {"x":1}'


def test_run_code_tells_of_stored_results_only_where_they_can_be_loaded() -> None:
    loading = build(capabilities=replace(CAPABILITIES, handles=True)).tools[3].description
    assert 'await load("h_…")' in loading
    assert "load(" not in build().tools[3].description
    # Paid for in every conversation.
    assert len(loading) - len(build().tools[3].description) < 130


def test_an_outcome_names_the_results_that_were_kept() -> None:
    kept = tuple({"id": f"h_{i}", "size_bytes": 1_000 * i} for i in range(1, 6))
    text = render_outcome(replace(OK, stdout="done\n", handles=kept), shown_characters=1_000)
    assert text.split("\n")[:2] == [
        "done",
        "[kept for load(): h_1 (1,000 bytes), h_2 (2,000 bytes), h_3 (3,000 bytes), 2 more]",
    ]


def test_run_code_states_what_the_live_backend_offers() -> None:
    text = build().tools[3].description
    for fact in ("CPython 3.11.7", "1 GiB memory", "30 s CPU", "300 s", "no network", "270 s"):
        assert fact in text
    example = text.partition("Example:\n")[2]
    compile(example, "<example>", "exec", flags=0x2000)
    bare = replace(
        CAPABILITIES, state=False, full_asyncio=False, standard_library=False, files=False
    )
    limits = replace(ProgramLimits(), memory_bytes=256 * 1024**2)
    lacking = build(capabilities=bare, limits=limits).tools[3].description
    assert "no network, no files, no state between runs." in lacking
    assert "256 MiB memory" in lacking
    assert "standard library" not in lacking


@pytest.mark.promise("workers.surface")
def test_workers_cost_one_sentence_and_nothing_where_there_are_none() -> None:
    without, with_them = build(), build(has_workers=True)
    changed = [
        (one, other)
        for one, other in zip(without.tools, with_them.tools, strict=True)
        if one != other
    ]
    ((one, other),) = changed
    assert one.name == "run_code"
    assert "worker" not in one.description
    assert len(other.description) - len(one.description) < 200


def test_search_names_the_largest_sources_and_counts_the_rest() -> None:
    tools = [make_tool(f"s{n:02}.t{i}") for n in range(14) for i in range(n + 1)]
    text = build(*tools).tools[0].description
    assert "Sources: s13 14, s12 13," in text
    assert text.endswith("s02 3, 2 more with 3 tools.")
    assert build().tools[0].description.endswith("Sources: none yet.")


@pytest.mark.promise("gateway.four-tools")
def test_the_four_stay_small_whatever_the_catalog() -> None:
    tools = [make_tool(f"{'long_source_name_' * 9}{n}.t{i}") for n in range(40) for i in range(9)]
    surface = build(*tools)
    characters = sum(len(t.description) + len(str(t.input_schema)) for t in surface.tools)
    # Three characters a token is less than any tokenizer needs for such text.
    assert (characters + len(surface.instructions)) / 3 < 1_100


# ---------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("sent", "queries"),
    [
        (["a", "b"], ("a", "b")),
        ("a", ("a",)),
        ('["a", "b"]', ("a", "b")),
        ("[draft]", ("[draft]",)),
    ],
)
def test_queries_come_as_a_list_or_a_text(sent: Any, queries: tuple[str, ...]) -> None:
    assert parse_search({"queries": sent}, OPTIONS).queries == queries


def test_null_means_nothing_and_numbers_may_be_text() -> None:
    request = parse_search(
        {"queries": "a", "limit": "7", "detail": None, "namespace": None}, OPTIONS
    )
    assert (request.limit, request.detail, request.namespace) == (7, "typed", None)
    assert parse_search({"queries": "a"}, OPTIONS).limit == OPTIONS.search_limit
    assert parse_run({"code": "1", "run_id": None, "wait_s": "0"}, OPTIONS).wait_s == 0
    assert parse_run({"run_id": "run_1"}, OPTIONS).wait_s == OPTIONS.wait_s
    assert parse_call({"name": "a", "arguments": "{}"}).arguments == "{}"
    assert parse_call({"name": "a", "arguments": None}).arguments == {}


@pytest.mark.parametrize(
    ("parse", "sent", "fault"),
    [
        (parse_describe, {}, "$.names is missing"),
        (parse_describe, {"names": []}, "$.names must be a list of 1 to 20 texts, not []"),
        (parse_describe, {"names": ["a", 5]}, "$.names[1] must be a text, not 5"),
        (parse_call, {}, "$.name is missing"),
        (parse_call, {"name": 5}, "$.name must be a text, not 5"),
        (parse_call, {"name": "a", "arguments": [1]}, "$.arguments must be an object, not [1]"),
        (parse_call, {"name": "a", "arguments": ["x" * 99]}, "..."),
        (parse_call, {"name": "a", "argumens": {}}, "did you mean 'arguments'?"),
    ],
)
def test_each_fault_names_its_place(parse: Any, sent: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse(sent)
    assert fault in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({}, "either code to run or the run_id"),
        ({"code": "1", "run_id": "r"}, "either code to run or the run_id"),
        ({"code": "1", "wait_s": -1}, "$.wait_s must be from 0 to 600, not -1"),
        ({"code": "1", "wait_s": "soon"}, "$.wait_s must be from 0 to 600, not 'soon'"),
        ({"code": "1", "wait_s": True}, "not True"),
    ],
)
def test_a_run_request_is_one_thing_with_a_bounded_wait(sent: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_run(sent, OPTIONS)
    assert fault in caught.value.message


def test_an_unknown_detail_lists_the_known_ones() -> None:
    with pytest.raises(InvalidArguments, match="'typed', 'brief', 'full', not 'huge'"):
        parse_search({"queries": "a", "detail": "huge"}, OPTIONS)


# ---------------------------------------------------------------------------------------- outcomes


def show(outcome: ProgramOutcome, characters: int = 20_000) -> str:
    return render_outcome(outcome, shown_characters=characters)


def test_a_small_result_costs_one_line_more() -> None:
    outcome = replace(OK, stdout="42\n", stdout_characters=3)
    assert show(outcome) == "42\n[container_id c_1, kept 270 s]"


def test_a_silent_run_says_so() -> None:
    assert show(OK) == "(nothing printed)\n[container_id c_1, kept 270 s]"


def test_the_last_value_stands_after_the_output() -> None:
    assert show(replace(OK, stdout="a\n", value={"k": 1})).splitlines()[1] == '=> {"k":1}'
    assert show(replace(OK, value="<obj>", value_is_repr=True)).startswith("=> <obj>\n")


def test_an_error_stands_after_what_was_printed_with_its_way_out() -> None:
    calls = tuple(
        CallRecord(
            call_id=CallId(f"run_1:{index}"),
            execution_id=RunId("run_1"),
            index=index,
            tool="a.b",
            line=None,
            status=status,
            duration_ms=1,
            bytes_out=0,
            tokens_out=0,
        )
        for index, status in enumerate(("ok", "ok", "timeout"))
    )
    outcome = replace(
        OK,
        status="error",
        stdout="half\n",
        calls=calls,
        error=ProgramError(
            type="ToolError", message="too slow", line=3, hint="retry", traceback="frame\n" * 6
        ),
        warnings=(ProgramWarning(line=1, message="w", hint="h"),),
        container=replace(CONTAINER, status="closed"),
    )
    assert show(outcome) == (
        "half\nError, line 3: ToolError: too slow\n" + "frame\n" * 6 + "hint: retry\n"
        "[warning, line 1: w; h]\n[calls made: 2 ok, 1 timeout]\n"
        "[the container ended; its variables are gone]"
    )


@pytest.mark.parametrize(
    ("status", "limit", "text"),
    [
        ("running", None, "[still running: run_code(run_id='run_1') waits on]"),
        ("invalid", None, "Not run, line 2: X: m"),
        ("limit", "memory", "Stopped at the memory limit, line 2: X: m"),
        ("cancelled", None, "Cancelled: m"),
        ("crashed", None, "Crashed, line 2: X: m"),
    ],
)
def test_each_end_has_its_words(status: Any, limit: Any, text: str) -> None:
    error = ProgramError(type="X", message="m", line=2)
    assert show(replace(OK, status=status, limit=limit, error=error)).startswith(text + "\n")
    assert show(replace(OK, status=status, limit=limit, container=None))


def test_several_faults_stand_in_lines_of_their_own() -> None:
    error = ProgramError(type="X", message="line 1: a\nline 2: b", line=1)
    text = show(replace(OK, status="invalid", error=error, container=None))
    assert text == "Not run, line 1: X:\nline 1: a\nline 2: b"


def test_a_busy_container_has_no_end_yet() -> None:
    running = replace(OK, status="running", container=replace(CONTAINER, status="busy"))
    assert show(running).endswith("\n[container_id c_1]")


def test_long_output_keeps_head_and_tail() -> None:
    outcome = replace(OK, stdout="a" * 50 + "b" * 50, stdout_characters=100, container=None)
    text = show(outcome, 20)
    assert text.startswith("a" * 10 + "\n[… 80 characters not shown")
    assert text.endswith("\n" + "b" * 10)


def test_output_that_was_dropped_is_counted() -> None:
    outcome = replace(OK, stdout="abc", stdout_characters=1_003, container=None)
    assert show(outcome).startswith("abc\n[… 1,000 characters not shown")


@given(st.text(max_size=300), st.integers(0, 200), st.integers(0, 5))
def test_a_cut_text_counts_what_is_missing(text: str, limit: int, dropped: int) -> None:
    shown = cut_middle(text, limit, dropped=dropped)
    if len(text) <= limit and not dropped:
        assert shown == text
        return
    missing = max(0, len(text) - limit) + dropped
    assert f"[… {missing:,} characters not shown" in shown


def test_packages_can_be_asked_for_only_where_there_are_some() -> None:
    assert "environment" not in build().tools[3].input_schema["properties"]

    some = replace(CAPABILITIES, environments={"data": ("numpy 2.4", "six 1")})
    found = build(capabilities=some).tools[3].input_schema["properties"]["environment"]

    assert found == {
        "enum": ["data"],
        "description": "packages to import: data has numpy 2.4, six 1",
    }
    request = parse_run({"code": "1", "environment": "data"}, OPTIONS)
    assert request.environment == "data"
