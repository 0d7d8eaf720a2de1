"""Recorded runs through the library: what is kept of them, and what a replay makes of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import toolweft
from toolweft.core.errors import ConfigError, RunNotFound, RunNotReplayable
from toolweft.core.ids import RunId

pytestmark = pytest.mark.process

CALLED: list[str] = []


@toolweft.tool(severity="read_only")
async def wait_for(name: str, turn: int) -> dict[str, object]:
    """Answer when it is one's turn."""
    CALLED.append(name)
    BEGUN.set()
    if turn:
        await DONE.setdefault(turn - 1, anyio.Event()).wait()
    DONE.setdefault(turn, anyio.Event()).set()
    return {"name": name, "turn": turn}


BEGUN = anyio.Event()
DONE: dict[int, anyio.Event] = {}


@toolweft.tool(severity="read_only")
def read_salary(person: str) -> int:
    """Read what somebody earns."""
    CALLED.append(person)
    return 43219876543212345


@toolweft.tool(severity="read_only")
def draw() -> bytes:
    """Draw a picture."""
    return b"\x00\x01picture"


@toolweft.tool(severity="read_only")
def fail() -> None:
    """Fail, always."""
    raise ValueError("no luck")


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()
    DONE.clear()
    global BEGUN
    BEGUN = anyio.Event()


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, Any]:
    return {
        "ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}",
        "journal.folder": str(tmp_path / "journal"),
        "saved.folder": str(tmp_path / "saved"),
    }


@pytest.fixture
async def box(overrides: dict[str, Any]) -> AsyncIterator[toolweft.Toolbox]:
    tools = [wait_for, read_salary, draw, fail]
    async with toolweft.open(tools=tools, overrides=overrides) as opened:
        yield opened


ORDER = """
import asyncio
seen = []
async def ask(name, turn):
    got = await wait_for(name=name, turn=turn)
    seen.append(got["name"])
    print(got["name"])
await asyncio.gather(ask("a", 2), ask("b", 0), ask("c", 1))
seen
"""


@pytest.mark.promise("journal.replay")
async def test_a_replay_delivers_in_the_same_order_and_reaches_no_tool(
    box: toolweft.Toolbox,
) -> None:
    outcome = await box.run(ORDER)
    CALLED.clear()
    # Every answer at hand would come in the order of the questions.
    report = await box.saved.replay(outcome.run_id)

    assert outcome.value == ["b", "c", "a"]
    assert report.outcome.value == ["b", "c", "a"]
    assert report.outcome.stdout == outcome.stdout
    assert report.differences == ()
    assert CALLED == []


EVERYTHING = """
import asyncio
picture = await draw()
print(type(picture).__name__, len(picture))
try:
    await fail()
except ToolError as error:
    print(error.code, error.message)
found = await tools.search("what somebody earns")
print(found[0]["name"])
try:
    await asyncio.wait_for(wait_for(name="never", turn=99), 0.2)
except TimeoutError:
    print("gave up")
print(len(await load("orders")))
"""


async def test_bytes_failures_searches_handles_and_calls_given_up_are_replayed(
    box: toolweft.Toolbox,
) -> None:
    await box.put("orders", b'[{"id": 1}, {"id": 2}]')
    outcome = await box.run(EVERYTHING)
    await box.handles.drop("orders")

    report = await box.saved.replay(outcome.run_id)

    assert outcome.status == "ok", outcome.error
    assert outcome.stdout.splitlines()[-2:] == ["gave up", "2"]
    assert report.differences == ()


async def test_what_a_replay_cannot_hold_still_is_named_and_what_differs_is_told(
    box: toolweft.Toolbox,
) -> None:
    code = (
        "import random, time\n"
        "n = random.getrandbits(200)\n"
        "await read_salary(person=str(n))\n"
        "print('same')\n"
        "print(n)\n"
        "{1, 2}\n"
        "n\n"
    )
    outcome = await box.run(code)

    report = await box.saved.replay(outcome.run_id)

    assert set(report.not_fixed) == {
        "random numbers (random)",
        "the clock (time)",
        "the order of sets",
    }
    told = "\n".join(report.differences)
    assert "was not recorded" in told
    assert "was not called again" in told
    assert "it ended as error: ToolError" in told
    assert "line 1 of what it printed is 'the end', and was 'same'" in told
    assert [str(outcome.value)] == CALLED


async def test_a_run_that_went_on_in_a_container_is_not_replayed_alone(
    box: toolweft.Toolbox,
) -> None:
    first = await box.run("x = 1")
    assert first.container is not None
    second = await box.run("print(x)", container_id=first.container.id)

    with pytest.raises(RunNotReplayable, match=first.container.id) as refused:
        await box.saved.replay(second.run_id)
    assert "fresh container" in (refused.value.hint or "")


async def test_runs_that_failed_or_were_stopped_are_there_to_be_replayed(
    box: toolweft.Toolbox,
) -> None:
    failed = await box.run("print('so far')\n1 / 0")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(box.run, "print(1)\nawait wait_for(name='long', turn=99)")
        await BEGUN.wait()
        tasks.cancel_scope.cancel()

    report = await box.saved.replay(failed.run_id)
    with anyio.fail_after(20):
        stopped = await box.saved.replay(RunId("last"))

    assert report.is_same
    assert report.outcome.error is not None
    assert report.outcome.error.type == "ZeroDivisionError"
    assert stopped.outcome.stdout == "1\n"
    assert "not as cancelled" in stopped.differences[0]


@pytest.mark.promise("journal.exclude")
async def test_nothing_is_kept_of_a_container_that_saw_an_excluded_tool(
    overrides: dict[str, Any], tmp_path: Path
) -> None:
    overrides["journal.exclude"] = "local.read_*"
    async with toolweft.open(tools=[read_salary, draw], overrides=overrides) as box:
        first = await box.run("secret = await read_salary(person='ann')\nsecret")
        assert first.container is not None
        second = await box.run("print(secret)", container_id=first.container.id)
        other = await box.run("print(1)")
        for outcome in (first, second):
            with pytest.raises(RunNotReplayable, match=r"local\.read_salary"):
                await box.saved.replay(outcome.run_id)
        assert (await box.saved.replay(other.run_id)).is_same

    kept = read_all(tmp_path / "journal")
    assert len(kept) == 3
    assert not [text for text in kept if "43219876543212345" in text or "secret" in text]


def read_all(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in folder.rglob("*.jsonl")]


async def test_a_run_that_is_too_large_is_kept_without_its_values(
    overrides: dict[str, Any],
) -> None:
    overrides["journal.max_run_bytes"] = "1 KiB"
    async with toolweft.open(overrides=overrides) as box:
        outcome = await box.run("print('x' * 2000)")

        with pytest.raises(RunNotReplayable, match=r"max_run_bytes, which is 1,024"):
            await box.saved.replay(outcome.run_id)


async def test_a_journal_that_is_off_keeps_nothing_and_says_which_key_turns_it_on(
    overrides: dict[str, Any], tmp_path: Path
) -> None:
    overrides["journal.enabled"] = False
    async with toolweft.open(overrides=overrides) as box:
        outcome = await box.run("print(1)")

        with pytest.raises(ConfigError) as refused:
            await box.saved.replay(outcome.run_id)
    assert "journal.enabled = true" in (refused.value.hint or "")
    assert read_all(tmp_path / "journal") == []


async def test_a_run_of_another_process_is_found_by_its_id_and_as_the_last(
    overrides: dict[str, Any],
) -> None:
    async with toolweft.open(overrides=overrides) as box:
        outcome = await box.run("print(1)")
    async with toolweft.open(overrides=overrides) as box:
        assert (await box.saved.replay(outcome.run_id)).is_same
        assert (await box.saved.replay(RunId("last"))).run_id == outcome.run_id
        with pytest.raises(RunNotFound, match="run_x"):
            await box.saved.replay(RunId("run_x"))
