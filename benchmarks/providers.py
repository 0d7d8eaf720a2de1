"""The same tasks through every vendor's API: direct calls against programs, as servers count them.

A scripted model, the same at each vendor, works on every task directly (search, then one turn for
each round of calls that need nothing of one another) and by one program, with our own search and
programs and, where a vendor has them, with its own. Servers of ours, strict about each vendor's
rules, stand in the vendors' place, and count tokens as UTF-8 bytes / 4. No model is asked; a
program at a vendor is played: the script makes its calls and says what it printed.

    python -m benchmarks.providers [--data DIR] [--desk DIR] [--form NAME] [--rows FILE] [--json]
"""

import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

import toolweft
from benchmarks.harness import Report, Rows, data_root, kept_in, mean, parser
from benchmarks.provider_play import WAYS, Player, Way
from benchmarks.provider_runs import Desk, Outcome, work
from benchmarks.provider_small import measure_small
from benchmarks.servers.replay import Recording
from benchmarks.workload_sets import Workload, find_workloads
from benchmarks.workload_tools import desk_files, python_tools
from toolweft.testing.vendors.played import VENDOR_FORMS, VendorForm

_MAIN = "team-expenses"
# Outcomes of one workload's tasks, by form and way.
_Outcomes = dict[tuple[str, str], list[Outcome]]


@asynccontextmanager
async def open_desk(
    workload: Workload, desk: Path | None, *, is_deferred: bool = True
) -> AsyncIterator[Desk]:
    """The workload's tools, with the desk's recorded ones beside them."""
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
        folder = Path(scratch)
        servers = {file.stem: {"recorded": str(file.resolve())} for file in desk_files(desk)}
        config = folder / "mcp.json"
        config.write_text(json.dumps({"mcpServers": servers}), "utf-8")
        overrides: dict[str, Any] = {**kept_in(folder)}
        if is_deferred:
            # A few tools alone would be listed.
            overrides["catalog.defer_above_tokens"] = 0
        tools = python_tools(workload.folder)
        async with toolweft.open(config, tools=tools, overrides=overrides) as box:
            yield Desk(box, folder=folder, ledger=folder / "ledger.db")


def ways_of(form: VendorForm) -> list[Way]:
    """The ways that a vendor's API has."""
    return [
        way
        for way in WAYS
        if not way.is_native
        or (form.has_programs if way.kind == "vendor_program" else form.search is not None)
    ]


async def _work_all(
    workload: Workload, forms: Sequence[VendorForm], desk: Path | None, rows: Rows
) -> _Outcomes:
    """Every form at once, each with a toolbox of its own: most of the time is waiting."""
    outcomes: _Outcomes = {
        (vendor_of(form), way.name): [] for form in forms for way in ways_of(form)
    }

    async def work_through(form: VendorForm) -> None:
        async with open_desk(workload, desk) as opened:
            for way in ways_of(form):
                for task in workload.tasks:
                    player = Player(task, recording, way, wire_names=opened.wire_names)
                    outcome = await work(opened, form, player, way, task.question)
                    outcomes[vendor_of(form), way.name].append(outcome)
                    rows.write(
                        workload=workload.name,
                        id=task.id,
                        form=form.name,
                        way=way.name,
                        expected=task.answer,
                        is_right=is_right(outcome, task.answer),
                        **outcome.as_row(),
                    )

    recording = Recording(workload.folder)
    async with anyio.create_task_group() as tasks:
        for form in forms:
            tasks.start_soon(work_through, form)
    return outcomes


def is_right(outcome: Outcome, answer: Any) -> bool:
    """The task ended with the answer, by rules that no request broke."""
    try:
        said = json.loads(outcome.text)
    except ValueError:
        return False
    is_clean = not outcome.refusals and outcome.prefixes == 1
    return outcome.status == "done" and said == answer and is_clean


def vendor_of(form: VendorForm) -> str:
    """What stands before the model's name."""
    return form.name.partition(":")[0]


def count_odd_shapes(outcomes: _Outcomes, *, by: Callable[[Outcome], Any]) -> int:
    """Tasks of one way that were recorded otherwise at some vendor than at the first."""
    first: dict[str, list[Any]] = {}
    odd = 0
    for (_, way), done in outcomes.items():
        shapes = [by(outcome) for outcome in done]
        known = first.setdefault(way, shapes)
        odd += sum(one != other for one, other in zip(shapes, known, strict=True))
    return odd


def _report(workload: Workload, outcomes: _Outcomes, report: Report) -> list[float]:
    """Figures of one workload; the savings of context, a vendor each."""
    prefix = "" if workload.name == _MAIN else f"{workload.name.replace('-', '_')}_"
    answers = [task.answer for task in workload.tasks]
    wrong = sum(
        not is_right(outcome, answer)
        for done in outcomes.values()
        for outcome, answer in zip(done, answers, strict=True)
    )
    report.add(f"{prefix}wrong_answers", wrong, at_most=0)
    odd = count_odd_shapes(outcomes, by=lambda outcome: outcome.shape)
    report.add(f"{prefix}odd_ledgers", odd, at_most=0)
    # A program's calls are recorded alike, wherever it runs.
    programs = {
        (" ".join(key), "program"): done for key, done in outcomes.items() if _is_program(key[1])
    }
    odd = count_odd_shapes(programs, by=lambda outcome: outcome.shape["calls"])
    report.add(f"{prefix}odd_program_calls", odd, at_most=0)
    vendors = dict.fromkeys(vendor for vendor, _ in outcomes)
    savings = []
    for vendor in vendors:
        by_way = {way: done for (v, way), done in outcomes.items() if v == vendor}
        savings.append(_saving(by_way, lambda outcome: outcome.context))
        report.add(f"{prefix}{vendor}_context_saving_pct", savings[-1])
        billed = _saving(by_way, lambda outcome: outcome.billed_input)
        report.add(f"{prefix}{vendor}_billed_input_saving_pct", billed)
        for figure in ("context", "billed_input", "round_trips"):
            values = {way: mean(getattr(o, figure) for o in done) for way, done in by_way.items()}
            own = values.pop("program")
            report.add(f"{prefix}{vendor}_{figure}", own, peers={**values})
    return savings


def _is_program(way: str) -> bool:
    return way.startswith("program")


def _saving(by_way: dict[str, list[Outcome]], measure: Callable[[Outcome], float]) -> float:
    program, direct = (mean(map(measure, by_way[way])) for way in ("program", "direct"))
    return 100 * (1 - program / direct)


def _choose(given: Path | None) -> list[Workload]:
    """Replayed workloads: the folder's, where one was named, else the one that all are held to."""
    root = data_root(given, "workloads")
    found = [workload for workload in find_workloads(root) if workload.server is None]
    if given is None:
        found = [workload for workload in found if workload.name == _MAIN] or found
    return found


async def _measure(options: Any, report: Report) -> None:
    report.notes += [
        "tokens: UTF-8 bytes / 4, as the vendors' test servers count them; no model is called",
        "context: input of the last request and its answer, mean over tasks; billed input: reading"
        " a cache counts 0.1, writing it 1.25; every task begins with an empty cache",
        "program_at_vendor is played by the script: its requests between the program's calls are"
        " round trips, but no turns of the model",
    ]
    rows = Rows(options.rows)
    forms = [form for name, form in VENDOR_FORMS.items() if options.form in (None, name)]
    folder = options.desk or data_root(None, "servers")
    desk = folder if (folder / "mcp.json").exists() else None
    savings: list[float] = []
    trips = 0
    workloads = _choose(options.data)
    for workload in workloads:
        async with open_desk(workload, desk) as opened:
            tools = len(opened.box.snapshot.tools)
        report.notes.append(f"{workload.name}: {len(workload.tasks)} tasks, {tools} tools")
        outcomes = await _work_all(workload, forms, desk, rows)
        savings += _report(workload, outcomes, report)
        local = [outcomes[vendor_of(form), "program"] for form in forms]
        trips = max([trips, *(o.round_trips for done in local for o in done)])
    report.add("round_trips", trips, at_most=3)
    found = (mean(savings), min(savings))
    saving, lowest = found if desk else (None, None)
    report.add("context_saving_pct", saving, at_least=88)
    report.add("context_saving_lowest_pct", lowest, at_least=80)
    if desk is None:
        report.add("own_tools_context_saving_pct", found[0])
    await measure_small(workloads[0], forms, desk, open_desk=open_desk, report=report, rows=rows)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--desk", type=Path, help="folder with mcp.json and tools/ (the desk)")
    options.add_argument("--form", choices=list(VENDOR_FORMS), help="one vendor's API alone")
    given = options.parse_args()
    report = Report("providers")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
