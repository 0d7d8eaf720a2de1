"""Reading what a vendor wrote, as far as it is the same for more than one of them. Pure."""

from typing import Final

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject, decode_json

__all__ = (
    "PieceReader",
    "broken",
    "parse_object",
    "read_arguments",
    "read_count",
    "read_object",
)

# What an answer can hold is far below.
_MAX_CHARACTERS: Final = 64 * 1024**2
# Of tokens; a ledger takes no number of any size.
_MAX_COUNT: Final = 10**12


class PieceReader:
    """Takes the pieces of one answer's texts and holds all of them together against a cap."""

    def __init__(self) -> None:
        self._characters = 0

    def read(self, delta: JsonObject, key: str) -> str:
        """The text under `key`.

        Raises:
            ProviderError: there is none, or the answer is above the cap.
        """
        text = delta.get(key)
        if not isinstance(text, str):
            raise broken(f"{key} is {text!r:.40}")
        self.count(text)
        return text

    def count(self, text: str) -> None:
        """Add a piece that was read elsewhere.

        Raises:
            ProviderError: the answer is above the cap.
        """
        self._characters += len(text)
        if self._characters > _MAX_CHARACTERS:
            raise broken(f"it is above the cap of {_MAX_CHARACTERS:,} characters")


def broken(reason: str) -> ProviderError:
    """The error of a stream that is none."""
    return ProviderError(f"the stream of the answer cannot be understood: {reason}")


def read_object(event: JsonObject, key: str) -> JsonObject:
    """The object under `key` of an event.

    Raises:
        ProviderError: there is none.
    """
    value = event.get(key)
    if not isinstance(value, dict):
        raise broken(f"{key} is {value!r:.40}")
    return value


def parse_object(text: str) -> Json:
    """The object that a text is, or the text itself where it is none: the decoder tells why."""
    try:
        value = decode_json(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def read_arguments(given: Json) -> tuple[JsonObject | None, str]:
    """A call's arguments, or None and what is wrong with them."""
    if isinstance(given, str):
        try:
            given = decode_json(given)
        except (ValueError, RecursionError) as exc:
            return None, f"the arguments are not JSON: {exc}"
    if not isinstance(given, dict):
        return None, f"the arguments are {given!r:.80}, not a JSON object"
    return given, ""


def read_count(counts: Json, key: str) -> int:
    """A count of tokens; 0 where none, or no sensible one, is told.

    What a model cost is reckoned from it: one below 0 would give money back.
    """
    value = counts.get(key) if isinstance(counts, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 < value <= _MAX_COUNT else 0
