"""Stored results inside a program: `await load(h)`, `load(h).chunks(n)`, `load(h).head(n)`.

Bytes come from the host in pieces, which decides each time whether they may be read; what they
mean is found out here, under the program's own limits.
"""

import codecs
import itertools
import json
from collections.abc import AsyncIterator, Callable, Generator, MutableMapping
from typing import Any

from .names import Blob, CallTool, ToolError, program_line
from .paths import BadPath, Step, follow, parse_path
from .queries import DEFAULT_PAGE_SIZE, BadQuery, Query
from .rows import ArrayRows, BadRow, LineRows, RowReader, parse_lines

__all__ = ("READ_BYTES", "Handle", "bind_load", "make_handle")

# One read. Larger ones would hold up the host's other work while they are sent.
READ_BYTES = 1024 * 1024
DEFAULT_ROWS = 1_000
DEFAULT_HEAD = 5
# Where clients read it; programs may name a handle by its address too.
SCHEME = "toolweft://handles/"
_PEEK_BYTES = 256


class Handle:
    """A stored result; `await` gives all of it."""

    def __init__(
        self,
        call: CallTool,
        key: str,
        known: dict[str, Any] | None = None,
        *,
        source: str | None = None,
    ) -> None:
        self._call = call
        self._key = key
        # Whose link it is; None for what is stored.
        self._source = source
        self._known = known
        self._shape_known: str | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._value().__await__()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._each()

    async def info(self) -> dict[str, Any]:
        """What is known of it: id, name, kind, media_type, size_bytes, rows and more."""
        if self._known is None:
            asked = {"handle": self._key}
            if self._source is not None:
                asked["source"] = self._source
            self._known = await self._call("load.info", asked, program_line())
        return dict(self._known)

    async def raw(self) -> bytes:
        """All of it as it is stored."""
        whole = bytearray()
        async for piece in self._pieces():
            whole += piece
        return bytes(whole)

    async def text(self, encoding: str = "utf-8") -> str:
        """All of it as text; `encoding` where it is not UTF-8, such as "cp1252" or "utf-16"."""
        data = (await self.raw()).removeprefix(codecs.BOM_UTF8)
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            raise self._not_text(encoding) from None

    def chunks(self, n: int | None = None) -> AsyncIterator[Any]:
        """Lists of `n` rows: items of a JSON array, values of JSON lines, lines of text.

        Of anything binary: pieces of `n` bytes.
        """
        if n is not None:
            _check_count("chunks", n)
        return self._chunks(n)

    async def head(self, n: int = DEFAULT_HEAD) -> Any:
        """The first rows, the first keys of a JSON object, or the first bytes."""
        _check_count("head", n)
        if await self._shape() == "object":
            value = await self
            return dict(itertools.islice(value.items(), n)) if isinstance(value, dict) else value
        async for rows in self.chunks(n):
            return rows
        return b"" if (await self.info())["kind"] == "binary" else []

    async def query(
        self,
        *,
        path: str | None = None,
        grep: str | None = None,
        page: int | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        window: str | None = None,
    ) -> dict[str, Any]:
        """A part of it: `path="$.items[*].id"`, `grep="…"`, and `page=2` or `window="0:100"`."""
        try:
            steps = [] if path is None else parse_path(path)
            query = Query(grep=grep, page=page, page_size=page_size, window=window)
        except (BadPath, BadQuery) as fault:
            raise self._error(str(fault), code="invalid_arguments") from None
        index = 0
        async for row in self._rows(steps, has_path=path is not None):
            if not query.take(index, row):
                break
            index += 1
        return query.answer()

    def __repr__(self) -> str:
        if self._known is None:
            return f"<handle {self._key!r}: rows = await load({self._key!r})>"
        known = self._known
        rows = "" if known["rows"] is None else f"{known['rows']:,} rows, "
        return (
            f"<handle {known['kind']}, {rows}{known['size_bytes']:,} bytes:"
            f" await load({known['id']!r})>"
        )

    def _refuse(self, *_arguments: Any, **_named: Any) -> Any:
        raise TypeError(f"{self!r} is not loaded: write value = await load(…)")

    __getitem__ = __iter__ = __len__ = __contains__ = _refuse

    # ------------------------------------------------------------------------------- reading

    async def _pieces(self, size: int = READ_BYTES) -> AsyncIterator[bytes]:
        info = await self.info()
        start = 0
        while start < info["size_bytes"]:
            piece = await self._read(start, size)
            if not piece:
                raise self._error("it ends too early", "make the result again")
            start += len(piece)
            yield piece

    async def _read(self, start: int, size: int) -> bytes:
        # By id: a name may come to mean another handle between two reads.
        key = (await self.info())["id"]
        arguments = {"handle": key, "start": start, "size": size}
        piece: bytes = await self._call("load.read", arguments, program_line())
        return piece

    async def _shape(self) -> str:
        """What its rows are: of an array, lines, text or bytes; "object" for any other JSON."""
        if self._shape_known is None:
            kind = (await self.info())["kind"]
            shape = {"json_lines": "lines", "text": "text"}.get(kind, "bytes")
            if kind == "json":
                start = await self._read(0, _PEEK_BYTES)
                is_array = start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["
                shape = "array" if is_array else "object"
            self._shape_known = shape
        return self._shape_known

    async def _value(self) -> Any:
        shape = await self._shape()
        if shape == "bytes":
            return Blob(await self.raw(), (await self.info())["media_type"])
        if shape == "text":
            return await self.text()
        if shape == "lines":
            rows: list[Any] = []
            async for part in self._chunks(DEFAULT_ROWS):
                rows += part
            return rows
        try:
            return json.loads((await self.raw()).removeprefix(codecs.BOM_UTF8))
        except ValueError as fault:
            raise self._not_rows(f"it is not JSON: {fault}") from None
        except RecursionError:
            raise self._not_rows("it is nested too deeply") from None

    async def _each(self) -> AsyncIterator[Any]:
        """One row after the other, or of anything binary one piece."""
        is_binary = await self._shape() == "bytes"
        async for part in self._chunks(None):
            if is_binary:
                yield part
                continue
            for row in part:
                yield row

    async def _chunks(self, size: int | None) -> AsyncIterator[Any]:
        shape = await self._shape()
        if shape == "bytes":
            async for piece in self._binary_chunks(READ_BYTES if size is None else size):
                yield piece
            return
        if shape == "object":
            raise self._error("it is one JSON value, no array of rows", "value = await load(h)")
        reader: RowReader = ArrayRows() if shape == "array" else LineRows()
        count = DEFAULT_ROWS if size is None else size
        first = 0
        async for part in self._grouped(reader, count):
            yield self._decoded(part, shape, first)
            first += len(part)

    async def _grouped(self, reader: RowReader, count: int) -> AsyncIterator[list[Any]]:
        rows: list[Any] = []
        async for piece in self._pieces():
            rows += self._safely(reader.feed, piece)
            start = 0
            while len(rows) - start >= count:
                yield rows[start : start + count]
                start += count
            rows = rows[start:]
        rows += self._safely(reader.finish)
        for start in range(0, len(rows), count):
            yield rows[start : start + count]

    async def _binary_chunks(self, size: int) -> AsyncIterator[bytes]:
        if size <= READ_BYTES:
            async for piece in self._pieces(size):
                yield bytes(piece)
            return
        waiting = bytearray()
        async for piece in self._pieces():
            waiting += piece
            if len(waiting) >= size:
                yield bytes(waiting[:size])
                del waiting[:size]
        if waiting:
            yield bytes(waiting)

    async def _rows(self, steps: list[Step], *, has_path: bool) -> AsyncIterator[Any]:
        """Each row a query is about, what is large read only as far as it is wanted."""
        shape = await self._shape()
        if shape == "bytes" or (shape == "text" and has_path):
            raise self._error(f"it is {shape}, which has no such parts", "await load(h).chunks(n)")
        if shape != "object" and (not steps or steps[0].is_all):
            async for part in self._chunks(None):
                for row in part:
                    for found in follow(row, steps[1:]):
                        yield found
            return
        value = await self
        found_all = list(follow(value, steps))
        is_one = not any(step.is_all or step.window for step in steps)
        if is_one and found_all and isinstance(found_all[0], list):
            found_all = found_all[0]
        elif not steps and isinstance(value, dict):
            found_all = [{key: item} for key, item in value.items()]
        for found in found_all:
            yield found

    def _decoded(self, part: list[Any], shape: str, first: int) -> list[Any]:
        if shape == "array":
            return part
        try:
            if shape == "lines":
                return parse_lines(part, first=first)
            if first == 0 and part:
                part[0] = part[0].removeprefix(codecs.BOM_UTF8)
            return [line.decode() for line in part]
        except BadRow as fault:
            raise self._not_rows(str(fault)) from None
        except UnicodeDecodeError:
            raise self._not_text("utf-8") from None

    def _safely(self, read: Callable[..., Any], *piece: bytes) -> list[Any]:
        try:
            return list(read(*piece))
        except BadRow as fault:
            raise self._not_rows(str(fault)) from None

    def _not_rows(self, reason: str) -> ToolError:
        return self._error(reason, "await load(h).text() or .raw() gives it as it is")

    def _not_text(self, encoding: str) -> ToolError:
        name = "UTF-8" if encoding == "utf-8" else encoding
        return self._error(
            f"it is not {name} text",
            "await load(h).text('cp1252') reads another encoding, .raw() the bytes",
        )

    def _error(
        self, reason: str, hint: str | None = None, *, code: str = "invalid_content"
    ) -> ToolError:
        return ToolError(f"handle {self._key!r}: {reason}", code, hint, "load")


def _check_count(what: str, n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"{what} takes a number from 1 on, not {n!r}")


def make_handle(call: CallTool, known: dict[str, Any]) -> Handle:
    """The handle that came in the place of a result."""
    return Handle(call, known["id"], known)


def bind_load(variables: MutableMapping[str, Any], call: CallTool) -> None:
    """Bind `load`; what the program itself bound under that name in an earlier run stays."""

    def load(handle: str | Handle | dict[str, Any]) -> Handle:
        """A stored result by its id or name, or what a link of a tool leads to."""
        if isinstance(handle, Handle):
            return handle
        if isinstance(handle, dict) and isinstance(handle.get("uri"), str):
            uri, source = handle["uri"], handle.get("source")
            if not uri.startswith(SCHEME):
                return Handle(call, uri, source=source if isinstance(source, str) else None)
            handle = uri
        if not isinstance(handle, str):
            raise TypeError(
                f"load takes a handle's id or name, or a link, not {type(handle).__name__}"
            )
        return Handle(call, handle.removeprefix(SCHEME))

    load.__module__ = "tools"
    if "load" not in variables or getattr(variables["load"], "__module__", None) == "tools":
        variables["load"] = load
