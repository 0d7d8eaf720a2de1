"""Vectors of queries: asked for once, in time, and not of an embedder that just failed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest
from tests.search.embedding.fakes import FakeEmbedder, vector_of

from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.query_vectors import QueryVectors
from toolweft.testing import FakeClock

OPTIONS = EmbedderOptions(url="http://embedder/v1", model="m", query_timeout_s=20, cooldown_s=30)


@asynccontextmanager
async def opened(
    embedder: FakeEmbedder,
    clock: FakeClock,
    *,
    options: EmbedderOptions = OPTIONS,
    max_remembered: int = 100,
) -> AsyncIterator[QueryVectors]:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            yield QueryVectors(
                embedder, options=options, clock=clock, tasks=tasks, max_remembered=max_remembered
            )
            tasks.cancel_scope.cancel()


async def test_each_query_gets_its_own_vector(clock: FakeClock) -> None:
    async with opened(FakeEmbedder(), clock) as queries:
        found, reason = await queries.ask(["one", "two"])
    assert reason == ""
    assert {text: row.tolist() for text, row in found.items()} == {
        text: pytest.approx(vector_of(text).tolist(), abs=1e-6) for text in ("one", "two")
    }


async def test_the_same_query_asked_at_once_is_one_request(clock: FakeClock) -> None:
    embedder = FakeEmbedder()
    embedder.held = anyio.Event()
    answers = []

    async def ask(queries: QueryVectors, texts: Sequence[str]) -> None:
        answers.append(await queries.ask(texts))

    async with opened(embedder, clock) as queries, anyio.create_task_group() as askers:
        askers.start_soon(ask, queries, ["one", "two"])
        await embedder.asked.wait()
        askers.start_soon(ask, queries, ["two", "three"])
        await anyio.wait_all_tasks_blocked()
        embedder.held.set()
    assert sorted(map(tuple, embedder.queries)) == [("one", "two"), ("three",)]
    assert all(reason == "" for _, reason in answers)
    assert sorted(len(found) for found, _ in answers) == [2, 2]


async def test_a_request_goes_on_when_the_first_asker_leaves(clock: FakeClock) -> None:
    embedder = FakeEmbedder()
    embedder.held = anyio.Event()
    async with opened(embedder, clock) as queries:
        async with anyio.create_task_group() as askers:
            askers.start_soon(queries.ask, ["one"])
            await embedder.asked.wait()
            askers.cancel_scope.cancel()
        embedder.held.set()
        found, reason = await queries.ask(["one"])
    assert (len(found), reason) == (1, "")
    assert embedder.queries == [["one"]]


async def test_after_a_failure_nobody_is_asked_until_the_cooldown_is_over(
    clock: FakeClock,
) -> None:
    embedder = FakeEmbedder()
    embedder.failure = "no light"
    async with opened(embedder, clock) as queries:
        for text in ("one", "two", "three"):
            found, reason = await queries.ask([text])
            assert not found
            assert "no light" in reason
        assert embedder.queries == [["one"]]
        clock.advance(29.9)
        await queries.ask(["four"])
        assert embedder.queries == [["one"]]
        clock.advance(0.2)
        embedder.failure = ""
        found, reason = await queries.ask(["five"])
    assert (set(found), reason) == ({"five"}, "")


async def test_remembered_vectors_serve_while_the_embedder_is_down(clock: FakeClock) -> None:
    embedder = FakeEmbedder()
    async with opened(embedder, clock) as queries:
        await queries.ask(["one"])
        embedder.failure = "no light"
        found, reason = await queries.ask(["one", "two"])
        assert set(found) == {"one"}
        assert "no light" in reason
        assert (await queries.ask(["one"]))[1] == ""


async def test_an_embedder_that_hangs_is_given_up_at_the_deadline(clock: FakeClock) -> None:
    embedder = FakeEmbedder()
    embedder.held = anyio.Event()
    hasty = EmbedderOptions(url="http://embedder/v1", model="m", query_timeout_s=0.02)
    async with opened(embedder, clock, options=hasty) as queries:
        found, reason = await queries.ask(["one"])
        again, _ = await queries.ask(["two"])
    assert not found
    assert not again
    assert "'m' at http://embedder/v1" in reason
    assert embedder.queries == [["one"]]


async def test_only_the_queries_asked_last_are_remembered(clock: FakeClock) -> None:
    embedder = FakeEmbedder()
    async with opened(embedder, clock, max_remembered=2) as queries:
        for text in ("one", "two", "one", "three", "one", "two"):
            await queries.ask([text])
    assert embedder.queries == [["one"], ["two"], ["three"], ["two"]]


async def test_a_strange_error_of_a_plugged_in_embedder_is_one_reason(clock: FakeClock) -> None:
    class Broken(FakeEmbedder):
        async def embed(self, texts: Sequence[str], *, kind: str) -> Sequence[bytes]:
            raise ZeroDivisionError("oh")

    async with opened(Broken(), clock) as queries:
        _, reason = await queries.ask(["one"])
    assert "ZeroDivisionError: oh" in reason


@pytest.mark.parametrize("answer", [[], [b"1234"] * 2, [b"123"], [b""], [b"\xff\xff\xff\x7f"]])
async def test_an_embedder_that_breaks_its_promises_is_one_reason(
    clock: FakeClock, answer: list[bytes]
) -> None:
    class Broken(FakeEmbedder):
        async def embed(self, texts: Sequence[str], *, kind: str) -> Sequence[bytes]:
            return answer

    async with opened(Broken(), clock) as queries:
        found, reason = await queries.ask(["one"])
    assert not found
    assert "gave" in reason
