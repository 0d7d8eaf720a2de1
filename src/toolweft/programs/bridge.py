"""Answers the calls of one run: from the guest's bytes to the road and back.

Everything a guest sends is data of a stranger. Whose call it is, which run it belongs to and until
when it may take come from the run alone, never from the guest.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from toolweft.calls.measure import is_deeper_than
from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import NO_USAGE, Caller, Failure, Principal, ToolCall, ToolResult
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import (
    CallTimeout,
    HandleNotFound,
    InvalidArguments,
    NoWorker,
    ProviderError,
    ToolNotFound,
    ToolweftError,
)
from toolweft.core.events import AskedQuery, SearchDone
from toolweft.core.handles import HandleStore
from toolweft.core.ids import CallId, QualifiedName, RunId
from toolweft.core.json import Json, JsonObject, decode_json
from toolweft.core.ports import GuestCall, GuestReply, Ledger, SnapshotHolder
from toolweft.core.programs import CallRecord, ProgramLimits
from toolweft.core.search import Searcher
from toolweft.core.workers import Workers
from toolweft.programs.discovery import (
    describe_for_program,
    programmatic_tools,
    search_for_program,
)
from toolweft.programs.handles import RunHandles
from toolweft.programs.links import GivenLinks, ReaderFor, keep_link
from toolweft.programs.per_snapshot import PerSnapshot
from toolweft.programs.replies import encode_reply, encode_value, reply_of
from toolweft.programs.worker_use import NO_WORKER, NO_WORKER_HINT, parse_question

__all__ = ("CallRoad", "Desk", "ReaderFor", "RunBridge", "Traffic", "parse_arguments")

log = logging.getLogger(__name__)

_INTERNAL_FAILURE = Failure(
    code="internal_error",
    message="the call failed inside toolweft",
    hint="this is no fault of the program; the log of toolweft names the place",
)

# A guest's own writer stops here; the road measures what goes to a tool, by its own limit.
_MAX_SENT_DEPTH = 201
# Nobody measures what a worker is asked with after this.
_MAX_QUESTION_DEPTH = 64
# A guest may ask for a name of any length; records stay small.
_MAX_NAME_CHARACTERS = 200


class CallRoad(Protocol):
    """Makes calls; whatever goes wrong is in the result."""

    async def call(self, call: ToolCall) -> ToolResult:
        """Make one call."""
        ...


@dataclass(slots=True)
class Traffic:
    """What is going on in all runs."""

    calls_in_flight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all runs share."""

    road: CallRoad
    holder: SnapshotHolder
    searcher: Searcher
    ledger: Ledger
    clock: Clock
    # Keeps results that are too large to hand over; None where nobody does.
    handles: HandleStore | None = None
    # Reads the resources that links lead to; None where nobody does.
    reader_for: ReaderFor | None = None
    links: GivenLinks = field(default_factory=GivenLinks)
    traffic: Traffic = field(default_factory=Traffic)
    # What `tools.search` may find.
    visible: PerSnapshot[frozenset[QualifiedName] | None] = field(
        default_factory=lambda: PerSnapshot(programmatic_tools)
    )


@dataclass(slots=True, kw_only=True)
class RunBridge:
    """The host's end of one run's calls.

    Args:
        desk: what all runs share.
        run_id: the run.
        principal: on whose behalf it calls.
        handles: the stored results that it reads and makes.
        workers: answer its questions; None where nobody does.
        client: who is asked what its calls ask.
    """

    desk: Desk
    run_id: RunId
    principal: Principal
    handles: RunHandles
    workers: Workers | None = None
    # Who is asked what its calls ask.
    client: CallingClient = NOBODY
    # In the order in which they ended.
    records: list[CallRecord] = field(default_factory=list)
    _is_stopped: bool = False
    # The run's, once it has called.
    _countdown: Countdown | None = None

    @classmethod
    def open(
        cls, desk: Desk, *, run_id: RunId, principal: Principal, limits: ProgramLimits
    ) -> "RunBridge":
        """The bridge of a run that begins now."""
        return cls(
            desk=desk,
            run_id=run_id,
            principal=principal,
            handles=RunHandles(
                desk.handles, owner=principal, max_result_bytes=limits.max_result_bytes
            ),
        )

    def held_s(self) -> float:
        """Seconds in which its calls waited for a person."""
        return 0.0 if self._countdown is None else self._countdown.held_s()

    def stop(self) -> None:
        """Refuse every further call: the run is over."""
        self._is_stopped = True

    async def answer(self, call: GuestCall) -> GuestReply:
        """The reply to one call; a failure where anything is wrong with it."""
        self.desk.traffic.calls_in_flight += 1
        self._countdown = call.countdown
        try:
            return await self._route(call)
        except ToolweftError as exc:
            return GuestReply(failure=_failure_of(exc))
        except Exception:
            # One call that goes wrong in here must not take the run with it.
            log.exception("program.call_failed", extra={"run_id": self.run_id})
            return GuestReply(failure=_INTERNAL_FAILURE)
        finally:
            self.desk.traffic.calls_in_flight -= 1

    async def _route(self, call: GuestCall) -> GuestReply:
        if self._is_stopped or call.countdown.is_over:
            raise CallTimeout("the run is over", hint="nothing more can be called in it")
        arguments = parse_arguments(call.arguments)
        match call.name:
            case "tools.search":
                return encode_reply(await self._search(arguments))
            case "tools.describe":
                snapshot = self.desk.holder.snapshot
                return encode_reply(describe_for_program(arguments, snapshot=snapshot))
            case "tools.call":
                name, inner = _unpack_call(arguments)
                return await self._call_tool(call, name, inner)
            case "worker":
                return await self._ask_worker(call, arguments)
            case "load.info":
                return await self._load(call, arguments)
            case name if name.startswith("load."):
                return await self.handles.answer(name, arguments)
            case name if name.startswith("tools."):
                raise ToolNotFound(
                    f"tools has no {name.removeprefix('tools.')[:80]!r}",
                    hint="it has search(query), describe(name) and call(name, arguments)",
                )
            case name:
                return await self._call_tool(call, name, arguments)

    async def _call_tool(self, call: GuestCall, name: str, arguments: Json) -> GuestReply:
        started_s = self.desk.clock.monotonic_s()
        result: ToolResult | None = None
        request = ToolCall(
            id=CallId(f"{self.run_id}:{call.index}"),
            tool=name,
            arguments=arguments,
            caller=Caller(type="programmatic", program_id=self.run_id, call_index=call.index),
            principal=self.principal,
            countdown=call.countdown,
            client=self.client,
            line=call.line,
        )
        try:
            result = await self.desk.road.call(request)
        finally:
            elapsed_ms = (self.desk.clock.monotonic_s() - started_s) * 1_000
            self.records.append(self._record(request, result, elapsed_ms))
        if result.handle is not None:
            return self.handles.reply_with(result.handle)
        self._note_links(request, result)
        return await self.handles.fit(reply_of(result))

    def _note_links(self, request: ToolCall, result: ToolResult) -> None:
        """Let the program load the links that it is given."""
        tool = self.desk.holder.snapshot.find(request.tool)
        if tool is not None and result.failure is None:
            source = tool.definition.namespace
            self.desk.links.note(result.value, source=source, owner=self.principal)

    async def _ask_worker(self, call: GuestCall, arguments: JsonObject) -> GuestReply:
        if is_deeper_than(arguments, _MAX_QUESTION_DEPTH):
            raise _too_deep(_MAX_QUESTION_DEPTH)
        question = parse_question(
            arguments, run_id=self.run_id, principal=self.principal, countdown=call.countdown
        )
        if self.workers is None:
            raise NoWorker(NO_WORKER, hint=NO_WORKER_HINT)
        workers = self.workers
        reply = await self._recorded(call, "worker", lambda: _answered(workers.answer(question)))
        return await self.handles.fit(reply)

    async def _load(self, call: GuestCall, arguments: JsonObject) -> GuestReply:
        """What is known of a stored result, or of what a link leads to once it is stored."""
        desk, uri, source = self.desk, arguments.get("handle"), arguments.get("source")
        if "source" not in arguments:
            try:
                return await self.handles.answer(call.name, arguments)
            except HandleNotFound:
                # By its address alone, where that says whose it is.
                given = desk.links.find(str(uri), owner=self.principal)
                if len(given) != 1:
                    raise
                (source,) = given
        reader_for, store = desk.reader_for, desk.handles
        if reader_for is None or store is None:
            raise HandleNotFound(f"{str(uri)[:200]!r} cannot be loaded: nothing is read here")

        async def load() -> GuestReply:
            link = desk.links.check(uri, source, owner=self.principal)
            handle = await keep_link(
                link,
                reader=reader_for(self.principal),
                store=store,
                owner=self.principal,
                client=self.client,
                countdown=call.countdown,
            )
            return GuestReply(payload=encode_value(handle.to_dict()))

        return await self._recorded(call, "load", load)

    async def _recorded(
        self, call: GuestCall, what: str, work: Callable[[], Awaitable[GuestReply]]
    ) -> GuestReply:
        """The reply, as a call of the run that is no tool's."""
        started_s = self.desk.clock.monotonic_s()
        status, bytes_out = "cancelled", 0
        try:
            reply = await work()
            status, bytes_out = "ok", len(reply.payload)
        except ToolweftError as exc:
            status = exc.code
            raise
        finally:
            self.records.append(
                CallRecord(
                    call_id=CallId(f"{self.run_id}:{call.index}"),
                    execution_id=self.run_id,
                    index=call.index,
                    tool=what,
                    line=call.line,
                    status=status,
                    duration_ms=(self.desk.clock.monotonic_s() - started_s) * 1_000,
                    bytes_out=bytes_out,
                    tokens_out=estimate_tokens(bytes_out),
                )
            )
        return reply

    def _record(
        self, request: ToolCall, result: ToolResult | None, elapsed_ms: float
    ) -> CallRecord:
        """One line of the outcome; no result means that the call was cancelled."""
        tool = self.desk.holder.snapshot.find(request.tool)
        usage = NO_USAGE if result is None else result.usage
        return CallRecord(
            call_id=request.id,
            execution_id=self.run_id,
            index=request.caller.call_index or 0,
            tool=request.tool[:_MAX_NAME_CHARACTERS] if tool is None else tool.qualified,
            line=request.line,
            status=_status_of(result),
            duration_ms=usage.duration_ms or elapsed_ms,
            bytes_out=usage.bytes_out,
            tokens_out=usage.tokens_out,
        )

    async def _search(self, arguments: JsonObject) -> list[JsonObject]:
        desk = self.desk
        started_s = desk.clock.monotonic_s()
        snapshot = desk.holder.snapshot
        hits = await search_for_program(
            arguments,
            snapshot=snapshot,
            searcher=desk.searcher,
            visible=desk.visible.of(snapshot),
            tenant=self.principal.tenant,
        )
        desk.ledger.record(
            SearchDone(
                at=desk.clock.now(),
                principal=self.principal,
                run_id=self.run_id,
                queries=1,
                hits=len(hits),
                duration_ms=(desk.clock.monotonic_s() - started_s) * 1_000,
                asked=(AskedQuery.of(arguments["query"], (hit["name"] for hit in hits)),),
            )
        )
        return hits


def _status_of(result: ToolResult | None) -> str:
    if result is None:
        return "cancelled"
    if result.failure is not None:
        return result.failure.code
    return "tool_error" if result.is_error else "ok"


# ------------------------------------------------------------------------------ bytes to arguments


def parse_arguments(raw: bytes) -> JsonObject:
    """A call's arguments from JSON text of bounded size.

    Raises:
        InvalidArguments: not strict JSON, not an object, or too deeply nested.
    """
    try:
        arguments = decode_json(raw.decode("utf-8"))
    except RecursionError:
        raise _too_deep(_MAX_SENT_DEPTH) from None
    except ValueError as exc:
        raise InvalidArguments(
            f"the arguments are not JSON: {str(exc)[:200]}",
            hint="pass text, finite numbers, booleans, None, lists and dicts with text keys",
        ) from exc
    if not isinstance(arguments, dict):
        raise InvalidArguments(
            f"the arguments are a {type(arguments).__name__}, not an object",
            hint="pass arguments by keyword: tool(name=value)",
        )
    # Cheap first: few brackets cannot nest deeply.
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > _MAX_SENT_DEPTH and is_deeper_than(arguments, _MAX_SENT_DEPTH):
        raise _too_deep(_MAX_SENT_DEPTH)
    return arguments


def _too_deep(max_depth: int) -> InvalidArguments:
    message = f"the arguments nest deeper than {max_depth} lists and objects"
    return InvalidArguments(message, hint="send them flatter, or as text; no key raises this")


def _unpack_call(arguments: JsonObject) -> tuple[str, Json]:
    """Name and arguments of `tools.call`; the road reads arguments that are JSON text."""
    name = arguments.get("name")
    inner = arguments.get("arguments", {})
    others = arguments.keys() - {"name", "arguments"}
    if not isinstance(name, str) or not isinstance(inner, dict | str) or others:
        raise InvalidArguments(
            "tools.call() takes name, a text, and arguments, a dict",
            hint="await tools.call(name='source.tool', arguments={'key': 'value'})",
        )
    return name, inner


def _failure_of(error: ToolweftError) -> Failure:
    failure = Failure(
        code=error.code, message=error.message, hint=error.hint, retryable=error.retryable
    )
    if isinstance(error, ProviderError):
        return replace(failure, retryable=error.is_retryable, retry_after_s=error.retry_after_s)
    return failure


async def _answered(value: Awaitable[Json]) -> GuestReply:
    return encode_reply(await value)
