"""What the scripted model decides, the same at every vendor, and whether it got what it needs.

It goes on only with what came over the wire: a tool that no search showed it, or a result that is
not the recorded one, makes its answer wrong.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.servers.replay import Recording
from benchmarks.workload_sets import Task
from benchmarks.workload_tokens import search_arguments
from toolweft.testing.vendors.played import Said, SaidCall

__all__ = ("WAYS", "Player", "Way")

_Kind = Literal["direct", "program", "vendor_program", "listed"]


@dataclass(frozen=True)
class Way:
    """How a task is worked on."""

    name: str
    # "listed": called by its name from the first turn on, without a search.
    kind: _Kind
    # In the vendor's own form: hidden tools that a search reveals, programs at the vendor.
    is_native: bool = False


WAYS = (
    Way("direct", "direct"),
    Way("program", "program"),
    Way("direct_native_search", "direct", is_native=True),
    Way("program_native_search", "program", is_native=True),
    Way("program_at_vendor", "vendor_program", is_native=True),
)

_Step = Callable[[Mapping[str, str]], Said]


class Player:
    """The model of one task; called once a turn.

    Args:
        task: with its program and answer.
        recording: what the tools answer.
        way: how it works.
        wire_names: of the workload's tools, where the model calls them by name.
    """

    def __init__(
        self, task: Task, recording: Recording, way: Way, *, wire_names: Mapping[Any, str]
    ) -> None:
        self._task = task
        self._recording = recording
        self._way = way
        self._wire_names = wire_names
        self._steps = iter(self._plan())
        self._calls: dict[str, dict[str, Any]] = {}

    def __call__(self, seen: Mapping[str, str]) -> Said:
        """The next turn, after all that was answered so far."""
        return next(self._steps)(seen)

    def _plan(self) -> list[_Step]:
        stages: list[_Step] = [
            lambda seen, number=number: self._stage(seen, number)  # type: ignore[misc]  # bound now
            for number in range(len(self._task.stages))
        ]
        match self._way.kind:
            case "listed":
                return [*stages, self._answer]
            case "direct" | "vendor_program":
                return [self._search, *stages, self._answer]
            case "program":
                return [self._search, self._run, self._repeat]

    def _search(self, seen: Mapping[str, str]) -> Said:
        del seen
        arguments = search_arguments(self._task)
        return Said(calls=(SaidCall(id="s", name="search_tools", arguments=arguments),))

    def _run(self, seen: Mapping[str, str]) -> Said:
        code = self._task.program
        fault = self._find_missing(seen)
        if fault:
            return Said(text=fault)
        return Said(calls=(SaidCall(id="p", name="run_code", arguments={"code": code}),))

    def _repeat(self, seen: Mapping[str, str]) -> Said:
        """The answer, as the program printed it."""
        printed = next((line for line in seen["p"].splitlines() if line.strip()), "")
        return Said(text=printed)

    def _stage(self, seen: Mapping[str, str], number: int) -> Said:
        fault = "" if self._way.kind == "listed" else self._find_missing(seen)
        if fault:
            return Said(text=fault)
        calls = []
        for position, call in enumerate(self._task.stages[number]):
            call_id = f"c{number}x{position}"
            self._calls[call_id] = call
            calls.append(self._say(call_id, call))
        if self._way.kind != "vendor_program":
            return Said(calls=tuple(calls))
        code = self._task.program if number == 0 else None
        return Said(calls=tuple(calls), program="1", code=code)

    def _say(self, call_id: str, call: Mapping[str, Any]) -> SaidCall:
        name, arguments = call["name"], call["arguments"]
        if self._way.is_native or self._way.kind == "listed":
            return SaidCall(
                id=call_id,
                name=self._wire_names[name],
                arguments=arguments,
                is_revealed=self._way.kind != "listed",
            )
        return SaidCall(
            id=call_id, name="call_tool", arguments={"name": name, "arguments": arguments}
        )

    def _answer(self, seen: Mapping[str, str]) -> Said:
        lost = [call["name"] for key, call in self._calls.items() if not self._came(seen, key)]
        text = f"wrong results of {', '.join(lost)}" if lost else json.dumps(self._task.answer)
        if self._way.kind == "vendor_program":
            return Said(text=text, program="1", printed=text)
        return Said(text=text)

    def _came(self, seen: Mapping[str, str], call_id: str) -> bool:
        call = self._calls[call_id]
        recorded, is_error = self._recording.answer(call["name"], call["arguments"])
        got = seen.get(call_id, "")
        return recorded in got if is_error else _parse(got) == _parse(recorded)

    def _find_missing(self, seen: Mapping[str, str]) -> str:
        """What the search did not show; "" where it showed all that is needed."""
        names = {call["name"] for stage in self._task.stages for call in stage}
        missing = sorted(name for name in names if name not in seen["s"])
        return f"not found: {', '.join(missing)}" if missing else ""


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
