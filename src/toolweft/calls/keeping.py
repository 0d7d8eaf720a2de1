"""Stores a result that is too large to be a value, so that its caller gets a handle.

The value is written out piece by piece in a worker thread, never whole: whoever else uses the
interpreter waits for one small piece at most. The road calls it; where handles are kept is the
store's business.
"""

from collections.abc import Iterator
from itertools import chain

from toolweft.calls.measure import encode_json, find_misfit, repair
from toolweft.calls.normalise import unwrap
from toolweft.calls.options import CallOptions
from toolweft.core.calls import MISSING, Blob, RawResult, TextContent
from toolweft.core.errors import ResultTooLarge, ToolFailed
from toolweft.core.handles import Draft, Handle, HandleStore
from toolweft.core.json import Json, JsonSchema
from toolweft.core.principals import Principal

__all__ = ("ResultKeeper", "encode_pieces")

# Encoded in one go, in less than a millisecond.
_PIECE_BYTES = 64 * 1024


class ResultKeeper:
    """Turns raw results into handles.

    Args:
        store: keeps them.
        options: how large one may be.
    """

    def __init__(self, store: HandleStore, *, options: CallOptions) -> None:
        self._store = store
        self._options = options

    async def keep(
        self, raw: RawResult, *, tool: str, output_schema: JsonSchema | None, owner: Principal
    ) -> Handle | None:
        """A stored result; None for one of several blocks, which has no form of its own.

        Args:
            raw: not an error.
            tool: its qualified name, for messages.
            output_schema: what the tool says it returns.
            owner: whose handle it becomes.

        Raises:
            ResultTooLarge: above what may be kept.
            ToolFailed: it holds something that JSON does not have.
            StorageFull: there is no room for it.
        """
        source, draft = self._source(raw, tool=tool, output_schema=output_schema)
        if source is None:
            return None
        return await self._store.keep(self._bounded(source, tool), owner=owner, draft=draft)

    def _source(
        self, raw: RawResult, *, tool: str, output_schema: JsonSchema | None
    ) -> tuple[Iterator[bytes] | None, Draft]:
        """The result's bytes and what is known of them."""
        if raw.structured is not MISSING:
            value = unwrap(raw.structured, output_schema)
            if isinstance(value, str):
                # Where the tool declares no type, it may be the text of a JSON value.
                return _text(value), Draft() if output_schema is None else Draft(kind="text")
            pieces = encode_pieces(value, tool=tool, max_depth=self._options.max_depth)
            rows = len(value) if isinstance(value, list) else None
            return _gathered(pieces), Draft(kind="json", rows=rows)
        match raw.content:
            case (TextContent(text=text),):
                return _text(text), Draft()
            case (Blob(data=data, media_type=media_type),):
                return iter((data,)), Draft(media_type=media_type)
            case _:
                return None, Draft()

    def _bounded(self, pieces: Iterator[bytes], tool: str) -> Iterator[bytes]:
        limit = self._options.max_kept_bytes
        size_bytes = 0
        for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > limit:
                raise ResultTooLarge(
                    f"the result of {tool} has more than {limit:,} bytes",
                    hint="ask for less (a filter, a page, fewer fields),"
                    " or raise calls.max_kept_bytes",
                )
            yield piece


def encode_pieces(value: Json, *, tool: str, max_depth: int) -> Iterator[bytes]:
    """The value as compact JSON, in pieces: what is small is encoded at once.

    Raises:
        ToolFailed: it holds something that JSON does not have.
        ResultTooLarge: it nests deeper than `max_depth`.
    """
    misfit = find_misfit(value, max_bytes=_PIECE_BYTES, max_depth=max_depth)
    if misfit is None:
        yield _encode_small(value)
    elif misfit.kind == "not_json":
        raise ToolFailed(f"the result of {tool} holds {misfit.text}, which JSON does not have")
    elif misfit.kind == "too_deep" or max_depth == 0:
        raise ResultTooLarge(
            f"the result of {tool} nests too deeply to be stored",
            hint="ask for a part of it, or raise calls.max_depth",
        )
    elif isinstance(value, dict):
        yield from _encode_object(value, tool=tool, max_depth=max_depth)
    elif isinstance(value, (list, tuple)):
        separator = b"["
        for item in value:
            yield separator
            yield from encode_pieces(item, tool=tool, max_depth=max_depth - 1)
            separator = b","
        yield b"]"
    else:
        yield _encode_small(value)


def _encode_object(value: dict[Json, Json], *, tool: str, max_depth: int) -> Iterator[bytes]:
    separator = b"{"
    for key, item in value.items():
        if not isinstance(key, str):
            raise ToolFailed(
                f"the result of {tool} holds a key of type {type(key).__name__},"
                " which JSON does not have"
            )
        yield separator + _encode_small(key) + b":"
        yield from encode_pieces(item, tool=tool, max_depth=max_depth - 1)
        separator = b","
    yield b"}"


def _encode_small(value: Json) -> bytes:
    try:
        return encode_json(value)
    except ValueError:
        return encode_json(repair(value))


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces."""
    waiting: list[bytes] = []
    size_bytes = 0
    for piece in chain(pieces, (b"",)):
        waiting.append(piece)
        size_bytes += len(piece)
        if size_bytes >= _PIECE_BYTES or not piece:
            yield b"".join(waiting)
            waiting, size_bytes = [], 0


def _text(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _PIECE_BYTES):
        yield text[start : start + _PIECE_BYTES].encode("utf-8", "replace")
