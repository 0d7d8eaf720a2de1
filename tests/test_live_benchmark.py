"""The benchmark on real models: silent without a key, right about a model that answers by rule."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from toolweft.testing.vendors.anthropic import AnthropicServer, Turn
from toolweft.testing.vendors.anthropic_blocks import say, use

ROOT = Path(__file__).resolve().parent.parent
CASES = [
    json.loads(line)
    for line in (ROOT / "benchmarks" / "data" / "live" / "cases.jsonl").read_text().splitlines()
]
COMMAND = [sys.executable, "-m", "benchmarks.live", "--provider", "anthropic:claude-haiku-4-5"]


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if "API_KEY" not in name}
    return own | {"PYTHONPATH": os.pathsep.join(sys.path)} | more


def test_without_a_key_nothing_is_measured() -> None:
    ended = subprocess.run(
        [*COMMAND, "--json"],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        check=True,
    )
    report = json.loads(ended.stdout)
    assert set(report["figures"].values()) == {None}
    assert any("not measured" in note and "ANTHROPIC_API_KEY" in note for note in report["notes"])


def act(body: dict[str, Any]) -> Turn:
    """Search where there is a search, then make the right call, but forget one case's tool."""
    asked = body["messages"][0]["content"]
    request = asked if isinstance(asked, str) else asked[0]["text"]
    case = next(case for case in CASES if case["request"] == request)
    names = [tool["name"] for tool in body["tools"]]
    number = len(body["messages"])
    if case["id"] == CASES[0]["id"]:
        return Turn(blocks=(say("I do not know."),))
    arguments = _first(case["arguments"])
    if "search_tools" not in names:
        name = next(name for name in names if name.endswith(case["tool"]))
        return Turn(blocks=(use(name, arguments, call_id=f"toolu_{number}"),))
    if number == 1:
        asks = {"queries": [request]}
        return Turn(blocks=(use("search_tools", asks, call_id="toolu_s"),))
    given = {"name": f"local.{case['tool']}", "arguments": arguments}
    return Turn(blocks=(use("call_tool", given, call_id="toolu_c"),))


def _first(expected: Any) -> Any:
    """One value that fits."""
    if isinstance(expected, dict):
        wanted = {"window", "range"}
        return {
            key: value[0] if key in wanted and isinstance(value, list) else _first(value)
            for key, value in expected.items()
        }
    return "anything" if expected == "*" else expected


@pytest.mark.timeout(240)
@pytest.mark.anyio
async def test_right_calls_are_counted_in_every_way(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    (tmp_path / "desk").mkdir()
    async with AnthropicServer(act) as server:
        ended = await anyio.run_process(
            [
                *(*COMMAND, "--json", "--rows", str(rows), "--base-url", server.base_url),
                *("--desk", str(tmp_path / "desk")),
            ],
            env=environment(ANTHROPIC_API_KEY=server.key),
            cwd=ROOT,
        )
    figures = json.loads(ended.stdout)["figures"]
    share = round(100 * (len(CASES) - 1) / len(CASES), 4)
    for way in ("listed", "searched"):
        for examples in ("with", "without"):
            assert figures[f"{way}_{examples}_examples_tool_pct"] == share
            assert figures[f"{way}_{examples}_examples_arguments_pct"] == share
    cost = "listed_{}_examples_input_tokens"
    assert figures[cost.format("with")] > figures[cost.format("without")]
    assert len(rows.read_text().splitlines()) == 4 * len(CASES)
