"""What a reader wants of many rows: a window, those that match, and no more than it can read.

Pure. Rows go in one after the other; the answer says where to go on.
"""

import json
import re
from typing import Any

__all__ = ("DEFAULT_PAGE_SIZE", "BadQuery", "Query")

DEFAULT_PAGE_SIZE = 100


class BadQuery(ValueError):
    """A query that makes no sense."""


class Query:
    """Collects the rows of one answer.

    Args:
        page: from 1; not together with `window`.
        page_size: rows of a page.
        window: "start:stop", from 0; either may be left out.
        grep: a regular expression, letters in any case; rows without a match do not count.
        max_characters: of all rows together.
    """

    def __init__(
        self,
        *,
        page: int | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        window: str | None = None,
        grep: str | None = None,
        max_characters: int = 50_000,
    ) -> None:
        self._start, self._stop = _bounds(page, page_size, window)
        self._pattern = _compile(grep)
        self._left = max_characters
        self._rows: list[Any] = []
        self._at: list[int] = []
        # Of the rows that match.
        self._count = 0
        self._next: int | None = None

    def take(self, index: int, row: Any) -> bool:
        """Look at one row; False where no further one is wanted."""
        if self._pattern is not None and self._pattern.search(_text(row)) is None:
            return True
        number = self._count
        self._count += 1
        if number < self._start:
            return True
        if self._stop is not None and number >= self._stop:
            self._next = number
            return False
        row, text = _as_json(row)
        if len(text) > self._left:
            if self._rows:
                self._next = number
                return False
            # One row alone is too long: its beginning is better than nothing.
            row = f"{text[: self._left]}…"
        self._left -= len(text)
        self._rows.append(row)
        self._at.append(index)
        return True

    def answer(self) -> dict[str, Any]:
        """What was found: `rows` from `start` on, and `next`, where to go on if there is more."""
        answer = {"start": self._start, "next": self._next, "rows": self._rows}
        if self._pattern is not None:
            # Which rows of all they are.
            answer["at"] = self._at
        return answer


def _bounds(page: int | None, page_size: int, window: str | None) -> tuple[int, int | None]:
    for number in (page, page_size):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise BadQuery(f"pages are counted in whole numbers, not {number!r:.40}")
    if page is not None and window is not None:
        raise BadQuery("page and slice exclude one another")
    if page is not None:
        if page < 1 or page_size < 1:
            raise BadQuery(f"pages count from 1 and have rows, not page {page} of {page_size}")
        return (page - 1) * page_size, page * page_size
    if window is None:
        return 0, None
    found = re.fullmatch(r"(\d{0,12}):(\d{0,12})", str(window))
    if found is None:
        raise BadQuery(f"a slice is written start:stop, from 0, not {window!r:.60}")
    return int(found[1] or 0), int(found[2]) if found[2] else None


def _compile(grep: str | None) -> "re.Pattern[str] | None":
    if grep is None:
        return None
    try:
        return re.compile(grep, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError, TypeError) as fault:
        raise BadQuery(f"{grep!r:.80} is no regular expression: {fault}") from None


def _as_json(row: Any) -> tuple[Any, str]:
    """A row that any reader of JSON can have, and its text.

    Files hold what JSON does not know: a row with NaN is given as text, and half of a surrogate
    pair as "?".
    """
    try:
        json.dumps(row, allow_nan=False)
    except ValueError:
        row = _text(row)
    text = _text(row)
    if not _is_unicode(text):
        text = text.encode("utf-8", "replace").decode()
        row = text if isinstance(row, str) else json.loads(text)
    return row, text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(row: Any) -> str:
    if isinstance(row, str):
        return row
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
