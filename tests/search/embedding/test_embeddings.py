"""Searches with an embedder beside them: found by it, told without it, never held up by it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest
from tests.search.embedding.fakes import FakeEmbedder, MemoryVectorStore, vector_of

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.search import CatalogSearcher, UnusableEmbedder
from toolweft.search.embedding.embeddings import Embeddings
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.texts import build_text
from toolweft.testing import FakeClock, build_definition, build_snapshot

TOOLS = (
    build_definition("mail.send_message", description="Send an e-mail message to people"),
    build_definition("sky.get_forecast", description="Weather forecast of a city"),
    build_definition("bank.convert", description="Convert an amount from one currency to another"),
    build_definition("trips.book_hotel", description="Reserve a room in a hotel"),
)
OPTIONS = EmbedderOptions(url="http://embedder/v1", model="fake", batch=2, query_timeout_s=5.0)
# No word of it stands in any tool, and no static vector knows it.
ODD = "zqxj wvkp"


class Bench:
    """A searcher with an embedder, and hands on both."""

    def __init__(self, embedder: FakeEmbedder, store: MemoryVectorStore) -> None:
        self.embedder, self.store, self.clock = embedder, store, FakeClock()
        self.waits: list[float] = []
        self.go_on = anyio.Event()
        self.failing = anyio.Event()
        self.snapshot = build_snapshot(TOOLS)

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.failing.set()
        await self.go_on.wait()
        self.go_on = anyio.Event()
        self.failing = anyio.Event()

    @asynccontextmanager
    async def open(self, options: EmbedderOptions = OPTIONS) -> AsyncIterator["Bench"]:
        with anyio.fail_after(20):
            self.embeddings = Embeddings(
                self.embedder, self.store, options=options, clock=self.clock, wait=self.wait
            )
            async with self.embeddings:
                self.searcher = CatalogSearcher(hints=self.embeddings)
                yield self

    async def search(self, *queries: str, visible: Sequence[str] | None = None) -> SearchResult:
        names = None if visible is None else frozenset(map(QualifiedName, visible))
        found = await self.searcher.search(
            queries, snapshot=self.snapshot, limit=5, visible=names, tenant="local"
        )
        return found[0]

    async def settle(self) -> None:
        self.embeddings.watch(self.snapshot)
        await self.embeddings.settle()


@pytest.fixture
def bench() -> Bench:
    embedder = FakeEmbedder()
    embedder.vectors[ODD] = vector_of(build_text(TOOLS[3]))
    return Bench(embedder, MemoryVectorStore())


def names(result: SearchResult) -> list[str]:
    return [hit.qualified for hit in result.hits]


@pytest.mark.promise("search.embedder")
async def test_a_tool_that_only_the_embedder_knows_to_fit_is_found(bench: Bench) -> None:
    async with bench.open():
        await bench.settle()
        found = await bench.search(ODD)
    assert names(found)[0] == "trips.book_hotel"
    assert found.degraded == ""
    assert found.hits[0].parts["embedding"] > 0
    assert sum(found.hits[0].parts.values()) == pytest.approx(found.hits[0].score, abs=1e-4)


async def test_an_answer_with_an_embedder_still_finds_by_words(bench: Bench) -> None:
    async with bench.open():
        await bench.settle()
        assert names(await bench.search("convert currency"))[0] == "bank.convert"


@pytest.mark.promise("search.embedder-down")
async def test_while_vectors_are_missing_words_and_meanings_answer_and_say_so(
    bench: Bench,
) -> None:
    bench.embedder.failure = "the lights are out"
    plain = CatalogSearcher()
    async with bench.open():
        found = await bench.search("weather forecast")
        (without,) = await plain.search(
            ["weather forecast"], snapshot=bench.snapshot, limit=5, visible=None, tenant="local"
        )
    assert found.hits == without.hits
    assert "the lights are out" in found.degraded
    assert "http://embedder/v1" in found.degraded
    assert "words and meanings rank alone" in found.degraded


async def test_an_embedder_that_comes_back_is_used_again(bench: Bench) -> None:
    bench.embedder.failure = "the lights are out"
    async with bench.open():
        assert (await bench.search(ODD)).degraded
        await bench.failing.wait()
        bench.embedder.failure = ""
        bench.clock.advance(OPTIONS.cooldown_s)
        bench.go_on.set()
        await bench.settle()
        found = await bench.search(ODD)
    assert found.degraded == ""
    assert names(found)[0] == "trips.book_hotel"


async def test_tools_without_a_vector_are_counted_and_ranked_as_without_an_embedder(
    bench: Bench,
) -> None:
    bench.embedder.poison = "hotel"
    async with bench.open():
        # The batches without the hotel come through, one after the other.
        bench.embeddings.watch(bench.snapshot)
        while len(bench.store.kept) < 3:
            await bench.failing.wait()
            bench.go_on.set()
            await anyio.lowlevel.checkpoint()
        await bench.failing.wait()
        found = await bench.search("reserve a room")
        other = await bench.search("weather forecast", visible=["sky.get_forecast"])
    assert names(found)[0] == "trips.book_hotel"
    assert "embeddings of 1 of 4 tools are not ready" in found.degraded
    assert "one text cannot be read" in found.degraded
    # What one may not see does not count.
    assert other.degraded == ""


async def test_a_search_does_not_wait_for_tools_to_be_embedded(bench: Bench) -> None:
    async with bench.open():
        await bench.search("weather")
        await bench.settle()
        bench.embedder.held = anyio.Event()
        more = build_definition("shop.list_orders", description="Orders of a customer")
        grown = build_snapshot([*TOOLS, more])
        bench.snapshot = replace(grown, version=bench.snapshot.version + 1)
        # The query is remembered; its answer has to do without the new tool's vector.
        found = await bench.search("weather")
        assert "embeddings of 1 of 5 tools are not ready" in found.degraded
        bench.embedder.held.set()
        bench.embedder.held = None
        await bench.settle()
        assert (await bench.search("weather")).degraded == ""


async def test_a_restart_finds_its_vectors_in_the_store_and_embeds_nothing(bench: Bench) -> None:
    async with bench.open():
        await bench.settle()
    again = Bench(FakeEmbedder(), bench.store)
    again.embedder.vectors = bench.embedder.vectors
    async with again.open():
        found = await again.search(ODD)
    assert again.embedder.tools == []
    assert found.degraded == ""
    assert names(found)[0] == "trips.book_hotel"


async def test_a_changed_tool_alone_is_embedded_anew(bench: Bench) -> None:
    async with bench.open():
        await bench.settle()
        bench.embedder.tools.clear()
        changed = replace(TOOLS[1], description="Tides of the sea")
        bench.snapshot = replace(
            build_snapshot([TOOLS[0], changed, *TOOLS[2:]]), version=bench.snapshot.version + 1
        )
        await bench.settle()
    assert bench.embedder.tools == [[build_text(changed)]]


@pytest.mark.parametrize("damage", [b"", b"123", b"\x00" * 64, b"\xff" * 64, b"\x00\x00\x80?" * 4])
async def test_a_damaged_vector_of_the_store_is_embedded_again(bench: Bench, damage: bytes) -> None:
    async with bench.open():
        await bench.settle()
    lost = next(iter(bench.store.kept))
    sound = bench.store.kept[lost]
    bench.store.kept = {lost: damage} | {k: v for k, v in bench.store.kept.items() if k != lost}
    again = Bench(FakeEmbedder(), bench.store)
    async with again.open():
        await again.settle()
    assert sum(map(len, again.embedder.tools)) >= 1
    assert bench.store.kept[lost] == sound


async def test_an_embedder_whose_vectors_change_length_starts_anew(bench: Bench) -> None:
    async with bench.open():
        await bench.settle()
        bench.embedder.dimensions = 8
        bench.embedder.vectors.clear()
        assert "numbers after 16" in (await bench.search("weather")).degraded
        await bench.settle()
        assert (await bench.search("weather")).degraded == ""


async def test_one_request_asks_for_all_queries_of_a_search(bench: Bench) -> None:
    async with bench.open():
        await bench.settle()
        await bench.search("one", "two", "one", "", "  ")
        await bench.search("two", "three")
    assert bench.embedder.queries == [["one", "two"], ["three"]]


async def test_degraded_answers_are_not_remembered(bench: Bench) -> None:
    bench.embedder.failure = "out"
    async with bench.open():
        first = await bench.search(ODD)
        await bench.failing.wait()
        bench.embedder.failure = ""
        bench.clock.advance(OPTIONS.cooldown_s)
        second = await bench.search(ODD)
    assert "out" in first.degraded
    assert "4 of 4 tools are not ready" in second.degraded


async def test_attempts_come_ever_more_rarely_up_to_the_cooldown(bench: Bench) -> None:
    bench.embedder.failure = "out"
    async with bench.open():
        bench.embeddings.watch(bench.snapshot)
        for _ in range(7):
            await bench.failing.wait()
            bench.go_on.set()
            await anyio.lowlevel.checkpoint()
        await bench.failing.wait()
    assert bench.waits[:7] == [1, 2, 4, 8, 16, 30, 30]


async def test_an_embedder_that_cannot_be_used_says_why_in_every_answer() -> None:
    snapshot: Snapshot = build_snapshot(TOOLS)
    searcher = CatalogSearcher(hints=UnusableEmbedder("the key is missing"))
    plain = CatalogSearcher()
    for query in ("weather", "hotel"):
        (found,) = await searcher.search(
            [query], snapshot=snapshot, limit=5, visible=None, tenant="local"
        )
        (without,) = await plain.search(
            [query], snapshot=snapshot, limit=5, visible=None, tenant="local"
        )
        assert found.hits == without.hits
        assert found.degraded == "the key is missing; words and meanings rank alone"
