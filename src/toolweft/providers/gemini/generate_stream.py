"""A stream of generateContent, put together piece by piece. Pure: it neither waits nor asks.

At its end the body is the one a plain answer would have had, so both are decoded alike. Pieces of
one plain text become one part; what is signed stays a part of its own, as the vendor asks.
"""

from collections.abc import Iterator
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import CallProposed, ModelEvent, TextPrinted
from toolweft.providers.reading import PieceReader, broken

__all__ = ("GenerateFold",)

# What an answer can hold is far below.
_MAX_PARTS: Final = 100_000
_PLAIN_TEXT: Final = frozenset({"text", "thought"})


class GenerateFold:
    """Takes the pieces of one answer in order.

    Attributes:
        is_ended: the vendor said why it stopped.
    """

    def __init__(self) -> None:
        self.is_ended = False
        self._body: JsonObject = {}
        self._candidate: JsonObject = {}
        self._parts: list[JsonObject] = []
        # Pieces of the last part where it is a plain text, joined at its end.
        self._pieces: list[str] = []
        self._reader = PieceReader()

    @property
    def body(self) -> JsonObject:
        """The answer so far."""
        if not self._candidate:
            return {**self._body}
        parts = [*self._parts]
        if self._pieces:
            parts[-1] = {**parts[-1], "text": "".join(self._pieces)}
        content = {"role": "model", "parts": parts}
        return {**self._body, "candidates": [{**self._candidate, "content": content}]}

    def add(self, event: JsonObject) -> Iterator[ModelEvent]:
        """What one piece says to whoever reads along.

        Raises:
            ProviderError: it is no piece of an answer.
        """
        # Counts and names are of the whole answer: the last ones hold.
        self._body.update({key: value for key, value in event.items() if key != "candidates"})
        if isinstance(event.get("promptFeedback"), dict):
            self.is_ended = self.is_ended or bool(event["promptFeedback"].get("blockReason"))
        candidates = event.get("candidates")
        if not candidates:
            return
        if not isinstance(candidates, list) or not isinstance(candidates[0], dict):
            raise broken(f"candidates are {candidates!r:.40}")
        candidate = candidates[0]
        self._candidate.update({k: v for k, v in candidate.items() if k != "content"})
        self._candidate.setdefault("index", 0)
        for part in _find_parts(candidate.get("content")):
            yield from self._add_part(part)
        if candidate.get("finishReason"):
            self.is_ended = True

    def _add_part(self, part: JsonObject) -> Iterator[ModelEvent]:
        text = part.get("text")
        is_plain = isinstance(text, str) and part.keys() <= _PLAIN_TEXT
        if is_plain and not text:
            # The last piece often holds nothing but the reason to stop.
            return
        if is_plain and self._pieces and _is_thought(part) == _is_thought(self._parts[-1]):
            self._pieces.append(str(text))
        else:
            if self._pieces:
                self._parts[-1] = {**self._parts[-1], "text": "".join(self._pieces)}
            self._pieces = [str(text)] if is_plain else []
            if len(self._parts) >= _MAX_PARTS:
                raise broken(f"it has more than {_MAX_PARTS:,} parts")
            self._parts.append(part)
        if isinstance(text, str):
            self._reader.count(text)
            if text and not _is_thought(part):
                yield TextPrinted(text)
        call = part.get("functionCall")
        if isinstance(call, dict):
            yield CallProposed(str(call.get("name") or ""))


def _is_thought(part: JsonObject) -> bool:
    return bool(part.get("thought"))


def _find_parts(content: Json) -> list[JsonObject]:
    parts = content.get("parts") if isinstance(content, dict) else None
    if parts is None:
        return []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise broken(f"parts are {parts!r:.40}")
    return parts
