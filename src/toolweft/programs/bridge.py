"""Answers the calls of one run: from the guest's bytes to the road and back.

Everything a guest sends is data of a stranger. Whose call it is, which run it belongs to and until
when it may take come from the run alone, never from the guest.
"""

import json
import logging
from dataclasses import dataclass, field, replace
from typing import Protocol

from toolweft.calls.measure import is_deeper_than
from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import NO_USAGE, Blob, Caller, Failure, Principal, ToolCall, ToolResult
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import (
    CallTimeout,
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
from toolweft.core.ports import GuestBlob, GuestCall, GuestReply, Ledger, SnapshotHolder
from toolweft.core.programs import CallRecord, ProgramLimits
from toolweft.core.search import Searcher
from toolweft.core.workers import Workers
from toolweft.programs.discovery import (
    describe_for_program,
    programmatic_tools,
    search_for_program,
)
from toolweft.programs.handles import RunHandles
from toolweft.programs.per_snapshot import PerSnapshot
from toolweft.programs.worker_use import NO_WORKER, NO_WORKER_HINT, parse_question

__all__ = ("CallRoad", "Desk", "RunBridge", "Traffic", "parse_arguments", "reply_of")

log = logging.getLogger(__name__)

_INTERNAL_FAILURE = Failure(
    code="internal_error",
    message="the call failed inside toolweft",
    hint="this is no fault of the program; the log of toolweft names the place",
)

# Arguments nested deeper than this are no tool's; the road measures them again.
MAX_ARGUMENT_DEPTH = 64
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
                return _encode_reply(await self._search(arguments))
            case "tools.describe":
                snapshot = self.desk.holder.snapshot
                return _encode_reply(describe_for_program(arguments, snapshot=snapshot))
            case "tools.call":
                name, inner = _unpack_call(arguments)
                return await self._call_tool(call, name, inner)
            case "worker":
                return await self._ask_worker(call, arguments)
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
        return await self.handles.fit(reply_of(result))

    async def _ask_worker(self, call: GuestCall, arguments: JsonObject) -> GuestReply:
        question = parse_question(
            arguments, run_id=self.run_id, principal=self.principal, countdown=call.countdown
        )
        if self.workers is None:
            raise NoWorker(NO_WORKER, hint=NO_WORKER_HINT)
        started_s = self.desk.clock.monotonic_s()
        status, bytes_out = "cancelled", 0
        try:
            reply = _encode_reply(await self.workers.answer(question))
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
                    tool="worker",
                    line=call.line,
                    status=status,
                    duration_ms=(self.desk.clock.monotonic_s() - started_s) * 1_000,
                    bytes_out=bytes_out,
                    tokens_out=estimate_tokens(bytes_out),
                )
            )
        return await self.handles.fit(reply)

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
        raise _too_deep() from None
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
    if brackets > MAX_ARGUMENT_DEPTH and is_deeper_than(arguments, MAX_ARGUMENT_DEPTH):
        raise _too_deep()
    return arguments


def _too_deep() -> InvalidArguments:
    return InvalidArguments(
        f"the arguments are nested deeper than {MAX_ARGUMENT_DEPTH} levels",
        hint="send flatter data, or text",
    )


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


# --------------------------------------------------------------------------------- result to reply


def reply_of(result: ToolResult) -> GuestReply:
    """A result as the guest gets it: JSON text with its blobs beside it."""
    if result.failure is not None:
        return GuestReply(failure=result.failure)
    if result.is_error:
        failure = Failure(code="tool_error", message=str(result.value)[:2_000])
        return GuestReply(failure=failure)
    if result.encoded:
        return GuestReply(payload=result.encoded)
    return _encode_reply(result.value)


def _encode_reply(value: Json) -> GuestReply:
    if isinstance(value, Blob):
        return GuestReply(blobs=(_guest_blob(None, value),))
    if not isinstance(value, list):
        return GuestReply(payload=_encode(value))
    blobs = [_guest_blob(i, item) for i, item in enumerate(value) if isinstance(item, Blob)]
    plain = [None if isinstance(item, Blob) else item for item in value]
    return GuestReply(payload=_encode(plain), blobs=tuple(blobs))


def _guest_blob(position: int | None, blob: Blob) -> GuestBlob:
    return GuestBlob(position=position, media_type=blob.media_type, data=blob.data)


def _encode(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _failure_of(error: ToolweftError) -> Failure:
    failure = Failure(
        code=error.code, message=error.message, hint=error.hint, retryable=error.retryable
    )
    if isinstance(error, ProviderError):
        return replace(failure, retryable=error.is_retryable, retry_after_s=error.retry_after_s)
    return failure
