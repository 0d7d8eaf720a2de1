"""A light English stemmer: plurals, -ing, -ed, and the endings that make a noun of a verb.

Words that stand for one need must meet ("creating", "creates", "creation", "create"); that some
unrelated words meet too costs less than missing one. Stems are for comparing, not for reading.
"""

import re

__all__ = ("stem",)

_VOWEL = re.compile(r"[aeiouy]")
_DOUBLED = re.compile(r"([bdgmnprt])\1\Z")
# Shorter rests are other words: "king", "red", "ration", "user".
_MIN_REST = 3
_MIN_NOUN_REST = 4


def stem(word: str) -> str:
    """The part that related words share.

    >>> [stem(word) for word in ("queries", "running", "translation", "create", "created")]
    ['query', 'run', 'translat', 'creat', 'creat']

    Args:
        word: lower-case.
    """
    if len(word) <= _MIN_REST or not word.isalpha():
        return word
    word = _without_verb_ending(_without_plural(word))
    word = _without_noun_ending(word)
    if len(word) > _MIN_REST and word.endswith("e"):
        return word[:-1]
    return word


def _without_plural(word: str) -> str:
    if not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > _MIN_REST + 1:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1]


def _without_verb_ending(word: str) -> str:
    for ending in ("ing", "ed"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and len(rest) >= _MIN_REST and _VOWEL.search(rest):
            return rest[:-1] if _DOUBLED.search(rest) else rest
    return word


def _without_noun_ending(word: str) -> str:
    for ending in ("ion", "er", "or", "ment"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and len(rest) >= _MIN_NOUN_REST:
            if ending == "ion" and rest[-1] not in "st":
                return word
            return rest
    return word
