"""The library from end to end: functions, search, description, calls and a program."""

from pathlib import Path

import pytest

import toolweft

pytestmark = pytest.mark.process

CITIES = {"Lisbon": 12.5, "Bergen": 231.0, "Perth": 64.2}


@toolweft.tool(severity="read_only")
async def get_rainfall(city: str) -> float:
    """Get this month's rainfall in a city, in millimetres."""
    return CITIES[city]


@toolweft.tool(severity="destructive")
def forget_city(city: str) -> None:
    """Forget a city for good."""
    raise AssertionError("never called from a program")


PROGRAM = """
import asyncio
cities = ["Lisbon", "Bergen", "Perth"]
amounts = await asyncio.gather(*(get_rainfall(city=city) for city in cities))
print("wettest:", max(zip(amounts, cities))[1])
try:
    await local.forget_city(city="Perth")
except ToolError as error:
    print(error.code)
{"sum": sum(amounts)}
"""


@pytest.fixture
def ledger(tmp_path: Path) -> dict[str, str]:
    return {"ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}"}


@pytest.mark.promise("programs.await")
async def test_functions_are_found_described_called_and_used_by_a_program(
    ledger: dict[str, str],
) -> None:
    printed: list[str] = []
    async with toolweft.open(tools=[get_rainfall, forget_city], overrides=ledger) as box:
        found = await box.search("rainfall in a city")
        described = await box.describe("get_rainfall")
        called = await box.call("local.get_rainfall", {"city": "Bergen"})
        outcome = await box.run(PROGRAM, on_output=printed.append)

    assert found.queries[0].hits[0].qualified == "local.get_rainfall"
    assert "city: str" in described.tools[0].stub
    assert called.value == 231.0
    assert outcome.status == "ok", outcome.error
    assert outcome.stdout == "".join(printed) == "wettest: Bergen\ndenied\n"
    assert outcome.value == {"sum": pytest.approx(307.7)}
    assert [call.status for call in outcome.calls] == ["ok", "ok", "ok", "denied"]


async def test_variables_stay_in_a_container_and_failures_are_data(
    ledger: dict[str, str],
) -> None:
    async with toolweft.open(tools=[get_rainfall], overrides=ledger) as box:
        first = await box.run("x = await get_rainfall(city='Perth')")
        assert first.container is not None
        second = await box.run("print(x)", container_id=first.container.id)
        failed = await box.call("get_rainfall", {"town": "Perth"})

    assert second.stdout == "64.2\n"
    assert failed.failure is not None
    assert failed.failure.code == "invalid_arguments"


@pytest.mark.promise("programs.static-check")
async def test_a_program_that_names_no_tool_is_refused_before_it_runs(
    ledger: dict[str, str],
) -> None:
    async with toolweft.open(tools=[get_rainfall], overrides=ledger) as box:
        outcome = await box.run("print('begun')\nawait local.get_rainfal(city='Perth')")

    assert outcome.status == "invalid"
    assert outcome.stdout == ""
    assert outcome.error is not None
    assert "get_rainfall" in f"{outcome.error.message} {outcome.error.hint}"
