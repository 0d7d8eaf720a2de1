"""The bundled demo source: its data, its three tools, and the script that writes the data."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from toolweft.cli.demo_data import expenses
from toolweft.cli.demo_data.expenses import get_travel_budget, list_expenses, list_people

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(expenses.__file__).parent
TEAMS = get_args(expenses.Team)
QUARTERS = get_args(expenses.Quarter)


def test_the_script_writes_the_files_that_are_checked_in(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "make_demo_expenses.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.glob("*.csv")}


def test_the_data_are_a_few_thousand_lines_and_small() -> None:
    people = [person for team in TEAMS for person in list_people(team)]
    lines = [line for p in people for q in QUARTERS for line in list_expenses(p.name, q)]

    assert 2_000 < len(lines) < 10_000
    assert sum(path.stat().st_size for path in FOLDER.glob("*.csv")) < 300_000


def test_a_persons_lines_are_of_the_quarter_and_in_order() -> None:
    dates = [line.date for line in list_expenses("Ada Lindqvist", "Q3")]

    assert dates == sorted(dates)
    assert dates[0] >= "2026-07-01"
    assert dates[-1] <= "2026-09-30"


def test_someone_unknown_is_an_error_that_says_where_names_come_from() -> None:
    with pytest.raises(ValueError, match=r"'Nobody'.*list_people"):
        list_expenses("Nobody", "Q1")


def test_every_grade_has_a_budget() -> None:
    people = [person for team in TEAMS for person in list_people(team)]
    assert all(get_travel_budget(person.grade) > 0 for person in people)
