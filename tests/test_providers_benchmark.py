"""The comparison over all vendors gives right answers, and what servers count beside them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from benchmarks.provider_play import Player, Way
from benchmarks.provider_small import build_tasks
from benchmarks.servers.replay import Recording
from benchmarks.workload_sets import Workload, find_workloads

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / "benchmarks" / "data" / "workloads"


@pytest.fixture(name="workload", scope="module")
def _workload() -> Workload:
    return next(find_workloads(OWN))


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.network
@pytest.mark.timeout(180)
def test_a_task_costs_what_the_servers_count(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "benchmarks.providers", "--json", "--rows", str(rows)]
    command += ["--data", str(OWN), "--desk", str(tmp_path), "--form", "openai"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)["figures"]
    assert figures["round_trips"] == 3
    assert figures["expenses_wrong_answers"] == figures["small_wrong_answers"] == 0
    assert figures["expenses_odd_ledgers"] == figures["expenses_odd_program_calls"] == 0
    assert 80 < figures["own_tools_context_saving_pct"] < 100
    assert figures["context_saving_pct"] is None
    outcomes = list(map(json.loads, rows.read_text().splitlines()))
    own = {(row["way"], row["round_trips"]) for row in outcomes if row["workload"] == "expenses"}
    assert own == {
        ("direct", 5),
        ("program", 3),
        ("direct_native_search", 5),
        ("program_native_search", 3),
        ("program_at_vendor", 5),
    }
    assert all(row["is_right"] and row["input_tokens"] > 0 for row in outcomes)


def test_a_result_that_is_not_the_recorded_one_makes_the_answer_wrong(workload: Workload) -> None:
    task, recording = workload.tasks[0], Recording(workload.folder)
    player = Player(task, recording, Way("direct", "direct"), wire_names={})
    seen: dict[str, str] = {}
    player(seen)
    seen["s"] = "list_people list_expenses get_travel_budget"
    for _ in task.stages:
        for call in player(seen).calls:
            asked = call.arguments
            seen[call.id] = recording.answer(asked["name"], asked["arguments"])[0]
    lost = dict(seen, c1x0="[]")
    assert player(lost).text == "wrong results of list_expenses"


@pytest.mark.parametrize("kind", ["direct", "program"])
def test_a_tool_that_no_search_showed_is_not_called(workload: Workload, kind: str) -> None:
    way = Way(kind, kind)  # type: ignore[arg-type]  # one of the kinds
    player = Player(workload.tasks[0], Recording(workload.folder), way, wire_names={})
    shown: Mapping[str, str] = {"s": "list_people and list_expenses"}
    player({})
    said = player(shown)
    assert (said.text, said.calls) == ("not found: get_travel_budget", ())


def test_small_tasks_have_one_to_three_calls(workload: Workload) -> None:
    counts = {len(stage) for task in build_tasks(workload) for stage in task.stages}
    assert counts == {1, 2, 3}
