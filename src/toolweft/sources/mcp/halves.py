"""Half characters in a message: a program that cuts texts by their UTF-16 units leaves them behind.

The parser refuses a whole message for one of them. Pure, and linear in the bytes.
"""

import re
from typing import Final

__all__ = ("mend_escapes", "mend_halves")

# Replacing the halves of a longer message would hold up everything else.
_MAX_MENDED_BYTES: Final = 1024 * 1024

_REST: Final = rb"[0-9a-fA-F]{2}"
_HIGH: Final = rb"u[dD][89abAB]" + _REST
_LOW: Final = rb"u[dD][c-fC-F]" + _REST
# From the first of a run of backslashes on: two of them are one that is meant, the last escapes.
_ESCAPES: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*+)(\\%b\\%b|(\\(?:%b|%b)))" % (_HIGH, _LOW, _HIGH, _LOW)
)
# Quick, and there in every message that has a half.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_REPLACEMENT: Final = rb"\ufffd"


def mend_halves(text: bytes) -> bytes:
    """A message with U+FFFD for each half character and each byte that is no UTF-8.

    As it is where there are none, and above 1 MiB. Keys that differ in halves alone become one.

    Args:
        text: one message as JSON, or anything else.
    """
    if len(text) <= _MAX_MENDED_BYTES and not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode("utf-8", "replace").encode()
    return mend_escapes(text)


def mend_escapes(text: bytes) -> bytes:
    """As `mend_halves`, with bytes left alone: for what is decoded by somebody else."""
    if len(text) > _MAX_MENDED_BYTES or _SURROGATE.search(text) is None:
        return text
    return _ESCAPES.sub(_mend, text) if _has_half(text) else text


def _has_half(text: bytes) -> bool:
    return any(found[3] for found in _ESCAPES.finditer(text))


def _mend(found: re.Match[bytes]) -> bytes:
    return found[1] + (_REPLACEMENT if found[3] else found[2])
