"""Takes the layers of the process sandbox off one by one, and counts what the judge then reports.

A judge that sees nothing is broken, and a layer without which nothing gets through is not proven.
The weaker tiers exist in this script alone; no option of the product leads to one.
"""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests import machine
from tests.sandbox.process.layers import (
    HOST,
    TIGHT,
    WIDE,
    find_lacking,
    layers_of,
    programs_for,
    without,
)

from benchmarks.harness import Report, Rows
from benchmarks.hostile_bench import World, open_bench
from benchmarks.hostile_judge import escapes
from benchmarks.hostile_world import Canaries, GrantedTools
from toolweft.core.clock import SystemClock
from toolweft.sandbox.guest.lockdown import CAPABILITIES, LIMITS
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.tiers import TIERS, Tier

__all__ = ("measure_layers",)

_AT_LEAST = 5
# Of the collection: what tries to get at something, and takes no more than it needs.
_TRYING = ("file", "network", "import")


async def measure_layers(options: Any, report: Report, rows: Rows) -> None:
    """Add a figure for each layer of each wanted tier: programs the judge reports without it."""
    is_root = machine.is_root()
    if is_root:
        report.notes.append("as root only programs of our own run without a layer")
    collected = [] if is_root else _read_collection(options.data)
    for tier in TIERS:
        if options.tier not in ("auto", tier.name):
            continue
        for layer in ("", *layers_of(tier)):
            if options.without not in ("all", layer) and layer:
                continue
            if layer == CAPABILITIES and tier.name != "ns" and not is_root:
                report.notes.append(f"{tier.name}: this user has no capabilities to begin with")
                continue
            own = programs_for(tier, lacking=find_lacking())
            programs: list[dict[str, Any]] = [
                {"id": one.name, "category": "layer", "code": one.code, "layer": one.layer}
                for one in own
            ]
            # Without limits the collection could fill this machine.
            programs += collected if layer not in (LIMITS, HOST) else []
            seen = await _count_seen(tier, layer, programs, options, rows)
            if layer:
                name = f"{tier.name}_without_{layer}".replace(" ", "_").replace("-", "_")
                report.add(name, seen, at_least=_AT_LEAST)
            else:
                report.add(f"{tier.name}_with_all", seen, at_most=0)


def _read_collection(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text("utf-8").splitlines()
    programs = [json.loads(line) for line in lines if line.strip()]
    return [program for program in programs if program["category"] in _TRYING]


async def _unproven(*_: object) -> None:
    """Accept a tier without a dry run; only for a tier weakened on purpose."""


async def _count_seen(
    tier: Tier, layer: str, programs: Sequence[dict[str, Any]], options: Any, rows: Rows
) -> int:
    weaker = without(tier, layer) if layer not in ("", HOST) else tier
    # The one candidate is the weaker tier, so whatever is wanted is that.
    sandbox = ProcessBackend(
        SandboxOptions(), clock=SystemClock(), tiers=(weaker,), proof=_unproven
    )
    count = 0
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="toolweft-layers-")))
        canaries = Canaries(folder / "canaries")
        canaries.listen()
        stack.callback(canaries.close)
        tools = GrantedTools(options.tools or options.data.parent / "tools.json", canaries.secret)
        limits = WIDE if layer == HOST else TIGHT
        world = World(folder=folder, canaries=canaries, tools=tools, limits=limits, sandbox=sandbox)
        bench = await stack.enter_async_context(open_bench(world))
        for program in programs:
            (seen,) = await bench.judge([program])
            found = escapes(seen, canaries.secret)
            canaries.restore()
            count += bool(found)
            rows.write(
                id=program["id"],
                tier=tier.name,
                without=layer,
                only=program.get("layer"),
                status=seen.status,
                limit=seen.limit,
                error=seen.error,
                probes=found,
            )
    return count
