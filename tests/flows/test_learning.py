"""Learning from use, from end to end: search, call, search again; restart; another tenant."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import toolweft
from toolweft.bootstrap import App, forget_searches, open_app
from toolweft.config import load_settings
from toolweft.core.calls import Principal
from toolweft.core.errors import ConfigError
from toolweft.toolbox import Toolbox

ANN = Principal("acme", "ann")
BEN = Principal("acme", "ben")
EVE = Principal("other", "eve")

QUERY = "search the orders of a customer"


@toolweft.tool(severity="read_only")
def search_orders_east(customer: str) -> list[str]:
    """Search the orders of a customer."""
    if not customer:
        raise ValueError("a customer needs a name")
    return [customer]


@toolweft.tool(severity="read_only")
def search_orders_west(customer: str) -> list[str]:
    """Search the orders of a customer."""
    if not customer:
        raise ValueError("a customer needs a name")
    return [customer]


@toolweft.tool(severity="write")
def search_orders_and_lock(customer: str) -> None:
    """Search the orders of a customer and lock them."""


TOOLS = (search_orders_east, search_orders_west, search_orders_and_lock)
EAST, WEST = "local.search_orders_east", "local.search_orders_west"


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return {"ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}", "search.learn": "true"}


@asynccontextmanager
async def opened(keys: Mapping[str, str], tmp_path: Path) -> AsyncIterator[App]:
    settings = load_settings(
        config=None, look_up=False, overrides=keys, environ={}, cwd=tmp_path, home=tmp_path
    )
    async with open_app(settings, tools=TOOLS) as app:
        await app.settle()
        yield app


async def found(box: Toolbox, query: str = QUERY) -> list[str]:
    answer = await box.search(query)
    return [hit.qualified for hit in answer.queries[0].hits]


async def reads(box: Toolbox) -> list[str]:
    """The tools found that only read."""
    return [name for name in await found(box) if name in {EAST, WEST}]


@pytest.mark.promise("learning.raises")
async def test_a_used_tool_comes_sooner_also_after_a_restart_and_for_no_other_tenant(
    keys: dict[str, str], tmp_path: Path
) -> None:
    async with opened(keys, tmp_path) as app:
        ann, ben, eve = map(app.toolbox_for, (ANN, BEN, EVE))
        before = await found(ann)
        first, second = await reads(ann)
        assert (await ann.call(second, {"customer": "Ada"})).failure is None
        after = await found(ann)

        assert await reads(ben) == await reads(ann) == [second, first]
        assert await found(eve) == before
    async with opened(keys, tmp_path) as app:
        assert app.uses is not None
        with anyio.fail_after(30):
            await app.uses.recalled.wait()

        assert await reads(app.toolbox_for(BEN)) == [second, first]
        assert await found(app.toolbox_for(EVE)) == before
    # The place of the tool that writes is its own, before and after.
    assert [name in {EAST, WEST} for name in before] == [name in {EAST, WEST} for name in after]


async def test_an_explanation_names_the_uses(keys: dict[str, str], tmp_path: Path) -> None:
    async with opened(keys, tmp_path) as app:
        box = app.toolbox_for(ANN)
        for _ in range(2):
            await found(box)
            await box.call(WEST, {"customer": "Ada"})
        answer = await box.search(QUERY, explain=True)
        placement = await box.explain_rank(QUERY, WEST)

    first = next(hit.hit for hit in answer.queries[0].hits if hit.qualified == WEST)
    assert first is not None
    assert first.uses == 2
    assert sum(first.parts.values()) == pytest.approx(first.score, abs=0.001)
    assert "raised by 2 earlier uses for like queries" in placement.reasons


async def test_a_call_that_fails_raises_nothing(keys: dict[str, str], tmp_path: Path) -> None:
    async with opened(keys, tmp_path) as app:
        box = app.toolbox_for(ANN)
        before = await found(box)
        _, second = await reads(box)
        assert (await box.call(second, {"customer": ""})).failure is not None
        assert (await box.call(second, {"town": "Ada"})).failure is not None

        assert await found(box) == before


@pytest.mark.promise("learning.off")
async def test_unless_it_is_turned_on_nothing_is_learned_and_no_text_is_stored(
    keys: dict[str, str], tmp_path: Path
) -> None:
    del keys["search.learn"]
    async with opened(keys, tmp_path) as app:
        box = app.toolbox_for(ANN)
        before = await found(box)
        _, second = await reads(box)
        await box.call(second, {"customer": "Ada"})

        assert await found(box) == before
        assert app.uses is None
    stored = await anyio.to_thread.run_sync(read_all, tmp_path)
    assert second.encode() in stored
    assert QUERY.encode() not in stored


@pytest.mark.promise("learning.off")
async def test_turned_on_the_query_is_stored_and_never_an_argument(
    keys: dict[str, str], tmp_path: Path
) -> None:
    async with opened(keys, tmp_path) as app:
        box = app.toolbox_for(ANN)
        await found(box)
        await box.call(WEST, {"customer": "Ada Lovelace"})
        settings = app.settings
    stored = await anyio.to_thread.run_sync(read_all, tmp_path)

    assert QUERY.encode() in stored
    assert b"Lovelace" not in stored
    assert await forget_searches(settings) == 1
    stored = await anyio.to_thread.run_sync(read_all, tmp_path)
    assert QUERY.encode() not in stored


async def test_errors_on_opening_come_out_as_they_are(keys: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of the body"):
        async with opened(keys, tmp_path):
            raise ConfigError("of the body", hint="none")


def read_all(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
