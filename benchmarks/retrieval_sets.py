"""Query sets for tool search: reading them, joining them, judging answers. Standard library only.

A set is a folder with `tools.jsonl` (`id`, `name`, `server`, `description`, `input_schema`) and
`queries*.jsonl` (`id`, `query`, `relevant`: the identifiers of the right tools), each of them plain
or as `.gz`.
"""

import gzip
import json
import math
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ("METRICS", "QuerySet", "Searcher", "averages", "join_sets", "judge", "load_sets", "some")

METRICS = ("R@1", "R@5", "R@10", "nDCG@10", "MRR@10", "all@5", "all@10")

Row = Mapping[str, Any]


class Searcher(Protocol):
    """What is measured."""

    def search(self, query: str, k: int) -> Sequence[str]:
        """The identifiers of at most `k` tools, best first."""
        ...


@dataclass(frozen=True, slots=True)
class QuerySet:
    """One catalog and the queries asked of it, by the name of their list."""

    name: str
    tools: Sequence[Row]
    queries: Mapping[str, Sequence[Row]]


def load_sets(folder: Path) -> list[QuerySet]:
    """Every set of a folder, by name."""
    sets = []
    for path in sorted(_list_files(folder, "*/tools")):
        name = path.parent.name
        queries = {}
        for file in sorted(_list_files(path.parent, "queries*")):
            part = file.name.partition(".")[0].removeprefix("queries").strip("_")
            queries[f"{name}:{part}" if part else name] = _read(file)
        sets.append(QuerySet(name, _read(path), queries))
    return sets


def join_sets(sets: Sequence[QuerySet]) -> QuerySet:
    """One catalog of all sets; a tool that several have, by server and name, stands once."""
    first: dict[tuple[str, str], str] = {}
    tools: list[Row] = []
    queries: dict[str, list[Row]] = {}
    for one in sets:
        renamed = {}
        for tool in one.tools:
            key = (tool["server"].lower() or one.name, tool["name"].lower())
            if key not in first:
                first[key] = f"{one.name}::{tool['id']}"
                tools.append({**tool, "id": first[key]})
            renamed[tool["id"]] = first[key]
        for name, rows in one.queries.items():
            queries[name] = [
                {**row, "relevant": list(dict.fromkeys(renamed[i] for i in row["relevant"]))}
                for row in rows
            ]
    return QuerySet("union", tools, queries)


def some(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """A fixed sample of at most `most` rows; all where `most` is 0."""
    return random.Random(0).sample(rows, most) if 0 < most < len(rows) else rows


def judge(found: Sequence[str], relevant: Sequence[str]) -> dict[str, float]:
    """The metrics of one answer, 0 to 1; all@k only where several tools are right."""
    right = set(relevant)
    hits = [tool in right for tool in found[:10]]
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, len(right))))
    gained = sum(1 / math.log2(rank + 2) for rank, hit in enumerate(hits) if hit)
    judged = {f"R@{k}": sum(hits[:k]) / len(right) for k in (1, 5, 10)}
    judged["nDCG@10"] = gained / ideal
    judged["MRR@10"] = 1 / (hits.index(True) + 1) if True in hits else 0.0
    if len(right) > 1:
        judged |= {f"all@{k}": float(sum(hits[:k]) == len(right)) for k in (5, 10)}
    return judged


def averages(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over the rows that have it, in percent."""
    means = {}
    for metric in METRICS:
        values = [row[metric] for row in rows if metric in row]
        if values:
            means[metric] = 100 * statistics.fmean(values)
    return means


def _list_files(folder: Path, pattern: str) -> Iterable[Path]:
    """The files of a kind; where one is there plain and packed, the plain one."""
    found = {path.with_suffix(""): path for path in folder.glob(f"{pattern}.jsonl.gz")}
    return (found | {path: path for path in folder.glob(f"{pattern}.jsonl")}).values()


def _read(path: Path) -> list[Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
