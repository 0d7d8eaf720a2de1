"""Reads workload folders: tasks with gold programs, the tools they need, recorded results.

A folder with `tools.json` and `results.jsonl` is replayed; one whose tasks name a real server
(`server`, `stages`, `answer`) is run through that server with programs kept beside this file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ("Task", "Workload", "find_workloads")

_PROGRAMS = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Task:
    """One question with its gold program and answer."""

    id: str
    question: str
    program: str
    answer: Any
    # Calls of one stage need nothing from each other; later stages may need earlier results.
    stages: list[list[dict[str, Any]]]


@dataclass(frozen=True)
class Workload:
    """One folder."""

    name: str
    folder: Path
    # None: replayed. Else the real server its tasks are for.
    server: str | None
    tasks: list[Task]

    @property
    def calls(self) -> int:
        """Calls over all tasks."""
        return sum(len(stage) for task in self.tasks for stage in task.stages)


def find_workloads(root: Path) -> Iterator[Workload]:
    """Every folder under `root` (or `root` itself) that has gold programs to run."""
    folders = [root] if (root / "tasks.jsonl").exists() else sorted(root.iterdir())
    for folder in folders:
        if not (folder / "tasks.jsonl").exists():
            continue
        lines = (folder / "tasks.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        programs = _PROGRAMS / f"{folder.name}-programs"
        tasks = [task for row in rows if (task := _task(row, folder, programs)) is not None]
        if tasks:
            server = next((row["server"] for row in rows if "server" in row), None)
            yield Workload(name=folder.name, folder=folder, server=server, tasks=tasks)


def _task(row: dict[str, Any], folder: Path, programs: Path) -> Task | None:
    program = row.get("program")
    if program is None and (programs / f"{row['id']}.py").exists():
        program = (programs / f"{row['id']}.py").read_text("utf-8")
    if program is None or "answer" not in row:
        return None
    return Task(
        id=row["id"],
        question=row["question"],
        program=_fill(program, folder),
        answer=row["answer"],
        stages=json.loads(_fill(json.dumps(row.get("stages", [])), folder)),
    )


def _fill(text: str, folder: Path) -> str:
    return text.replace("${DESK_FILES}", str((folder / "files").resolve()))
