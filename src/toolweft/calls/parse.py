"""Finds the JSON object or array in a text.

Pure. Scalars stay text: a tool that says "5" may mean a house number.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from toolweft.core.json import Json, NotPlainNumberError, decode_json

__all__ = ("Parsed", "parse_structure")

# The escape of a surrogate: half a character, unless the other half follows.
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_INDENT = 64


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text holds."""

    value: Json
    # The text itself is JSON of the value; otherwise the value needs `repair` first.
    is_exact: bool


_LENIENT: Final = json.JSONDecoder()


def parse_structure(text: str) -> Parsed | None:
    """The JSON object or array that is the whole of `text`, or None.

    Args:
        text: of bounded size.
    """
    if text[:_MAX_INDENT].lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return None


def _decode(text: str) -> Parsed:
    try:
        return Parsed(decode_json(text), _is_unicode(text))
    except NotPlainNumberError:
        # What follows the number may still be no JSON at all.
        return Parsed(_LENIENT.decode(text), is_exact=False)


def _is_unicode(text: str) -> bool:
    if "\\u" in text and _ESCAPED_SURROGATE.search(text):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
