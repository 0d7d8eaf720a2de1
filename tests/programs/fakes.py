"""Small fakes for programs: a sandbox that runs code in this process, a road, a catalog."""

import ast
import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import anyio

from toolweft.core.calls import Blob, Failure, Principal, ToolCall, ToolResult, Usage
from toolweft.core.clock import SystemClock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.names import python_name, python_namespace, wire_name
from toolweft.core.ports import (
    GuestCall,
    GuestCallHandler,
    GuestNames,
    IsolationReport,
    SandboxCapabilities,
    SandboxOutcome,
)
from toolweft.core.programs import LimitName, ProgramError, ProgramLimits, ProgramStats
from toolweft.core.search import SearchHit, SearchResult
from toolweft.core.snapshot import CatalogTool, Snapshot, SourceStatus
from toolweft.core.tools import Hints, ToolDefinition
from toolweft.programs.options import ProgramOptions
from toolweft.programs.runner import ProgramRunner
from toolweft.testing import CountingIds, FakeClock, MemoryHandleStore

ANN = Principal("acme", "ann")
BEN = Principal("acme", "ben")


def make_tool(
    name: str,
    *,
    parameters: JsonObject | None = None,
    required: Sequence[str] = (),
    schema: JsonSchema | None = None,
    output: JsonSchema | None = None,
    description: str = "",
    hints: Hints | None = None,
    **decided: Any,
) -> CatalogTool:
    """A catalog tool from "namespace.tool"."""
    namespace, _, tool = name.partition(".")
    input_schema = schema or {
        "type": "object",
        "properties": parameters or {},
        "required": list(required),
    }
    originals = input_schema.get("properties")
    spelled = {python_name(p): p for p in originals} if isinstance(originals, dict) else {}
    settings: dict[str, Any] = {
        "severity": "read_only",
        "callers": frozenset({"direct", "programmatic"}),
        "deferred": True,
        "input_examples": (),
        "always_listed": False,
    } | decided
    return CatalogTool(
        definition=ToolDefinition(
            name=ToolName(tool),
            namespace=SourceName(namespace),
            description=description,
            input_schema=input_schema,
            output_schema=output,
            hints=hints or Hints(),
            input_examples=settings.pop("input_examples"),
            always_listed=settings.pop("always_listed"),
        ),
        python_namespace=python_namespace(namespace),
        python_name=python_name(tool),
        wire_name=wire_name(python_namespace(namespace), python_name(tool)),
        parameters={python: original for python, original in spelled.items() if python != original},
        severity_reason="",
        callers_reason="",
        deferred_reason="",
        **settings,
    )


def make_snapshot(*tools: CatalogTool, version: int = 1, state: str = "ready") -> Snapshot:
    """A snapshot of these tools, with sources and aliases as the catalog makes them."""
    aliases: dict[str, list[QualifiedName]] = {}
    for tool in tools:
        spellings = {
            tool.python_name,
            tool.definition.name,
            f"{tool.definition.namespace}.{tool.definition.name}",
            tool.wire_name,
        }
        for spelling in spellings - {tool.qualified}:
            aliases.setdefault(spelling, []).append(tool.qualified)
    sources = {tool.definition.namespace: tool.python_namespace for tool in tools}
    return Snapshot(
        version=version,
        tools={tool.qualified: tool for tool in tools},
        sources={
            name: SourceStatus(
                name=name,
                python_name=spelled,
                kind="python",
                state=state,
                tool_count=sum(t.definition.namespace == name for t in tools),
            )
            for name, spelled in sources.items()
        },
        aliases={spelling: tuple(sorted(names)) for spelling, names in aliases.items()},
    )


class FakeLedger:
    """Keeps events in a list; `is_broken` makes it refuse."""

    durability = "process kill"

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_broken = False

    def record(self, event: Event) -> None:
        if self.is_broken:
            raise LedgerUnavailable("the writer stopped", hint="look at the disk")
        self.events.append(event)

    async def commit(self, event: Event) -> None:
        self.record(event)

    async def flush(self) -> None:
        pass


class FakeRoad:
    """Answers calls from functions by full name; remembers every call."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.answers: dict[str, Any] = {}
        self.calls: list[ToolCall] = []

    async def call(self, call: ToolCall) -> ToolResult:
        self.calls.append(call)
        tool = self.snapshot.find(call.tool)
        if tool is None:
            failure = Failure(code="tool_not_found", message=f"no tool named {call.tool!r}")
            return ToolResult(call_id=call.id, is_error=True, failure=failure)
        answer = self.answers.get(tool.qualified)
        if callable(answer):
            answer = answer(**call.arguments)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Failure):
            return ToolResult(call_id=call.id, is_error=True, failure=answer)
        if isinstance(answer, ToolResult):
            return answer
        encoded = json.dumps(answer, separators=(",", ":")).encode()
        usage = Usage(bytes_out=len(encoded), tokens_out=-(-len(encoded) // 4))
        return ToolResult(call_id=call.id, value=answer, encoded=encoded, usage=usage)


class FakeSearcher:
    """Finds the tools whose name or description holds a word of the query."""

    async def search(
        self,
        queries: Sequence[str],
        *,
        snapshot: Snapshot,
        limit: int,
        visible: Collection[QualifiedName] | None,
        tenant: str,
    ) -> Sequence[SearchResult]:
        return [
            SearchResult(hits=_find(query, snapshot, limit=limit, visible=visible))
            for query in queries
        ]


def _find(
    query: str, snapshot: Snapshot, *, limit: int, visible: Collection[QualifiedName] | None
) -> Sequence[SearchHit]:
    hits = []
    for name, tool in sorted(snapshot.tools.items()):
        text = f"{name} {tool.definition.description}".lower()
        score = sum(word in text for word in query.lower().split())
        if score and (visible is None or name in visible):
            hits.append(SearchHit(qualified=name, score=float(score)))
    return sorted(hits, key=lambda hit: -hit.score)[:limit]


class ToolError(Exception):
    """What a program gets for a failed call."""


class InProcessSession:
    """Runs code with exec, right here: for tests of what stands round a sandbox."""

    def __init__(self) -> None:
        self.is_alive = True
        self.is_closed = False
        self.closed = anyio.Event()
        self.held_bytes = 0
        self.stopped: list[LimitName] = []
        self._variables: dict[str, Any] = {"ToolError": ToolError, "Blob": Blob}

    def memory_bytes(self) -> int:
        return self.held_bytes

    def stop(self, limit: LimitName, error: ProgramError) -> None:
        self.stopped.append(limit)

    async def run(
        self,
        code: str,
        *,
        names: GuestNames,
        limits: ProgramLimits,
        on_call: GuestCallHandler,
        on_output: Callable[[str], None] | None = None,
    ) -> SandboxOutcome:
        printed: list[str] = []

        def write(*values: object) -> None:
            text = " ".join(map(str, values)) + "\n"
            printed.append(text)
            if on_output is not None:
                on_output(text)

        self._bind(names, on_call, Countdown(limits.wall_s, clock=SystemClock()))
        self._variables["print"] = write
        error = None
        value: Json = None
        try:
            value = await self._execute(code)
        except Exception as exc:
            error = ProgramError(type=type(exc).__name__, message=str(exc), line=1)
        if code.startswith("# crash"):
            self.is_alive = False
        media = (value,) if isinstance(value, Blob) else ()
        if isinstance(value, Blob):
            value = {"media_type": value.media_type, "size_bytes": len(value.data)}
        return SandboxOutcome(
            status="error" if error else "ok",
            media=media,
            stdout="".join(printed),
            stdout_characters=len("".join(printed)),
            value=b"" if value is None else json.dumps(value).encode(),
            error=error,
            stats=ProgramStats(wall_s=0.25, calls=1),
        )

    async def close(self) -> None:
        self.is_alive = False
        self.is_closed = True
        self.closed.set()

    def _bind(self, names: GuestNames, on_call: GuestCallHandler, countdown: Countdown) -> None:
        count = iter(range(1, 1_000_000))

        def function(name: str) -> Callable[..., Awaitable[Json]]:
            async def call(**arguments: Json) -> Json:
                raw = json.dumps(arguments).encode()
                reply = await on_call(
                    GuestCall(
                        index=next(count),
                        name=name,
                        arguments=raw,
                        line=None,
                        countdown=countdown,
                    )
                )
                if reply.failure is not None:
                    raise ToolError(f"{reply.failure.code}: {reply.failure.message}")
                return json.loads(reply.payload)

            return call

        class Namespace:
            def __init__(self, name: str) -> None:
                self._name = name

            def __getattr__(self, tool: str) -> Callable[..., Awaitable[Json]]:
                return function(f"{self._name}.{tool}")

        self._variables.update({name: Namespace(name) for name in names.namespaces})
        self._variables.update({name: function(name) for name in names.functions})

    async def _execute(self, code: str) -> Json:
        tree = ast.parse(code)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        results: Iterator[Any] = (
            eval(compile(part, "<program>", mode, flags), self._variables)
            for part, mode in ((tree, "exec"), (last, "eval"))
            if part is not None
        )
        value = None
        for result in results:
            value = await result if inspect.iscoroutine(result) else result
        return value if last is not None and not inspect.iscoroutine(value) else None


class InProcessBackend:
    """Opens sessions in this process; keeps them all in `sessions`."""

    def __init__(self) -> None:
        self.sessions: list[InProcessSession] = []
        self.fault: Exception | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    @property
    def capabilities(self) -> SandboxCapabilities:
        return SandboxCapabilities(backend="fake", tier="none", language="CPython 3.11.7")

    @property
    def reports(self) -> Sequence[IsolationReport]:
        return ()

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> InProcessSession:
        await anyio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        self.sessions.append(InProcessSession())
        return self.sessions[-1]


class World(SimpleNamespace):
    """A runner with everything round it."""

    runner: ProgramRunner
    road: FakeRoad
    clock: FakeClock
    ledger: FakeLedger
    backend: InProcessBackend
    handles: MemoryHandleStore
    holder: SimpleNamespace


@asynccontextmanager
async def open_world(*tools: CatalogTool, options: ProgramOptions | None = None):
    """A running `ProgramRunner` over these tools."""
    snapshot = make_snapshot(*tools)
    world = World(
        road=FakeRoad(snapshot),
        clock=FakeClock(),
        ledger=FakeLedger(),
        backend=InProcessBackend(),
        holder=SimpleNamespace(snapshot=snapshot),
        ids=CountingIds(),
    )
    world.handles = MemoryHandleStore(clock=world.clock, ids=world.ids)
    world.runner = ProgramRunner(
        backend=world.backend,
        road=world.road,
        holder=world.holder,
        searcher=FakeSearcher(),
        ledger=world.ledger,
        clock=world.clock,
        ids=world.ids,
        options=options or ProgramOptions(),
        handles=world.handles,
    )
    async with world.runner:
        yield world
