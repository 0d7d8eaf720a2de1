"""Judge the recipe on catalogs it has not seen: every fold left out once.

python -m training.leave_out --data FOLDER --recorded FOLDER

Vectors are trained without the fold's tools, its requests and our own requests for its tools; then
its queries are asked of its own catalogs, and of one catalog of everything.
"""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.retrieval_sets import METRICS, QuerySet, averages, join_sets, judge, load_sets, some

from toolweft.search.hybrid import HybridIndex
from toolweft.search.lexical import LexicalIndex
from toolweft.search.vectors import WordVectors
from toolweft.testing.retrieval import Retriever, build_tools
from training.recipe import FOLDS, load_data, make_vectors, parser

Figures = dict[str, Mapping[str, float]]


def main() -> None:
    """Train, ask, and print one line per query set and the means."""
    options = parser("Judge the vectors on catalogs left out of training.")
    options.add_argument("--limit", type=int, default=400, help="most queries of a set")
    arguments = options.parse_args()
    data = load_data(arguments)
    sets = {one.name: one for one in load_sets(arguments.data)}
    union = join_sets(list(sets.values()))
    results: dict[str, Figures] = {"words": {}, "union words": {}, "own": {}, "union": {}}
    for fold in FOLDS:
        vectors, _ = make_vectors(data, without=fold, seed=arguments.seed)
        asked = {name: rows for one in fold for name, rows in sets[one].queries.items()}
        whole = QuerySet("union", union.tools, {name: union.queries[name] for name in asked})
        for one in fold:
            results["words"] |= _measure(sets[one], None, arguments.limit)
            results["own"] |= _measure(sets[one], vectors, arguments.limit)
        results["union words"] |= _measure(whole, None, arguments.limit)
        results["union"] |= _measure(whole, vectors, arguments.limit)
    for name in results["own"]:
        line = "  ".join(f"{kind} {rows[name]['nDCG@10']:.1f}" for kind, rows in results.items())
        print(f"{name:22} nDCG@10  {line}")
    for kind, rows in results.items():
        print(f"{kind:22} " + "  ".join(f"{m} {v:.1f}" for m, v in _means(rows).items()))


def _measure(one: QuerySet, vectors: WordVectors | None, limit: int) -> Figures:
    snapshot, identifiers = build_tools(one.tools)
    index = (
        LexicalIndex.of(snapshot) if vectors is None else HybridIndex.of(snapshot, vectors=vectors)
    )
    searcher = Retriever(index, identifiers)
    return {
        name: averages(
            [judge(searcher.search(row["query"], 10), row["relevant"]) for row in some(rows, limit)]
        )
        for name, rows in one.queries.items()
    }


def _means(rows: Figures) -> dict[str, float]:
    found: dict[str, Sequence[float]] = {
        metric: [row[metric] for row in rows.values() if metric in row] for metric in METRICS
    }
    return {metric: statistics.fmean(values) for metric, values in found.items() if values}


if __name__ == "__main__":
    main()
