from datetime import UTC, datetime

import pytest

from toolweft.providers.waits import parse_retry_after_s

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:05 GMT"}, 5.0),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:05"}, 5.0),
        *(({"retry-after": value}, None) for value in ("soon", "nan", "inf", "-1", "")),
    ],
)
def test_how_long_to_wait_is_read_in_every_form(
    headers: dict[str, str], expected: float | None
) -> None:
    assert parse_retry_after_s(headers, now=NOW) == expected
