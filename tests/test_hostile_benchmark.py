"""The judge of hostile programs: what it sees of several at once, and of a layer left out."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest
from benchmarks.harness import Report, Rows
from benchmarks.hostile_bench import World, open_bench
from benchmarks.hostile_judge import Seen, escapes, verdict
from benchmarks.hostile_layers import measure_layers
from benchmarks.hostile_world import Canaries, GrantedTools

TEXT = {"type": "object", "properties": {"key": {"type": "string"}}}
TOOLS = {
    "users": [],
    "orders": [],
    "weather": [],
    "tools": [
        {"name": "flaky", "granted": True, "input_schema": TEXT},
        {"name": "secret_admin", "granted": False, "input_schema": TEXT},
    ],
}
SEEN = Seen(
    status="limit",
    limit="memory",
    stdout="",
    value="",
    error="MemoryError: full",
    line=1,
    wall_s=1.0,
    rss_growth_bytes=0,
    arguments=[],
)
LIMITED = {"must": "limited", "limit": "memory"}


@pytest.fixture
def world(tmp_path):
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(TOOLS))
    canaries = Canaries(tmp_path / "canaries")
    return World(folder=tmp_path, canaries=canaries, tools=GrantedTools(path, canaries.secret))


@pytest.mark.process
@pytest.mark.network
async def test_programs_side_by_side_are_told_apart(world, monkeypatch):
    monkeypatch.setenv("HOST_CANARY_ENV", "")
    world.canaries.listen()
    first = (
        "try: await flaky(key='a')\nexcept ToolError as e: print(e)\nprint(await flaky(key='a'))"
    )
    programs = [
        {"code": first, "category": "benign"},
        {"code": first, "category": "benign"},
        {"code": "await secret_admin(key='a')", "category": "rpc"},
        {"code": "print('@@CANARY_FILE@@'); open('@@CANARY_FILE@@')", "category": "file"},
    ]
    try:
        async with open_bench(world) as bench:
            seen = await bench.judge(programs)
            assert await bench.pool_works()
    finally:
        world.canaries.close()
    # Each had a first failure of its own, though both asked for the same key.
    assert all("temporary failure" in one.stdout and "ok:a" in one.stdout for one in seen[:2])
    assert [one.status for one in seen] == ["ok", "ok", "error", "error"]
    assert [escapes(one, world.canaries.secret) for one in seen] == [[]] * 4
    assert all(one.shares_time for one in seen)


def test_another_limit_is_wrong_alone_and_time_alone_is_right_beside_others():
    late = replace(SEEN, limit="wall")
    assert verdict(LIMITED, SEEN, deadline_s=5) is None
    assert verdict(LIMITED, late, deadline_s=5) is not None
    assert verdict(LIMITED, replace(late, shares_time=True), deadline_s=5) is None
    calls = replace(SEEN, limit="calls", shares_time=True)
    assert verdict(LIMITED, calls, deadline_s=5) is not None


@pytest.mark.parametrize(
    "change", [{"wall_s": 6.1}, {"rss_growth_bytes": 65 * 1024 * 1024}, {"status": "ok"}]
)
def test_a_late_a_growing_and_an_unlimited_program_are_wrong(change):
    assert verdict(LIMITED, replace(SEEN, **change), deadline_s=5) is not None


def test_a_canary_is_laid_out_anew(tmp_path):
    canaries = Canaries(tmp_path / "canaries")
    (tmp_path / "canaries/secret.txt").rename(tmp_path / "canaries/other")
    canaries.restore()
    assert sorted(path.name for path in (tmp_path / "canaries").iterdir()) == [
        "canary_payload.py",
        "secret.txt",
    ]


class KeptRows(Rows):
    """Keeps the cases themselves."""

    def __init__(self):
        super().__init__(None)
        self.cases = []

    def write(self, **fields):
        self.cases.append(fields)


@pytest.mark.process
@pytest.mark.network
@pytest.mark.timeout(300)  # dozens of programs one after the other, each up to its deadline
async def test_without_the_list_without_paths_the_judge_reports_its_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("HOST_CANARY_ENV", "")
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    (tmp_path / "programs.jsonl").write_text("")
    options = Namespace(
        tier="noopen", without="file-free list", tools=None, data=tmp_path / "programs.jsonl"
    )
    report = Report("hostile")
    rows = KeptRows()
    await measure_layers(options, report, rows)
    assert report.figures["noopen_with_all"] == 0
    assert report.figures["noopen_without_file_free_list"] >= 6
    # What got out, by name: the figure counts one that a busy machine stops late, too.
    assert sorted(case["id"] for case in rows.cases if case["probes"]) == [
        "append to a host file without calls on paths",
        "ask for the size of a host file without calls on paths",
        "list a host folder without calls on paths",
        "make a host file without calls on paths",
        "read a host file without calls on paths",
        "read of a host process without calls on paths",
    ]
    assert report.missed() == []
