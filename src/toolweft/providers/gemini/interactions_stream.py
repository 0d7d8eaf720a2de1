"""A stream of Interactions, put together event by event. Pure: it neither waits nor asks.

At its end the body is the one a plain answer would have had, so both are decoded alike.
"""

from collections.abc import Iterator
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import CallProposed, ModelEvent, TextPrinted
from toolweft.providers.reading import PieceReader, broken, parse_object, read_object

__all__ = ("InteractionsFold",)

# What an answer can hold is far below.
_MAX_STEPS: Final = 100_000


class InteractionsFold:
    """Takes the events of one answer in order.

    Args:
        search_name: the tool that the model's search stands for, where it is ours to answer.

    Attributes:
        is_ended: the vendor said that the answer is complete.
    """

    def __init__(self, *, search_name: str | None = None) -> None:
        self.is_ended = False
        self._search_name = search_name
        self._body: JsonObject = {}
        self._steps: list[JsonObject] = []
        # Pieces of each open step's text or arguments, joined at its end.
        self._texts: dict[int, list[str]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._open: set[int] = set()
        self._reader = PieceReader()

    @property
    def body(self) -> JsonObject:
        """The answer so far."""
        return {**self._body, "steps": [*self._steps]}

    def add(self, event: JsonObject) -> Iterator[ModelEvent]:
        """What one event says to whoever reads along; kinds that are not known say nothing.

        Raises:
            ProviderError: the event does not fit to those before.
        """
        kind = event.get("event_type")
        if kind in {"interaction.created", "interaction.completed"}:
            told = read_object(event, "interaction")
            # The steps were told one by one.
            self._body.update({k: v for k, v in told.items() if k != "steps"})
            if kind == "interaction.completed":
                self._finish(told.get("steps"))
        elif kind == "interaction.status_update":
            told = {key: event[key] for key in ("status", "usage") if key in event}
            token = event.get("continuation_token")
            self._body.update(told if token is None else {**told, "continuation_token": token})
        elif kind == "step.start":
            yield from self._start(event)
        elif kind == "step.delta":
            yield from self._extend(event)
        elif kind == "step.stop":
            self._close(self._read_index(event))

    def _finish(self, steps: Json) -> None:
        for index in sorted(self._open):
            self._close(index)
        if not self._steps and isinstance(steps, list):
            self._steps = steps
        self.is_ended = True

    def _start(self, event: JsonObject) -> Iterator[ModelEvent]:
        step = dict(read_object(event, "step"))
        index = len(self._steps)
        if event.get("index") != index or index >= _MAX_STEPS:
            raise broken(f"step {event.get('index')!r:.20} came after {index} others")
        self._steps.append(step)
        self._open.add(index)
        kind = step.get("type")
        if kind == "function_call":
            yield CallProposed(str(step.get("name") or ""))
        elif kind == "tool_search_call" and self._search_name is not None:
            yield CallProposed(self._search_name)
        elif kind == "model_output":
            for piece in step.get("content") or ():
                if isinstance(piece, dict) and isinstance(piece.get("text"), str):
                    yield TextPrinted(piece["text"])

    def _extend(self, event: JsonObject) -> Iterator[ModelEvent]:
        index = self._read_index(event)
        if index not in self._open:
            raise broken(f"step {index} goes on after its end")
        delta = read_object(event, "delta")
        step, kind = self._steps[index], delta.get("type")
        if kind == "text":
            text = self._reader.read(delta, "text")
            self._texts.setdefault(index, []).append(text)
            if text:
                yield TextPrinted(text)
            return
        self._end_text(index)
        if kind == "arguments_delta":
            self._arguments.setdefault(index, []).append(self._reader.read(delta, "arguments"))
        elif kind == "thought_summary":
            step["summary"] = [*(step.get("summary") or ()), delta.get("content")]
        elif kind == "thought_signature":
            step["signature"] = delta.get("signature")
        elif step.get("type") == "model_output":
            # An image, or another whole piece of content.
            step["content"] = [*(step.get("content") or ()), delta]
        else:
            # Steps of the vendor's tools come whole, in one delta with the fields of the step.
            step.update({k: v for k, v in delta.items() if k != "type" and v is not None})

    def _end_text(self, index: int) -> None:
        if pieces := self._texts.pop(index, None):
            step = self._steps[index]
            content = list(step.get("content") or ())
            text = "".join(pieces)
            if content and isinstance(content[-1], dict) and content[-1].get("type") == "text":
                content[-1] = {**content[-1], "text": f"{content[-1].get('text') or ''}{text}"}
            else:
                content.append({"type": "text", "text": text})
            step["content"] = content

    def _close(self, index: int) -> None:
        self._end_text(index)
        self._open.discard(index)
        text = "".join(self._arguments.pop(index, ()))
        if text:
            self._steps[index]["arguments"] = parse_object(text)

    def _read_index(self, event: JsonObject) -> int:
        index = event.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self._steps):
            raise broken(f"there is no step {index!r:.20}")
        return index
