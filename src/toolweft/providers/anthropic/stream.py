"""A stream of the Messages API, put together event by event. Pure: it neither waits nor asks.

At its end the body is the one a plain reply would have had, so both are decoded alike.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from toolweft.core.json import JsonObject
from toolweft.core.messages import CallProposed, ModelEvent, TextPrinted
from toolweft.providers.reading import PieceReader, broken, parse_object, read_object

__all__ = ("StreamFold",)

# Delta -> the block's field it is added to, and its own field.
_APPENDED: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}
_AS_THEY_ARE: Final[Mapping[str, str]] = MappingProxyType({})
# What an assistant's message can hold is far below.
_MAX_BLOCKS: Final = 100_000


class StreamFold:
    """Takes the events of one answer in order.

    Args:
        names: of tools, by what they are called there.

    Attributes:
        is_ended: the vendor said that the answer is complete.
    """

    def __init__(self, names: Mapping[str, str] = _AS_THEY_ARE) -> None:
        self.is_ended = False
        self._names = names
        self._body: JsonObject | None = None
        self._blocks: list[JsonObject] = []
        # Pieces of each open block's fields, joined at its end: adding to a text is quadratic.
        self._pieces: dict[int, dict[str, list[str]]] = {}
        self._reader = PieceReader()

    @property
    def body(self) -> JsonObject:
        """The reply so far."""
        return {**(self._body or {}), "content": [*self._blocks]}

    def add(self, event: JsonObject) -> Iterator[ModelEvent]:
        """What one event says to whoever reads along; kinds that are not known say nothing.

        Raises:
            ProviderError: the event does not fit to those before.
        """
        kind = event.get("type")
        if kind == "message_start":
            self._body = dict(read_object(event, "message"))
        elif self._body is None:
            raise broken(f"{kind!r:.40} came before the message began")
        elif kind == "content_block_start":
            yield from self._start(event)
        elif kind == "content_block_delta":
            yield from self._extend(event)
        elif kind == "content_block_stop":
            self._close(self._read_index(event))
        elif kind == "message_delta":
            self._update(event)
        elif kind == "message_stop":
            for index in list(self._pieces):
                self._close(index)
            self.is_ended = True

    def _start(self, event: JsonObject) -> Iterator[ModelEvent]:
        block = dict(read_object(event, "content_block"))
        if event.get("index") != len(self._blocks) or len(self._blocks) >= _MAX_BLOCKS:
            raise broken(f"block {event.get('index')!r:.20} came after {len(self._blocks)} others")
        self._pieces[len(self._blocks)] = {}
        self._blocks.append(block)
        if block.get("type") == "tool_use":
            name = str(block.get("name") or "")
            yield CallProposed(self._names.get(name, name))
        elif block.get("type") == "text" and block.get("text"):
            yield TextPrinted(str(block["text"]))

    def _extend(self, event: JsonObject) -> Iterator[ModelEvent]:
        index = self._read_index(event)
        delta = read_object(event, "delta")
        kind = delta.get("type")
        pieces = self._pieces.get(index)
        if pieces is None:
            raise broken(f"block {index} goes on after its end")
        if kind == "input_json_delta":
            pieces.setdefault("input", []).append(self._reader.read(delta, "partial_json"))
        elif kind == "citations_delta":
            block = self._blocks[index]
            block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
        elif kind in _APPENDED:
            field, own = _APPENDED[kind]
            text = self._reader.read(delta, own)
            pieces.setdefault(field, []).append(text)
            if kind == "text_delta" and text:
                yield TextPrinted(text)

    def _close(self, index: int) -> None:
        block = self._blocks[index]
        for field, pieces in self._pieces.pop(index, {}).items():
            text = "".join(pieces)
            if field == "input":
                # Nothing written is the input that the block began with: no arguments.
                block["input"] = parse_object(text) if text else block.get("input")
            else:
                block[field] = str(block.get(field) or "") + text

    def _update(self, event: JsonObject) -> None:
        body = self._body
        assert body is not None
        body.update(read_object(event, "delta"))
        usage = event.get("usage")
        if isinstance(usage, dict):
            # Counts are of the whole answer; what is not told again stays.
            told = {key: value for key, value in usage.items() if value is not None}
            before = body.get("usage")
            body["usage"] = {**(before if isinstance(before, dict) else {}), **told}

    def _read_index(self, event: JsonObject) -> int:
        index = event.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self._blocks):
            raise broken(f"there is no block {index!r:.20}")
        return index
