"""Writes benchmarks/data/workloads/expenses: two tasks over the demo's data, calls recorded."""

import json
from typing import Any

import anyio
from project_files import ROOT

import toolweft
from toolweft.cli.demo_data import expenses

FOLDER = ROOT / "benchmarks" / "data" / "workloads" / "expenses"
TEAMS = ("sales", "operations")
QUARTER = "Q3"
QUESTION = (
    "Who in {team} spent more on travel in {quarter} than the budget of their grade? Approved"
    " flights, rail, hotels and taxis count. Names in alphabetical order."
)
PROGRAM = """\
import asyncio, json
team = await list_people(team={team!r})
lines = await asyncio.gather(*(list_expenses(person=p["name"], quarter={quarter!r}) for p in team))
grades = sorted({{p["grade"] for p in team}})
budgets = await asyncio.gather(*(get_travel_budget(grade=g) for g in grades))
limits = {{b["grade"]: b["budget_eur"] for b in budgets}}
def spent(own):
    kinds = ("flight", "rail", "hotel", "taxi")
    counted = (x for x in own if x["status"] == "approved" and x["category"] in kinds)
    return sum(x["amount_eur"] for x in counted)
over = [p["name"] for p, own in zip(team, lines) if spent(own) > limits[p["grade"]]]
print(json.dumps(sorted(over)))
"""


@toolweft.tool(severity="read_only")
def get_travel_budget(grade: str) -> dict[str, Any]:
    """Get what one person of a grade may spend on travel in a quarter, in euros."""
    known: Any = grade
    return {"grade": grade, "budget_eur": expenses.get_travel_budget(known)}


TOOLS = (expenses.list_people, expenses.list_expenses, get_travel_budget)


async def build_task(box: toolweft.Toolbox, team: str) -> dict[str, Any]:
    """One task, its answer as its program prints it."""
    people: Any = (await box.call("list_people", {"team": team})).value
    program = PROGRAM.format(team=team, quarter=QUARTER)
    outcome = await box.run(program)
    grades = sorted({person["grade"] for person in people})
    stages = [
        [("list_people", {"team": team})],
        [("list_expenses", {"person": p["name"], "quarter": QUARTER}) for p in people],
        [("get_travel_budget", {"grade": grade}) for grade in grades],
    ]
    return {
        "id": f"expenses-{team}",
        "question": QUESTION.format(team=team, quarter=QUARTER),
        "stages": [[{"name": n, "arguments": a} for n, a in stage] for stage in stages],
        "program": program,
        "answer": json.loads(outcome.stdout),
    }


async def record(box: toolweft.Toolbox, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every call of the tasks once, with its result as text."""
    rows = {}
    for call in (call for task in tasks for stage in task["stages"] for call in stage):
        result = await box.call(call["name"], call["arguments"])
        text = json.dumps(result.value, ensure_ascii=False)
        rows[json.dumps(call, sort_keys=True)] = {**call, "result": text, "is_error": False}
    return list(rows.values())


async def build() -> dict[str, str]:
    """The files' texts by their names."""
    async with toolweft.open(tools=TOOLS) as box:
        tasks = [await build_task(box, team) for team in TEAMS]
        results = await record(box, tasks)
        tools = [
            {"name": d.name, "description": d.description, "inputSchema": d.input_schema}
            for d in (tool.definition for tool in box.snapshot.tools.values())
        ]
    return {
        "tools.json": json.dumps(tools, indent=1) + "\n",
        "tasks.jsonl": render_lines(tasks),
        "results.jsonl": render_lines(results),
    }


def render_lines(rows: list[dict[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in anyio.run(build).items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
