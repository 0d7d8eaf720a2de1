"""What commands make of a ledger that cannot be used."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.cli.shell import Shell
from tests.contracts.test_used_searches import write as write_events
from tests.stores.events import model_replied

from toolweft.stores import LedgerOptions

UNWRITABLE = '[ledger]\nurl = "sqlite:////proc/nowhere/ledger.db"\n'


def test_doctor_fails_a_ledger_that_is_no_database(with_config: Callable[[str], Shell]) -> None:
    shell = with_config('[ledger]\nurl = "sqlite:///ledger.db"\n')
    shell.write("ledger.db", "this is no database " * 400)

    ended = shell("doctor")

    assert ended.code == 1
    assert "FAIL sqlite:///" in ended.out
    assert "not a database" in ended.out


def test_doctor_fails_a_ledger_whose_tables_cannot_be_read(
    with_config: Callable[[str], Shell],
) -> None:
    shell = with_config('[ledger]\nurl = "sqlite:///ledger.db"\n')
    shell("call", "desk.add", "a=1")
    with sqlite3.connect(shell.folder / "ledger.db") as database:
        database.execute("ALTER TABLE ledger_events RENAME COLUMN wall_s TO other")
    database.close()

    ended = shell("doctor", "--json")

    assert ended.code == 1
    assert ended.json["durability"] == ""
    assert ended.json["ledger_failure"]


@pytest.mark.promise("ledger.doctor")
def test_doctor_never_prints_the_password_of_the_ledger(
    with_config: Callable[[str], Shell],
) -> None:
    # Nothing listens on port 1.
    shell = with_config('[ledger]\nurl = "postgresql+psycopg://me:hunter2@127.0.0.1:1/x?k=hid"\n')

    ended = shell("doctor")

    assert ended.code == 1
    assert "FAIL postgresql+psycopg://***@127.0.0.1:1/x?***" in ended.out
    assert "hunter2" not in ended.out + ended.err
    assert "hid" not in ended.out


@pytest.mark.parametrize(
    "arguments", [("tools",), ("search", "add"), ("show", "desk.add")], ids=lambda words: words[0]
)
def test_what_records_nothing_needs_no_ledger(
    with_config: Callable[[str], Shell], arguments: tuple[str, ...]
) -> None:
    ended = with_config(UNWRITABLE)(*arguments)

    assert ended.code == 0
    assert "add" in ended.out


def test_a_call_without_a_ledger_is_refused(with_config: Callable[[str], Shell]) -> None:
    ended = with_config(UNWRITABLE)("call", "desk.add", "a=1")

    assert (ended.code, ended.out) == (1, "")
    assert "ledger" in ended.err


def test_runs_models_shows_what_models_took_and_cost(
    with_config: Callable[[str], Shell],
) -> None:
    shell = with_config('[ledger]\nurl = "sqlite:///ledger.db"\n')
    assert "no model was asked" in shell("runs", "models").err
    options = LedgerOptions(url=f"sqlite:///{shell.folder / 'ledger.db'}")
    write_events(options, [model_replied(at=datetime.now(UTC)), model_replied("old:one")])

    ended = shell("runs", "models", "--json").json

    assert [row["model"] for row in ended["models"]] == ["lab:small"]
    assert (ended["days"], ended["cost_usd"]) == (30, 0.25)
    table = shell("runs", "models", "--days", "36500")
    assert "old:one" in table.out
    assert "$0.5000 in 36500 days" in table.err
    assert "no model" in shell("runs", "models", "--run", "run_7").err
