"""What went out on the streams of requests, kept a while for clients whose connection broke.

A client that comes back names the last event it has, and gets what came after it. Kept in memory
for some minutes; who sends more than their share loses their own oldest first, and what is too
large is not kept at all. Knows events and streams, not HTTP; `resuming` serves them.
"""

import re
import secrets
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from toolweft.core.clock import Clock

__all__ = ("KEPT_S", "KeptEvent", "KeptStream", "KeptStreams")

# Longer than a train's tunnel, shorter than a client takes to forget the call.
KEPT_S: Final = 300.0
# One result of the usual limit fits, or hours of ordinary ones.
_MAX_OWNER_BYTES: Final = 16 * 1024 * 1024
_MAX_BYTES: Final = 64 * 1024 * 1024
# What Python needs for an event beside its text, with its part of a stream of two.
_EVENT_BYTES: Final = 1_000
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """One event as it went out."""

    stream: "KeptStream"
    # Its position in the stream, from 0.
    number: int
    # With its id.
    data: bytes
    # Monotonic.
    at_s: float

    @property
    def size_bytes(self) -> int:
        """What keeping it costs."""
        return len(self.data) + _EVENT_BYTES


class KeptStream:
    """The events of one request, as far as they are kept."""

    def __init__(self, *, session: str, owner: Hashable) -> None:
        # No other stream has it, whatever its session.
        self.key = secrets.token_urlsafe(12)
        self.session = session
        self.owner = owner
        self.events: deque[KeptEvent] = deque()
        # How many there were.
        self.count = 0
        # From this number on all are kept.
        self.first = 0
        # Whether there is nothing to come.
        self.is_complete = False
        # Set with the next event, and with the end; whoever waits takes it before looking.
        self.changed = anyio.Event()

    def after(self, number: int) -> Sequence[KeptEvent] | None:
        """What came after an event, oldest first; None where some of it is lost."""
        if number + 1 < self.first:
            return None
        return [event for event in self.events if event.number > number]

    def tell(self) -> None:
        """Wake whoever waits for news."""
        self.changed.set()
        self.changed = anyio.Event()


class KeptStreams:
    """Every stream that a client may come back to.

    Args:
        clock: monotonic.
        max_owner_bytes: what is kept for one owner.
        max_bytes: what is kept for all; beyond it whoever has most loses some.
    """

    def __init__(
        self, clock: Clock, *, max_owner_bytes: int = _MAX_OWNER_BYTES, max_bytes: int = _MAX_BYTES
    ) -> None:
        self._clock = clock
        self._max_owner_bytes = max_owner_bytes
        self._max_bytes = max_bytes
        self._streams: dict[str, KeptStream] = {}
        # Oldest first; those of one stream are in its own order.
        self._events: dict[Hashable, deque[KeptEvent]] = {}
        self._bytes: dict[Hashable, int] = {}

    @property
    def size_bytes(self) -> int:
        """What is kept of all."""
        return sum(self._bytes.values())

    def open(self, *, session: str, owner: Hashable) -> KeptStream:
        """A stream that begins now.

        Args:
            session: only its clients may come back to it.
            owner: whose share it counts to.
        """
        stream = KeptStream(session=session, owner=owner)
        self._streams[stream.key] = stream
        return stream

    def add(self, stream: KeptStream, event: bytes) -> bytes:
        """Keep an event of a stream.

        Returns:
            The event with its id, as it goes out.
        """
        number = stream.count
        data = b"id: %s.%d\r\n%s" % (stream.key.encode(), number, event)
        now_s = self._clock.monotonic_s()
        kept = KeptEvent(stream=stream, number=number, data=data, at_s=now_s)
        stream.count += 1
        self._forget_old()
        if kept.size_bytes <= min(self._max_owner_bytes, self._max_bytes):
            self._keep(kept)
        else:
            stream.first = number + 1
        stream.tell()
        return data

    def end(self, stream: KeptStream) -> None:
        """Nothing more comes on a stream."""
        stream.is_complete = True
        stream.tell()
        self._forget_empty(stream)

    def find(self, event_id: str, *, session: str) -> tuple[KeptStream, int] | None:
        """The stream that an event belongs to, and the event's number.

        None where it is no event of the session, some of what came after it is lost, or nothing
        came and nothing will.
        """
        self._forget_old()
        key, _, number = event_id.rpartition(".")
        stream = self._streams.get(key)
        if stream is None or stream.session != session or not _NUMBER.fullmatch(number):
            return None
        position = int(number)
        missed = stream.after(position)
        if position >= stream.count or missed is None or (stream.is_complete and not missed):
            return None
        return stream, position

    def _keep(self, event: KeptEvent) -> None:
        owner = event.stream.owner
        event.stream.events.append(event)
        self._events.setdefault(owner, deque()).append(event)
        self._bytes[owner] = self._bytes.get(owner, 0) + event.size_bytes
        while self._bytes[owner] > self._max_owner_bytes:
            self._drop_oldest(owner)
        while self.size_bytes > self._max_bytes:
            self._drop_oldest(max(self._bytes, key=self._bytes.__getitem__))

    def _forget_old(self) -> None:
        last_s = self._clock.monotonic_s() - KEPT_S
        for owner, events in tuple(self._events.items()):
            while events and events[0].at_s <= last_s:
                self._drop_oldest(owner)

    def _drop_oldest(self, owner: Hashable) -> None:
        events = self._events[owner]
        event = events.popleft()
        self._bytes[owner] -= event.size_bytes
        if not events:
            del self._events[owner], self._bytes[owner]
        stream = event.stream
        stream.events.popleft()
        stream.first = max(stream.first, event.number + 1)
        self._forget_empty(stream)

    def _forget_empty(self, stream: KeptStream) -> None:
        if stream.is_complete and not stream.events:
            self._streams.pop(stream.key, None)
