"""Events of a streamed response, folded into the same reply as the plain one gives."""

from collections.abc import Iterable

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import CallProposed, ModelEvent, TextPrinted
from toolweft.providers.openai_wire import build_error

__all__ = ("StreamFold",)

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class StreamFold:
    """Takes the events of one stream in order; `body` is then what a plain answer would be."""

    def __init__(self, *, search_name: str) -> None:
        self._search_name = search_name
        self._ended: JsonObject | None = None
        self._done: dict[int, JsonObject] = {}
        # The message whose text was printed last.
        self._printed_item: Json = None
        self._has_printed = False

    def add(self, event: JsonObject) -> Iterable[ModelEvent]:
        """What one event says to whoever watches; nothing for most.

        Raises:
            ProviderError: the event is an error.
        """
        kind = event.get("type")
        if kind == "error":
            raise build_error(event, status=None)
        if kind == "response.output_text.delta":
            return self._print(event)
        if kind == "response.output_item.added":
            return self._propose(event.get("item"))
        if kind == "response.output_item.done":
            self._keep(event)
        elif isinstance(kind, str) and kind in _ENDS and isinstance(event.get("response"), dict):
            self._ended = event["response"]
        return ()

    @property
    def is_ended(self) -> bool:
        """The response is complete."""
        return self._ended is not None

    @property
    def body(self) -> JsonObject:
        """The whole response.

        Raises:
            ProviderError: the stream broke off.
        """
        if self._ended is None:
            raise ProviderError("the stream ended before the response was complete", retryable=True)
        listed = self._ended.get("output")
        output = list(listed) if isinstance(listed, list) else []
        for index, item in sorted(self._done.items()):
            # An item is complete, with all that is encrypted, in the event that ends it.
            if index < len(output):
                output[index] = item
            else:
                output.append(item)
        return {**self._ended, "output": output}

    def _print(self, event: JsonObject) -> Iterable[ModelEvent]:
        item, delta = event.get("item_id"), event.get("delta")
        if not isinstance(delta, str) or not delta:
            return
        if self._has_printed and item != self._printed_item:
            # As messages are joined in the reply.
            yield TextPrinted("\n\n")
        self._has_printed, self._printed_item = True, item
        yield TextPrinted(delta)

    def _propose(self, item: Json) -> Iterable[ModelEvent]:
        if not isinstance(item, dict):
            return
        if item.get("type") == "function_call":
            yield CallProposed(str(item.get("name") or ""))
        elif item.get("type") == "tool_search_call" and item.get("execution") == "client":
            yield CallProposed(self._search_name)

    def _keep(self, event: JsonObject) -> None:
        index, item = event.get("output_index"), event.get("item")
        if isinstance(index, int) and isinstance(item, dict):
            self._done[index] = item
