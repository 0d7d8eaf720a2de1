"""The replay of gold call sequences counts what was recorded, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.gold_sequences import is_recorded
from benchmarks.gold_sets import GoldCall, Position, load_gold_set

ROOT = Path(__file__).resolve().parent.parent
SETS = ROOT / "benchmarks" / "data" / "workloads"


def replay(folder: Path, tmp_path: Path) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    """Exit code, figures and rows of a run over one folder."""
    rows = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "benchmarks.workloads", "--json", "--rows", str(rows)]
    ended = subprocess.run(
        [*command, "--data", str(folder)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ended.stdout, ended.stderr
    lines = rows.read_text("utf-8").splitlines()
    return ended.returncode, json.loads(ended.stdout)["figures"], [json.loads(x) for x in lines]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("name", "calls", "failing", "refused"), [("shelf", 8, 1, 0), ("house-turns", 6, 0, 1)]
)
def test_every_call_gives_what_was_recorded(
    tmp_path: Path, name: str, calls: int, failing: int, refused: int
) -> None:
    code, figures, rows = replay(SETS / name, tmp_path)

    figure = name.replace("-", "_")
    ways = ("python_direct", "python_program", "gateway_direct", "gateway_program")
    assert {way: figures[f"{figure}_{way}_equal"] for way in ways} == dict.fromkeys(ways, calls)
    assert figures[f"{figure}_calls"] == calls
    assert figures[f"{figure}_failing_calls"] == failing
    assert figures[f"{figure}_refused_calls"] == refused
    assert len(rows) == calls * len(ways)
    assert code == 0


def test_a_call_out_of_order_or_with_other_arguments_gives_no_result() -> None:
    position = Position(load_gold_set(SETS / "shelf"), "shelf")
    position.begin("shelf-0")

    early = position.answer("move_thing", {"thing": "lamp", "shelf": 2})
    other = position.answer("find_shelf", {"thing": "Lamp"})
    right = position.answer("find_shelf", {"thing": "lamp"})

    assert early == (
        "recorded next is find_shelf with {'thing': 'lamp'}; "
        "got move_thing with {'thing': 'lamp', 'shelf': 2}",
        True,
    )
    assert other[1] is True
    assert right == ("1", False)


@pytest.mark.parametrize(
    ("recorded", "given", "equal"),
    [
        ('{"a": 1}', ["ok", {"a": 1}], True),
        ('{"a": 1}', ["ok", {"a": 1.0}], False),
        ('{"a": 1}', ["ok", {"a": True}], False),
        ('{"a": 1, "b": 2}', ["ok", {"b": 2, "a": 1}], False),
        ("1", ["ok", "1"], True),
        ("1", ["ok", 1], False),
        ("None", ["ok", None], False),
        ('{"a": 1}', ["failed", "tool_error", '{"a": 1}'], False),
    ],
)
def test_only_the_recorded_result_is_equal(recorded: str, given: list[Any], equal: bool) -> None:
    call = GoldCall("s", "t", {}, recorded, is_error=False, misfit=False)

    assert is_recorded(call, given) is equal


def test_a_recorded_failure_has_to_fail_with_its_text() -> None:
    call = GoldCall("s", "t", {}, "Error: no shelf 9", is_error=True, misfit=False)

    assert is_recorded(call, ["failed", "tool_error", "Error: no shelf 9"])
    assert not is_recorded(call, ["failed", "timeout", "too slow"])
    assert not is_recorded(call, ["ok", "Error: no shelf 9"])


def test_a_call_that_breaks_its_schema_has_to_be_refused() -> None:
    call = GoldCall("s", "t", {"n": "x"}, "1", is_error=False, misfit=True)

    assert is_recorded(call, ["failed", "invalid_arguments", "n: 'x' is no integer"])
    assert not is_recorded(call, ["ok", "1"])
