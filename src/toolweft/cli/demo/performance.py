"""Performs the demo on an open application and gathers what happened; measured, not assumed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from toolweft.bootstrap import App
from toolweft.cli.demo.costs import Cost, Evidence, compute_costs
from toolweft.cli.demo.program import QUERIES, QUESTION, render_program
from toolweft.cli.demo.recorder import RecordedCall, Recorder
from toolweft.cli.demo.tokens import TokenCounter
from toolweft.core.calls import LOCAL
from toolweft.core.json import Json, JsonObject
from toolweft.core.programs import ProgramOutcome
from toolweft.core.snapshot import CatalogTool, SourceStatus
from toolweft.toolbox.render import render_search
from toolweft.toolbox.surface import SurfaceTool

__all__ = ("CallCost", "Performance", "perform")

_SEARCH = "search_tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What one call of the program took."""

    tool: str
    arguments: JsonObject
    status: str
    duration_ms: float
    result_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Everything the demo shows."""

    sources: tuple[SourceStatus, ...]
    queries: tuple[str, ...]
    # Qualified names of what was found, and the text a model reads.
    found: frozenset[str]
    search_text: str
    search_tokens: int
    program: str
    outcome: ProgramOutcome
    calls: tuple[CallCost, ...]
    costs: tuple[Cost, ...]
    tokenizer: str

    @property
    def faults(self) -> tuple[str, ...]:
        """What did not go as it must; empty when all did."""
        found = [
            f"source {source.name!r} is {source.state}: {source.reason}"
            for source in self.sources
            if not source.is_usable
        ]
        found += [
            f"{call.tool} ended with {call.status}" for call in self.calls if call.status != "ok"
        ]
        used = {call.tool.partition(".")[0] for call in self.calls}
        found += [
            f"the program made no call to {source.name!r}"
            for source in self.sources
            if source.python_name not in used
        ]
        found += [
            f"the search did not find {tool}, which the program calls"
            for tool in sorted({call.tool for call in self.calls} - self.found)
        ]
        if self.outcome.status != "ok":
            error = self.outcome.error
            reason = "" if error is None else f": {error.type}: {error.message}"
            found.append(f"the program ended with {self.outcome.status}{reason}")
        return tuple(found)

    def to_dict(self) -> JsonObject:
        """All of it as plain JSON."""
        return {
            "ok": not self.faults,
            "faults": list(self.faults),
            "question": QUESTION,
            "sources": [
                {"name": s.name, "kind": s.kind, "tools": s.tool_count, "start_s": s.start_s}
                for s in self.sources
            ],
            "search": {"queries": list(self.queries), "answer": self.search_text},
            "program": self.program,
            "status": self.outcome.status,
            "stdout": self.outcome.stdout,
            "wall_s": round(self.outcome.stats.wall_s, 6),
            "calls": [
                {
                    "tool": call.tool,
                    "arguments": call.arguments,
                    "status": call.status,
                    "duration_ms": round(call.duration_ms, 3),
                    "result_tokens": call.result_tokens,
                }
                for call in self.calls
            ],
            "costs": [
                {
                    "way": cost.way,
                    "context_tokens": cost.context_tokens,
                    "round_trips": cost.round_trips,
                }
                for cost in self.costs
            ],
            "tokenizer": self.tokenizer,
        }


async def perform(
    app: App, *, recorder: Recorder, counter: TokenCounter, repository: str
) -> Performance:
    """Search, run the program, and price the same calls made in other ways.

    Args:
        app: open and settled, with `recorder` among its policies.
        recorder: has recorded nothing yet.
        counter: counts every token of the comparison.
        repository: for the program to read.
    """
    box = app.toolbox_for(LOCAL)
    asked = {"queries": list(QUERIES), "limit": 1}
    answer = await box.search(QUERIES, limit=1)
    found = render_search(answer)
    program = render_program(repository)
    outcome = await box.run(program)
    recorded = tuple(recorder.calls)
    snapshot = app.catalog.snapshot
    surface = {tool.name: _compact(_face(tool)) for tool in box.surface().tools}
    used = {call.tool for call in recorded}
    listed = {name: _compact(_definition(tool)) for name, tool in sorted(snapshot.tools.items())}
    evidence = Evidence(
        question=QUESTION,
        definitions=tuple(listed.values()),
        used_definitions=tuple(text for name, text in listed.items() if name in used),
        search_definition=surface[_SEARCH],
        surface=tuple(surface.values()),
        search_arguments=_compact({"name": _SEARCH, "arguments": asked}),
        search_answer=found,
        program=program,
        printed=outcome.stdout,
        calls=recorded,
    )
    return Performance(
        sources=tuple(snapshot.sources.values()),
        queries=QUERIES,
        found=frozenset(hit.qualified for query in answer.queries for hit in query.hits),
        search_text=found,
        search_tokens=counter.count(found),
        program=program,
        outcome=outcome,
        calls=_join_calls(outcome, recorded, counter),
        costs=compute_costs(evidence, counter.count),
        tokenizer=counter.name,
    )


def _join_calls(
    outcome: ProgramOutcome, recorded: Sequence[RecordedCall], counter: TokenCounter
) -> tuple[CallCost, ...]:
    """What the outcome knows of each call, with the arguments and text the recorder saw."""
    seen = {call.id: call for call in recorded}
    return tuple(
        CallCost(
            tool=call.tool,
            arguments=seen[call.call_id].arguments if call.call_id in seen else {},
            status=call.status,
            duration_ms=call.duration_ms,
            result_tokens=counter.count(seen[call.call_id].result_text)
            if call.call_id in seen
            else 0,
        )
        for call in outcome.calls
    )


def _definition(tool: CatalogTool) -> JsonObject:
    """A tool as a client lists it to a model."""
    return {
        "name": tool.definition.name,
        "description": tool.definition.description,
        "input_schema": tool.definition.input_schema,
    }


def _face(tool: SurfaceTool) -> JsonObject:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.input_schema,
    }


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
