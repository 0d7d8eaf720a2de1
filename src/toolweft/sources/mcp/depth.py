"""Messages that nest too deeply to be parsed: how deep, and what of a list is saved all the same.

The parser refuses a whole message for what one entry of a list holds. Here such an entry gives way
to one that only says so, and the others stay. Pure, and linear in the bytes, whatever they are.
"""

import re
from itertools import accumulate
from typing import Final

from toolweft.core.json import Json

__all__ = ("MAX_DEPTH", "TooDeepError", "find_depth", "mend_deep")

# What the parser of the protocol's SDK reads: objects and arrays within one another.
MAX_DEPTH: Final = 200
# Finding the entries of a longer message would hold up everything else for seconds.
_MAX_MENDED_BYTES: Final = 4 * 1024 * 1024
# In place of a definition; a server that sends it refuses its own tool.
_DEPTH_KEY: Final = "toolweft.depth"

# A text that does not end goes on to the last byte, so that no byte is looked at twice.
_TEXT: Final = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_TEXTS: Final = re.compile(_TEXT, re.DOTALL)
_TOKENS: Final = re.compile(rb"[\[\]{}]|" + _TEXT, re.DOTALL)
_OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = [{0x5B: 1, 0x7B: 1}.get(byte, -1) for byte in range(256)]
_QUOTE: Final = 0x22

_LISTS: Final = frozenset({b'"tools"', b'"resources"', b'"resourceTemplates"', b'"prompts"'})
# Of an entry: the message, its result, the list, the entry itself.
_ENTRY_LEVEL: Final = 4


class TooDeepError(ValueError):
    """A message cannot be read, and nothing of it be left out instead."""

    def __init__(self, depth: int) -> None:
        super().__init__(
            f"the answer is nested {depth:,} levels deep, and at most {MAX_DEPTH} can be read"
        )


def mend_deep(text: bytes) -> bytes:
    """A message without the entries of its list that nest too deeply; as it is where none does.

    A tool keeps its name, and `find_depth` tells it from others; other entries have nothing left.

    Args:
        text: one message as JSON, or anything else.

    Raises:
        TooDeepError: something else in it nests too deeply, or it is longer than 4 MiB.
    """
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return text
    # Taking the texts out costs as much as reading all of it, so it is done for few. A server that
    # has brackets in texts hide a hundred levels fails its own request in the parser's words.
    if _deepest(text) <= MAX_DEPTH // 2:
        return text
    depth = _deepest(_TEXTS.sub(b"", text))
    if depth <= MAX_DEPTH:
        return text
    if len(text) > _MAX_MENDED_BYTES:
        raise TooDeepError(depth)
    mender = _Mender(text)
    mended = mender.mend()
    if mender.depth > MAX_DEPTH:
        raise TooDeepError(mender.depth)
    return mended


def find_depth(entry: Json) -> int | None:
    """How deep an entry was nested that `mend_deep` replaced; None for any other."""
    depth = entry.get(_DEPTH_KEY) if isinstance(entry, dict) else None
    return depth if type(depth) is int else None


def _deepest(text: bytes) -> int:
    """The deepest level of the brackets in a text, whatever they are."""
    brackets = text.translate(None, _OTHERS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


class _Mender:
    """Goes through one message.

    Attributes:
        depth: the deepest level outside of the entries of its list.
    """

    def __init__(self, text: bytes) -> None:
        self.depth = 0
        self._text = text
        self._level = 0
        # The last text at each level above the entries: the key of what opens next.
        self._keys = [b""] * _ENTRY_LEVEL
        self._is_result = False
        # The key of the list that is open; b"" where none is.
        self._list = b""
        self._entry_start = 0
        self._entry_depth = 0
        self._name = b""
        # The last text directly in the entry, and where it ends.
        self._word = b""
        self._word_end = 0

    def mend(self) -> bytes:
        """The message, with every entry replaced that nests too deeply."""
        pieces = []
        kept = 0
        for token in _TOKENS.finditer(self._text):
            byte = self._text[token.start()]
            if byte == _QUOTE:
                if self._level <= _ENTRY_LEVEL:
                    self._read(token[0], token.start(), token.end())
            elif byte in b"[{":
                self._open(token.start(), is_array=byte == 0x5B)
            elif self._close():
                pieces += [self._text[kept : self._entry_start], self._replacement()]
                kept = token.end()
        return b"".join((*pieces, self._text[kept:]))

    def _read(self, word: bytes, start: int, end: int) -> None:
        if self._level < _ENTRY_LEVEL:
            self._keys[self._level] = word
        elif self._list:
            between = self._text[self._word_end : start]
            if self._word == b'"name"' and between.strip() == b":":
                self._name = word
            self._word, self._word_end = word, end

    def _open(self, start: int, *, is_array: bool) -> None:
        key = self._keys[self._level] if self._level < _ENTRY_LEVEL else b""
        self._level += 1
        if self._level == 2:
            self._is_result = key == b'"result"'
        elif self._level == 3:
            self._list = key if self._is_result and is_array and key in _LISTS else b""
        elif self._level == _ENTRY_LEVEL:
            self._entry_start, self._entry_depth = start, 0
            self._name = self._word = b""
        if self._level >= _ENTRY_LEVEL and self._list:
            self._entry_depth = max(self._entry_depth, self._level)
        else:
            self.depth = max(self.depth, self._level)

    def _close(self) -> bool:
        """Whether what ends here is an entry to replace."""
        self._level = max(0, self._level - 1)
        if self._level == _ENTRY_LEVEL - 2:
            self._list = b""
        is_entry = self._level == _ENTRY_LEVEL - 1 and bool(self._list)
        return is_entry and self._entry_depth > MAX_DEPTH

    def _replacement(self) -> bytes:
        name = b'"name":%b,' % self._name if self._name and self._list == b'"tools"' else b""
        return b'{%b"%b":%d}' % (name, _DEPTH_KEY.encode(), self._entry_depth)
