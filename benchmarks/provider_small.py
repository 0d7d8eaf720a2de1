"""Small tasks, of one to three calls: what the toolbox costs where it has little to save.

Below the threshold of deferral its model calls a listed tool by name; the peer is a client that
lists the same tools and has never heard of toolweft. Above, where tools have to be found, its model
makes one call with `call_tool` and several by a program, as its instructions say; the peer is a
client with the same search that only calls.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio

from benchmarks.harness import Report, Rows, mean
from benchmarks.provider_play import Player, Way
from benchmarks.provider_runs import Desk, Outcome, work, work_plainly
from benchmarks.servers.replay import Recording
from benchmarks.workload_sets import Task, Workload
from toolweft.core.messages import ModelTool
from toolweft.testing.vendors.played import VendorForm
from toolweft.toolbox import TOOL_NAMES

__all__ = ("build_tasks", "measure_small")

_OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]
_CALLING = ("search_tools", "describe_tools", "call_tool")
# A longer result is asked for its length.
_SHORT_CHARACTERS = 400
_LISTED, _DIRECT, _PROGRAM = (Way(name, name) for name in ("listed", "direct", "program"))


def build_tasks(workload: Workload) -> list[Task]:
    """One and two calls of each tool, and one call each of three tools; all calls at once."""
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (workload.folder / "results.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if not row["is_error"]:
            calls[row["name"]].append({"name": row["name"], "arguments": row["arguments"]})
    recording = Recording(workload.folder)
    chosen = [
        *(own[:1] for own in calls.values()),
        *(own[:2] for own in calls.values() if len(own) > 1),
        [own[0] for own in calls.values()][:3],
    ]
    return [_build(number, asked, recording) for number, asked in enumerate(chosen)]


def _build(number: int, calls: list[dict[str, Any]], recording: Recording) -> Task:
    asked = [f"{c['name'].replace('_', ' ')} {json.dumps(c['arguments'])}" for c in calls]
    texts = [recording.answer(call["name"], call["arguments"])[0] for call in calls]
    is_short = [len(text) <= _SHORT_CHARACTERS for text in texts]
    answer = [
        json.loads(text) if short else len(json.loads(text))
        for text, short in zip(texts, is_short, strict=True)
    ]
    lines = ["import json"]
    for call, short in zip(calls, is_short, strict=True):
        given = ", ".join(f"{key}={value!r}" for key, value in call["arguments"].items())
        used = f"await {call['name']}({given})"
        lines.append(f"r{len(lines)} = {used if short else f'len({used})'}")
    names = ", ".join(f"r{n}" for n in range(1, len(lines)))
    return Task(
        id=f"small-{number}",
        question=f"What is, or how many are: {'; '.join(asked)}?",
        program="\n".join([*lines, f"print(json.dumps([{names}]))"]),
        answer=answer,
        stages=[calls],
    )


async def measure_small(
    workload: Workload,
    forms: Sequence[VendorForm],
    desk: Path | None,
    *,
    open_desk: _OpenDesk,
    report: Report,
    rows: Rows,
) -> None:
    """Add the figures of small tasks to the report."""
    tasks = build_tasks(workload)
    listed = _Comparison(workload, tasks, rows=rows, desk=None, is_deferred=False)
    below = await listed.run(forms, open_desk)
    found = _Comparison(workload, tasks, rows=rows, desk=desk, is_deferred=True)
    above = await found.run(forms, open_desk)
    report.add("small_tasks", len(tasks))
    report.add("small_wrong_answers", below.wrong + above.wrong, at_most=0)
    penalty = above.penalty("chosen")
    report.add("small_task_penalty_pct", penalty if desk else None, at_most=5)
    if desk is None:
        report.add("own_tools_small_task_penalty_pct", penalty)
    for name in ("direct", "program"):
        report.add(f"small_task_{name}_penalty_pct", above.penalty(name))
    report.add("small_task_worst_penalty_pct", max(above.penalties("chosen")))
    report.add("small_task_billed_penalty_pct", above.penalty("chosen", "billed_input"))
    report.add("small_task_listed_penalty_pct", below.penalty("chosen"))
    report.add("small_task_listed_billed_penalty_pct", below.penalty("chosen", "billed_input"))


class _Compared:
    """Outcomes of each task by way, in the order of the tasks."""

    def __init__(self) -> None:
        self.done: dict[str, list[Outcome]] = defaultdict(list)
        self.wrong = 0

    def __add__(self, other: "_Compared") -> "_Compared":
        both = _Compared()
        both.wrong = self.wrong + other.wrong
        for name in {**self.done, **other.done}:
            both.done[name] = [*self.done[name], *other.done[name]]
        return both

    def penalties(self, way: str, figure: str = "context") -> list[float]:
        """How much more each task costs than it does the peer, in per cent."""
        pairs = zip(self.done[way], self.done["peer"], strict=True)
        return [100 * (getattr(one, figure) / getattr(peer, figure) - 1) for one, peer in pairs]

    def penalty(self, way: str, figure: str = "context") -> float:
        """The mean of them over tasks and vendors."""
        return mean(self.penalties(way, figure))


class _Comparison:
    """Small tasks through each form at once.

    Args:
        workload: whose tools are used.
        tasks: the small ones.
        rows: hear of each outcome.
        desk: beside the workload's tools.
        is_deferred: tools have to be found.
    """

    def __init__(
        self,
        workload: Workload,
        tasks: Sequence[Task],
        *,
        rows: Rows,
        desk: Path | None,
        is_deferred: bool,
    ) -> None:
        self._workload = workload
        self._tasks = tasks
        self._rows = rows
        self._desk = desk
        self._is_deferred = is_deferred
        self._recording = Recording(workload.folder)

    async def run(self, forms: Sequence[VendorForm], open_desk: _OpenDesk) -> _Compared:
        """All outcomes, form by form."""
        by_form = [_Compared() for _ in forms]

        async def work_through(form: VendorForm, compared: _Compared) -> None:
            options = {"is_deferred": self._is_deferred}
            async with open_desk(self._workload, self._desk, **options) as desk:
                for task in self._tasks:
                    await self._compare(desk, form, task, compared)

        async with anyio.create_task_group() as tasks:
            for form, compared in zip(forms, by_form, strict=True):
                tasks.start_soon(work_through, form, compared)
        return sum(by_form, _Compared())

    async def _compare(self, desk: Desk, form: VendorForm, task: Task, compared: _Compared) -> None:
        def play(way: Way) -> Player:
            return Player(task, self._recording, way, wire_names=desk.wire_names)

        peer = _DIRECT if self._is_deferred else _LISTED
        tools = _peer_tools(desk, is_deferred=self._is_deferred)
        done = {
            "peer": await work_plainly(desk, form, play(peer), peer, task.question, tools=tools)
        }
        for way in (_DIRECT, _PROGRAM) if self._is_deferred else (_LISTED,):
            done[way.name] = await work(desk, form, play(way), way, task.question)
        for name, outcome in done.items():
            is_right = outcome.text == json.dumps(task.answer) and not outcome.refusals
            compared.wrong += not is_right
            compared.done[name].append(outcome)
            self._rows.write(
                workload="small tasks",
                id=task.id,
                form=form.name,
                way=name,
                is_deferred=self._is_deferred,
                is_right=is_right,
                expected=task.answer,
                **outcome.as_row(),
            )
        has_one_call = len(task.stages[0]) == 1
        chosen = ("direct" if has_one_call else "program") if self._is_deferred else "listed"
        compared.done["chosen"].append(done[chosen])


def _peer_tools(desk: Desk, *, is_deferred: bool) -> list[ModelTool]:
    """Of the toolbox's tools those that search and call, or only those that are listed."""
    return [
        ModelTool(name=tool.name, description=tool.description, input_schema=tool.input_schema)
        for tool in desk.box.surface().tools
        if (tool.name in _CALLING if is_deferred else tool.name not in TOOL_NAMES)
    ]
