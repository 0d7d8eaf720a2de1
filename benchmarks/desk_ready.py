"""From the start of a gateway to its first answered search, whatever its servers do.

Stand-ins list what real servers listed; once their tools are remembered, all of them hang. The
peer has as many tools, functions of its own process, and starts no server.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from compileall import compile_dir
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters

from benchmarks.harness import ROOT, Report

__all__ = ("add_ready",)

_STAND_IN = ROOT / "benchmarks" / "servers" / "recorded.py"
_PEER = ROOT / "benchmarks" / "peers" / "fastmcp_code.py"
_PEER_PYTHON = ROOT / ".venv-bench-fastmcp" / "bin" / "python"
_STARTS = 5
_LIST_TIMEOUT_S = 60


def _write_desk(folder: Path, *, servers: list[str], recorded: Path, eager: bool) -> Path:
    entries = {
        name: {
            "command": sys.executable,
            "args": ["-S", str(_STAND_IN), str(recorded / f"{name}.json"), str(folder / "gate")],
            "eager": eager,
        }
        for name in servers
    }
    path = folder / ("eager.json" if eager else "lazy.json")
    path.write_text(json.dumps({"mcpServers": entries}), "utf-8")
    return path


def _list_tools(config: Path, environ: dict[str, str]) -> tuple[float, int]:
    """Seconds of a whole `toolweft tools`, and how many there were."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "toolweft", "tools", "--json", "--config", str(config)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=_LIST_TIMEOUT_S,
    )
    return time.perf_counter() - start, len(json.loads(done.stdout)["tools"])


async def _first_search_ms(
    parameters: StdioServerParameters, *, tool: str, arguments: dict[str, Any]
) -> tuple[float, str]:
    """Milliseconds from the start of a process to its first answer, and that answer."""
    start = time.perf_counter()
    async with Client(parameters) as client:
        answer = await client.call_tool(tool, arguments)
        passed_ms = (time.perf_counter() - start) * 1000
    return passed_ms, str(answer.content)


async def _own_ms(config: Path, environ: dict[str, str]) -> float:
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "toolweft", "serve", "--config", str(config)],
        env=environ,
    )
    passed_ms, found = await _first_search_ms(
        parameters, tool="search_tools", arguments={"queries": ["list open issues"]}
    )
    if "list_issues" not in found:
        raise SystemExit(f"the search found nothing of the desk: {found}")
    return passed_ms


async def _peer_ms(tools: int) -> float:
    parameters = StdioServerParameters(
        command=str(_PEER_PYTHON), args=[str(_PEER), "--tools", str(tools), "--serve"]
    )
    passed_ms, found = await _first_search_ms(
        parameters, tool="search", arguments={"query": "approve a budget rule"}
    )
    if "approve" not in found:
        raise SystemExit(f"FastMCP's search found nothing: {found}")
    return passed_ms


async def add_ready(report: Report, *, servers: list[str], recorded: Path, scratch: Path) -> None:
    """Add what a start costs: with nothing known, and with every server hanging."""
    known = [name for name in servers if (recorded / f"{name}.json").exists()]
    lazy = _write_desk(scratch, servers=known, recorded=recorded, eager=False)
    eager = _write_desk(scratch, servers=known, recorded=recorded, eager=True)
    # As an installed package is: a checkout may have no bytecode, and then a start takes longer.
    compile_dir(ROOT / "src", quiet=1)
    environ = {
        **os.environ,
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "TOOLWEFT_LEDGER__URL": f"sqlite:///{scratch / 'ready.db'}",
    }
    cold_s, tools = _list_tools(lazy, environ)
    report.add("stand_in_cold_s", cold_s)
    report.add("ready_tools", tools)
    (scratch / "gate").touch()
    ready: list[float] = []
    ready_eager: list[float] = []
    peer: list[float] = []
    if not _PEER_PYTHON.exists():
        report.notes.append("fastmcp: no environment, run `make bench`")
    for _ in range(_STARTS):
        ready.append(await _own_ms(lazy, environ))
        ready_eager.append(await _own_ms(eager, environ))
        if _PEER_PYTHON.exists():
            peer.append(await _peer_ms(tools))
    peers: dict[str, float | None] = {"fastmcp": statistics.median(peer)} if peer else {}
    report.add("gateway_ready_ms", statistics.median(ready), at_most=1000, peers=peers)
    report.add("gateway_ready_ms_min", min(ready))
    report.add("gateway_ready_eager_ms", statistics.median(ready_eager), at_most=1000)
    report.add("gateway_ready_eager_ms_min", min(ready_eager))
