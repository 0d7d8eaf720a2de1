"""How well a catalog's tools are found: metrics, queries, near-duplicates, and what to change.

Knows indexes through their protocol alone. Called by the command line.
"""

from toolweft.search.evaluation.evaluate import Answered, Evaluation, ToolFinding, evaluate
from toolweft.search.evaluation.metrics import Judgement, Means, judge, mean_of
from toolweft.search.evaluation.queries import (
    Query,
    UsedQueries,
    choose_evenly,
    derive_queries,
)
from toolweft.search.evaluation.reading import BadQueries, parse_queries, queries_of_use

__all__ = (
    "Answered",
    "BadQueries",
    "Evaluation",
    "Judgement",
    "Means",
    "Query",
    "ToolFinding",
    "UsedQueries",
    "choose_evenly",
    "derive_queries",
    "evaluate",
    "judge",
    "mean_of",
    "parse_queries",
    "queries_of_use",
)
