"""Time and random identifiers as things a class receives."""

import time
import uuid
from datetime import UTC, datetime
from typing import Protocol

__all__ = ("Clock", "IdSource", "RandomIds", "SystemClock")


class Clock(Protocol):
    """Where time comes from."""

    def monotonic_s(self) -> float:
        """Seconds that never jump; deadlines are counted in these."""
        ...

    def now(self) -> datetime:
        """The wall clock, aware, in UTC; for people and records only."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic_s(self) -> float:
        """Seconds of the monotonic clock, the one asyncio's event loop uses."""
        return time.monotonic()

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)


class IdSource(Protocol):
    """Where identifiers come from."""

    def new(self, prefix: str) -> str:
        """A new identifier: the prefix, an underscore, and at least 96 unguessable bits in hex."""
        ...


class RandomIds:
    """Identifiers from the operating system's random source."""

    def new(self, prefix: str) -> str:
        """The prefix, an underscore, and 122 random bits in hex."""
        return f"{prefix}_{uuid.uuid4().hex}"
