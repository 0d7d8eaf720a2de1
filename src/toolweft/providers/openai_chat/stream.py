"""Chunks of a streamed completion, folded into the same reply as the plain one gives."""

from collections.abc import Iterable

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import CallProposed, ModelEvent, TextPrinted
from toolweft.providers.openai_wire import build_error, error_of_body

__all__ = ("StreamFold",)

# Fields of a delta that name something; of a piece that repeats them the first one counts.
_NAMES = frozenset({"role", "type", "id", "name", "index", "format"})


class StreamFold:
    """Takes the chunks of one stream in order; `body` is then what a plain answer would be."""

    def __init__(self) -> None:
        self._head: JsonObject = {}
        self._usage: Json = None
        self._finish: Json = None
        self._message: JsonObject = {}
        self._calls: list[JsonObject] = []
        # Where a piece of a call belongs, by the index it gives.
        self._places: dict[int, int] = {}

    def add(self, chunk: JsonObject) -> Iterable[ModelEvent]:
        """What one chunk says to whoever watches.

        Raises:
            ProviderError: the chunk tells of an error.
        """
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        choice = choice if isinstance(choice, dict) else {}
        error = error_of_body(chunk) or error_of_body(choice)
        if error:
            raise build_error(error, status=None)
        for key in ("id", "model", "created", "system_fingerprint"):
            if chunk.get(key):
                self._head.setdefault(key, chunk[key])
        # In the last chunk, whose choices may be none.
        self._usage = chunk.get("usage") or self._usage
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta")
        return self._take(delta) if isinstance(delta, dict) else ()

    @property
    def is_ended(self) -> bool:
        """The reason to stop was told."""
        return self._finish is not None

    @property
    def body(self) -> JsonObject:
        """The whole completion.

        Raises:
            ProviderError: the stream broke off.
        """
        if self._finish is None:
            raise ProviderError("the stream ended before the answer was complete", retryable=True)
        message = {"role": "assistant", "content": None, **self._message}
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": self._usage,
        }

    def _take(self, delta: JsonObject) -> Iterable[ModelEvent]:
        calls = delta.get("tool_calls")
        _merge(self._message, {k: v for k, v in delta.items() if k != "tool_calls"})
        text = delta.get("content")
        if isinstance(text, str) and text:
            yield TextPrinted(text)
        for piece in calls if isinstance(calls, list) else ():
            if isinstance(piece, dict):
                yield from self._take_call(piece)

    def _take_call(self, piece: JsonObject) -> Iterable[ModelEvent]:
        index = piece.get("index")
        index = index if isinstance(index, int) else len(self._calls)
        place = self._places.get(index)
        if place is None or self._is_another(place, piece):
            # Some servers give every call the index 0, each with an id of its own.
            place = self._places[index] = len(self._calls)
            self._calls.append({})
        call = self._calls[place]
        piece = {key: value for key, value in piece.items() if key != "index"}
        if not isinstance(piece.get("function"), dict):
            piece.pop("function", None)
        had_name = bool(call.get("function", {}).get("name"))
        _merge(call, piece)
        name = call.get("function", {}).get("name")
        if name and not had_name:
            yield CallProposed(str(name))

    def _is_another(self, place: int, piece: JsonObject) -> bool:
        known, given = self._calls[place].get("id"), piece.get("id")
        return bool(known and given and known != given)


def _merge(whole: JsonObject, piece: JsonObject) -> None:
    """Add what a piece brings: texts and lists grow, objects merge, the rest is set."""
    for key, value in piece.items():
        known = whole.get(key)
        if known is None:
            # Set also where it is null: a plain answer has the field too.
            whole[key] = dict(value) if isinstance(value, dict) else value
        elif value is None or (key in _NAMES and known):
            continue
        elif isinstance(known, str) and isinstance(value, str):
            whole[key] = known + value
        elif isinstance(known, list) and isinstance(value, list):
            whole[key] = [*known, *value]
        elif isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            whole[key] = value
