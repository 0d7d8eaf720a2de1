"""Addresses of stored results: `toolweft://handles/ID`, and parts of them by query. Pure."""

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
)

TEMPLATE: Final = HANDLE_SCHEME + "{id}{?page,page_size,slice,path,grep}"
DEFAULT_PAGE_ROWS: Final = 100
_HINT = "add ?page=2 (and page_size=50), ?slice=0:100, ?path=$.items[*].id or ?grep=words"
_MAX_NUMBER = 1_000_000_000
_MAX_TEXT_CHARACTERS = 500


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
    return ResourceRequest(
        key=key,
        page=_number("page", given.get("page")),
        page_size=_number("page_size", given.get("page_size")) or DEFAULT_PAGE_ROWS,
        window=given.get("slice"),
        path=given.get("path"),
        grep=given.get("grep"),
    )


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MAX_NUMBER:
        raise InvalidArguments(f"{name} is a number from 1 on, not {text[:40]!r}", hint=_HINT)
    return int(text)
