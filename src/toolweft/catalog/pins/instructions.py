"""Words of a definition that are aimed at the model or at other tools. Pure.

A guess from wording: it finds what known attacks say, and a server's author may mean well by the
same words. Nothing is changed for it.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from toolweft.catalog.pins.confusables import fold_letters
from toolweft.catalog.pins.hidden import strip_hidden

__all__ = ("find_instructions", "find_mentions", "may_instruct")

_ANY: Final = r"(?:any|all|every|each|(?:any |all |the )?other|another)"
_USE: Final = r"(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?|execut(?:e|ing))"
_NOT: Final = r"(?:do not|don't|dont|never|must not|mustn't|should not|shouldn't|avoid)"

# Reason, words of which one must be there (looking for them is cheap), pattern.
_RULES: Final = tuple(
    (reason, words, re.compile(pattern))
    for reason, words, pattern in (
        (
            "markup that poses as an order",
            ("<", "[inst", "[system"),
            r"<\s*/?\s*(?:important|system|secret|instructions?|admin|hidden|critical|override"
            r"|assistant)(?![\w-])[^<>]{0,40}>|<\|im_(?:start|end)\|>|\[/?inst\]|\[system\]",
        ),
        (
            "a turn of the conversation that it does not have",
            ("system", "assistant", "you are now", "new instructions"),
            r"(?:^|[\n\"])\s*(?:system|assistant)\s*:|\byou are now\b"
            r"|\b(?:new|updated|real) (?:system )?instructions\s*:",
        ),
        (
            "it sets other instructions aside",
            ("ignore", "disregard", "forget", "override", "bypass"),
            r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:previous|prior|above"
            r"|earlier|preceding|existing|system|safety|your|other)\b[^.\n]{0,30}\b(?:instruction"
            r"|prompt|rule|message|guideline|polic|direction|context|tool)",
        ),
        (
            "it speaks of when other tools are used",
            ("tool", "function"),
            rf"\b(?:before|after|prior to|when(?:ever)?|every time|instead of|rather than|without)"
            rf"\s+(?:you\s+)?(?:ever\s+)?{_USE}\s+(?:of\s+)?{_ANY}\b(?:\s+[\w-]+){{0,3}}?"
            rf"\s+(?:tool|function)s?\b"
            rf"|\b(?:before|instead of|over|rather than|in place of)\s+{_ANY}"
            rf"(?:\s+[\w-]+){{0,2}}?\s+(?:tool|function)s?\b"
            rf"|\b{_NOT}\s+{_USE}\s+{_ANY}(?:\s+[\w-]+){{0,2}}?\s+(?:tool|function)s?\b",
        ),
        (
            "it keeps something from the user",
            ("user", "human", "anyone", "operator"),
            rf"\b(?:{_NOT}|without)\s+(?:ever\s+)?(?:tell|inform|mention|reveal|disclos|notif|alert"
            rf"|warn|ask|say|explain)\w*\b[^.\n]{{0,60}}\b(?:user|human|anyone|operator)\b"
            rf"|\b(?:hide|conceal|keep)\b[^.\n]{{0,40}}\bfrom the (?:user|human|operator)\b"
            rf"|\bthe (?:user|human|operator) (?:must|should|need)(?: not|n't| never)\b"
            rf"[^.\n]{{0,20}}\b(?:know|see|be told|notice)",
        ),
        (
            "it asks for what is not its own",
            ("ssh", "id_rsa", "passwd", "mcp.json", "prompt", "conversation", "chat history"),
            r"~/\.ssh\b|\.ssh/|\bid_(?:rsa|ed25519)\b|/etc/(?:passwd|shadow)\b|\bmcp\.json\b"
            r"|\b(?:send|include|pass|append|attach|provide|copy|repeat|insert|share)\b[^.\n]{0,50}"
            r"\b(?:system prompt|conversation history|chat history|(?:entire|whole|full|previous)"
            r" conversation)",
        ),
    )
)
# What may be another tool's name: what is used or called, four characters or more.
# It begins with a letter, for then a search for it is quick; what stands before is looked at after.
_MENTION: Final = re.compile(
    rf"(?:{_USE}|instead of|rather than|prefer)\s+(?:the\s+)?(?:tool\s+|function\s+)?"
    r"[`'\"(]?(?P<name>\w[\w-]{3,}(?:[.:/][\w-]+){0,3})"
)
_DEMAND: Final = re.compile(
    r"\b(?:must|always|never|not|don't|should|instead|before|after|prefer|please|first|then"
    r"|whenever|when|immediately|also|rather)\b[^.\n]*$",
    re.IGNORECASE,
)
_DEMAND_CHARACTERS: Final = 50
# One word is a name where it is marked as one; a server's name for a tool seldom is one word.
_NAME_LIKE: Final = re.compile(r"[a-z0-9]+[_.:/-]\w|[a-z0-9][A-Z]")
_MAX_MENTIONS: Final = 20


def may_instruct(text: str) -> bool:
    """Whether any part of a text may be suspicious, for a quick look at many together."""
    return any(True for _ in _find(_as_read(text))) or bool(find_mentions(text))


def find_instructions(text: str) -> Iterator[str]:
    """Why a text is suspicious, with the words; nothing where it is not."""
    return _find(_as_read(text))


def _find(read: str) -> Iterator[str]:
    for reason, words, pattern in _RULES:
        for word in words:
            if word in read:
                if match := pattern.search(read):
                    yield f"{reason}: {_quote(match)}"
                break


def find_mentions(text: str) -> tuple[str, ...]:
    """Names that a text tells its reader to use, or not to use, in the order they come.

    Whether they are tools of others is for whoever knows all tools.
    """
    low = text.lower()
    if len(low) != len(text):
        # A few letters have no single lower case; they are in no name.
        low = "".join(lower if len(lower := c.lower()) == 1 else c for c in text)
    found: dict[str, None] = {}
    for match in _MENTION.finditer(low):
        start, end = match.span("name")
        name = text[start:end]
        is_word = not low[max(0, match.start() - 1) : match.start()].isalnum()
        is_marked = is_word and (text[start - 1] in "`'\"" or _NAME_LIKE.search(name))
        # What is demanded stands before, or not at all.
        before = low[max(0, match.start() - _DEMAND_CHARACTERS) : match.start()]
        if is_marked and len(found) < _MAX_MENTIONS and _DEMAND.search(before):
            found[name] = None
    return tuple(found)


def _as_read(text: str) -> str:
    """A text as a model takes it: nothing hidden, no disguised letters, one space at a time."""
    if not text.isascii():
        text = fold_letters(unicodedata.normalize("NFKC", strip_hidden(text)))
    lines = text.replace("\u2019", "'").lower().splitlines()
    return "\n".join(" ".join(line.split()) for line in lines)


def _quote(match: re.Match[str]) -> str:
    text = " ".join(match[0].split())
    return repr(text if len(text) <= 80 else f"{text[:79]}…")
