"""How well and how quickly tools are found, on query sets with known answers.

python benchmarks/retrieval.py --data FOLDER [--union] [--rows FILE] [--peer fastmcp]
    [--embedder FOLDER] [--sets NAME,NAME] [--words]

Quality is asked of each set's own catalog, or with --union of one catalog of everything. Speed and
memory are measured on the sets' tools together, cut to 10,000. A peer runs in its own environment
and gets the same catalogs; it and we are then asked at most 100 queries a set, the same ones.
"""

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, Report, Rows, data_root, mean, parser
from benchmarks.retrieval_ranking import Ranking
from benchmarks.retrieval_sets import QuerySet, averages, join_sets, judge, load_sets, some
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchIndex
from toolweft.core.snapshot import Snapshot
from toolweft.search import build_index, update_index
from toolweft.testing.retrieval import build_tools

_TIMED_TOOLS = 10_000
_TIMED_QUERIES = 400
_FILTERS = 8
_PEERS = {"fastmcp": (".venv-bench-fastmcp", "benchmarks/peers/fastmcp_search.py")}
_PEER_QUERIES = 100


def main() -> None:
    """Measure, and print the report."""
    options = parser(__doc__ or "")
    options.add_argument("--union", action="store_true", help="ask one catalog of everything")
    options.add_argument("--limit", type=int, default=200, help="most queries of a set; 0 for all")
    options.add_argument("--embedder", type=Path, help="a folder with a model that ranks too")
    options.add_argument("--words", action="store_true", help="without our own vectors")
    options.add_argument("--sets", help="only these, separated by commas")
    options.add_argument("--peer", choices=sorted(_PEERS), help="measure this too")
    arguments = options.parse_args()
    sets = load_sets(data_root(arguments.data, "retrieval"))
    if arguments.sets:
        sets = [one for one in sets if one.name in arguments.sets.split(",")]
    rows = Rows(arguments.rows)
    report = Report("retrieval")
    catalogs = [join_sets(sets)] if arguments.union else sets
    ranking = Ranking(arguments.embedder, knows_meanings=not arguments.words, report=report)
    limit = queries_asked(arguments.limit, arguments.peer)
    own = _quality(catalogs, limit=limit, rows=rows, ranking=ranking)
    peers = _peer_quality(catalogs, arguments.peer, limit=limit) if arguments.peer else {}
    for name, figures in own.items():
        theirs: dict[str, float | None] | None = (
            {arguments.peer: peers[name]} if name in peers else None
        )
        report.add(f"ndcg10 {name}", figures["nDCG@10"], peers=theirs)
    kind = "union" if arguments.union else "mean"
    for metric in ("nDCG@10", "R@1", "R@5", "all@10"):
        values = [figures[metric] for figures in own.values() if metric in figures]
        report.add(f"{kind} {metric}", mean(values) if values else None)
    union = join_sets(sets)
    if any(union.queries.values()):
        _speed(report, union)
    else:
        report.notes.append("no queries: speed and memory were not measured")
    report.notes.append("the vectors learned from some of these queries: see docs/search.md")
    report.print(as_json=arguments.json)


def queries_asked(limit: int, peer: str | None) -> int:
    """The most queries of a set, for us and for a peer; 0 for all."""
    return limit if peer is None else min(limit or _PEER_QUERIES, _PEER_QUERIES)


def _quality(
    catalogs: Sequence[QuerySet], *, limit: int, rows: Rows, ranking: Ranking
) -> dict[str, dict[str, float]]:
    found = {}
    for catalog in catalogs:
        asked = {name: some(queries, limit) for name, queries in catalog.queries.items()}
        texts = [query["query"] for queries in asked.values() for query in queries]
        answers = iter(ranking.rank(catalog.tools, texts) if texts else ())
        for name, queries in asked.items():
            judged = []
            for query in queries:
                ranked = next(answers)
                judged.append(judge(ranked, query["relevant"]))
                rows.write(set=name, id=query["id"], ranked=ranked, relevant=query["relevant"])
            found[name] = averages(judged)
    return found


def _peer_quality(catalogs: Sequence[QuerySet], peer: str, *, limit: int) -> dict[str, float]:
    """nDCG@10 of a peer by query set."""
    environment, script = _PEERS[peer]
    python = ROOT / environment / "bin/python"
    if not python.exists():
        raise SystemExit(f"--peer {peer}: {str(python)!r} is missing; run `make env-bench` first")
    found = {}
    for catalog in catalogs:
        asked = {name: some(rows, limit) for name, rows in catalog.queries.items()}
        if not asked:
            continue
        queries = [row["query"] for rows in asked.values() for row in rows]
        job = json.dumps({"tools": catalog.tools, "queries": queries})
        answer = subprocess.run(
            [str(python), str(ROOT / script)], input=job, capture_output=True, text=True, check=True
        )
        ranked: list[list[str]] = json.loads(answer.stdout)
        for name, rows in asked.items():
            mine, ranked = ranked[: len(rows)], ranked[len(rows) :]
            pairs = zip(mine, rows, strict=True)
            judged = [judge(tools, row["relevant"]) for tools, row in pairs]
            found[name] = averages(judged)["nDCG@10"]
    return found


def _speed(report: Report, union: QuerySet) -> None:
    """Search, build, add one tool, and memory, over many tools."""
    tools = union.tools[:_TIMED_TOOLS]
    snapshot, _ = build_tools(tools)
    build_index(build_tools(tools[:10])[0])  # numpy and the vectors are loaded
    start = time.perf_counter()
    index = build_index(snapshot)
    report.add("index_build_s", time.perf_counter() - start, at_most=1.0)
    queries = [row["query"] for rows in union.queries.values() for row in some(rows, 50)]
    queries = queries[:_TIMED_QUERIES]
    spent = _search_ms(index, queries, among=[None])
    report.add("search_p50_ms", spent[len(spent) // 2])
    report.add("search_p95_ms", spent[int(0.95 * (len(spent) - 1))], at_most=1.0)
    spent = _search_ms(index, queries, among=_largest_sources(snapshot))
    report.add("search_filtered_p95_ms", spent[int(0.95 * (len(spent) - 1))], at_most=1.0)
    report.add("add_one_ms", _add_one_ms(snapshot), at_most=1.0)
    tracemalloc.start()
    kept: Any = build_index(snapshot)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    report.add("bytes_per_tool", held / max(1, len(tools)))
    report.add("tools", len(kept))


def _search_ms(
    index: SearchIndex,
    queries: Sequence[str],
    *,
    among: Sequence[frozenset[QualifiedName] | None],
) -> list[float]:
    """The times of one search each, sorted; the second time it is asked.

    Args:
        index: what is searched.
        queries: each asked among the visible tools that are next in turn.
        among: sets of visible tools.
    """
    turns = list(zip(queries, cycle(among), strict=False))
    for query, visible in turns:
        index.search(query, limit=5, visible=visible)
    spent = []
    for query, visible in turns:
        start = time.perf_counter()
        index.search(query, limit=5, visible=visible)
        spent.append(1000 * (time.perf_counter() - start))
    return sorted(spent)


def _largest_sources(snapshot: Snapshot) -> list[frozenset[QualifiedName]]:
    """The tools of each of the largest sources, as a search for one namespace sees them."""
    by_source: dict[str, set[QualifiedName]] = {}
    for name, tool in snapshot.tools.items():
        by_source.setdefault(tool.definition.namespace, set()).add(name)
    largest = sorted(by_source.values(), key=len, reverse=True)[:_FILTERS]
    return [frozenset(names) for names in largest]


def _add_one_ms(snapshot: Any) -> float:
    """The median time to move an index on by one tool."""
    items = list(snapshot.tools.items())
    steps = [
        type(snapshot)(version=v, tools=dict(items[: len(items) - 12 + v]), sources={})
        for v in range(12)
    ]
    index = build_index(steps[0])
    spent = []
    for step in steps[1:]:
        start = time.perf_counter()
        index = update_index(index, step)
        spent.append(1000 * (time.perf_counter() - start))
    return sorted(spent)[len(spent) // 2]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
