"""What a desk of many servers costs: tokens of the surface, memory of catalog and index.

    python -m benchmarks.desk --config FILE --recorded DIR [--json]

No server is started: definitions come from DIR/<server>.json.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from benchmarks.harness import ROOT, Report, data_root, load_tokenizer, parser
from benchmarks.workload_tokens import list_tokens

_OUR_TOOLS = ("search_tools", "describe_tools", "call_tool", "run_code")


def _megabytes(measure: str, config: Path, recorded: Path, scratch: Path) -> float:
    """Memory that catalog and index add to a process of its own, per 1,000 tools."""
    module = (sys.executable, "-m", "benchmarks.desk_memory", measure)
    command: list[str | Path] = [*module, config, recorded, scratch]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    measured = json.loads(done.stdout.splitlines()[-1])
    return float(measured["bytes"] / 1e6 / measured["tools"] * 1000)


async def _measure(options: Any, report: Report) -> None:
    tokens = load_tokenizer()
    report.notes.append(f"tokens: {tokens.name}")
    root = data_root(None, "servers") if options.config is None else options.config.parent
    config = options.config or root / "mcp.json"
    recorded = options.recorded or root / "tools"
    if not config.exists():
        for figure in ("surface_tokens", "mb_per_1000_tools"):
            report.add(figure, None)
        report.notes.append(f"no desk at {str(config)!r}")
        return
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as folder:
        scratch = Path(folder)
        parameters = StdioServerParameters(
            command=sys.executable,
            args=[
                *("-m", "toolweft", "serve"),
                *("--config", str(config), "--recorded", str(recorded)),
            ],
            env={"TOOLWEFT_LEDGER__URL": f"sqlite:///{scratch / 'serve.db'}"},
        )
        start = time.perf_counter()
        async with Client(parameters) as client:
            await client.call_tool("search_tools", {"queries": ["list open issues"]})
            report.add("gateway_first_search_ms", (time.perf_counter() - start) * 1000)
            listed = (await client.list_tools()).tools
            instructions = client.instructions or ""
        tools = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed]
        four = [tool for tool in tools if tool["name"] in _OUR_TOOLS]
        surface = list_tokens(four, tokens) + tokens.count(instructions)
        report.add("surface_tokens", surface, at_most=800)
        report.add("listed_tools", len(tools))
        files = [json.loads(file.read_text("utf-8")) for file in sorted(recorded.glob("*.json"))]
        names = json.loads(config.read_text("utf-8"))["mcpServers"]
        shown = [list_tokens(f["tools"], tokens) for f in files if f["server"] in names]
        report.add("full_list_tokens", sum(shown))
        live = _megabytes("live", config, recorded, scratch)
        report.add("mb_per_1000_tools", live, at_most=5)
        resident = _megabytes("private", config, recorded, scratch)
        report.add("private_mb_per_1000_tools", resident)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--config", type=Path, help="an mcp.json")
    options.add_argument("--recorded", type=Path, help="folder with <server>.json definitions")
    given = options.parse_args()
    report = Report("desk")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
