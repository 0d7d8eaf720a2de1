"""Identifiers a test can predict."""

from collections import Counter

__all__ = ("CountingIds",)


class CountingIds:
    """Identifiers that count from 1 for each prefix: `run_1`, `run_2`, `call_1`."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def new(self, prefix: str) -> str:
        """The next identifier of that prefix."""
        self._given[prefix] += 1
        return f"{prefix}_{self._given[prefix]}"
