"""A source and a listener that do what a test tells them, and remember what happened."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition

__all__ = ("Answer", "FakeSource", "RecordingListener", "SourceChange", "SourceRequest")

# What a tool answers: a plain value, a `RawResult`, an error to raise, or a function (async or not)
# of the arguments that gives one of these.
Answer: TypeAlias = Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """One call that reached a `FakeSource`."""

    name: ToolName
    arguments: JsonObject
    # When its time was up, as of then.
    deadline_s: float


class FakeSource:
    """A source with scripted answers; `requests` holds every call it got, in order.

    Args:
        name: the namespace of its tools.
        answers: original tool name -> what that tool answers, every time.
    """

    def __init__(self, name: str, answers: Mapping[str, Answer] | None = None) -> None:
        self._name = SourceName(name)
        self.answers: dict[str, Answer] = dict(answers or {})
        self.requests: list[SourceRequest] = []

    @property
    def name(self) -> SourceName:
        """The namespace of its tools."""
        return self._name

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """The scripted answer; a plain value comes as `structured`.

        Raises:
            SourceUnavailable: nothing is scripted for that tool.
            Exception: whatever error the script holds.
        """
        request = SourceRequest(
            name=name, arguments=call.arguments, deadline_s=call.countdown.ends_s
        )
        self.requests.append(request)
        if name not in self.answers:
            raise SourceUnavailable(
                f"source {self._name!r} has no answer for {name!r}",
                hint=f"script one: FakeSource({self._name!r}, {{{name!r}: ...}})",
            )
        answer = self.answers[name]
        if callable(answer):
            answer = answer(call.arguments)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, RawResult) else RawResult(structured=answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChange:
    """One thing a source told its listener."""

    status: SourceStatus
    # None: the tools stayed as they were.
    definitions: tuple[ToolDefinition, ...] | None


class RecordingListener:
    """Remembers, in order, everything sources tell it."""

    def __init__(self) -> None:
        self.changes: list[SourceChange] = []

    async def prepare(self, status: SourceStatus, definitions: Sequence[ToolDefinition]) -> None:
        """Do nothing: what comes is taken as it comes."""

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        """Remember a source's new state."""
        kept = None if definitions is None else tuple(definitions)
        self.changes.append(SourceChange(status=status, definitions=kept))

    def latest(self, name: str) -> SourceStatus | None:
        """The last state heard of the source `name`, None where it never spoke."""
        for change in reversed(self.changes):
            if change.status.name == name:
                return change.status
        return None

    def tools(self, name: str) -> tuple[ToolDefinition, ...]:
        """The last definitions heard of the source `name`; empty where it gave none."""
        for change in reversed(self.changes):
            if change.status.name == name and change.definitions is not None:
                return change.definitions
        return ()
