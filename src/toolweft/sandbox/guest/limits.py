"""What one guest may use, as the host tells it; read on every system, so without Linux."""

from typing import NamedTuple, Self

__all__ = ("Limits",)


class Limits(NamedTuple):
    """What one guest may use over its whole life."""

    memory_bytes: int
    disk_bytes: int
    max_files: int
    max_threads: int

    @classmethod
    def from_dict(cls, data: dict[str, int]) -> Self:
        """The limits of a spawn request."""
        return cls(*(int(data[name]) for name in cls._fields))
