"""Counts as the vendor tells them."""

from toolweft.core.json import JsonObject

__all__ = ("count",)


def count(usage: JsonObject, key: str) -> int:
    """A count; 0 where none, or no sensible one, is told."""
    value = usage.get(key)
    return value if isinstance(value, int) and value > 0 else 0
