"""Python tools from end to end: objects, modules, packages, late handlers and slow functions."""

import sys
import threading
from datetime import date
from pathlib import Path

import pytest

import toolweft
from toolweft import ToolSpec
from toolweft.core.calls import Blob
from toolweft.core.ids import SourceName

CONFIG = """
[python.desk]
target = "desk_tools.py:desk"
[python.weather]
entry_point = "weather"
"""
DESK = """
from dataclasses import dataclass, field

@dataclass
class Desk:
    pens: int = 0
    colours: list[bytes] = field(default_factory=list)

    def put(self, colour: bytes, count: int = 1) -> int:
        '''Put pens on the desk.'''
        self.pens += count
        self.colours.append(colour)
        return self.pens

    async def first_colour(self) -> bytes:
        '''The colour of the first pen.'''
        return self.colours[0]

desk = Desk()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> dict[str, str]:
    return {"ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}"}


def write_package(folder: Path) -> None:
    """A package that offers tools, as an installer leaves it."""
    (folder / "acme_weather.py").write_text(
        "from toolweft import tool\n@tool\ndef rain(city: str) -> float:\n    return 1.5\n"
    )
    info = folder / "acme_weather-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-weather\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[toolweft.tools]\nweather = acme_weather\n")


async def test_objects_and_packages_of_a_configuration_are_called(
    tmp_path: Path, ledger: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toolweft.toml").write_text(CONFIG)
    (tmp_path / "desk_tools.py").write_text(DESK)
    write_package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    async with toolweft.open(tmp_path / "toolweft.toml", overrides=ledger) as box:
        put = await box.call("desk.put", {"colour": "/wA=", "count": 2})
        colour = await box.call("desk.first_colour", {})
        rain = await box.call("weather.rain", {"city": "Bergen"})

    assert put.value == 2
    assert isinstance(colour.value, Blob)
    assert colour.value.data == b"\xff\x00"
    assert rain.value == 1.5


async def test_a_source_with_an_odd_annotation_fails_alone(
    tmp_path: Path, ledger: dict[str, str]
) -> None:
    (tmp_path / "bad_tools.py").write_text(
        "import toolweft\n@toolweft.tool\ndef bad(x: object()):\n    return 1\n"
    )
    (tmp_path / "good_tools.py").write_text(
        "__all__ = ['good']\ndef good(x: int) -> int: return x\n"
    )
    config = tmp_path / "toolweft.toml"
    config.write_text(
        "[python.bad]\ntarget = 'bad_tools.py'\n[python.good]\ntarget = 'good_tools.py'\n"
    )

    async with toolweft.open(config, overrides=ledger) as box:
        answer = await box.call("good", {"x": 3})
        bad = box.snapshot.sources[SourceName("bad")]

    assert answer.value == 3
    assert bad.state == "failed"
    assert "tool 'bad' has the parameter 'x' without a JSON form" in bad.reason


@pytest.mark.promise("sources.package-tools")
async def test_a_package_that_nobody_named_is_not_imported(
    tmp_path: Path, ledger: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_weather", raising=False)

    async with toolweft.open(tools=[len_of], overrides=ledger) as box:
        found = await box.search("rain in a city")

    assert "acme_weather" not in sys.modules
    assert all(hit.qualified == "local.len_of" for hit in found.queries[0].hits)


async def test_a_sync_function_that_takes_too_long_fails_its_call_alone(
    ledger: dict[str, str],
) -> None:
    release = threading.Event()

    def slow() -> None:
        release.wait(60)

    tools = [ToolSpec(name="slow", handler=slow, timeout_s=0.2), len_of]
    async with toolweft.open(tools=tools, overrides=ledger) as box:
        late = await box.call("slow", {})
        quick = await box.call("len_of", {"text": "abc"})
    release.set()

    assert late.failure is not None
    assert (late.failure.code, quick.value) == ("timeout", 3)


def len_of(text: str) -> int:
    """Count the characters of a text."""
    return len(text)


async def test_what_only_the_types_of_a_function_refuse_are_wrong_arguments_too(
    ledger: dict[str, str],
) -> None:
    called: list[date] = []

    def book(day: date) -> str:
        called.append(day)
        return day.isoformat()

    program = """
try:
    await book(day="2026-13-02")
except ToolError as error:
    print(error.code, error.hint)
"""
    async with toolweft.open(tools=[book], overrides=ledger) as box:
        direct = await box.call("book", {"day": "2026-13-02"})
        outcome = await box.run(program)

    assert direct.failure is not None
    assert direct.failure.code == "invalid_arguments"
    assert direct.failure.message.startswith("the arguments of book do not fit: $.day: ")
    hint = "correct them and call again; the function was not called"
    assert outcome.stdout == f"invalid_arguments {hint}\n"
    assert called == []
