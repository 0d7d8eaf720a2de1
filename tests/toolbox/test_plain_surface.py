"""What an agent's models see where every tool is listed anyway."""

from dataclasses import replace
from typing import Any

import pytest
from tests.programs.fakes import make_snapshot, make_tool

from toolweft.core.ports import SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.core.snapshot import Snapshot
from toolweft.toolbox import Surface, ToolboxOptions
from toolweft.toolbox.plain_surface import build_agent_surface
from toolweft.toolbox.surface import TOOL_NAMES, name_sources

CAPABILITIES = SandboxCapabilities(backend="process", tier="ns", language="CPython 3.11.7")
RAIN = make_tool("sky.rain", deferred=False, description="Rain in a city")
DROP = make_tool("disk.drop", deferred=False, callers=frozenset({"direct"}))
HIDDEN = make_tool("disk.list")
ONLY_PROGRAMS = make_tool("disk.read", deferred=False, callers=frozenset({"programmatic"}))
REFUSED = make_tool("disk.format", deferred=False, callers=frozenset())
SUSPENDED = make_tool("disk.wipe", status="suspended")


def build(snapshot: Snapshot, **changes: Any) -> Surface:
    settings: dict[str, Any] = {"capabilities": CAPABILITIES} | changes
    return build_agent_surface(
        snapshot, limits=ProgramLimits(), idle_s=270.0, options=ToolboxOptions(), **settings
    )


@pytest.mark.parametrize("more", [(), (DROP,), (REFUSED,), (SUSPENDED,)])
def test_below_the_threshold_tools_stand_plainly_beside_run_code(more: Any) -> None:
    surface = build(make_snapshot(RAIN, *more))
    first, *listed = surface.tools

    assert first.name == "run_code"
    assert "await sky.rain(" in first.description
    assert (first.annotations.read_only, first.annotations.destructive) == (False, True)
    assert {tool.name for tool in listed} >= {"sky-rain"}
    assert surface.instructions == ""
    # What it costs in a task that needs none of it.
    assert len(first.description) + len(str(first.input_schema)) < 140


@pytest.mark.parametrize(
    "snapshot",
    [
        make_snapshot(RAIN, HIDDEN),
        make_snapshot(RAIN, ONLY_PROGRAMS),
        # More may come in a moment.
        make_snapshot(RAIN, state="starting"),
        make_snapshot(RAIN, state="failed"),
    ],
)
def test_where_something_has_to_be_found_the_four_are_there(snapshot: Snapshot) -> None:
    surface = build(snapshot)
    assert tuple(tool.name for tool in surface.tools[:4]) == TOOL_NAMES
    assert surface.instructions


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_isolated": False}, "NOT ISOLATED"),
        ({"standard_library": False}, "memory"),
        ({"lacks": "no classes"}, "no classes"),
        ({"environments": {"data": ("numpy 2.4.6",)}}, "numpy 2.4.6"),
    ],
)
def test_what_nobody_would_guess_of_the_sandbox_is_said(changes: Any, said: str) -> None:
    capabilities = replace(CAPABILITIES, **changes)
    assert said in str(build(make_snapshot(RAIN), capabilities=capabilities).tools[0])


def test_workers_are_told_of_where_there_are_some() -> None:
    assert "worker(" in build(make_snapshot(RAIN), has_workers=True).tools[0].description
    assert "worker(" not in build(make_snapshot(RAIN)).tools[0].description


def test_tools_that_are_switched_off_are_not_counted_and_not_subtracted_twice() -> None:
    off = [make_tool(f"disk.off{n}", status="disabled") for n in range(3)]
    snapshot = make_snapshot(HIDDEN, make_tool("disk.read"), make_tool("gone.x"), *off, REFUSED)
    # As the catalog counts them.
    disk = next(s for s in snapshot.sources.values() if s.python_name == "disk")
    counted = {**snapshot.sources, disk.name: replace(disk, tool_count=3)}
    assert name_sources(replace(snapshot, sources=counted), 12) == "disk 2, gone 1"


def test_a_source_of_which_all_is_switched_off_is_not_named() -> None:
    off = make_tool("disk.off", status="disabled")
    snapshot = make_snapshot(RAIN, off)
    sources = {
        name: replace(s, tool_count=int(name != "disk")) for name, s in snapshot.sources.items()
    }
    assert name_sources(replace(snapshot, sources=sources), 12) == "sky 1"
