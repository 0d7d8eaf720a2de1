"""Hides the secrets that addresses carry before anything is shown; pure."""

import re

__all__ = ("mask_urls",)

_HIDDEN = "***"
_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)"
    # A database address may hold a password with unescaped slashes, hence the second form.
    r"(?P<user>[^\s/?#]*@|[^\s/?#@:]*:[^\s@]*@)?"
    r"(?P<place>[^\s?'\"<>]*)"
    r"(?P<query>\?[^\s'\"<>]*)?"
)


def mask_urls(text: str) -> str:
    """The text with user, password and query of every address in it as `***`."""
    return _URL.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    user = f"{_HIDDEN}@" if match["user"] else ""
    query = f"?{_HIDDEN}" if match["query"] else ""
    return f"{match['scheme']}{user}{match['place']}{query}"
