from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores.events import ANN, AT, EVERY_KIND, call_started, run_finished

from toolweft.core.events import Event
from toolweft.stores.rows import COLUMNS, parse_time, to_row


def cells(event: Event) -> dict[str, object]:
    return dict(zip(COLUMNS, to_row(event), strict=True))


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_becomes_a_row(event: Event) -> None:
    row = cells(event)

    assert (row["tenant"], row["user"], row["key"]) == (ANN.tenant, ANN.user, ANN.key)
    assert row["at_us"] == round(AT.timestamp() * 1_000_000)


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
