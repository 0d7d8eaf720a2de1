"""Programs that ask workers, over the whole road: sandbox, pool, the real SDK, a strict server."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolweft.agent import Spending, WorkerOptions, WorkerPool
from toolweft.bootstrap import open_app, read_models
from toolweft.config import Settings, load_settings
from toolweft.core.calls import LOCAL
from toolweft.core.clock import SystemClock
from toolweft.core.json import JsonObject
from toolweft.core.models import TokenPrices
from toolweft.core.programs import ProgramLimits
from toolweft.providers.openai_chat import OpenAIChatOptions, OpenAIChatProvider
from toolweft.testing.vendors.openai_chat import OpenAIChatServer, say
from toolweft.testing.vendors.openai_http import Failure, Turn
from toolweft.toolbox import Toolbox

pytestmark = [pytest.mark.process, pytest.mark.network]

PRICES = TokenPrices(input=1.0, output=4.0, cache_read=0.1, cache_write=1.0)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A toolbox whose programs have a worker, and what that worker was asked."""

    box: Toolbox
    server: OpenAIChatServer
    spending: Spending
    settings: Settings


def answer_of(body: JsonObject) -> str:
    """What the model says: how many rows of the question speak of a refund."""
    question = body["messages"][1]["content"]
    assert question.startswith("Count the refunds.\n\n")
    return str(len(re.findall("refund", question.partition("\n\n")[2])))


def count_refunds(body: JsonObject) -> Turn:
    text = answer_of(body)
    # The first try of one part is nonsense.
    if '"id":0,' in str(body["messages"]) and len(body["messages"]) == 2:
        return Turn(items=(say("a lot of them"),))
    wraps = "response_format" in body
    return Turn(items=(say(json.dumps({"answer": int(text)}) if wraps else text),))


@asynccontextmanager
async def open_desk(
    folder: Path, script: object = count_refunds, *, max_cost_usd: float | None = None
) -> AsyncIterator[Desk]:
    settings = load_settings(
        config=None,
        look_up=False,
        overrides={
            "ledger.url": f"sqlite:///{folder / 'ledger.db'}",
            "handles.folder": str(folder / "handles"),
        },
        environ={},
        cwd=folder,
        home=folder,
    )
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            OpenAIChatServer(script)  # type: ignore[arg-type]  # a script of either kind
        )
        provider = await stack.enter_async_context(
            OpenAIChatProvider(
                OpenAIChatOptions(
                    model="local", base_url=server.base_url, platform="lab", prices=PRICES
                ),
                environment={},
                clock=SystemClock(),
                random=lambda: 0.0,
            )
        )
        app = await stack.enter_async_context(open_app(settings))
        spending = Spending(max_cost_usd=max_cost_usd)
        pool = WorkerPool(
            [provider],
            spending=spending,
            ledger=app.ledger,
            clock=SystemClock(),
            options=WorkerOptions(max_parallel=8, max_tokens=200),
        )
        box = app.toolbox_for(LOCAL, workers=pool)
        yield Desk(box=box, server=server, spending=spending, settings=settings)


MAP = """
parts = await worker_map(
    load("notes").chunks(400), "Count the refunds.", schema={"type": "integer"}, parallel=6
)
print(len(parts), sum(parts))
"""


@pytest.mark.promise("workers.map")
async def test_data_larger_than_any_context_is_mapped_and_reduced_inside(tmp_path: Path) -> None:
    rows = [
        {"id": i, "note": f"{'refund' if i % 3 == 0 else 'thanks'} {'x' * 80}"}
        for i in range(20_000)
    ]
    file = tmp_path / "notes.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    async with open_desk(tmp_path) as desk:
        await desk.box.put("notes", file)
        outcome = await desk.box.run(MAP, limits=ProgramLimits(memory_bytes=96 * 1024 * 1024))
    assert (outcome.status, outcome.error) == ("ok", None)
    assert outcome.stdout == f"50 {sum(i % 3 == 0 for i in range(20_000))}\n"
    # All of it is 20 times what the model takes: the server refuses a longer question.
    assert file.stat().st_size / 4 > 20 * 25_000
    assert desk.server.refusals == []
    assert len(desk.server.requests) == 51
    assert {(call.tool, call.status) for call in outcome.calls} == {("worker", "ok")}
    assert len({call.index for call in outcome.calls}) == len(outcome.calls) == 50

    (row,) = await read_models(desk.settings, days=1, run_id=outcome.run_id)
    assert (row["model"], row["role"], row["requests"]) == ("lab:local", "worker", 51)
    (bill,) = desk.spending.bills
    assert row["input_tokens"] == bill.usage.input_tokens > 400_000
    assert row["cost_usd"] == pytest.approx(desk.spending.cost_usd)


@pytest.mark.promise("workers.budget")
async def test_a_spent_budget_ends_the_program_with_what_to_do(tmp_path: Path) -> None:
    async with open_desk(tmp_path, max_cost_usd=0.004) as desk:
        outcome = await desk.box.run(
            "done = 0\ntry:\n"
            "    for i in range(100):\n"
            "        await worker('Count the refunds.\\n\\nnone')\n        done += 1\n"
            "except ToolError as error:\n    print(error.code, error.hint, done > 3)"
        )
    assert outcome.stdout == "budget_spent raise max_cost, or ask for less True\n"
    assert desk.spending.cost_usd <= 0.004


async def test_what_no_worker_answers_fails_in_the_program_alone(tmp_path: Path) -> None:
    down = Failure(status=400, message="no such thing")
    async with open_desk(tmp_path, lambda _body: down) as desk:
        outcome = await desk.box.run("await worker('Anybody?')")
        after = await desk.box.run("print(1)")
    assert outcome.status == "error"
    assert outcome.error is not None
    assert "no worker answered: lab:local" in outcome.error.message
    assert outcome.calls[0].status == "worker_failed"
    assert after.stdout == "1\n"


@pytest.mark.promise("workers.surface")
async def test_a_model_is_told_of_workers_where_there_are_some(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        told = desk.box.surface().tools[3].description
    assert 'await worker("' in told
    assert "worker_map(items" in told
