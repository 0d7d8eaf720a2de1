"""What a desk of many servers costs: tokens of surface and answers, memory of catalog and index.

    python -m benchmarks.desk --config FILE --recorded DIR [--install DIR] [--json]

Definitions come from DIR/<server>.json, and no server of the desk is started: how soon a gateway is
ready is measured with stand-ins that list the same. With --install the desk's own servers are set
up in a folder, from PyPI and npm, and a first start of all of them is measured too.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from shutil import copyfile
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from benchmarks.desk_install import add_cold, install_desk, needed_packages
from benchmarks.desk_ready import add_ready
from benchmarks.harness import ROOT, Report, Rows, Tokenizer, data_root, load_tokenizer, parser
from benchmarks.workload_tokens import list_tokens

_OUR_TOOLS = ("search_tools", "describe_tools", "call_tool", "run_code")
# Our own requests, set, tool, and several wordings; one wording of a tool is asked.
_REQUESTS = ROOT / "training" / "requests.tsv"
_MAX_REQUESTS = 200


def _megabytes(measure: str, config: Path, recorded: Path, scratch: Path) -> float:
    """Memory that catalog and index add to a process of its own, per 1,000 tools."""
    module = (sys.executable, "-m", "benchmarks.desk_memory", measure)
    command: list[str | Path] = [*module, config, recorded, scratch]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    measured = json.loads(done.stdout.splitlines()[-1])
    return float(measured["bytes"] / 1e6 / measured["tools"] * 1000)


def _requests(servers: Collection[str]) -> list[str]:
    """Requests for tools of some servers, spread over tools and wordings."""
    rows = [line.split("\t") for line in _REQUESTS.read_text("utf-8").splitlines()]
    own = [row[2:] for row in rows if row[0] == "recorded" and row[1].split("/")[0] in servers]
    step = max(1, len(own) // _MAX_REQUESTS)
    return [wordings[i % len(wordings)] for i, wordings in enumerate(own[::step])][:_MAX_REQUESTS]


def _count_tools(recordings: Collection[Any], servers: Collection[str]) -> int:
    return sum(len(file["tools"]) for file in recordings if file["server"] in servers)


async def _add_answers(
    client: Client, servers: Collection[str], tokens: Tokenizer, report: Report, rows: Rows
) -> None:
    """Tokens of what one query answers, as a model reads it."""
    counts = []
    for query in _requests(servers):
        answer = await client.call_tool("search_tools", {"queries": [query]})
        text = "\n".join(block.text for block in answer.content if block.type == "text")
        counts.append(tokens.count(text))
        rows.write(query=query, tokens=counts[-1], text=text)
    median = statistics.median(counts) if counts else None
    report.add("search_answer_tokens_median", median, at_most=500)
    report.add("search_answer_tokens_max", max(counts, default=None), at_most=900)
    report.add("search_answers", len(counts))


async def _measure(options: Any, report: Report) -> None:
    tokens = load_tokenizer()
    report.notes.append(f"tokens: {tokens.name}")
    root = data_root(None, "servers") if options.config is None else options.config.parent
    config = options.config or root / "mcp.json"
    recorded = options.recorded or root / "tools"
    if not config.exists():
        for figure in ("surface_tokens", "search_answer_tokens_median", "mb_per_1000_tools"):
            report.add(figure, None)
        report.notes.append(f"no desk at {str(config)!r}")
        return
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as folder:
        scratch = Path(folder)
        # What is accepted of the servers is kept beside their configuration.
        config = copyfile(config, scratch / "mcp.json")
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
            servers = json.loads(config.read_text("utf-8"))["mcpServers"]
            await _add_answers(client, servers, tokens, report, Rows(options.rows))
        tools = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed]
        four = [tool for tool in tools if tool["name"] in _OUR_TOOLS]
        surface = list_tokens(four, tokens) + tokens.count(instructions)
        report.add("surface_tokens", surface, at_most=800)
        report.add("listed_tools", len(tools))
        files = [json.loads(file.read_text("utf-8")) for file in sorted(recorded.glob("*.json"))]
        shown = [list_tokens(f["tools"], tokens) for f in files if f["server"] in servers]
        report.add("full_list_tokens", sum(shown))
        if options.install is None:
            report.add("desk_cold_s", None, at_most=10)
        else:
            folder = options.install.absolute()
            install_desk(folder, needed_packages(config, root / "summary.json"))
            add_cold(report, config=config, folder=folder, expected=_count_tools(files, servers))
        await add_ready(report, servers=list(servers), recorded=recorded, scratch=scratch)
        live = _megabytes("live", config, recorded, scratch)
        report.add("mb_per_1000_tools", live, at_most=5)
        resident = _megabytes("private", config, recorded, scratch)
        report.add("private_mb_per_1000_tools", resident)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--config", type=Path, help="an mcp.json")
    options.add_argument("--recorded", type=Path, help="folder with <server>.json definitions")
    options.add_argument(
        "--install",
        type=Path,
        metavar="DIR",
        help="set up the desk's servers in DIR and start them",
    )
    given = options.parse_args()
    report = Report("desk")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
