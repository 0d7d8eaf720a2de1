"""What is learned live and what is learned from the ledger are the same, in every database."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.test_ledger import POSTGRES_URL
from tests.contracts.test_ledger import postgres_prefix as postgres_prefix
from tests.search.learning.happenings import (
    ANN,
    BEN,
    EVE,
    START,
    at,
    finished,
    searched,
    started,
)
from tests.stores.events import run_started

from toolweft.core.events import Event
from toolweft.search.learning.fold import UseLearner
from toolweft.stores import LedgerOptions
from toolweft.stores.queries import read_used
from toolweft.stores.rows import to_us
from toolweft.stores.schema import LedgerTables
from toolweft.stores.searches import erase_all_searches
from toolweft.stores.sink import SqlSink
from toolweft.testing import FakeClock

NewLedger: TypeAlias = Callable[[], LedgerOptions]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.network)])
def new_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewLedger]:
    """Gives an empty ledger each time."""
    if request.param == "sqlite":
        numbers = count()
        yield lambda: LedgerOptions(
            url=f"sqlite:///{tmp_path}/{next(numbers)}.db", keep_search_text=True
        )
        return
    prefix = request.getfixturevalue("postgres_prefix")
    options = LedgerOptions(url=POSTGRES_URL, table_prefix=prefix, keep_search_text=True)
    tables = LedgerTables(prefix)
    engine = sqlalchemy.create_engine(POSTGRES_URL)

    def empty() -> LedgerOptions:
        with engine.begin() as connection:
            for table in (tables.searches, tables.models, tables.events):
                table.drop(connection, checkfirst=True)
        return options

    yield empty
    engine.dispose()


def write(options: LedgerOptions, events: list[Event], *, at_once: int = 100) -> None:
    sink = SqlSink(options, clock=FakeClock(now=START))
    try:
        sink.write([])
        for first in range(0, len(events), at_once):
            sink.write(events[first : first + at_once])
    finally:
        sink.close()


def read(options: LedgerOptions, *, since: float, until: float, most: int = 10_000) -> list[Event]:
    found = read_used(options, since_us=to_us(at(since)), until_us=to_us(at(until)), most=most)
    return list(found)


def learn(events: list[Event]) -> UseLearner:
    learner = UseLearner()
    for event in events:
        learner.observe(event)
    return learner


_TEXTS = ("open issues", "issue open today", "mail \0 unread", "\ud800 mail", "größe 12", "🙂")
_PEOPLE = st.sampled_from([ANN, BEN, EVE])
_TOOLS = st.sampled_from(["git.list", "git.show", "mail.send"])
_QUERIES = st.lists(
    st.tuples(st.sampled_from(_TEXTS), st.lists(_TOOLS, max_size=3, unique=True)), max_size=3
)
_STEPS = st.one_of(
    st.tuples(st.just("search"), _PEOPLE, _QUERIES),
    st.tuples(st.just("start"), _PEOPLE, _TOOLS, st.integers(0, 3)),
    st.tuples(st.just("end"), st.integers(0, 3), st.sampled_from(["ok", "ok", "denied"])),
    st.just(("run",)),
)


def events_of(steps: list[tuple[Any, int]]) -> list[Event]:
    events: list[Event] = []
    when = 0
    for step, seconds in steps:
        # Many happen in one moment, and one step in a few goes back.
        when = max(0, when + seconds)
        match step:
            case ("search", who, queries):
                events.append(searched(*queries, who=who, when=when))
            case ("start", who, tool, number):
                events.append(started(tool, call_id=str(number), who=who, when=when))
            case ("end", number, status):
                events.append(finished(call_id=str(number), status=status, when=when))
            case _:
                events.append(run_started())
    return events


@pytest.mark.promise("learning.replay")
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(st.tuples(_STEPS, st.sampled_from([0, 0, 1, 400, -1, 90_000])), max_size=25),
    at_once=st.integers(1, 9),
)
def test_what_was_learned_live_is_learned_again_from_the_ledger(
    new_ledger: NewLedger, steps: list[tuple[Any, int]], at_once: int
) -> None:
    events = events_of(steps)
    options = new_ledger()
    write(options, events, at_once=at_once)
    replayed = read(options, since=0, until=10**7)

    live, again = learn(events), learn(replayed)
    # Fading counts to the last event, which need not be one that is read back.
    for learner in (live, again):
        learner.observe(searched(when=10**6))
    for tenant in ("acme", "other"):
        for text in _TEXTS:
            assert again.lifts(text, tenant=tenant) == live.lifts(text, tenant=tenant)


def test_only_the_time_asked_for_is_read_and_the_oldest_are_left_out(
    new_ledger: NewLedger,
) -> None:
    options = new_ledger()
    events: list[Event] = [
        searched(("mail", ["mail.send"]), when=0),
        started("mail.send", when=1),
        finished(when=2),
        searched(("open issues", ["git.list"]), when=100),
        run_started(),
        started("git.list", when=101),
        finished(when=102),
        searched(("later", ["git.show"]), when=200),
    ]
    write(options, events)

    assert read(options, since=50, until=200) == [events[3], events[5], events[6]]
    assert read(options, since=0, until=103, most=2) == [events[5], events[6]]
    assert read(options, since=201, until=900) == []


def test_what_is_not_kept_is_not_read_back(new_ledger: NewLedger) -> None:
    kept = new_ledger()
    options = LedgerOptions(url=kept.url, table_prefix=kept.table_prefix)
    write(options, [searched(("open issues", ["git.list"])), started("git.list"), finished()])

    assert read(options, since=0, until=900) == []


def test_texts_older_than_they_are_kept_are_erased_at_the_next_opening(
    new_ledger: NewLedger,
) -> None:
    options = new_ledger()
    day = timedelta(days=1).total_seconds()
    old = searched(("old need", ["git.list"]), when=-91 * day)
    young = searched(("young need", ["git.list"]), when=-89 * day)
    write(options, [old, young])
    write(options, [])

    assert read(options, since=-1_000 * day, until=0) == [young]


@pytest.mark.promise("learning.forget")
def test_texts_are_erased_for_one_principal_or_for_all(new_ledger: NewLedger) -> None:
    options = new_ledger()
    of_ann, of_ben = (searched(("open issues", ["git.list"]), who=who) for who in (ANN, BEN))
    write(options, [of_ann, of_ben, of_ann])

    assert erase_all_searches(options, ANN) == 2
    assert [event.asked for event in read(options, since=0, until=9) if event.asked] == [
        of_ben.asked
    ]
    assert erase_all_searches(options, None) == 1
    assert read(options, since=0, until=9) == []
