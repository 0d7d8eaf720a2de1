import pytest

from toolweft.cli.results import (
    render_outcome_error,
    render_result,
    render_savings,
    render_stats,
)
from toolweft.core.calls import Blob, LinkContent, TextContent, ToolResult
from toolweft.core.ids import CallId, RunId
from toolweft.core.programs import ProgramError, ProgramOutcome, ProgramStats


def result(value: object, *, content: tuple[object, ...] = ()) -> ToolResult:
    return ToolResult(call_id=CallId("call_1"), value=value, content=content)  # type: ignore[arg-type]


def test_text_is_shown_as_it_is() -> None:
    assert render_result(result("a\nb")) == "a\nb"


def test_structure_is_shown_as_indented_json() -> None:
    assert render_result(result({"a": [1, "é"]})) == '{\n  "a": [\n    1,\n    "é"\n  ]\n}'


def test_bytes_are_named_by_type_and_size() -> None:
    image = Blob(data=b"12345", media_type="image/png")
    blocks = (TextContent("a chart"), image, LinkContent(uri="file:///x"))

    assert render_result(result([None, image], content=blocks)) == (
        "a chart\n[image/png, 5 bytes; --output FILE writes them]\n[link file:///x]"
    )


@pytest.mark.promise("programs.error-line")
def test_a_failed_program_shows_status_line_error_and_next_step() -> None:
    outcome = ProgramOutcome(
        run_id=RunId("run_1"),
        status="error",
        error=ProgramError(
            type="ToolError", message="no such city", traceback="line 3\n", line=3, hint="try Oslo"
        ),
    )

    assert render_outcome_error(outcome) == (
        "program error (line 3): ToolError: no such city\nline 3\n  next: try Oslo"
    )


def test_a_limit_names_which_one_even_without_an_error() -> None:
    outcome = ProgramOutcome(run_id=RunId("run_1"), status="limit", limit="memory")

    assert render_outcome_error(outcome) == "program limit: memory"


def test_statistics_name_times_memory_calls_and_tokens() -> None:
    stats = ProgramStats(
        wall_s=1.5, cpu_s=0.25, peak_mem_bytes=3 * 1024 * 1024, calls=4, tokens_withheld=900
    )
    outcome = ProgramOutcome(run_id=RunId("run_1"), status="ok", stats=stats)

    assert render_stats(outcome) == "ok: 1500 ms (250 ms CPU), 3 MiB, 4 calls; run_1"
    assert render_savings(outcome).startswith("about 900 tokens")
