"""Replays gold call sequences through toolweft: each result has to be the recorded one.

What the tools themselves do is not part of the data, so a source answers from the recording: the
next call of the task gets the recorded result, and any other call fails. Called by `workloads`.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from mcp import Client

import toolweft
from benchmarks.gold_sets import GoldCall, GoldSet, GoldTask
from benchmarks.gold_ways import GatewayWays, Given, LibraryWays, gateway_of, write_python_sources
from benchmarks.harness import Report, Rows, kept_in

__all__ = ("add_gold_set", "is_recorded")

# Makes the calls of one task; what each gave.
Way = Callable[[GoldTask], Awaitable[Sequence[Given]]]


async def add_gold_set(gold: GoldSet, scratch: Path, report: Report, rows: Rows) -> None:
    """Replay one set four ways: direct and from programs, as Python functions and MCP servers."""
    figure = gold.name.replace("-", "_")
    report.add(f"{figure}_calls", len(gold.calls))
    report.add(f"{figure}_failing_calls", sum(call.is_error for call in gold.calls))
    misfits = [call for call in gold.calls if call.misfit]
    report.add(f"{figure}_refused_calls", len(misfits))
    for call in misfits:
        report.notes.append(
            f"{gold.name}: {call.source}.{call.name}({call.arguments!r}) breaks the tool's own "
            "schema; counted as right where it is refused before it is sent"
        )

    async def count(way: str, run: Way) -> None:
        equal = 0
        for task in gold.tasks:
            equal += _count_equal(gold, task, await run(task), way, rows)
        report.add(f"{figure}_{way}_equal", equal, at_least=len(gold.calls))

    config = write_python_sources(gold, scratch)
    async with toolweft.open(config, overrides=kept_in(scratch)) as box:
        library = LibraryWays(box)
        await count("python_direct", library.direct)
        await count("python_program", library.program)
    async with Client(gateway_of(gold, scratch)) as client:
        gateway = GatewayWays(client)
        await count("gateway_direct", gateway.direct)
        await count("gateway_program", gateway.program)


def _count_equal(
    gold: GoldSet, task: GoldTask, given: Sequence[Given], way: str, rows: Rows
) -> int:
    """How many of a task's calls gave what was recorded; a row for each."""
    equal = 0
    for number, call in enumerate(task.calls):
        got = given[number] if number < len(given) else ["failed", "never_called", ""]
        good = is_recorded(call, got)
        equal += good
        rows.write(
            workload=gold.name,
            id=task.id,
            way=way,
            call=number,
            name=f"{call.source}.{call.name}",
            arguments=call.arguments,
            recorded=call.result,
            is_error=call.is_error,
            given=got,
            equal=good,
        )
    return equal


def is_recorded(call: GoldCall, given: Given) -> bool:
    """Whether a call gave what was recorded; one that breaks its schema must have been refused."""
    if call.misfit:
        return given[:2] == ["failed", "invalid_arguments"]
    if call.is_error:
        return given[0] == "failed" and call.result in given[2]
    # As text, so that 1, 1.0 and True are three things.
    return given[0] == "ok" and json.dumps(given[1]) == json.dumps(call.value)
