"""Texts with the shape of a credential: what an example must not hand to a model. Pure."""

import re

__all__ = ("find_credential",)

# Shapes that nothing else has; a password without one cannot be told from a word.
_SHAPES = {
    "an API key": re.compile(
        r"\b(?:sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{35}|[rs]k_live_[A-Za-z0-9]{16,})"
    ),
    "an access token": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}"
        r"|xox[abeprs]-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"
    ),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
    "a private key": re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"),
    "an authorization header": re.compile(
        r"\b(?:Bearer|Basic)\s+[A-Za-z0-9+/_.~-]{16,}", re.IGNORECASE
    ),
    "a password in an address": re.compile(
        r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@]{0,200}:[^\s/@]{1,200}@"
    ),
}


def find_credential(text: str) -> str:
    """What the text holds, as "an API key"; empty where nothing looks like one."""
    return next((kind for kind, shape in _SHAPES.items() if shape.search(text)), "")
