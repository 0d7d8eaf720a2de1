"""The arithmetic of the cost table, and that a wrong answer is not passed."""

import pytest
from benchmarks.harness import Report
from benchmarks.two_models import classify, make_tickets
from benchmarks.two_models_costs import Models, Run, Ticket, add_costs

from toolweft.agent import ModelBill
from toolweft.core.models import TokenPrices, TokenUsage

LARGE = TokenPrices(input=10, output=50, cache_read=1, cache_write=12.5)
SMALL = TokenPrices(input=1, output=5, cache_read=0.1, cache_write=1.25)
MODELS = Models(planner="big", worker="little", large=LARGE, small=SMALL)
TICKETS = [Ticket(id=str(i), text="x", topic="t") for i in range(10)]


def run_of(requests: int, *, tokens_in: int, tokens_out: int) -> Run:
    usage = TokenUsage(input_tokens=tokens_in, output_tokens=tokens_out)
    return Run(
        answer="",
        labels={},
        planner_usage=TokenUsage(input_tokens=1_000, cache_read_tokens=2_000, output_tokens=100),
        planner_turns=2,
        bill=ModelBill(role="worker", model="little", requests=requests, usage=usage),
        seconds=1.0,
        ledger_usd=0.0,
    )


def test_a_thousand_records_cost_what_their_tokens_do() -> None:
    report = Report("two_models")
    alone = run_of(10, tokens_in=1_000, tokens_out=200)
    together = run_of(2, tokens_in=400, tokens_out=80)
    add_costs(report, alone, together, TICKETS, MODELS, "do it")
    # A thousand questions of 100 tokens in and 20 out; a hundred programs for ten records each.
    all_large = 1_000 * (100 * 10 + 20 * 50) / 1e6
    planning = 100 * (1_000 * 10 + 2_000 * 1 + 100 * 50) / 1e6
    figure = report.figures["usd_1000_1_a_question"]
    assert figure["all_large"] == pytest.approx(all_large)
    assert figure["toolweft"] == pytest.approx(all_large / 10 + planning)
    # Two hundred questions of five records.
    shared = report.figures["usd_1000_5_a_question"]
    assert shared["all_large"] == pytest.approx(200 * (200 * 10 + 40 * 50) / 1e6)
    # So few records a program are no bargain, and the report says so.
    assert report.missed() == ["cost_ratio_1_a_question"]
    assert any("2,000 x $1" in note for note in report.notes)


def test_the_worker_reads_the_record_and_not_the_answer() -> None:
    for ticket in make_tickets(50):
        prompt = f"What is it?\n\n{ticket.text}"
        body = {"messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}]}
        assert f'"{ticket.topic}"' in classify(body).blocks[0]["text"]
        assert ticket.topic not in ticket.text.lower().split()
