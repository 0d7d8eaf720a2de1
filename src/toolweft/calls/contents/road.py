"""The road of reads and prompts: found, recorded, within its time and size, recorded again.

It is as that of calls, without what tools alone have: hints, schemas, approvals. Answers stay as
the source gave them. Used through a `ContentView`.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from toolweft.calls.contents.flags import ContentFlags, Flags
from toolweft.calls.contents.names import NameRule
from toolweft.calls.contents.news import ContentNews
from toolweft.calls.contents.routes import ContentRoutes
from toolweft.calls.measure import encode_json, find_misfit, repair
from toolweft.calls.options import CallOptions
from toolweft.core.calls import Verbatim
from toolweft.core.client import CallingClient
from toolweft.core.clock import Clock, IdSource
from toolweft.core.contents import Contents, ContentSource, ContentUse
from toolweft.core.countdown import Countdown
from toolweft.core.errors import (
    CallTimeout,
    LedgerUnavailable,
    ResultTooLarge,
    ToolweftError,
)
from toolweft.core.events import ContentUsed
from toolweft.core.ids import CallId, SourceName
from toolweft.core.json import JsonObject
from toolweft.core.ports import Ledger, SnapshotHolder
from toolweft.core.principals import Principal

__all__ = ("ContentRoad",)

log = logging.getLogger(__name__)

_SIZE_HINT = "read a part of it where its server offers one; calls.max_result_bytes raises the cap"
# Principals that see other sources than the others have tables of their own.
_MAX_TABLES = 64


class ContentRoad:
    """What all principals share.

    Args:
        sources: those that may have contents, in the order shown.
        ledger: where uses are recorded.
        clock: measures them.
        ids: names them.
        news: where changes come from.
        options: caps.
        timeout_s: of one use, without the time in which it waits for a person.
        allows: whether somebody sees a source; None where everybody sees all.
        holder: knows whose tools are whose, for texts that speak of tools; None where nobody does.
        withholds: whether what is suspicious is neither shown nor used.
    """

    def __init__(  # noqa: PLR0913 -- everything it uses is handed in; nothing is looked up
        self,
        *,
        sources: Sequence[ContentSource],
        ledger: Ledger,
        clock: Clock,
        ids: IdSource,
        news: ContentNews,
        options: CallOptions,
        timeout_s: float,
        allows: Callable[[Principal, SourceName], bool] | None = None,
        holder: SnapshotHolder | None = None,
        withholds: bool = False,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._news = news
        self._options = options
        self._timeout_s = timeout_s
        self._allows = allows
        self._flags = ContentFlags(holder)
        self._withholds = withholds
        self._tables: OrderedDict[tuple[NameRule, tuple[SourceName, ...]], _Table] = OrderedDict()

    @property
    def news(self) -> ContentNews:
        """Where changes come from."""
        return self._news

    @property
    def is_filtered(self) -> bool:
        """Whether principals may see other sources than one another."""
        return self._allows is not None

    def visible(self, principal: Principal) -> dict[SourceName, ContentSource]:
        """The sources that a principal sees."""
        if self._allows is None:
            return self._sources
        return {name: one for name, one in self._sources.items() if self._allows(principal, name)}

    def routes(self, principal: Principal, rule: NameRule) -> ContentRoutes:
        """The tables of now; made anew only after a change."""
        sources = self.visible(principal)
        contents = {name: source.contents for name, source in sources.items()}
        flags = {name: self._flags.of(name, listed) for name, listed in contents.items()}
        key = (rule, tuple(sources))
        table = self._tables.get(key)
        if table is None or not table.is_of(contents, flags):
            withheld = flags if self._withholds else {}
            routes = ContentRoutes(contents, rule=rule, withheld=withheld)
            table = _Table(contents, flags, routes)
            self._tables[key] = table
            if len(self._tables) > _MAX_TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return table.routes

    def flags(self, principal: Principal) -> Mapping[SourceName, Flags]:
        """What is suspicious in what the sources of a principal list."""
        return {
            name: self._flags.of(name, source.contents)
            for name, source in self.visible(principal).items()
        }

    def begin(
        self,
        principal: Principal,
        client: CallingClient,
        verbatim: Verbatim | None = None,
        *,
        within: Countdown | None = None,
    ) -> ContentUse:
        """One use, which has all of its time left, and no more than what it is a part of."""
        countdown = Countdown(self._timeout_s, clock=self._clock)
        if within is not None:
            countdown = within.within(self._timeout_s)
        return ContentUse(
            principal=principal, countdown=countdown, client=client, verbatim=verbatim
        )

    async def recorded(
        self, what: str, use: ContentUse, work: Callable[[], Awaitable[JsonObject]]
    ) -> JsonObject:
        """The answer, entered in the ledger before it is asked for and once it is there.

        Raises:
            LedgerUnavailable: nothing was entered, so nothing is asked.
            ToolweftError: whatever went wrong; that is entered too.
        """
        call_id = CallId(self._ids.new("call"))
        began_s = self._clock.monotonic_s()

        def record(status: str, size_bytes: int = 0) -> None:
            event = ContentUsed(
                call_id=call_id,
                at=self._clock.now(),
                principal=use.principal,
                what=what,
                status=status,
                duration_ms=(self._clock.monotonic_s() - began_s) * 1_000,
                bytes_out=size_bytes,
            )
            self._ledger.record(event)

        record("started")
        status, size_bytes = "cancelled", 0
        try:
            answer, size_bytes = self._check(await self.timed(what, use, work), what)
            status = "ok"
        except ToolweftError as exc:
            status = exc.code
            raise
        except Exception:
            status = "internal_error"
            raise
        finally:
            try:
                record(status, size_bytes)
            except LedgerUnavailable as exc:
                # It was read, so the answer is not thrown away; the next use is refused.
                reason = {"call_id": call_id, "reason": exc.message}
                log.error("ledger.finish_lost", extra=reason)  # noqa: TRY400 -- that says it all
        return answer

    async def timed(
        self, what: str, use: ContentUse, work: Callable[[], Awaitable[JsonObject]]
    ) -> JsonObject:
        """The answer, if it comes in time.

        Raises:
            CallTimeout: it does not; what was under way has been cancelled.
        """
        with anyio.CancelScope() as scope, use.countdown.drive(scope, anyio.current_time):
            return await work()
        assert scope.cancelled_caught
        raise CallTimeout(
            f"{what} gave no answer within {self._timeout_s:g} s",
            hint="catalog.default_timeout_s raises that time",
        )

    def _check(self, answer: JsonObject, what: str) -> tuple[JsonObject, int]:
        """The answer as it can be sent, and its bytes as JSON."""
        options = self._options
        misfit = find_misfit(
            answer, max_bytes=options.max_result_bytes, max_depth=options.max_depth
        )
        if misfit is not None and misfit.kind == "too_deep":
            raise ResultTooLarge(f"{what}: the answer nests deeper than {options.max_depth}")
        size_bytes = options.max_result_bytes + 1
        if misfit is None:
            try:
                size_bytes = len(encode_json(answer))
            except ValueError:
                answer = repair(answer)
                size_bytes = len(encode_json(answer))
        if size_bytes > options.max_result_bytes:
            raise ResultTooLarge(
                f"{what}: the answer is above {options.max_result_bytes:,} bytes", hint=_SIZE_HINT
            )
        return answer, size_bytes


@dataclass(frozen=True, slots=True)
class _Table:
    contents: Mapping[SourceName, Contents]
    flags: Mapping[SourceName, Flags]
    routes: ContentRoutes

    def is_of(
        self, contents: Mapping[SourceName, Contents], flags: Mapping[SourceName, Flags]
    ) -> bool:
        """Whether nothing was listed or found since; every listing is an object of its own."""
        return all(
            self.contents[name] is one and self.flags[name] is flags[name]
            for name, one in contents.items()
        )
