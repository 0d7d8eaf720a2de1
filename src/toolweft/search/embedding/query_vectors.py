"""The vectors of queries: remembered, asked for once, and never waited for long.

An embedder that failed is left alone for a while, so that a dead one does not slow each search.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from toolweft.core.clock import Clock
from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.search import TextEmbedder
from toolweft.search.embedding.asking import ask_embedder
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.vectors import Floats

__all__ = ("QueryVectors",)

log = logging.getLogger(__name__)

# About 3 MB of vectors of 768 numbers.
_MAX_REMEMBERED = 1_024
_GRACE_S = 1.0


@dataclass(slots=True, eq=False)
class _Flight:
    """A request under way, and who wants to know when it ends."""

    texts: frozenset[str]
    ended: anyio.Event = field(default_factory=anyio.Event)


class QueryVectors:
    """Asks an embedder for the vectors of queries.

    Args:
        embedder: gives them.
        options: of the embedder.
        clock: counts how long it is left alone.
        tasks: where requests run, so that one goes on when whoever asked first is gone.
        max_remembered: vectors of the queries asked last.
    """

    def __init__(
        self,
        embedder: TextEmbedder,
        *,
        options: EmbedderOptions,
        clock: Clock,
        tasks: TaskGroup,
        max_remembered: int = _MAX_REMEMBERED,
    ) -> None:
        self._embedder, self._options, self._clock = embedder, options, clock
        self._tasks, self._max_remembered = tasks, max_remembered
        self._known: OrderedDict[str, Floats] = OrderedDict()
        self._flights: list[_Flight] = []
        self._left_alone_until_s = -1.0
        self._reason = ""

    async def ask(self, queries: Sequence[str]) -> tuple[Mapping[str, Floats], str]:
        """The vectors of queries as far as they can be had in time, and why not of all; or ""."""
        wanted = frozenset(queries)
        missing = frozenset(text for text in wanted if text not in self._known)
        flights = [flight for flight in self._flights if flight.texts & missing]
        fresh = missing.difference(*(flight.texts for flight in flights))
        if fresh and self._clock.monotonic_s() >= self._left_alone_until_s:
            flights.append(flight := _Flight(fresh))
            self._flights.append(flight)
            self._tasks.start_soon(self._fetch, flight)
        # Each ends in time by itself, unless all this is being closed.
        with anyio.move_on_after(self._options.patience_s + _GRACE_S):
            for flight in flights:
                await flight.ended.wait()
        found = {text: self._known[text] for text in wanted if text in self._known}
        for text in found:
            self._known.move_to_end(text)
        late = self._reason or f"{self._options.name} did not answer in time"
        return found, "" if len(found) == len(wanted) else late

    async def _fetch(self, flight: _Flight) -> None:
        """Ask for some vectors and remember them; ends in time and never raises."""
        texts = sorted(flight.texts)
        try:
            rows = await ask_embedder(self._embedder, texts, kind="query", options=self._options)
        except EmbedderUnavailable as exc:
            self._leave_alone(exc)
        else:
            self._reason = ""
            self._known.update(zip(texts, rows, strict=True))
            while len(self._known) > max(self._max_remembered, len(texts)):
                self._known.popitem(last=False)
        finally:
            self._flights.remove(flight)
            flight.ended.set()

    def _leave_alone(self, error: EmbedderUnavailable) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._left_alone_until_s:
            log.warning("search.query_not_embedded", extra={"reason": error.message})
        self._left_alone_until_s = now_s + self._options.cooldown_s
        self._reason = error.message
