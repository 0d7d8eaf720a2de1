"""What is kept of streams: all that came after an event or nothing, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.gateway.kept_streams import KEPT_S, KeptStream, KeptStreams
from toolweft.testing import FakeClock

EVENT = b"data: x\r\n\r\n"


def id_of(event: bytes) -> str:
    return event.split(b"\r\n")[0].removeprefix(b"id: ").decode()


def opened(kept: KeptStreams, *, session: str = "s", owner: str = "anna") -> KeptStream:
    return kept.open(session=session, owner=owner)


def rest_after(kept: KeptStreams, event_id: str, *, session: str = "s") -> list[bytes] | None:
    found = kept.find(event_id, session=session)
    if found is None:
        return None
    stream, number = found
    missed = stream.after(number)
    return None if missed is None else [event.data for event in missed]


@pytest.fixture
def kept(clock: FakeClock) -> KeptStreams:
    return KeptStreams(clock)


def test_what_came_after_an_event_is_found_by_its_id(kept: KeptStreams) -> None:
    stream = opened(kept)
    events = [kept.add(stream, b"data: %d\r\n\r\n" % number) for number in range(3)]

    assert rest_after(kept, id_of(events[0])) == events[1:]
    assert rest_after(kept, id_of(events[2])) == []
    assert events[1].endswith(b".1\r\ndata: 1\r\n\r\n")


def test_a_stream_that_ended_is_still_found(kept: KeptStreams) -> None:
    stream = opened(kept)
    first, last = kept.add(stream, EVENT), kept.add(stream, EVENT)
    kept.end(stream)

    assert rest_after(kept, id_of(first)) == [last]


def test_who_has_all_of_a_stream_that_ended_has_nothing_to_come_back_to(kept: KeptStreams) -> None:
    stream = opened(kept)
    last = kept.add(stream, EVENT)
    assert rest_after(kept, id_of(last)) == []
    kept.end(stream)

    assert rest_after(kept, id_of(last)) is None


@pytest.mark.parametrize("number", ["", "-1", "2", "99", "1" * 10, "0x1", "1e0", " 0", "\u0660"])
def test_a_number_that_no_event_has_finds_nothing(kept: KeptStreams, number: str) -> None:
    stream = opened(kept)
    kept.add(stream, EVENT)
    kept.add(stream, EVENT)

    assert rest_after(kept, f"{stream.key}.0") is not None
    assert rest_after(kept, f"{stream.key}.{number}") is None


@pytest.mark.parametrize("event_id", ["", ".", "0", "x.0", "x" * 100_000])
def test_an_id_of_no_stream_finds_nothing(kept: KeptStreams, event_id: str) -> None:
    kept.add(opened(kept), EVENT)

    assert rest_after(kept, event_id) is None


def test_an_event_of_another_session_finds_nothing(kept: KeptStreams) -> None:
    event = kept.add(opened(kept, session="one"), EVENT)

    assert rest_after(kept, id_of(event), session="one") == []
    assert rest_after(kept, id_of(event), session="other") is None


def test_what_is_old_is_no_longer_kept(kept: KeptStreams, clock: FakeClock) -> None:
    stream = opened(kept)
    first, last = kept.add(stream, EVENT), kept.add(stream, EVENT)
    kept.end(stream)
    clock.advance(KEPT_S - 1)
    assert rest_after(kept, id_of(first)) == [last]
    clock.advance(1)

    assert rest_after(kept, id_of(first)) is None
    assert rest_after(kept, id_of(last)) is None
    assert kept.size_bytes == 0


def test_a_long_silence_loses_nothing_to_who_has_all_that_came(
    kept: KeptStreams, clock: FakeClock
) -> None:
    stream = opened(kept)
    first, second = kept.add(stream, EVENT), kept.add(stream, EVENT)
    clock.advance(10 * KEPT_S)
    last = kept.add(stream, EVENT)

    assert rest_after(kept, id_of(second)) == [last]
    assert rest_after(kept, id_of(first)) is None


def test_who_sends_much_loses_their_own_oldest(clock: FakeClock) -> None:
    kept = KeptStreams(clock, max_owner_bytes=10_000)
    bens = kept.add(opened(kept, owner="ben"), EVENT)
    stream = opened(kept)
    annas = [kept.add(stream, b"x" * 3_000 + EVENT) for _ in range(4)]

    assert rest_after(kept, id_of(bens)) == []
    assert rest_after(kept, id_of(annas[0])) is None
    assert rest_after(kept, id_of(annas[1])) == annas[2:]


def test_when_all_is_full_whoever_has_most_loses_some(clock: FakeClock) -> None:
    kept = KeptStreams(clock, max_owner_bytes=10_000, max_bytes=12_000)
    bens = opened(kept, owner="ben")
    first = kept.add(bens, EVENT)
    kept.add(bens, EVENT)
    stream = opened(kept)
    large = [kept.add(stream, b"x" * 4_000 + EVENT) for _ in range(2)]
    kept.add(opened(kept, owner="cora"), b"x" * 3_000 + EVENT)

    assert rest_after(kept, id_of(first)) is not None
    assert rest_after(kept, id_of(large[0])) == [large[1]]
    kept.add(opened(kept, owner="cora"), b"x" * 3_000 + EVENT)
    assert rest_after(kept, id_of(first)) is not None
    assert kept.size_bytes <= 12_000


def test_what_is_too_large_is_not_kept_and_costs_nothing_else(clock: FakeClock) -> None:
    kept = KeptStreams(clock, max_owner_bytes=10_000)
    other = opened(kept)
    first, second = kept.add(other, EVENT), kept.add(other, EVENT)
    stream = opened(kept)
    before = kept.add(stream, EVENT)
    large = kept.add(stream, b"x" * 20_000)

    assert rest_after(kept, id_of(first)) == [second]
    assert rest_after(kept, id_of(before)) is None
    assert rest_after(kept, id_of(large)) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "end", "wait"]),
        st.integers(0, 3),
        st.integers(0, 900),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_all_that_came_after_is_found_or_nothing_and_never_above_the_bounds(
    steps: list[tuple[str, int, int]],
) -> None:
    clock = FakeClock()
    kept = KeptStreams(clock, max_owner_bytes=3_000, max_bytes=4_000)
    streams = [opened(kept, owner=f"owner {number % 2}") for number in range(4)]
    sent: list[list[bytes]] = [[] for _ in streams]
    for step, which, size in steps:
        stream = streams[which]
        if step == "wait":
            clock.advance(size / 2)
        elif step == "end":
            kept.end(stream)
        elif not stream.is_complete:
            sent[which].append(kept.add(stream, b"x" * 5 * size + EVENT))
        assert kept.size_bytes <= 4_000
        for events in sent:
            for position, event in enumerate(events):
                assert rest_after(kept, id_of(event)) in (None, events[position + 1 :])
