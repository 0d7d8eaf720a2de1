"""Runs gold programs over real data and counts what they keep out of a model's context.

Each folder with gold programs is replayed twice, as a Python source and as an MCP server over
stdio; a folder for a real server is run through that server. A program is right when the JSON it
prints equals the answer. A folder with gold call sequences is replayed in order, by direct calls
and from programs; each result has to be the recorded one.

    python -m benchmarks.workloads --data DIR [--desk DIR] [--rows FILE] [--json]
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

import toolweft
from benchmarks.gold_sequences import add_gold_set
from benchmarks.gold_sets import find_gold_sets
from benchmarks.harness import (
    ROOT,
    Report,
    Rows,
    Tokenizer,
    data_root,
    kept_in,
    load_tokenizer,
    mean,
    parser,
)
from benchmarks.workload_sets import Task, Workload, find_workloads
from benchmarks.workload_tokens import Wire, billed_input, context, list_tokens
from benchmarks.workload_tools import desk_files, python_tools

_REPLAY = ROOT / "benchmarks" / "servers" / "replay.py"
_NODE_BIN = ROOT / ".cache" / "bench" / "node_modules" / ".bin"
_BOTH = ["direct", "programmatic"]


def _server(workload: Workload) -> dict[str, Any] | None:
    """The workload's server as a configuration entry; None where it is not installed."""
    if workload.server is None:
        entry = {"command": sys.executable, "args": [str(_REPLAY), str(workload.folder.resolve())]}
    else:
        command = _NODE_BIN / f"mcp-server-{workload.server}"
        if not command.exists():
            return None
        entry = {"command": str(command), "args": [str((workload.folder / "files").resolve())]}
    return entry | {"default_config": {"allowed_callers": _BOTH}}


def _write_config(folder: Path, workload: Workload, desk: Path | None) -> Path | None:
    """A configuration with the workload's server and, as recorded definitions, the desk."""
    entry = _server(workload)
    if entry is None:
        return None
    servers: dict[str, Any] = {workload.server or "work": entry}
    for recorded in desk_files(desk):
        servers.setdefault(recorded.stem, {"recorded": str(recorded)})
    path = folder / f"{workload.name}{'' if desk is None else '-desk'}.json"
    path.write_text(json.dumps({"mcpServers": servers}), "utf-8")
    return path


async def _run_all(
    workload: Workload, source: str, box: toolweft.Toolbox, rows: Rows, tokens: Tokenizer
) -> int:
    """Run every task's program in a fresh container; the number that were right."""
    right = 0
    for task in workload.tasks:
        outcome = await box.run(task.program)
        printed = _parse(outcome.stdout)
        good = outcome.status == "ok" and printed == task.answer
        right += good
        rows.write(
            workload=workload.name,
            id=task.id,
            source=source,
            printed=printed,
            expected=task.answer,
            calls=len(outcome.calls),
            tokens=tokens.count(task.program) + tokens.count(outcome.stdout),
            status=outcome.status,
            error=None if outcome.error is None else outcome.error.message,
        )
        if outcome.container is not None:
            await box.containers.close(outcome.container.id)
    return right


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _savings(
    workload: Workload, config: Path, full_list: int, tokens: Tokenizer
) -> dict[str, float]:
    """Tokens on the wire of a running gateway: programs against direct calls, both deferred."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "toolweft", "serve", "--config", str(config)],
        env={"TOOLWEFT_LEDGER__URL": f"sqlite:///{config}.ledger.db"},
    )
    program: list[int] = []
    direct: list[int] = []
    full: list[int] = []
    program_billed: list[int] = []
    direct_billed: list[int] = []
    async with Client(parameters) as client:
        wire = await Wire.open(client, tokens)
        for task in workload.tasks:
            turns, text = await wire.program_turns(task)
            _require_right(task, text)
            other = await wire.direct_turns(task)
            program.append(context(turns))
            direct.append(context(other))
            # The full list needs no search turn, and no search or call tool either.
            calls = [(full_list + tokens.count(task.question), 0), *other[1:]]
            full.append(context(calls) - other[1][0])
            program_billed.append(billed_input(turns))
            direct_billed.append(billed_input(other))
    return {
        "program": mean(program),
        "direct": mean(direct),
        "saving_pct": 100 * (1 - mean(program) / mean(direct)),
        "against_full_list_pct": 100 * (1 - mean(program) / mean(full)),
        "billed_input_pct": 100 * (1 - mean(program_billed) / mean(direct_billed)),
    }


def _require_right(task: Task, text: str) -> None:
    printed = json.dumps(task.answer)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if _parse(first) != task.answer and _parse(text) != task.answer:
        raise SystemExit(f"{task.id}: the gateway answered {text[:300]!r}, expected {printed}")


async def _measure(options: Any, report: Report) -> None:
    tokens = load_tokenizer()
    report.notes.append(f"tokens: {tokens.name}; no model is called, the calls are the gold ones")
    rows = Rows(options.rows)
    desk = options.desk or data_root(None, "servers")
    desk = desk if (desk / "mcp.json").exists() else None
    savings: dict[str, dict[str, float]] = {}
    root = data_root(options.data, "workloads")
    for gold in find_gold_sets(root):
        with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
            await add_gold_set(gold, Path(scratch), report, rows)
    for workload in find_workloads(root):
        with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
            await _one(workload, Path(scratch), desk, report, rows, tokens, savings)
    if savings:
        values = [figures["saving_pct"] for figures in savings.values()]
        report.add("context_saving_pct", mean(values), at_least=88)
        report.add("context_saving_lowest_pct", min(values), at_least=80)
        full = [figures["against_full_list_pct"] for figures in savings.values()]
        report.add("context_saving_against_full_list_pct", mean(full), at_least=98)
    else:
        report.add("context_saving_pct", None, at_least=88)


async def _one(
    workload: Workload,
    scratch: Path,
    desk: Path | None,
    report: Report,
    rows: Rows,
    tokens: Tokenizer,
    savings: dict[str, dict[str, float]],
) -> None:
    overrides = kept_in(scratch)
    name = workload.name.replace("-", "_")
    if workload.server is None:
        async with toolweft.open(tools=python_tools(workload.folder), overrides=overrides) as box:
            right = await _run_all(workload, "python", box, rows, tokens)
        report.add(f"{name}_python_right", right, at_least=len(workload.tasks))
    config = _write_config(scratch, workload, None)
    if config is None:
        report.notes.append(f"{workload.name}: server {workload.server!r} is not installed")
        report.add(f"{name}_mcp_right", None, at_least=len(workload.tasks))
        return
    async with toolweft.open(config, overrides=overrides) as box:
        right = await _run_all(workload, "mcp", box, rows, tokens)
        definitions = [tool.definition for tool in box.snapshot.tools.values()]
    report.add(f"{name}_mcp_right", right, at_least=len(workload.tasks))
    shown = [
        {"name": d.name, "description": d.description, "inputSchema": d.input_schema}
        for d in definitions
    ]
    own_list = list_tokens(shown, tokens)
    own = await _savings(workload, config, own_list, tokens)
    report.add(f"{name}_own_tools_saving_pct", own["saving_pct"])
    if desk is None:
        return
    recorded = [json.loads(file.read_text("utf-8"))["tools"] for file in desk_files(desk)]
    full_list = own_list + sum(list_tokens(tools, tokens) for tools in recorded)
    with_desk = _write_config(scratch, workload, desk)
    assert with_desk is not None
    savings[name] = await _savings(workload, with_desk, full_list, tokens)
    for figure, value in savings[name].items():
        report.add(f"{name}_{figure}", value)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--desk", type=Path, help="folder with mcp.json and tools/ (the desk)")
    given = options.parse_args()
    report = Report("workloads")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
