"""Addresses of stored results: `toolweft://handles/ID`, and parts of them by query. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

from toolweft.core.errors import InvalidArguments
from toolweft.core.handles import HANDLE_SCHEME

__all__ = (
    "DEFAULT_PAGE_ROWS",
    "TEMPLATE",
    "ResourceContent",
    "ResourceRequest",
    "parse_resource",
    "parse_window",
)

TEMPLATE: Final = HANDLE_SCHEME + "{id}{?page,page_size,slice,path,grep}"
DEFAULT_PAGE_ROWS: Final = 100
_HINT = "add ?page=2 (and page_size=50), ?slice=0:100, ?path=$.items[*].id or ?grep=words"
_MAX_NUMBER = 1_000_000_000
_MAX_TEXT_CHARACTERS = 500
_WINDOW: Final = re.compile(r"([0-9]{0,12}):([0-9]{0,12})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """What of a stored result is wanted; nothing set means all of it."""

    # An id or a name.
    key: str
    page: int | None = None
    page_size: int = DEFAULT_PAGE_ROWS
    # "start:stop" of rows or bytes; either may be left out.
    window: str | None = None
    path: str | None = None
    grep: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is wanted."""
        wanted = (self.page, self.window, self.path, self.grep)
        return all(part is None for part in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceContent:
    """What was read: text, or bytes."""

    media_type: str
    content: str | bytes


def parse_resource(uri: str) -> ResourceRequest:
    """The request of an address.

    Raises:
        InvalidArguments: it is no address of a handle, or its query makes no sense.
    """
    address, _, query = uri.partition("?")
    key = unquote(address.removeprefix(HANDLE_SCHEME))
    if not address.startswith(HANDLE_SCHEME) or not key:
        raise InvalidArguments(
            f"there is no resource {uri[:100]!r}", hint=f"handles are {HANDLE_SCHEME}ID"
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as exc:
        raise InvalidArguments(f"the query {query[:80]!r} cannot be read", hint=_HINT) from exc
    given = dict(pairs)
    for name, value in pairs:
        if name not in {"page", "page_size", "slice", "path", "grep"}:
            raise InvalidArguments(f"a handle is not read by {name[:40]!r}", hint=_HINT)
        if not value or len(value) > _MAX_TEXT_CHARACTERS or len(given) != len(pairs):
            raise InvalidArguments(
                f"{name} must be given once, with 1 to {_MAX_TEXT_CHARACTERS} characters",
                hint=_HINT,
            )
    page, page_size = (
        _number("page", given.get("page")),
        _number("page_size", given.get("page_size")),
    )
    if "slice" in given and (page is not None or page_size is not None):
        raise InvalidArguments("page and slice exclude one another", hint=_HINT)
    request = ResourceRequest(
        key=key,
        # Whoever says how long a page is wants one.
        page=1 if page is None and page_size is not None else page,
        page_size=page_size or DEFAULT_PAGE_ROWS,
        window=given.get("slice"),
        path=given.get("path"),
        grep=given.get("grep"),
    )
    parse_window(request.window or ":")
    return request


def parse_window(window: str) -> tuple[int, int | None]:
    """Start and stop of "start:stop"; no stop is None.

    Raises:
        InvalidArguments: it is written in another way.
    """
    found = _WINDOW.fullmatch(window)
    if found is None:
        raise InvalidArguments(
            f"a slice is written start:stop, from 0, not {window[:60]!r}", hint="?slice=0:100"
        )
    return int(found[1] or 0), int(found[2]) if found[2] else None


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MAX_NUMBER:
        raise InvalidArguments(f"{name} is a number from 1 on, not {text[:40]!r}", hint=_HINT)
    return int(text)
