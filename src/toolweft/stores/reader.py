"""Reads the ledger, each question in a worker thread over a connection of its own."""

from collections.abc import Mapping, Sequence

from anyio import to_thread

from toolweft.core.calls import Principal
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.ids import RunId
from toolweft.core.json import Json, JsonObject
from toolweft.stores.location import is_memory
from toolweft.stores.options import LedgerOptions

__all__ = ("SqlLedgerReader",)


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

    def _check_readable(self) -> None:
        if is_memory(self._options.url):
            raise LedgerUnavailable(
                "a ledger in memory can be read by its own process alone",
                hint="name a file for the ledger",
            )


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
