"""A value that must not be printed."""

__all__ = ("Secret", "reveal")


class Secret:
    """A resolved secret; prints as `***`, compares by value."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, *, reference: str) -> None:
        self._value = value
        # Where it came from: "env:GITHUB_TOKEN".
        self.reference = reference

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def reveal(value: str | Secret) -> str:
    """The plain text of either."""
    return value.reveal() if isinstance(value, Secret) else value
