"""How well and how quickly tools are found, on query sets with known answers.

python benchmarks/retrieval.py --data FOLDER [--union] [--rows FILE] [--peer fastmcp]
    [--embedder FOLDER] [--sets NAME,NAME] [--words]

Quality is asked of each set's own catalog, or with --union of one catalog of everything. Speed and
memory are measured on the sets' tools together, cut to 10,000. A peer runs in its own environment
and gets the same catalogs; its quality is over at most 100 queries a set.
"""

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, Report, Rows, data_root, mean, parser
from benchmarks.retrieval_ranking import Ranking
from benchmarks.retrieval_sets import QuerySet, averages, join_sets, judge, load_sets, some
from toolweft.search import build_index, update_index
from toolweft.testing.retrieval import build_tools

_TIMED_TOOLS = 10_000
_TIMED_QUERIES = 400
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
    own = _quality(catalogs, limit=arguments.limit, rows=rows, ranking=ranking)
    peers = _peer_quality(catalogs, arguments.peer) if arguments.peer else {}
    for name, figures in own.items():
        theirs: dict[str, float | None] | None = (
            {arguments.peer: peers[name]} if name in peers else None
        )
        report.add(f"ndcg10 {name}", figures["nDCG@10"], peers=theirs)
    kind = "union" if arguments.union else "mean"
    for metric in ("nDCG@10", "R@1", "R@5", "all@10"):
        value = mean(figures[metric] for figures in own.values() if metric in figures)
        report.add(f"{kind} {metric}", value)
    _speed(report, join_sets(sets))
    report.notes.append("the vectors learned from some of these queries: see docs/search.md")
    report.print(as_json=arguments.json)


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


def _peer_quality(catalogs: Sequence[QuerySet], peer: str) -> dict[str, float]:
    """nDCG@10 of a peer by query set."""
    environment, script = _PEERS[peer]
    python = ROOT / environment / "bin/python"
    if not python.exists():
        raise SystemExit(f"--peer {peer}: {str(python)!r} is missing; run `make env-bench` first")
    found = {}
    for catalog in catalogs:
        asked = {name: some(rows, _PEER_QUERIES) for name, rows in catalog.queries.items()}
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
    for query in queries:
        index.search(query, limit=5)
    spent = []
    for query in queries:
        start = time.perf_counter()
        index.search(query, limit=5)
        spent.append(1000 * (time.perf_counter() - start))
    spent.sort()
    report.add("search_p50_ms", spent[len(spent) // 2])
    report.add("search_p95_ms", spent[int(0.95 * (len(spent) - 1))], at_most=1.0)
    report.add("add_one_ms", _add_one_ms(snapshot), at_most=1.0)
    tracemalloc.start()
    kept: Any = build_index(snapshot)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    report.add("bytes_per_tool", held / max(1, len(tools)))
    report.add("tools", len(kept))


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
