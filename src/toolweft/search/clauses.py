"""Splits a request that asks for several things into its clauses. Pure."""

import re

__all__ = ("split_clauses",)

_BORDER = re.compile(
    r"[.;,:!?\n\u3001\u3002\uff0c\uff1b]+|\b(?:and|then|also|after that|plus|next|finally)\b",
    re.IGNORECASE,
)
# Less names nothing one could look for.
_MIN_CHARACTERS = 8
_MAX_CLAUSES = 24


def split_clauses(query: str) -> list[str]:
    """The clauses of a query in order; none where it is one alone."""
    parts = [part for text in _BORDER.split(query) if len(part := text.strip()) > _MIN_CHARACTERS]
    return parts[:_MAX_CLAUSES] if len(parts) > 1 else []
