"""Finds values that are written out behind names of secrets, in texts of any form. Pure.

It knows neither JSON nor a shell nor a connection string, only what stands around `=` and `:` in
all of them; in doubt there is a value. Called for every text of a server; its time grows with the
length of the text alone, so each look ahead ends where the next one begins.
"""

import re

from toolweft.config.expand import is_secret_name

__all__ = ("VARIABLE", "assigns_secret")

# Stands where a variable stood. No argument can hold it, as an argument ends there.
VARIABLE = "\0"

# `name=`, `"name": `, and the same with its quotes escaped.
_ASSIGNED = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]++)(?P<quote>\\*+["']?+)\s*+(?P<sign>[:=])(?P<gap>\s*+)"""
)
# What may stand before the first character of a value, or is all there is of it.
_BEGINNING = re.compile(
    r"""(?P<opening>\\*+["']|)(?P<indent>[^\S\n]*+)(?P<scheme>(?:bearer|basic|token)\b|)"""
    r"""(?P<blank>[\0\ \t]*+)(?P<closing>(?:\\*+["'])*+)(?P<gap>\s*+)""",
    re.IGNORECASE,
)
# What follows a value that is empty, if none of it belongs to the value: `; name=`, `)}`.
_ENDING = re.compile(r"""[)}\]\\"']*+(?:\s|\Z|[,;&](?:\s|\Z|["']?[A-Za-z_][\w.-]*+\s*+=))""")
# The same behind a quote, which may close what began before the name.
_ENDING_QUOTE = re.compile(r"""[)}\]\\"']*+(?:\s|\Z|[,;&](?:\s|\Z))|[,;&]\\*+["']""")
_ENDS = frozenset("&;,)}]\\")
# The same behind something in brackets, where more of them may follow.
_BEHIND_BRACKETS = frozenset("&;,)}]\\\"'")
_PIECE = re.compile(
    r"""[{}\[\]]|(?:(?P<quote>\\*+["'])(?P<text>(?:(?!(?P=quote))(?:\\.|.))*+)(?:(?P=quote)|\Z)"""
    r"""|(?P<word>[^\s\\"'{}\[\],:=;\0]++))(?P<is_name>\s*+[:=]|)""",
    re.DOTALL,
)
_BRACKETS = {"{": 1, "[": 1, "}": -1, "]": -1}
# Words in brackets that are no secrets themselves.
_HARMLESS = frozenset({"basic", "bearer", "false", "none", "null", "token", "true"})
# Before a name and its colon: a host or an image with its port or tag, or a folder that is mounted.
_PLACED = ("/", "@")
# Before what an option is given: `--header=`.
_OPTION = re.compile(r"(?:-[\w-]*+=)?")
# What an option is given by the name of a variable.
_BY_NAME = re.compile(r"""env:[A-Za-z_][A-Za-z0-9_]*+(?![^\s"'])""")


def assigns_secret(text: str) -> bool:
    """Whether a name of a secret is given a value anywhere in a text.

    Args:
        text: with `VARIABLE` for each variable.
    """
    return _Reader(text).has_secret()


class _Reader:
    """One text, read from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Where a text may begin that is one assignment from there to its end.
        option = _OPTION.match(text)
        self._whole = (0, option.end() if option else 0)
        # How far brackets were looked into without a find.
        self._looked = 0

    def has_secret(self) -> bool:
        return any(
            is_secret_name(assigned["name"])
            and not self._is_place(assigned)
            and not self._is_option(assigned)
            and self._has_value(assigned)
            for assigned in _ASSIGNED.finditer(self._text)
        )

    def _is_place(self, assigned: re.Match[str]) -> bool:
        """Whether it is `host/name:rest`: without quotes, and without a gap."""
        if assigned["sign"] == "=" or assigned["quote"] or assigned["gap"]:
            return False
        return self._text.endswith(_PLACED, 0, assigned.start())

    def _is_option(self, assigned: re.Match[str]) -> bool:
        """Whether it is an option that is given nothing, or the name of a variable."""
        if assigned["sign"] == ":" or not assigned["name"].startswith("-"):
            return False
        return bool(assigned["gap"]) or _BY_NAME.match(self._text, assigned.end()) is not None

    def _has_value(self, assigned: re.Match[str]) -> bool:
        is_whole = assigned.start() in self._whole
        value = _BEGINNING.match(self._text, assigned.end())
        if value is None:
            return False
        is_variable = VARIABLE in value["blank"]
        following = self._text[value.end() : value.end() + 1]
        if not is_variable and (is_whole or assigned["quote"]) and _is_open(value):
            return is_whole or bool(following)
        if not following:
            return False
        if value["gap"]:
            return is_whole and not is_variable and "\n" not in value["gap"]
        if value["scheme"] and following in "{[)}]":
            return not is_variable
        if following in "{[":
            return self._has_word(value.end(), is_whole=is_whole)
        if following not in _ENDS:
            return not _is_closing(value)
        if is_variable or is_whole:
            return is_whole and not is_variable
        return self._is_begun(value)

    def _is_begun(self, value: re.Match[str]) -> bool:
        """Whether a value begins with a sign that could also end an empty one."""
        is_behind = value["opening"] or value["closing"]
        ending = _ENDING_QUOTE if is_behind else _ENDING
        return ending.match(self._text, value.end()) is None

    def _has_word(self, start: int, *, is_whole: bool) -> bool:
        """Whether brackets hold a value, whatever its name, or are only the beginning of one."""
        if start < self._looked:
            return False
        depth = 0
        for piece in _PIECE.finditer(self._text, start):
            said = piece["text"] or piece["word"]
            if said and not piece["is_name"] and _is_telling(said):
                return True
            if piece[0] not in _BRACKETS:
                continue
            depth += _BRACKETS[piece[0]]
            if depth == 0:
                self._looked = piece.end()
                return self._is_more(start, piece.end(), is_whole=is_whole)
        return True

    def _is_more(self, start: int, end: int, *, is_whole: bool) -> bool:
        """Whether brackets without a word are of a value still, for what is in or behind them."""
        if is_whole:
            is_empty = end - start <= len("{}") or VARIABLE in self._text[start:end]
            return not is_empty or bool(self._text[end:].strip())
        following = self._text[end : end + 1]
        return not (not following or following.isspace() or following in _BEHIND_BRACKETS)


def _is_open(value: re.Match[str]) -> bool:
    """Whether the quotes before a value are not those of an empty text."""
    opening, closing = value["opening"], value["closing"]
    return opening != closing and not (opening and closing.startswith(opening))


def _is_closing(value: re.Match[str]) -> bool:
    """Whether the quote behind the sign closes what began before the name: `"token=" + value`."""
    blank = value["indent"] + value["blank"]
    return bool(value["opening"]) and not value["closing"] + value["scheme"] and blank.isspace()


def _is_telling(said: str) -> bool:
    words = said.replace(VARIABLE, " ").split()
    return any(word.lower() not in _HARMLESS for word in words)
