"""Reads and prompts on their road: recorded, in time, within their size, for those who may."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from toolweft.calls import CallOptions
from toolweft.calls.contents import ContentNews, ContentRoad, ContentView
from toolweft.core.clock import SystemClock
from toolweft.core.contents import Contents, ContentUse, Listing, ResourceChanged
from toolweft.core.errors import (
    CallTimeout,
    ContentNotFound,
    InvalidArguments,
    LedgerUnavailable,
    ResultTooLarge,
)
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject
from toolweft.core.principals import LOCAL, Principal
from toolweft.testing import CountingIds, MemoryLedger

ANNA, BEN = Principal("t", "anna", None), Principal("t", "ben", None)


class Shelf:
    """A source that answers what it is told to."""

    def __init__(self, name: str, *, ttl_s: float | None = 60.0, is_public: bool = True) -> None:
        self.name = SourceName(name)
        entry = {"uri": f"{name}:1", "name": "one"}
        listing = Listing(entries=(entry,), ttl_s=ttl_s, is_public=is_public)
        self.contents = Contents(resources=listing, can_read=True, can_complete=True)
        self.answer: JsonObject = {"contents": [{"uri": f"{name}:1", "text": "x"}]}
        self.asked: list[Any] = []
        self.is_hanging = False
        self.holds_s = 0.0

    async def settle_contents(self) -> None: ...

    async def read_resource(self, uri: str, use: ContentUse) -> JsonObject:
        self.asked.append(uri)
        if self.holds_s:
            with use.countdown.hold():
                await anyio.sleep(self.holds_s)
        if self.is_hanging:
            await anyio.sleep_forever()
        return self.answer

    async def get_prompt(
        self, name: str, arguments: Mapping[str, str] | None, use: ContentUse
    ) -> JsonObject:
        return self.answer

    async def complete(self, params: JsonObject, use: ContentUse) -> JsonObject:
        self.asked.append(params)
        return self.answer

    def subscribe(self, uri: str) -> Callable[[], None]:
        return lambda: None


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def road(ledger: MemoryLedger, *shelves: Shelf, **more: Any) -> ContentRoad:
    options = CallOptions(max_result_bytes=more.pop("max_result_bytes", 1_000), max_depth=20)
    return ContentRoad(
        sources=shelves,
        ledger=ledger,
        clock=SystemClock(),
        ids=CountingIds(),
        news=ContentNews(),
        options=options,
        timeout_s=more.pop("timeout_s", 5.0),
        **more,
    )


def statuses(ledger: MemoryLedger) -> list[str]:
    return [event.status for event in ledger.events]


async def test_nothing_is_read_that_cannot_be_recorded(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    ledger.failure = "the disk is full"

    with pytest.raises(LedgerUnavailable):
        await ContentView(road(ledger, shelf), LOCAL).read("a:1")

    assert shelf.asked == []


async def test_a_read_that_hangs_ends_in_time_and_is_recorded(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    shelf.is_hanging = True

    with pytest.raises(CallTimeout, match=r"a: resources/read a:1 gave no answer within 0\.05 s"):
        await ContentView(road(ledger, shelf, timeout_s=0.05), LOCAL).read("a:1")

    assert statuses(ledger) == ["started", "timeout"]


async def test_time_in_which_somebody_is_asked_does_not_count(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    shelf.holds_s = 0.3

    answer = await ContentView(road(ledger, shelf, timeout_s=0.1), LOCAL).read("a:1")

    assert answer == shelf.answer


async def test_a_cancelled_read_is_recorded_as_such(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    shelf.is_hanging = True

    with anyio.move_on_after(0.05):
        await ContentView(road(ledger, shelf), LOCAL).read("a:1")

    assert statuses(ledger) == ["started", "cancelled"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [({"text": "x" * 1_000}, "above 1,000 bytes"), ({"_meta": "deep"}, "nests deeper than 20")],
)
async def test_an_answer_out_of_bounds_is_refused(
    ledger: MemoryLedger, content: JsonObject, reason: str
) -> None:
    shelf = Shelf("a")
    if "_meta" in content:
        deep: Any = "x"
        for _ in range(30):
            deep = [deep]
        content = {"_meta": {"a/b": deep}}
    shelf.answer = {"contents": [content]}

    with pytest.raises(ResultTooLarge, match=reason):
        await ContentView(road(ledger, shelf), LOCAL).read("a:1")

    assert statuses(ledger) == ["started", "result_too_large"]


async def test_lone_surrogates_are_mended(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    shelf.answer = {"contents": [{"uri": "a:1", "text": "half \ud800"}]}

    answer = await ContentView(road(ledger, shelf), LOCAL).read("a:1")

    assert answer["contents"][0]["text"] == "half \ufffd"


async def test_a_completion_for_a_source_without_any_is_empty(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    shelf.contents = Contents(resources=shelf.contents.resources, can_read=True)
    view = ContentView(road(ledger, shelf), LOCAL)
    params = {"ref": {"type": "ref/resource", "uri": "a:1"}, "argument": {"name": "n"}}

    assert (await view.complete(params))["completion"]["values"] == []
    with pytest.raises(InvalidArguments, match="ref/tool"):
        await view.complete({"ref": {"type": "ref/tool", "name": "x"}})
    assert shelf.asked == []


def test_lists_hold_as_long_as_the_first_that_has_any(ledger: MemoryLedger) -> None:
    long, short, silent = Shelf("a"), Shelf("b", ttl_s=2.5), Shelf("c", ttl_s=None)
    private = Shelf("d", is_public=False)

    def fresh(*shelves: Shelf) -> tuple[int, bool]:
        freshness = ContentView(road(ledger, *shelves), LOCAL).freshness("resources")
        return freshness.ttl_ms, freshness.is_public

    assert fresh(long, short) == (2_500, True)
    assert fresh(long, silent) == (0, True)
    assert fresh(long, private) == (60_000, False)
    assert fresh() == (0, False)


async def test_a_principal_sees_what_it_may(ledger: MemoryLedger) -> None:
    ours, theirs = Shelf("ours"), Shelf("theirs")
    shared = road(ledger, ours, theirs, allows=lambda who, name: who == ANNA or name == "ours")
    anna, ben = ContentView(shared, ANNA), ContentView(shared, BEN)

    assert [entry["uri"] for entry in anna.entries("resources")] == ["ours:1", "theirs:1"]
    assert [entry["uri"] for entry in ben.entries("resources")] == ["ours:1"]
    assert not ben.sees(theirs.name)
    # Who sees other things must not be given what is kept for somebody else.
    assert not anna.freshness("resources").is_public
    for uri in ("toolweft://resources/theirs/theirs:1", "toolweft://resources/theirs/x"):
        with pytest.raises(ContentNotFound):
            await ben.read(uri)
        with pytest.raises(ContentNotFound):
            ben.subscribe(uri)
    assert theirs.asked == []
    assert [entry["uri"] for entry in anna.entries("resources")] == ["ours:1", "theirs:1"]


def test_a_new_listing_is_seen_at_once(ledger: MemoryLedger) -> None:
    shelf = Shelf("a")
    view = ContentView(road(ledger, shelf), LOCAL)
    assert len(view.entries("resources")) == 1

    shelf.contents = Contents(can_read=True)

    assert view.entries("resources") == []


@pytest.mark.parametrize(
    ("source", "uri", "covers"),
    [
        ("a", "a:1", True),
        ("a", "a:1/part", True),
        ("a", "a:10", False),
        ("b", "a:1", False),
    ],
)
def test_a_change_is_of_a_resource_or_of_a_part_of_it(
    ledger: MemoryLedger,
    source: str,
    uri: str,
    covers: bool,
) -> None:
    subscribed = ContentView(road(ledger, Shelf("a")), LOCAL).subscribe("a:1")

    change = ResourceChanged(source=SourceName(source), uri=uri)

    assert subscribed.covers(change) is covers
