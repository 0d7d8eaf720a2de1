"""Writes the demo's expense data: the same files every time, from a fixed seed.

Usage: make_demo_expenses.py [FOLDER]
"""

import csv
import random
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from project_files import ROOT

FOLDER = ROOT / "src" / "toolweft" / "cli" / "demo_data"
SEED = 20
YEAR = 2026

OFFICES = ("Europe/Lisbon", "Europe/Berlin", "America/Toronto", "Asia/Tokyo")
GRADES = ("junior", "senior", "senior", "principal", "director")
TEAMS = {
    "engineering": (
        "Ada Lindqvist", "Bruno Okafor", "Chiara Venn", "Dario Petrov", "Elif Marsh",
        "Femi Castell", "Greta Nwosu", "Hugo Tanaka",
    ),
    "sales": (
        "Ines Halloran", "Jonas Abara", "Kira Montes", "Levi Sandoval", "Mina Ostrow",
        "Noor Vance", "Oskar Bellini", "Priya Lund",
    ),
    "support": (
        "Quinn Aldana", "Rosa Iwata", "Soren Daly", "Tova Mbeki", "Uma Fontaine", "Viktor Sloane",
    ),
    "operations": ("Wanda Reyes", "Xavi Norling", "Yara Duarte", "Zeno Achterberg"),
}  # fmt: skip

# Category -> merchants, and the range of one line's amount in whole euros.
CATEGORIES: dict[str, tuple[tuple[str, ...], tuple[int, int]]] = {
    "flight": (("Meridian Air", "Northwing", "Cielo Jet"), (90, 620)),
    "rail": (("Intercity Rail", "Coastline Trains"), (18, 140)),
    "hotel": (("Hotel Larkspur", "The Old Mill", "Quay Rooms"), (75, 260)),
    "taxi": (("Metro Cabs", "Harbour Taxi"), (8, 55)),
    "meals": (("Cafe Ostara", "Noodle Barn", "Bistro Nine"), (9, 64)),
    "training": (("Skillhouse", "Open Lectures"), (60, 480)),
    "office": (("Paper & Pen", "Desk Depot"), (5, 90)),
}
WEIGHTS = (3, 6, 5, 10, 16, 1, 6)
STATUSES = ("approved",) * 8 + ("pending", "rejected")


def make_lines(names: list[str], chance: random.Random) -> Iterator[list[str]]:
    """Rows of person, quarter, date, category, merchant, amount_eur, status."""
    for name in names:
        for quarter in range(4):
            start = date(YEAR, 3 * quarter + 1, 1)
            days = sorted(chance.randrange(90) for _ in range(chance.randint(24, 46)))
            for day in days:
                category = chance.choices(tuple(CATEGORIES), WEIGHTS)[0]
                merchants, (low, high) = CATEGORIES[category]
                amount_eur = chance.randint(low * 100, high * 100) / 100
                yield [
                    name,
                    f"Q{quarter + 1}",
                    (start + timedelta(days=day)).isoformat(),
                    category,
                    chance.choice(merchants),
                    f"{amount_eur:.2f}",
                    chance.choice(STATUSES),
                ]


def write_rows(path: Path, header: list[str], rows: Iterator[list[str]]) -> None:
    """Write one CSV file with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Write both files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    chance = random.Random(SEED)
    people = [
        [name, team, chance.choice(GRADES), chance.choice(OFFICES)]
        for team, names in TEAMS.items()
        for name in names
    ]
    write_rows(folder / "people.csv", ["name", "team", "grade", "timezone"], iter(people))
    header = ["person", "quarter", "date", "category", "merchant", "amount_eur", "status"]
    lines = make_lines([person[0] for person in people], chance)
    write_rows(folder / "expense_lines.csv", header, lines)


if __name__ == "__main__":
    main()
