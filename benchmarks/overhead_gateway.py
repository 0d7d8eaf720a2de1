"""Times through real processes: the stdio gateway, imports, `--help`."""

import re
import subprocess
import sys
import time
from pathlib import Path

from mcp import Client
from mcp.client.stdio import StdioServerParameters

from benchmarks.harness import ROOT, Samples

__all__ = ("measure_gateway", "measure_help", "measure_import")

_SOURCE = ROOT / "benchmarks" / "servers" / "synthetic_source.py"
_TEN = "for i in range(10):\n    await synthetic.bench_fast(i=i)\n"
_IMPORT = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"


async def measure_gateway(
    empty: Samples, ten_calls: Samples, scratch: Path, *, repeats: int
) -> None:
    """`run_code` over stdio MCP in a live container, 5,000 tools behind it."""
    config = scratch / "gateway.toml"
    config.write_text(
        f'[python.synthetic]\ntarget = "{_SOURCE}"\n'
        f'[ledger]\nurl = "sqlite:///{scratch / "gateway.db"}"\n',
        "utf-8",
    )
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "toolweft", "serve", "--config", str(config)], cwd=ROOT
    )
    async with Client(parameters) as client:
        await client.list_tools()
        first = await client.call_tool("run_code", {"code": "pass"})
        container = _container_id("\n".join(getattr(b, "text", "") for b in first.content))
        for _ in range(repeats):
            for samples, code in ((empty, "pass"), (ten_calls, _TEN)):
                start = time.perf_counter()
                answer = await client.call_tool(
                    "run_code", {"code": code, "container_id": container}
                )
                samples.add(time.perf_counter() - start)
                assert not answer.is_error, answer.content


def _container_id(text: str) -> str:
    found = re.search(r"\bc_[0-9a-f]{16,}\b", text)
    if found is None:
        raise SystemExit(f"run_code answered without a container id: {text!r}")
    return found.group()


def measure_import(samples: Samples, *, python: str, module: str, repeats: int) -> None:
    """Import a module in a new process; what is timed is the import alone."""
    for _ in range(repeats):
        command = [python, "-c", _IMPORT.format(module=module)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        samples.add(float(done.stdout))


def measure_help(samples: Samples, *, repeats: int) -> None:
    """`toolweft --help` as a whole process."""
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "toolweft", "--help"], capture_output=True, check=True
        )
        samples.add(time.perf_counter() - start)
