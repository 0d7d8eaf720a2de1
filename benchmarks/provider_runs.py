"""One task through one vendor's server: what was answered, what the server counted, what was kept.

Worked on by the agent, or by a plain client of the same model that only calls tools.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import toolweft
from benchmarks.provider_play import Player, Way
from toolweft.agent.events import TaskFinished, TurnFinished
from toolweft.bootstrap.models import open_model
from toolweft.config import Settings, load_settings
from toolweft.core.calls import TextContent
from toolweft.core.messages import (
    Message,
    ModelCall,
    ModelRequest,
    ModelResult,
    ModelTool,
    ResultsMessage,
    UserMessage,
)
from toolweft.core.models import TokenUsage
from toolweft.providers.prefix import prefix_hash
from toolweft.testing.vendors.played import VendorForm
from toolweft.testing.vendors.scripts import VendorServer

__all__ = ("Desk", "Outcome", "work", "work_plainly")

# Of the price of input, as Anthropic has it; used for every vendor alike.
_CACHE_READ, _CACHE_WRITE = 0.1, 1.25
_MAX_TURNS = 50

_SHAPE = "SELECT kind, caller, tool, severity, status FROM ledger_events WHERE id > ? ORDER BY id"


@dataclass
class Outcome:
    """One task, worked in one way at one vendor."""

    text: str
    status: str
    error: str = ""
    # Of each request, as the vendor's server counted it.
    usages: list[TokenUsage] = field(default_factory=list)
    # Bodies that the server let in, and what it refused.
    round_trips: int = 0
    refusals: list[str] = field(default_factory=list)
    # Of requests that differ in what a cache matches first.
    prefixes: int = 0
    shape: dict[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> int:
        """Tokens of the last request and of its answer: all that stands in the context then."""
        last = self.usages[-1]
        return _input(last) + last.output_tokens

    @property
    def input_tokens(self) -> int:
        """Input over all requests."""
        return sum(map(_input, self.usages))

    @property
    def billed_input(self) -> float:
        """The same, weighted as a cache is paid for."""
        return sum(
            usage.input_tokens
            + usage.cache_read_tokens * _CACHE_READ
            + usage.cache_write_tokens * _CACHE_WRITE
            for usage in self.usages
        )

    @property
    def output_tokens(self) -> int:
        """What the model wrote."""
        return sum(usage.output_tokens for usage in self.usages)

    def as_row(self) -> dict[str, Any]:
        """Raw, for others to judge."""
        return {
            "text": self.text,
            "status": self.status,
            "error": self.error,
            "round_trips": self.round_trips,
            "context": self.context if self.usages else None,
            "input_tokens": self.input_tokens,
            "billed_input": self.billed_input,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": sum(usage.cache_read_tokens for usage in self.usages),
            "cache_write_tokens": sum(usage.cache_write_tokens for usage in self.usages),
            "prefixes": self.prefixes,
            "refusals": self.refusals,
            "ledger": self.shape,
        }


class Desk:
    """A toolbox that is open, and the ledger behind it.

    Args:
        box: what tasks are worked on with.
        folder: of our own files.
        ledger: the database's file.
    """

    def __init__(self, box: toolweft.Toolbox, *, folder: Path, ledger: Path) -> None:
        self.box = box
        self.wire_names = {
            tool.definition.name: tool.wire_name
            for tool in box.snapshot.tools.values()
            if tool.definition.namespace == "local"
        }
        self._folder = folder
        self._ledger = ledger
        self._last = 0

    async def take_shape(self) -> dict[str, Any]:
        """What was recorded since the last time: kinds of events, and calls by all but their size.

        Events of models are left out: they name the model.
        """
        await self.box.ledger.flush()
        database = sqlite3.connect(self._ledger)
        try:
            rows = database.execute(_SHAPE, (self._last,)).fetchall()
            (self._last,) = database.execute("SELECT max(id) FROM ledger_events").fetchone()
        finally:
            database.close()
        kinds = Counter(row[0] for row in rows if row[0] != "model_replied")
        calls = Counter(" ".join(row[1:4]) for row in rows if row[0] == "call_started")
        ends = Counter(row[4] for row in rows if row[0] in {"call_finished", "run_finished"})
        parts = {"events": kinds, "calls": calls, "ends": ends}
        return {name: dict(sorted(counted.items())) for name, counted in parts.items()}

    def configure(
        self, form: VendorForm, server: VendorServer[Any, Any, Any], way: Way
    ) -> Settings:
        """Settings under which the form's model is at this server."""
        file = self._folder / "models.toml"
        native = "on" if way.is_native else "off"
        table = {"base_url": server.base_url, "key": server.key or "none"}
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        text = "\n".join(
            [f'[models]\nnative = "{native}"', f"[models.{json.dumps(form.name)}]", *lines]
        )
        file.write_text(text, encoding="utf-8")
        return load_settings(config=file, environ={}, cwd=self._folder, home=self._folder)


async def work(desk: Desk, form: VendorForm, player: Player, way: Way, question: str) -> Outcome:
    """The agent's work on one task."""
    outcome = Outcome(text="", status="")
    async with form.open(player, native="on" if way.is_native else "off") as server:
        settings = desk.configure(form, server, way)
        agent = toolweft.Agent(form.name, config=settings, toolbox=desk.box, max_turns=_MAX_TURNS)
        async for event in agent.stream(question):
            if isinstance(event, TurnFinished):
                outcome.usages.append(event.usage)
            elif isinstance(event, TaskFinished):
                result = event.result
                outcome.text, outcome.status = result.text, result.status
                outcome.error = "" if result.error is None else result.error.message
        _note(outcome, server)
    outcome.shape = await desk.take_shape()
    return outcome


async def work_plainly(
    desk: Desk,
    form: VendorForm,
    player: Player,
    way: Way,
    question: str,
    *,
    tools: Sequence[ModelTool],
) -> Outcome:
    """The work of a client that lists these tools, calls them, and knows nothing of programs."""
    outcome = Outcome(text="", status="done")
    async with (
        form.open(player) as server,
        open_model(form.name, desk.configure(form, server, way), environment={}) as model,
    ):
        history: list[Message] = [UserMessage(content=(TextContent(question),))]
        while not outcome.text:
            request = ModelRequest(tools=tuple(tools), messages=tuple(history))
            reply = await model.complete(request)
            outcome.usages.append(reply.usage)
            outcome.text = reply.message.text
            results = [await _answer(desk, call) for call in reply.message.calls]
            history += [reply.message, ResultsMessage(results=tuple(results))]
        _note(outcome, server)
    outcome.shape = await desk.take_shape()
    return outcome


async def _answer(desk: Desk, call: ModelCall) -> ModelResult:
    reply = await desk.box.invoke(call.name, call.arguments or {})
    content = (TextContent(reply.text),)
    return ModelResult(call_id=call.id, name=call.name, content=content, is_error=reply.is_error)


def _note(outcome: Outcome, server: VendorServer[Any, Any, Any]) -> None:
    outcome.round_trips = len(server.requests)
    outcome.refusals = server.refusals
    outcome.prefixes = len({prefix_hash(body) for body in server.requests})


def _input(usage: TokenUsage) -> int:
    return usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
