"""Reads gold call sequences: tasks whose calls were recorded in order, each with its result.

Two shapes: a flat list of `calls`, or `turns`, a list of calls per user turn that name the `class`
they belong to. What a call gives depends on those before it, so sequences are replayed in order.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs

__all__ = (
    "BEGIN",
    "GoldCall",
    "GoldSet",
    "GoldTask",
    "Position",
    "find_gold_sets",
    "load_gold_set",
    "parse",
)

# The tool of every replayed source that says which task comes next.
BEGIN = "begin_task"


@dataclass(frozen=True)
class GoldCall:
    """One recorded call."""

    source: str
    name: str
    arguments: dict[str, Any]
    # The text that the tool gave, or its reason where it failed.
    result: str
    is_error: bool
    # Its arguments break the tool's own schema: it has to be refused before it is sent.
    misfit: bool

    @property
    def value(self) -> Any:
        """The result as callers see it."""
        return parse(self.result)


@dataclass(frozen=True)
class GoldTask:
    """One sequence."""

    id: str
    calls: tuple[GoldCall, ...]


@dataclass(frozen=True)
class GoldSet:
    """One folder of sequences, and the tools they use."""

    name: str
    folder: Path
    # By source: definitions as a server lists them.
    tools: dict[str, list[dict[str, Any]]]
    tasks: tuple[GoldTask, ...]

    @cached_property
    def calls(self) -> tuple[GoldCall, ...]:
        """All calls of all tasks, in order."""
        return tuple(call for task in self.tasks for call in task.calls)


class Position:
    """Where the replay of one source stands: answers the next recorded call, and no other."""

    def __init__(self, gold: GoldSet, source: str) -> None:
        self.tools = gold.tools[source]
        self._tasks = {
            task.id: [call for call in task.calls if call.source == source and not call.misfit]
            for task in gold.tasks
        }
        self._left: list[GoldCall] = []

    def begin(self, task: str) -> str:
        """Start a task over; an unknown one fails."""
        self._left = list(self._tasks[task])
        return "ready"

    def answer(self, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        """What was recorded for the next call, and whether that failed."""
        if not self._left:
            return f"nothing is recorded after this; got {name} with {arguments!r}", True
        expected = self._left[0]
        if (name, _exact(arguments)) != (expected.name, _exact(expected.arguments)):
            wanted = f"{expected.name} with {expected.arguments!r}"
            return f"recorded next is {wanted}; got {name} with {arguments!r}", True
        del self._left[0]
        return expected.result, expected.is_error


def parse(text: str) -> Any:
    """The JSON object or array that a text is, else the text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, dict | list) else text


def find_gold_sets(root: Path) -> Iterator[GoldSet]:
    """Every folder under `root` (or `root` itself) that holds gold sequences."""
    folders = [root] if (root / "tasks.jsonl").exists() else sorted(root.iterdir())
    for folder in folders:
        if (folder / "tasks.jsonl").exists() and (gold := load_gold_set(folder)).tasks:
            yield gold


def load_gold_set(folder: Path) -> GoldSet:
    """The sequences of one folder; without tasks where it holds something else."""
    lines = (folder / "tasks.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    rows = [row for row in rows if "calls" in row or "turns" in row]
    plain = folder.name.replace("-", "_")
    tools: dict[str, list[dict[str, Any]]] = {}
    if rows:
        for tool in json.loads((folder / "tools.json").read_text("utf-8")):
            tools.setdefault(tool.get("class", plain), []).append(tool)
    checks = {
        (source, tool["name"]): jsonschema_rs.validator_for(tool["inputSchema"])
        for source, listed in tools.items()
        for tool in listed
    }
    tasks = tuple(GoldTask(row["id"], tuple(_calls(row, plain, checks))) for row in rows)
    return GoldSet(name=folder.name, folder=folder, tools=tools, tasks=tasks)


def _calls(row: dict[str, Any], plain: str, checks: dict[Any, Any]) -> Iterator[GoldCall]:
    for turn in row.get("turns", [row.get("calls", [])]):
        for call in turn:
            source = call.get("class", plain)
            yield GoldCall(
                source=source,
                name=call["name"],
                arguments=call["arguments"],
                result=call["result"],
                is_error=call["is_error"],
                misfit=not checks[source, call["name"]].is_valid(call["arguments"]),
            )


def _exact(arguments: dict[str, Any]) -> str:
    # As text, so that 1, 1.0 and True are three things.
    return json.dumps(arguments, sort_keys=True)
