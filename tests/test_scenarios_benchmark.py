"""The comparison of direct calls with programs gives right answers and counts both sides."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(240)
def test_each_way_is_counted_on_the_wire(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "benchmarks.scenarios", "--json", "--rows", str(rows)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)["figures"]
    assert figures["sequential_searches_round_trips"] == {"toolweft": 2, "direct": 4}
    assert figures["ten_requests_round_trips"] == {"toolweft": 2, "direct": 11}
    assert figures["ten_requests_all_in_one_turn_round_trips"] == {"toolweft": 2, "direct": 2}
    assert 90 < figures["query_and_filter_context_saving_pct"]["toolweft"] < 100
    ways = [(row["scenario"], row["way"]) for row in map(json.loads, rows.read_text().splitlines())]
    assert ways == [
        ("sequential_searches", "one_call_a_turn"),
        ("query_and_filter", "one_call_a_turn"),
        ("ten_requests", "one_call_a_turn"),
        ("ten_requests", "all_in_one_turn"),
    ]
