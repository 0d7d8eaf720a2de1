"""Reads the ledger, each question in a worker thread over a connection of its own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from anyio import to_thread

from toolweft.core.calls import Principal
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.core.ids import RunId
from toolweft.core.json import Json, JsonObject
from toolweft.stores.location import is_memory
from toolweft.stores.options import LedgerOptions
from toolweft.stores.rows import to_us

__all__ = ("SqlLedgerReader", "forget_searches")

# What fits into some tens of megabytes.
_MAX_EVENTS_READ: Final = 100_000
# Later than every event.
_NEVER_US: Final = 2**63 - 1


class SqlLedgerReader:
    """Answers questions about what a `SqlLedger` wrote; needs no opening or closing.

    A call or run whose end is not recorded has `status` None: it is under way, or its process
    died. A ledger that does not exist yet is empty.
    """

    def __init__(self, options: LedgerOptions) -> None:
        self._options = options

    async def runs(self, *, principal: Principal | None, limit: int) -> Sequence[JsonObject]:
        """The latest runs, newest first, without their calls.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        self._check_readable()
        return await to_thread.run_sync(_read_runs, self._options, principal, limit)

    async def run(self, run_id: RunId) -> JsonObject | None:
        """One run with `calls`, its calls in order; None where there is no such run.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        self._check_readable()
        return await to_thread.run_sync(_read_run, self._options, run_id)

    async def totals(self, *, principal: Principal | None) -> Mapping[str, Json]:
        """Counts and sums over all calls that ended: calls, failures, tokens_out, tokens_withheld.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        self._check_readable()
        return await to_thread.run_sync(_read_totals, self._options, principal)

    async def models(
        self,
        *,
        since: datetime,
        until: datetime,
        principal: Principal | None = None,
        run_id: RunId | None = None,
    ) -> Sequence[JsonObject]:
        """Sums over the replies of models, one row for each model and role; the dearest first.

        Each has `requests`, `failures`, tokens by kind, `cost_usd`, and `unpriced`: requests whose
        cost nobody knows, which `cost_usd` leaves out; it is None where that is all of them.

        Args:
            since: nothing before this.
            until: nothing from this time on.
            principal: only of this tenant and user; None for all.
            run_id: only of this run's programs.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        self._check_readable()
        read = partial(
            _read_models,
            self._options,
            principal,
            run_id=run_id,
            since_us=to_us(since),
            until_us=to_us(until),
        )
        return await to_thread.run_sync(read)

    async def used(self, *, since: datetime, until: datetime, max_events: int) -> Sequence[Event]:
        """Searches whose text was kept, and the calls since the first of them; oldest first.

        Args:
            since: no search before this.
            until: nothing from this time on.
            max_events: of more, the oldest are left out.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        self._check_readable()
        read = partial(
            _read_used,
            self._options,
            since_us=to_us(since),
            until_us=to_us(until),
            most=max_events,
        )
        return await to_thread.run_sync(read, abandon_on_cancel=True)

    async def used_queries(self, *, tenant: str, limit: int) -> Sequence[tuple[str, str]]:
        """Queries whose text was kept, each with a tool called after it; once each, newest first.

        Args:
            tenant: whose; texts of several tenants never come together.
            limit: pairs at most; of the last hundred thousand events.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        self._check_readable()
        return await to_thread.run_sync(_read_used_queries, self._options, tenant, limit)

    def _check_readable(self) -> None:
        if is_memory(self._options.url):
            raise LedgerUnavailable(
                "a ledger in memory can be read by its own process alone",
                hint="name a file for the ledger",
            )


async def forget_searches(options: LedgerOptions, *, principal: Principal | None = None) -> int:
    """Delete the texts of searches from a ledger, and say how many there were.

    Events stay, without texts. What a running process learned from them stays until it ends.

    Args:
        options: where the ledger lives.
        principal: only texts of this tenant and user; None for all.

    Raises:
        LedgerUnavailable: it cannot be written, or somebody who reads it keeps the texts in its
            files.
    """
    return await to_thread.run_sync(_forget_searches, options, principal)


# Each imports SQLAlchemy in the worker thread, where nobody waits for it but the question.


def _read_runs(
    options: LedgerOptions, principal: Principal | None, limit: int
) -> Sequence[JsonObject]:
    from toolweft.stores.queries import read_runs

    return read_runs(options, principal, limit)


def _read_run(options: LedgerOptions, run_id: RunId) -> JsonObject | None:
    from toolweft.stores.queries import read_run

    return read_run(options, run_id)


def _read_totals(options: LedgerOptions, principal: Principal | None) -> Mapping[str, Json]:
    from toolweft.stores.queries import read_totals

    return read_totals(options, principal)


def _read_models(
    options: LedgerOptions,
    principal: Principal | None,
    *,
    run_id: str | None,
    since_us: int,
    until_us: int,
) -> Sequence[JsonObject]:
    from toolweft.stores.queries import read_models

    return read_models(options, principal, run_id=run_id, since_us=since_us, until_us=until_us)


def _read_used(
    options: LedgerOptions, *, since_us: int, until_us: int, most: int
) -> Sequence[Event]:
    from toolweft.stores.queries import read_used

    return read_used(options, since_us=since_us, until_us=until_us, most=most)


def _read_used_queries(
    options: LedgerOptions, tenant: str, limit: int
) -> Sequence[tuple[str, str]]:
    from toolweft.stores.searches import pair_used

    events = _read_used(options, since_us=0, until_us=_NEVER_US, most=_MAX_EVENTS_READ)
    return pair_used(events, tenant=tenant, most=limit)


def _forget_searches(options: LedgerOptions, principal: Principal | None) -> int:
    from toolweft.stores.searches import erase_all_searches

    return erase_all_searches(options, principal)
