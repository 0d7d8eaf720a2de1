"""A planner and cheap workers: 500 records classified inside one program, and what that costs.

python -m benchmarks.two_models [--planner MODEL] [--worker MODEL] [--worker-prices IN,OUT] [--json]

Both models are scripted servers that speak Anthropic's wire format: the planner's writes the
program, the workers' answers by a function. Everything else is real: the SDK, the toolbox, the
sandbox, the road, the ledger. Tokens are the servers' own counts (UTF-8 bytes / 4), the same for
every model; prices are those of the table, or given.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import anyio

import toolweft
from benchmarks.harness import Report, Rows, parser
from benchmarks.two_models_costs import Models, Run, Ticket, add_costs
from toolweft.agent import Spending, WorkerOptions, WorkerPool
from toolweft.bootstrap import open_app, read_models
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL, TextContent
from toolweft.core.clock import SystemClock
from toolweft.core.messages import (
    Message,
    ModelRequest,
    ModelResult,
    ModelTool,
    ResultsMessage,
    UserMessage,
)
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.core.secret import Secret
from toolweft.providers.anthropic import AnthropicOptions, AnthropicProvider
from toolweft.testing.vendors.anthropic import AnthropicServer, Turn
from toolweft.testing.vendors.anthropic_blocks import say, use
from toolweft.toolbox import Toolbox

_RECORDS = 500
_PARALLEL = 16
# Records in one question, where several share one.
_BATCH = 10
_SEED = 20_261
_KEY = "any"
# What a ticket is about -> what such tickets say.
_TOPICS = {
    "billing": ("was charged twice", "needs an invoice with the VAT number", "disputes the fee"),
    "delivery": ("waits for a parcel since Monday", "got the parcel of a neighbour"),
    "login": ("cannot sign in", "gets no reset mail", "is locked out after an update"),
    "returns": ("sends the shoes back", "asks where the return label is"),
    "bug": ("sees a blank page after checkout", "gets error 500 on the phone"),
    "praise": ("thanks the team", "is happy with the quick help"),
}
_PEOPLE = ("Ana", "Bo", "Chidi", "Dana", "Emre", "Farah", "Goro", "Hana", "Ines", "Jiro")
_CLOSINGS = (
    "Please answer by mail.",
    "This is the second message about it.",
    "The order is from last week and was paid by card.",
    "",
)

_SCHEMA = {"enum": list(_TOPICS)}
_ASK_EACH = f"""\
labels = await worker_map(
    [row["text"] for row in tickets],
    "What is this ticket about?",
    schema={json.dumps(_SCHEMA)},
    parallel={_PARALLEL},
)"""
_ASK_TOGETHER = f"""\
texts = [row["text"] for row in tickets]
parts = await worker_map(
    [texts[i : i + {_BATCH}] for i in range(0, len(texts), {_BATCH})],
    "What is each of these tickets about? One label for each, in their order.",
    schema={json.dumps({"type": "array", "items": _SCHEMA})},
    parallel={_PARALLEL},
)
labels = [label for part in parts for label in part]"""
_PROGRAM = """\
from collections import Counter
tickets = [row async for row in load("tickets")]
{ask}
await local.save_labels(labels={{row["id"]: label for row, label in zip(tickets, labels)}})
print(dict(Counter(labels).most_common()))
"""
_TASK = "Say what each of the 500 tickets in the handle `tickets` is about, and how many of each."


def make_tickets(count: int) -> list[Ticket]:
    """The same tickets each time."""
    chosen = random.Random(_SEED)
    tickets = []
    for number in range(count):
        topic = chosen.choice(list(_TOPICS))
        words = (chosen.choice(_PEOPLE), chosen.choice(_TOPICS[topic]))
        text = f"{words[0]} {words[1]}. {chosen.choice(_CLOSINGS)}".strip()
        tickets.append(Ticket(id=f"T{number:04}", text=text, topic=topic))
    return tickets


def classify(body: dict[str, Any]) -> Turn:
    """The worker: the topic whose words stand in each record, as the schema wants it."""
    prompt = "".join(part["text"] for part in body["messages"][-1]["content"])
    record = prompt.partition("\n\n")[2]
    is_list = record.startswith("[")
    topics = [_topic_of(text) for text in (json.loads(record) if is_list else [record])]
    return Turn(blocks=(say(json.dumps({"answer": topics if is_list else topics[0]})),))


def _topic_of(text: str) -> str:
    (topic,) = (
        topic for topic, phrases in _TOPICS.items() if any(phrase in text for phrase in phrases)
    )
    return topic


def plan(body: dict[str, Any], *, program: str) -> Turn:
    """The planner: its program first, then what the program printed."""
    last = body["messages"][-1]["content"]
    results = [block for block in last if block.get("type") == "tool_result"]
    if not results:
        return Turn(blocks=(use("run_code", {"code": program}, call_id="toolu_1"),))
    return Turn(blocks=(say(f"Here is what they are about: {_text_of(results[0])}"),))


def _text_of(result: dict[str, Any]) -> str:
    content = result["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


async def run(models: Models, tickets: Iterable[Ticket], ask: str, max_cost: float) -> Run:
    """One task, from the user's words to the planner's answer."""
    kept: dict[str, str] = {}

    @toolweft.tool(severity="write")
    def save_labels(labels: dict[str, str]) -> int:
        """Keep what each ticket is about."""
        kept.update(labels)
        return len(kept)

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        planner_server = await stack.enter_async_context(
            AnthropicServer(
                partial(plan, program=_PROGRAM.format(ask=ask)),
                key=_KEY,
                models=frozenset({models.planner}),
            )
        )
        worker_server = await stack.enter_async_context(
            AnthropicServer(classify, key=_KEY, models=frozenset({models.worker}))
        )
        planner = await stack.enter_async_context(
            _provider(models.planner, planner_server, models.large)
        )
        worker = await stack.enter_async_context(
            _provider(models.worker, worker_server, models.small)
        )
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
        app = await stack.enter_async_context(open_app(settings, tools=[save_labels]))
        await app.settle()
        spending = Spending(max_cost_usd=max_cost)
        pool = WorkerPool(
            [worker],
            spending=spending,
            ledger=app.ledger,
            clock=SystemClock(),
            options=WorkerOptions(max_parallel=_PARALLEL, max_tokens=200),
        )
        box = app.toolbox_for(LOCAL, workers=pool)
        lines = "\n".join(json.dumps({"id": t.id, "text": t.text}) for t in tickets)
        await box.put("tickets", lines.encode(), kind="json_lines")
        started_s = time.perf_counter()
        answer, usage, turns = await _converse(planner, box)
        seconds = time.perf_counter() - started_s
        await app.ledger.flush()
        (row,) = await read_models(settings, days=1)
        (bill,) = spending.bills
    return Run(
        answer=answer,
        labels=kept,
        planner_usage=usage,
        planner_turns=turns,
        bill=bill,
        seconds=seconds,
        ledger_usd=row["cost_usd"],
    )


def _provider(model: str, server: AnthropicServer, prices: TokenPrices | None) -> AnthropicProvider:
    key = Secret(_KEY, reference="test")
    return AnthropicProvider(
        AnthropicOptions(model=model, base_url=server.base_url, key=key, prices=prices),
        environment={},
        clock=SystemClock(),
        random=lambda: 0.0,
    )


async def _converse(planner: AnthropicProvider, box: Toolbox) -> tuple[str, TokenUsage, int]:
    """The planner's last words, its tokens and its turns."""
    tools = tuple(
        ModelTool(name=tool.name, description=tool.description, input_schema=tool.input_schema)
        for tool in box.surface().tools
    )
    messages: tuple[Message, ...] = (UserMessage(content=(TextContent(_TASK),)),)
    usage, turns = TokenUsage(), 0
    while True:
        reply = await planner.complete(ModelRequest(tools=tools, messages=messages))
        usage, turns = usage + reply.usage, turns + 1
        if not reply.message.calls:
            return reply.message.text, usage, turns
        results = []
        for call in reply.message.calls:
            said = await box.invoke(call.name, call.arguments or {})
            content = (TextContent(said.text),)
            results.append(
                ModelResult(
                    call_id=call.id, name=call.name, content=content, is_error=said.is_error
                )
            )
        messages = (*messages, reply.message, ResultsMessage(results=tuple(results)))


# --------------------------------------------------------------------------------------- the report


def _parse_prices(text: str) -> TokenPrices:
    given_in, given_out = (float(part) for part in text.split(","))
    # As most vendors: a tenth to read a cache, a quarter more to write it.
    return TokenPrices(
        input=given_in, output=given_out, cache_read=given_in / 10, cache_write=given_in * 1.25
    )


def _known_prices(model: str) -> TokenPrices:
    from toolweft.providers.anthropic.models import find_model

    prices = find_model("anthropic", model).prices
    if prices is None:
        raise SystemExit(f"{model}: the table has no price of it; give IN,OUT")
    return prices


def main() -> None:
    """Measure, and print the report."""
    options = parser(__doc__ or "")
    options.add_argument("--planner", default="claude-opus-5-5", help="the large model")
    options.add_argument("--worker", default="claude-sonnet-5", help="the cheap model")
    prices = "US dollars for a million tokens, as IN,OUT; default: the table"
    options.add_argument("--planner-prices", type=_parse_prices, metavar="IN,OUT", help=prices)
    options.add_argument("--worker-prices", type=_parse_prices, metavar="IN,OUT", help=prices)
    options.add_argument("--max-cost", type=float, default=1.0, help="cap on the workers, US$")
    arguments = options.parse_args()
    models = Models(
        planner=arguments.planner,
        worker=arguments.worker,
        large=arguments.planner_prices or _known_prices(arguments.planner),
        small=arguments.worker_prices or _known_prices(arguments.worker),
    )
    tickets = make_tickets(_RECORDS)
    alone = anyio.run(run, models, tickets, _ASK_EACH, arguments.max_cost)
    together = anyio.run(run, models, tickets, _ASK_TOGETHER, arguments.max_cost)
    rows = Rows(arguments.rows)
    for one in tickets:
        labels = {"label": alone.labels.get(one.id), "together": together.labels.get(one.id)}
        rows.write(id=one.id, text=one.text, topic=one.topic, **labels)
    report = Report("two_models")
    report.add("records", len(tickets))
    for name, outcome in (("alone", alone), ("together", together)):
        _add_run(report, name, outcome, tickets)
    add_costs(report, alone, together, tickets, models, _TASK)
    report.print(as_json=arguments.json)
    sys.exit(1 if report.missed() else 0)


def _add_run(report: Report, name: str, outcome: Run, tickets: list[Ticket]) -> None:
    right = sum(outcome.labels.get(ticket.id) == ticket.topic for ticket in tickets)
    report.add(f"{name} correct_pct", 100 * right / len(tickets), at_least=100)
    counts = dict(Counter(ticket.topic for ticket in tickets).most_common())
    report.add(f"{name} answer_is_right", float(str(counts) in outcome.answer), at_least=1)
    report.add(f"{name} planner_round_trips", outcome.planner_turns, at_most=3)
    report.add(f"{name} worker_requests", outcome.bill.requests)
    report.add(f"{name} seconds", outcome.seconds)
    agrees = abs(outcome.ledger_usd - (outcome.bill.cost_usd or 0.0)) < 1e-9
    report.add(f"{name} ledger_agrees", float(agrees), at_least=1)


if __name__ == "__main__":
    main()
