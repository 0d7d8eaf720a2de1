import pytest

from toolweft.cli.progress import render_progress, show_progress
from toolweft.core.ids import SourceName
from toolweft.core.snapshot import Snapshot, SourceState, SourceStatus


def snapshot(**states: SourceState) -> Snapshot:
    sources = {
        SourceName(name): SourceStatus(
            name=SourceName(name), python_name=name, kind="mcp stdio", state=state
        )
        for name, state in states.items()
    }
    return Snapshot(version=1, tools={}, sources=sources)


def test_what_is_waited_for_is_named() -> None:
    shown = render_progress(snapshot(git="ready", time="starting", slow="failed"))

    assert shown == "starting servers: 1 of 3 ready, 0 tools; waiting for time"


def test_many_are_counted_and_hostile_names_are_shown() -> None:
    shown = render_progress(
        snapshot(**{"a\x1b[2J": "starting", "b": "starting", "c": "starting", "d": "starting"})
    )

    assert shown.endswith("waiting for a\\x1b[2J, b, c and 1 more")


def test_nothing_is_waited_for_at_the_end() -> None:
    assert render_progress(snapshot(git="ready")) == "starting servers: 1 of 1 ready, 0 tools"


@pytest.mark.parametrize("wanted", [True, False])
def test_nothing_is_shown_where_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str], wanted: bool
) -> None:
    with show_progress(wanted=wanted) as progress:
        progress.update(snapshot(git="starting"))

    assert capsys.readouterr().err == ""
