"""What learning from use costs, and what it changes for queries it did not see.

python -m benchmarks.learning [--data FOLDER] [--limit N]

Costs are of one tenant with a full memory and of a ledger with 50,000 events. For quality, half of
a set's queries are asked by users who call the right tools among the first five hits; then that
half ("asked again") and the other ("others") are judged, without what was learned and with it. One
index has words alone; the other the shipped vectors, which know these queries.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.harness import Report, data_root, mean, parser
from benchmarks.retrieval_sets import QuerySet, Row, judge, load_sets, some
from toolweft.core.calls import DIRECT, LOCAL
from toolweft.core.events import AskedQuery, CallFinished, CallStarted, Event, SearchDone
from toolweft.core.ids import CallId, QualifiedName
from toolweft.core.search import SearchIndex, SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.search import LexicalIndex, build_index
from toolweft.search.learning.fold import UseLearner
from toolweft.search.learning.lifting import FURTHER_HITS, apply_lifts
from toolweft.stores import LedgerOptions
from toolweft.stores.queries import read_used
from toolweft.stores.sink import SqlSink
from toolweft.testing import FakeClock
from toolweft.testing.retrieval import build_tools

_START = datetime(2026, 1, 1, tzinfo=UTC)
_USES = 16_700
_EVENTS = 50_000
_SHOWN = 5


def main() -> None:
    """Measure, and print the report."""
    options = parser(__doc__ or "")
    options.add_argument("--limit", type=int, default=400, help="most queries of a set; 0 for all")
    arguments = options.parse_args()
    report = Report("learning")
    _costs(report)
    root = data_root(arguments.data, "retrieval")
    changes: dict[str, list[float]] = {}
    for one in load_sets(root) if root.exists() else []:
        for name, queries in one.queries.items():
            for kind, before, after in _quality(one, some(queries, arguments.limit)):
                changes.setdefault(kind, []).append(after - before)
                report.add(f"ndcg10 {name} {kind}", before, peers={"learned": after})
    for kind, values in changes.items():
        report.add(f"mean change {kind}", mean(values))
        report.add(f"worst change {kind}", min(values))
    report.print(as_json=arguments.json)


def _use(number: int, query: str, found: Sequence[QualifiedName], tool: str) -> list[Event]:
    """A search, and a call of one tool that it found."""
    at, call_id = _START + timedelta(seconds=30 * number), CallId(str(number))
    asked = (AskedQuery.of(query, found),)
    return [
        SearchDone(
            at=at, principal=LOCAL, run_id=None, queries=1, hits=1, duration_ms=0, asked=asked
        ),
        CallStarted(
            call_id=call_id,
            at=at,
            principal=LOCAL,
            caller=DIRECT,
            tool=tool,
            severity="read_only",
            bytes_in=0,
        ),
        CallFinished(
            call_id=call_id,
            at=at,
            principal=LOCAL,
            status="ok",
            duration_ms=0,
            bytes_out=0,
            tokens_out=0,
            tokens_withheld=0,
        ),
    ]


def _costs(report: Report) -> None:
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrst"
    words = [f"k{a}{b}x" for a in letters for b in letters]
    queries = [" ".join(chance.sample(words, chance.randint(2, 7))) for _ in range(_USES)]
    names = [QualifiedName(f"s.t{number}") for number in range(500)]
    events: list[Event] = []
    for number, query in enumerate(queries):
        events += _use(number, query, names[:_SHOWN], names[number % _SHOWN])
    start = time.perf_counter()
    learner = UseLearner()
    for event in events:
        learner.observe(event)
    report.add("observe_us", 1e6 * (time.perf_counter() - start) / len(events))
    spent = []
    for query in queries[:2_000]:
        start = time.perf_counter()
        learner.lifts(query, tenant=LOCAL.tenant)
        spent.append(1e3 * (time.perf_counter() - start))
    spent.sort()
    report.add("lifts_p50_ms", spent[len(spent) // 2])
    report.add("lifts_p95_ms", spent[int(0.95 * len(spent))], at_most=0.5)
    with tempfile.TemporaryDirectory(prefix="toolweft-learning-") as folder:
        options = LedgerOptions(url=f"sqlite:///{folder}/without.db")
        report.add("write_s without texts", _write(options, events))
        options = LedgerOptions(url=f"sqlite:///{folder}/with.db", keep_search_text=True)
        report.add("write_s with texts", _write(options, events))
        start = time.perf_counter()
        read = read_used(options, since_us=0, until_us=2**62, most=_EVENTS)
        report.add("read_back_s", time.perf_counter() - start)
    report.notes.append(f"{len(events):,} events, {len(read):,} of them read back")


def _write(options: LedgerOptions, events: Sequence[Event]) -> float:
    sink = SqlSink(options, clock=FakeClock(now=_START))
    sink.write([])
    start = time.perf_counter()
    for first in range(0, len(events), 1_000):
        sink.write(events[first : first + 1_000])
    seconds = time.perf_counter() - start
    sink.close()
    return seconds


def _quality(one: QuerySet, queries: Sequence[Row]) -> Iterator[tuple[str, float, float]]:
    """What was judged, and nDCG@10 in percent without and with what was learned."""
    snapshot, identifiers = build_tools(one.tools)
    named = {identifier: name for name, identifier in identifiers.items()}
    indexes: dict[str, SearchIndex] = {
        "words": LexicalIndex.of(snapshot),
        "all": build_index(snapshot),
    }
    halves = {"asked again": queries[::2], "others": queries[1::2]}
    for kind, index in indexes.items():
        learner = UseLearner()
        for number, row in enumerate(halves["asked again"]):
            found = [hit.qualified for hit in index.search(row["query"], limit=_SHOWN)]
            for tool in sorted({named[right] for right in row["relevant"]} & set(found)):
                for event in _use(number, row["query"], found, tool):
                    learner.observe(event)
        for half, rows in halves.items():
            figures = []
            for learned in (None, learner):
                judged = []
                for row in rows:
                    hits = _ask(index, row["query"], snapshot=snapshot, learner=learned).hits
                    ranked = [identifiers[hit.qualified] for hit in hits]
                    judged.append(100 * judge(ranked, row["relevant"])["nDCG@10"])
                figures.append(mean(judged))
            yield f"{kind}, {half}", figures[0], figures[1]


def _ask(
    index: SearchIndex, query: str, *, snapshot: Snapshot, learner: UseLearner | None
) -> SearchResult:
    lifts = {} if learner is None else learner.lifts(query, tenant=LOCAL.tenant)
    hits = index.search(query, limit=10 + FURTHER_HITS)
    result = SearchResult(hits=tuple(hits))
    return apply_lifts(result, lifts, snapshot=snapshot, visible=None, limit=10)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
