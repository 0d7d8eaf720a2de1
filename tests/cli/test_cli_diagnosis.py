import json
from dataclasses import replace

import pytest

from toolweft.cli.diagnosis import Diagnosis, LookedUp, render_diagnosis
from toolweft.core.ids import SourceName
from toolweft.core.ports import IsolationReport
from toolweft.core.snapshot import SourceStatus

READY = SourceStatus(
    name=SourceName("git"),
    python_name="git",
    kind="mcp stdio",
    state="ready",
    tool_count=12,
    start_s=0.8,
)
FAILED = replace(READY, state="failed", tool_count=0, reason="exit 1\nstderr: no such file")
HEALTHY = Diagnosis(
    looked_up=(LookedUp(path="/p/toolweft.toml", exists=True, is_read=True),),
    problems=("server 'x' is disabled",),
    sources=(READY,),
    tool_count=12,
    disabled=(("git.bad", "its schema refers to a file"),),
    sandbox="process/ns",
    is_isolated=True,
    tiers=(
        IsolationReport(tier="ns", holds=True),
        IsolationReport(tier="noopen", holds=False, reason="no seccomp"),
    ),
    sandbox_failure="",
    sandbox_hint="",
    ledger_url="sqlite:////state/ledger.db",
    durability="process kill",
    ledger_failure="",
    versions=(("Python", "3.11"),),
)


def test_a_healthy_house_shows_every_part_and_no_failure() -> None:
    text = render_diagnosis(HEALTHY)

    assert HEALTHY.is_healthy
    assert "FAIL" not in text
    for part in ("read  /p/toolweft.toml", "git: ready", "800 ms", "process/ns", "process kill"):
        assert part in text
    assert "noopen: does not hold: no seccomp" in text
    assert "git.bad is disabled" in text


def test_a_sandbox_that_confines_nothing_is_shouted_about() -> None:
    text = render_diagnosis(replace(HEALTHY, sandbox="process/unsafe", is_isolated=False))

    assert "!!!! UNSAFE" in text
    assert "UNSAFE" not in render_diagnosis(HEALTHY)


@pytest.mark.parametrize(
    ("broken", "shown"),
    [
        (replace(HEALTHY, sources=(FAILED,)), "stderr: no such file"),
        (replace(HEALTHY, sandbox="", tiers=(), sandbox_failure="no tier"), "no tier"),
        (replace(HEALTHY, durability="", ledger_failure="read-only disk"), "read-only disk"),
    ],
    ids=["source", "sandbox", "ledger"],
)
def test_what_is_broken_is_marked_with_its_reason(broken: Diagnosis, shown: str) -> None:
    text = render_diagnosis(broken)

    assert not broken.is_healthy
    assert text.count("FAIL") == 1
    assert shown in text


def test_what_several_tiers_lack_is_advised_once() -> None:
    refused = tuple(
        IsolationReport(tier=name, holds=False, reason="no filter", hint="allow filters")
        for name in ("ns", "noopen")
    )
    text = render_diagnosis(
        replace(
            HEALTHY, sandbox="", tiers=refused, sandbox_failure="none", sandbox_hint="an engine"
        )
    )

    assert text.count("does not hold: no filter") == 2
    assert text.count("next: allow filters") == 1
    assert "next: an engine" in text


def test_nothing_configured_is_healthy_and_says_what_to_do() -> None:
    empty = replace(HEALTHY, sources=())

    assert empty.is_healthy
    assert "toolweft init" in render_diagnosis(empty)


def test_the_findings_are_plain_json() -> None:
    found = json.loads(json.dumps(HEALTHY.to_dict()))

    assert found["ok"] is True
    assert found["tiers"][1] == {
        "tier": "noopen",
        "holds": False,
        "reason": "no seccomp",
        "hint": "",
    }
    assert found["versions"] == {"Python": "3.11"}
