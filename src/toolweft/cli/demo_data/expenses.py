"""Three tools over a year of expense lines; people, places and amounts are invented.

The data lie beside this module; `scripts/make_demo_expenses.py` writes them. Used as a Python
source by `toolweft demo`, and an example of how such a source is written.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from toolweft.sources import tool

__all__ = ("ExpenseLine", "Person", "get_travel_budget", "list_expenses", "list_people")

Team = Literal["engineering", "sales", "support", "operations"]
Quarter = Literal["Q1", "Q2", "Q3", "Q4"]
Grade = Literal["junior", "senior", "principal", "director"]

_TRAVEL_BUDGETS_EUR: dict[Grade, float] = {
    "junior": 1_500.0,
    "senior": 2_500.0,
    "principal": 4_000.0,
    "director": 6_000.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who works for the company."""

    name: str
    team: Team
    grade: Grade
    # IANA name of the office's time zone.
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpenseLine:
    """One line of an expense report."""

    # ISO 8601.
    date: str
    category: Literal["flight", "rail", "hotel", "taxi", "meals", "training", "office"]
    merchant: str
    amount_eur: float
    # Only approved lines count against a budget.
    status: Literal["approved", "pending", "rejected"]


@tool(severity="read_only")
def list_people(team: Team) -> list[Person]:
    """List everyone in a team, with their grade and the time zone of their office.

    Args:
        team: The team's name.
    """
    return [person for person in _load_people().values() if person.team == team]


@tool(severity="read_only")
def list_expenses(person: str, quarter: Quarter) -> list[ExpenseLine]:
    """List one person's expense lines of a quarter, oldest first; only approved ones count.

    Args:
        person: Full name, as list_people gives it.
        quarter: Quarter of the year.
    """
    if person not in _load_people():
        raise ValueError(f"nobody is called {person!r}; list_people gives the names")
    return list(_load_lines().get((person, quarter), ()))


@tool(severity="read_only")
def get_travel_budget(grade: Grade) -> float:
    """Get what one person of a grade may spend on travel in a quarter, in euros.

    Args:
        grade: The person's grade.
    """
    return _TRAVEL_BUDGETS_EUR[grade]


@cache
def _load_people() -> dict[str, Person]:
    rows = _load_rows("people.csv")
    people = (Person(**row) for row in rows)  # type: ignore[arg-type]  # our own file
    return {person.name: person for person in people}


@cache
def _load_lines() -> dict[tuple[str, str], list[ExpenseLine]]:
    lines: dict[tuple[str, str], list[ExpenseLine]] = {}
    for row in _load_rows("expense_lines.csv"):
        key = (row.pop("person"), row.pop("quarter"))
        amount_eur = float(row.pop("amount_eur"))
        line = ExpenseLine(**row, amount_eur=amount_eur)  # type: ignore[arg-type]  # our own file
        lines.setdefault(key, []).append(line)
    return lines


def _load_rows(name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
