"""How long an answer's headers ask to wait. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ("parse_retry_after_s", "parse_seconds")


def parse_retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds from now; None where nothing usable is said.

    A number and a date are both read, and before them the milliseconds that OpenAI sends.
    """
    milliseconds = parse_seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip()
    seconds = parse_seconds(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def parse_seconds(text: str) -> float | None:
    """A number that is a time to wait; None for the past, "nan", "inf" and whatever is none."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
