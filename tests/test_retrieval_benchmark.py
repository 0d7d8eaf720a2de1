"""The benchmark of retrieval runs every folder of sets it can read, and says what it leaves out."""

import gzip
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks.retrieval import queries_asked
from benchmarks.retrieval_sets import load_sets

ROOT = Path(__file__).resolve().parent.parent
TOOLS = [
    {"id": "mail.send", "name": "send", "server": "mail", "description": "Send a letter"},
    {"id": "sky.rain", "name": "rain", "server": "sky", "description": "Will it rain"},
]
QUERIES = [{"id": "1", "query": "send a letter", "relevant": ["mail.send"]}]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def run(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.retrieval", "--data", str(folder), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


@pytest.mark.parametrize("end", ["jsonl", "jsonl.gz"])
def test_plain_and_packed_sets_are_read(tmp_path: Path, end: str) -> None:
    write(tmp_path / "desk" / f"tools.{end}", TOOLS)
    write(tmp_path / "desk" / f"queries_hard.{end}", QUERIES)
    (found,) = load_sets(tmp_path)

    assert (found.name, found.tools, found.queries) == ("desk", TOOLS, {"desk:hard": QUERIES})


def test_our_own_sets_have_the_form_the_benchmark_reads() -> None:
    sets = load_sets(ROOT / "tests" / "search" / "sets")

    assert [one.name for one in sets] == ["chinese", "english", "others"]
    assert all(one.tools and one.queries[one.name] for one in sets)


def test_sets_with_queries_are_judged_and_timed(tmp_path: Path) -> None:
    write(tmp_path / "desk" / "tools.jsonl", TOOLS)
    write(tmp_path / "desk" / "queries.jsonl", QUERIES)
    figures = run(tmp_path)["figures"]

    assert figures["ndcg10 desk"] == 100
    assert figures["search_p95_ms"] > 0
    assert figures["search_filtered_p95_ms"] > 0


@pytest.mark.parametrize("has_tools", [False, True])
def test_without_queries_nothing_is_timed_and_the_report_says_so(
    tmp_path: Path, has_tools: bool
) -> None:
    if has_tools:
        write(tmp_path / "desk" / "tools.jsonl", TOOLS)
    report = run(tmp_path)

    assert "search_p95_ms" not in report["figures"]
    assert "no queries: speed and memory were not measured" in report["notes"]


@pytest.mark.parametrize(
    ("limit", "peer", "asked"),
    [(200, None, 200), (0, None, 0), (200, "fastmcp", 100), (0, "x", 100)],
)
def test_a_peer_and_we_are_asked_the_same(limit: int, peer: str | None, asked: int) -> None:
    assert queries_asked(limit, peer) == asked
    assert queries_asked(30, peer) == 30
