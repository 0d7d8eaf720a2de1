"""Stored results from end to end: kept, loaded inside the real sandbox, read as resources."""

import json
from pathlib import Path

import pytest

import toolweft
from toolweft.core.errors import InvalidArguments
from toolweft.core.programs import ProgramLimits

pytestmark = pytest.mark.process

MIB = 1024 * 1024


@toolweft.tool(severity="read_only")
def list_orders(count: int) -> list[dict[str, object]]:
    """List orders, each with a note of a hundred characters."""
    return [{"id": i, "city": f"city {i % 7}", "note": "x" * 100} for i in range(count)]


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, str]:
    return {
        "ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}",
        "handles.folder": str(tmp_path / "handles"),
        "calls.max_result_bytes": "64 KiB",
        "toolbox.max_resource_bytes": "1 KiB",
    }


def write_orders(file: Path, count: int) -> Path:
    rows = (json.dumps(row) for row in list_orders(count=count))
    file.write_text("\n".join(rows), encoding="utf-8")
    return file


SUM = """
total, most = 0, 0
async for rows in load("orders").chunks(500):
    total += sum(row["id"] for row in rows if row["city"] == "city 3")
    most = max(most, len(rows))
print(total, most)
"""


@pytest.mark.promise("handles.load")
async def test_a_file_larger_than_the_programs_memory_is_read_by_rows(
    tmp_path: Path, overrides: dict[str, str]
) -> None:
    limits = ProgramLimits(memory_bytes=80 * MIB)
    count = 250_000
    file = write_orders(tmp_path / "orders.jsonl", count)
    assert file.stat().st_size > 30 * MIB
    async with toolweft.open(tools=[list_orders], overrides=overrides) as box:
        await box.put("orders", file)
        outcome = await box.run(SUM, limits=limits)
        assert (outcome.status, outcome.error) == ("ok", None)
        assert outcome.stdout == f"{sum(i for i in range(count) if i % 7 == 3)} 500\n"
        whole = await box.run("rows = await load('orders')", limits=limits)
        assert (whole.status, whole.limit) == ("limit", "memory")


async def test_a_result_above_the_cap_is_a_handle_inside(overrides: dict[str, str]) -> None:
    code = """
handle = await list_orders(count=5000)
print(repr(handle).startswith("<handle json, 5,000 rows"))
print(len(await handle), (await handle.head(1))[0]["id"])
try:
    handle[0]
except TypeError as error:
    print("await load" in str(error))
"""
    async with toolweft.open(tools=[list_orders], overrides=overrides) as box:
        first = await box.run(code)
        assert first.error is None
        assert first.stdout == "True\n5000 0\nTrue\n"
        (handle,) = first.handles
        assert handle["rows"] == 5000
        assert first.container is not None
        again = await box.run(
            f"len(await handle), await load({handle['id']!r}) == await handle",
            container_id=first.container.id,
        )
        assert again.value == [5000, True]
        assert first.calls[0].status == "ok"
        assert first.stats.tokens_withheld > 100_000


async def test_another_principal_loads_nothing_of_it(overrides: dict[str, str]) -> None:
    other = toolweft.Principal("local", "somebody else")
    async with toolweft.open(tools=[], overrides=overrides) as box:
        handle = await box.put("mine", b"secret")
    async with toolweft.open(tools=[], overrides=overrides, principal=other) as box:
        for key in ("mine", handle.id):
            outcome = await box.run(
                f"try:\n    await load({key!r})\nexcept ToolError as e:\n    print(e.code)"
            )
            assert outcome.stdout == "handle_not_found\n"


async def test_what_is_too_large_to_show_is_read_in_parts(overrides: dict[str, str]) -> None:
    async with toolweft.open(tools=[list_orders], overrides=overrides) as box:
        reply = await box.invoke("call_tool", {"name": "list_orders", "arguments": {"count": 2000}})
        (link,) = reply.content
        uri = link.uri  # type: ignore[union-attr]
        with pytest.raises(InvalidArguments, match="at most 1,024"):
            await box.handles.read(uri)

        async def read(query: str) -> dict[str, object]:
            reading = await box.handles.read(f"{uri}?{query}")
            assert reading.media_type == "application/json"
            answer: dict[str, object] = json.loads(reading.content)
            return answer

        assert (await read("path=$[*].id&slice=10:13"))["rows"] == [10, 11, 12]
        page = await read("page=3&page_size=2")
        assert ([row["id"] for row in page["rows"]], page["next"]) == ([4, 5], 6)  # type: ignore[attr-defined]
        found = await read("grep=CITY 3&slice=0:2".replace(" ", "%20"))
        assert found["at"] == [3, 10]
        with pytest.raises(InvalidArguments, match="makes no sense from"):
            await read("path=$..id")
        assert len(await box.handles.owned()) == 1


async def test_a_pattern_without_end_stops_at_its_limit(overrides: dict[str, str]) -> None:
    more = {**overrides, "limits.active_s": "1 s"}
    async with toolweft.open(tools=[], overrides=more) as box:
        handle = await box.put("evil", b"a" * 60 + b"!")
        with pytest.raises(InvalidArguments, match="stopped at its cpu limit"):
            await box.handles.read(f"{handle.uri}?grep=(a%2B)%2B%24")
        assert (await box.handles.read(handle.uri)).content == "a" * 60 + "!"


async def test_a_tool_named_load_is_reached_by_its_full_name(overrides: dict[str, str]) -> None:
    @toolweft.tool(severity="read_only")
    def load(handle: str) -> str:
        """Load something else."""
        return f"the tool got {handle}"

    async with toolweft.open(tools=[load], overrides=overrides) as box:
        await box.put("x", b"the content")
        outcome = await box.run("print(await load('x'), await local.load(handle='x'))")
        assert outcome.error is None
        assert outcome.stdout == "the content the tool got x\n"
