from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores.events import (
    ANN,
    AT,
    EVERY_KIND,
    call_finished,
    call_started,
    content_used,
    model_replied,
    run_finished,
    search_done,
)

from toolweft.core.events import AskedQuery, Event
from toolweft.core.ids import QualifiedName
from toolweft.search.words import query_words
from toolweft.stores.rows import (
    COLUMNS,
    MODEL_COLUMNS,
    SEARCH_COLUMNS,
    parse_asked,
    parse_event,
    parse_time,
    to_model_row,
    to_row,
    to_search_rows,
)


def cells(event: Event) -> dict[str, object]:
    return dict(zip(COLUMNS, to_row(event), strict=True))


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_becomes_a_row(event: Event) -> None:
    row = cells(event)

    assert (row["tenant"], row["user"], row["key"]) == (ANN.tenant, ANN.user, ANN.key)
    assert row["at_us"] == round(AT.timestamp() * 1_000_000)


def test_every_field_of_a_read_has_a_column() -> None:
    row = cells(content_used())

    filled = {name: value for name, value in row.items() if value is not None}
    assert filled == {
        "kind": "content_used",
        "at_us": row["at_us"],
        "tenant": "acme",
        "user": "ann",
        "key": "key_1",
        "call_id": "call_1",
        "tool": "docs: resources/read memo://1",
        "status": "ok",
        "duration_ms": 1.5,
        "bytes_out": 40,
    }


def test_every_field_of_a_call_has_a_column() -> None:
    row = cells(call_started(run_id="run_7", index=3))

    filled = {name: value for name, value in row.items() if value is not None}
    assert filled == {
        "kind": "call_started",
        "at_us": row["at_us"],
        "tenant": "acme",
        "user": "ann",
        "key": "key_1",
        "call_id": "call_1",
        "run_id": "run_7",
        "caller": "programmatic",
        "call_index": 3,
        "tool": "s.t",
        "severity": "read_only",
        "bytes_in": 15,
    }


@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=5.5)))))
def test_times_come_back_the_same_in_utc(at: datetime) -> None:
    microseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    try:
        expected = at.astimezone(UTC)
    except OverflowError:
        return
    assert parse_time(microseconds) == expected


@given(st.text())
def test_any_name_becomes_text_every_database_takes(name: str) -> None:
    tool = cells(call_started(tool=name * 3))["tool"]

    assert isinstance(tool, str)
    assert "\0" not in tool
    tool.encode()


@given(st.integers())
def test_any_number_fits_a_column(number: int) -> None:
    line = cells(run_finished(line=number))["error_line"]

    assert isinstance(line, int)
    assert line.bit_length() <= 63
    if number.bit_length() <= 62:
        assert line == number


def test_an_endless_name_is_cut() -> None:
    assert len(str(cells(call_started(tool="x" * 1_000_000))["tool"])) == 1_000


@pytest.mark.parametrize(
    "event",
    [call_started(), call_started(run_id="run_1", index=3), call_finished(), search_done()],
)
def test_a_row_becomes_its_event_again(event: Event) -> None:
    again = parse_event(cells(event))

    assert again == event
    assert again.principal.key == event.principal.key


def test_the_row_of_a_search_holds_no_text() -> None:
    event = replace(search_done(), asked=(AskedQuery.of("a secret need", ["vault.open"]),))

    assert to_row(event) == to_row(search_done())


@given(st.text())
def test_a_query_comes_back_with_the_same_words_and_what_it_found(text: str) -> None:
    found = (QualifiedName("git.list"), QualifiedName("mail.größe"))
    event = replace(search_done(), asked=(AskedQuery.of(text, found), AskedQuery.of("b", ())))
    rows = [dict(zip(SEARCH_COLUMNS, row, strict=True)) for row in to_search_rows(event, 7)]
    first, second = map(parse_asked, rows)

    assert first.found == found
    assert query_words(first.text) == query_words(text[:1_000])
    assert second == AskedQuery(text="b", found=())
    for row in rows:
        assert (row["event_id"], row["tenant"], row["at_us"]) == (7, "acme", rows[0]["at_us"])
        str(row["query"]).encode()
        assert "\0" not in str(row["query"])


def test_an_endless_query_is_cut() -> None:
    event = replace(search_done(), asked=(AskedQuery(text="x" * 9_000, found=()),))

    (row,) = to_search_rows(event, 1)
    assert len(str(row[SEARCH_COLUMNS.index("query")])) == 1_000
    assert len(AskedQuery.of("x" * 9_000, ()).text) == 1_000


def test_every_field_of_a_models_reply_has_a_column() -> None:
    row = dict(zip(MODEL_COLUMNS, to_model_row(model_replied()), strict=True))

    assert row == {
        "at_us": round(AT.timestamp() * 1_000_000),
        "tenant": "acme",
        "user": "ann",
        "key": "key_1",
        "run_id": "run_1",
        "role": "worker",
        "model": "lab:small",
        "status": "ok",
        "duration_ms": 12.5,
        "input_tokens": 100,
        "cache_read_tokens": 20,
        "cache_write_tokens": 3,
        "output_tokens": 40,
        "reasoning_tokens": 5,
        "cost_usd": 0.25,
    }
