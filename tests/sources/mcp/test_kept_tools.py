from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.ids import SourceName
from toolweft.sources.mcp.kept_tools import KeptTools, keep_tools
from toolweft.sources.mcp.reading import read_tools

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=4))
def test_a_kept_list_gives_back_what_came(tools: list[Any]) -> None:
    kept = keep_tools(tools)

    assert len(kept) == len(tools)
    assert repr(list(kept)) == repr(tools)
    assert repr([kept[position] for position in range(len(kept))]) == repr(tools)
    assert list(kept[1:]) == tools[1:]


def test_a_list_is_kept_small() -> None:
    tools = [{"name": f"tool_{number}", "inputSchema": {}} for number in range(100)]
    kept = keep_tools(tools)

    assert isinstance(kept, KeptTools)
    assert len(kept._packed) < len(repr(tools)) / 4


def test_a_list_that_cannot_be_written_stays_as_it_is() -> None:
    tools = [10**5_000]

    assert keep_tools(tools) is tools


@pytest.mark.parametrize("count", [3, 300])
async def test_a_list_of_any_length_is_read_alike(count: int) -> None:
    tools = [{"name": f"tool_{number}"} for number in range(count)]
    with anyio.fail_after(5):
        read = await read_tools([*tools, "odd"], namespace=SourceName("s"))

    assert [definition.name for definition in read.definitions] == [t["name"] for t in tools]
    assert len(read.faults) == 1
    assert list(read.kept) == [*tools, "odd"]


async def test_a_long_list_is_read_beside_the_event_loop() -> None:
    tools = [{"name": f"tool_{number}"} for number in range(300)]
    turns: list[str] = []

    async def go_on() -> None:
        turns.append("other")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go_on)
            await read_tools(tools, namespace=SourceName("s"))
            turns.append("read")

    assert turns == ["other", "read"]
