"""What classifying 1,000 records costs with one large model, with workers, and otherwise.

Measured token counts times prices; the arithmetic stands in the notes of the report.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.harness import Report
from toolweft.agent import ModelBill
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.testing.vendors.anthropic_meter import count_tokens

__all__ = ("Models", "Run", "Ticket", "add_costs")

_REQUESTS = 1_000


@dataclass(frozen=True, kw_only=True)
class Models:
    """Names and prices of both models."""

    planner: str
    worker: str
    large: TokenPrices
    small: TokenPrices


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A record with what it is about, which nobody but the judge knows."""

    id: str
    text: str
    topic: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came out of one run."""

    answer: str
    labels: dict[str, str]
    planner_usage: TokenUsage
    planner_turns: int
    bill: ModelBill
    seconds: float
    ledger_usd: float


def add_costs(
    report: Report,
    alone: Run,
    together: Run,
    tickets: Sequence[Ticket],
    models: Models,
    task: str,
) -> None:
    """The cost of 1,000 classified records each way, with the arithmetic as notes.

    Args:
        report: gets figures and notes.
        alone: each record asked about by itself.
        together: several in one question.
        tickets: the records.
        models: names and prices.
        task: what the planner is asked for.
    """
    large, small = models.large, models.small
    report.notes.append(
        f"{models.planner}: ${large.input:g} in, ${large.output:g} out for a million tokens;"
        f" {models.worker}: ${small.input:g} in, ${small.output:g} out"
    )
    for outcome in (alone, together):
        _add_shared(report, outcome, models, records=len(tickets))
    read = sum(count_tokens(json.dumps({"id": t.id, "text": t.text})) for t in tickets)
    written = count_tokens(json.dumps({t.id: t.topic for t in tickets}))
    times = _REQUESTS / len(tickets)
    in_context = times * _price(large, read + count_tokens(task), written)
    report.add("usd_1000_one_large_context", in_context)
    report.notes += [
        f"one large context for {len(tickets)} records: {times:g} x ({read:,} x ${large.input:g} +"
        f" {written:,} x ${large.output:g}) / 1,000,000 = ${in_context:.4f}, where all data fits"
        " and the model keeps its place in it",
        "models are scripted: tokens are counted as UTF-8 bytes / 4, the same for every model, and"
        " schemas in the vendor's own form are not counted",
    ]


def _add_shared(report: Report, outcome: Run, models: Models, *, records: int) -> None:
    large, small = models.large, models.small
    tokens_in, tokens_out = _tokens_of(outcome)
    programs = _REQUESTS / records
    requests = programs * outcome.bill.requests
    by_large = requests * _price(large, tokens_in, tokens_out)
    by_workers = requests * _price(small, tokens_in, tokens_out)
    planning = programs * large.cost_usd(outcome.planner_usage)
    both = by_workers + planning
    each = records // outcome.bill.requests
    name = f"{each}_a_question"
    report.add(f"usd_1000_{name}", both, peers={"all_large": by_large})
    # The price between the two models, and a quarter for what the planner adds.
    bound = 1.25 * by_workers / by_large if each == 1 else None
    report.add(f"cost_ratio_{name}", both / by_large, at_most=bound)
    asked = f"{requests:,.0f} x ({tokens_in:.1f} x $"
    report.notes += [
        f"{each} a question, all large: {asked}{large.input:g} + {tokens_out:.1f} x"
        f" ${large.output:g}) / 1,000,000 = ${by_large:.4f}",
        f"{each} a question, planner + worker: {asked}{small.input:g} + {tokens_out:.1f} x"
        f" ${small.output:g}) / 1,000,000 = ${by_workers:.4f}, and {programs:g} programs x"
        f" ({_spell(outcome.planner_usage, large)}) / 1,000,000 = ${planning:.4f}:"
        f" ${both:.4f} together",
    ]


def _tokens_of(outcome: Run) -> tuple[float, float]:
    """The tokens of one question and of its answer."""
    usage, requests = outcome.bill.usage, outcome.bill.requests
    return usage.input_tokens / requests, usage.output_tokens / requests


def _price(prices: TokenPrices, tokens_in: float, tokens_out: float) -> float:
    return (tokens_in * prices.input + tokens_out * prices.output) / 1_000_000


def _spell(usage: TokenUsage, prices: TokenPrices) -> str:
    parts = (
        (usage.input_tokens, prices.input),
        (usage.cache_write_tokens, prices.cache_write),
        (usage.cache_read_tokens, prices.cache_read),
        (usage.output_tokens, prices.output),
    )
    return " + ".join(f"{tokens:,} x ${price:g}" for tokens, price in parts if tokens)
