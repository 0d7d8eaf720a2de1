"""Names and ids of calls, as a history holds them at vendors. Pure.

A model may call a tool that nobody has, by any name at all, and every vendor has a form of its own
for ids. What breaks a form is refused with the whole request, so that one such call would end the
conversation: it goes out under words that every vendor takes.
"""

import re
from hashlib import sha256
from typing import Final

__all__ = ("ANY_START", "LETTER_START", "CallIds", "clean_id", "clean_name")

# The form of Anthropic's names and OpenAI's.
ANY_START: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Google's, which every other vendor takes too, but for the dots and colons that it allows.
LETTER_START: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_DIGITS: Final = 8
_KEPT_CHARACTERS: Final = 64 - 2 - _DIGEST_DIGITS


def clean_name(name: str, form: re.Pattern[str] = ANY_START) -> str:
    """The name of a tool that a model called, as a vendor takes it; most go as they are.

    Args:
        name: as the model wrote it.
        form: of the names that the vendor takes.

    >>> clean_name("sky-rain")
    'sky-rain'
    >>> clean_name("functions.rain")
    'functions_rain_8efac9d5'
    """
    if form.fullmatch(name):
        return name
    plain = _ODD.sub("_", name)[:_KEPT_CHARACTERS]
    start = "" if form.match(plain) else "_"
    return f"{start}{plain}_{_digest(name)}"


def clean_id(call_id: str) -> str:
    """The id of a call as every vendor takes it; other vendors' may hold any character."""
    if call_id and not _ODD.search(call_id):
        return call_id
    return f"{_ODD.sub('_', call_id)}_{_digest(call_id)}"


class CallIds:
    """The ids under which the calls of one request, and their results, go out.

    Each is used once: some servers number the calls of every reply anew, and a vendor that takes
    such a history over refuses it.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._latest: dict[str, str] = {}

    def name_call(self, call_id: str) -> str:
        """The id of the next call, in the order of the history."""
        plain = chosen = clean_id(call_id)
        number = 1
        while chosen in self._used:
            number += 1
            chosen = f"{plain}_{number}"
        self._used.add(chosen)
        self._latest[call_id] = chosen
        return chosen

    def name_result(self, call_id: str) -> str:
        """The id of the call that a result answers: the latest of that id."""
        return self._latest.get(call_id) or clean_id(call_id)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
