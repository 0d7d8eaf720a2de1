"""Every limit through the library: hit with a small value, named with it, and raised by its key."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests import machine

import toolweft
from toolweft.config.models import ConfigModel
from toolweft.core.errors import (
    ConfigError,
    ContainerExpired,
    InvalidArguments,
    Overloaded,
    SandboxUnavailable,
)
from toolweft.core.ids import ContainerId
from toolweft.core.programs import LIMIT_CEILINGS, LIMIT_FLOORS, ProgramLimits

pytestmark = pytest.mark.process

MIB = 1024 * 1024
_KEY = re.compile(r"\b((?:limits|containers|toolbox|catalog|calls)\.[a-z_]+)")


@toolweft.tool(severity="read_only")
def get_text(count: int) -> str:
    """Get a text of so many characters."""
    return "x" * count


@toolweft.tool(severity="read_only")
def take(text: str) -> int:
    """Take a text."""
    return len(text)


@toolweft.tool(severity="read_only")
def nest(value: list[Any]) -> str:
    """Take lists in one another."""
    return "taken"


@toolweft.tool(severity="read_only")
async def wait_long() -> int:
    """Wait until somebody gives up."""
    await anyio.sleep_forever()
    return 0


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Any]:
    return {
        "ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}",
        "handles.folder": str(tmp_path / "handles"),
    }


def check_key(text: str, key: str) -> None:
    """Check that a text names a key, and only keys that the configuration has."""
    named = set(_KEY.findall(text))
    assert key in named, text
    for dotted in named:
        section, _, name = dotted.partition(".")
        model: Any = ConfigModel.model_fields[section].annotation
        assert name in model.model_fields, dotted


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program that meets a limit, and where it can be met in time what it takes to pass."""

    limit: str
    key: str
    value: object
    code: str
    # As the error has it.
    shown: str
    raised: object | None = None

    def __str__(self) -> str:
        return self.key


CASES = [
    Case(
        limit="memory",
        key="limits.memory_bytes",
        value="128 MiB",
        shown="limit is 128 MiB",
        code=f"len(bytearray({192 * MIB}))",
        raised="512 MiB",
    ),
    Case(
        limit="cpu",
        key="limits.active_s",
        value=0.05,
        shown="0.05 s",
        code="x = 0\nfor i in range(10**12): x += i",
    ),
    Case(
        limit="wall",
        key="limits.wall_s",
        value=0.05,
        shown="0.05 s",
        code="import asyncio\nawait asyncio.sleep(1)",
        raised=60,
    ),
    Case(
        limit="calls",
        key="limits.max_calls",
        value=3,
        shown="more than 3 calls",
        code="for i in range(5): await take(text='a')",
        raised=5,
    ),
    Case(
        limit="output",
        key="limits.max_output_characters",
        value=1000,
        shown="1,000",
        code="for i in range(100): print('x' * 20)",
        raised=3000,
    ),
    Case(
        limit="arguments",
        key="limits.max_argument_bytes",
        value="1 KiB",
        shown="1024 bytes",
        code="await take(text='a' * 5000)",
        raised="8 KiB",
    ),
    Case(
        limit="result",
        key="limits.max_value_bytes",
        value="1 KiB",
        shown="1024 bytes",
        code="'a' * 5000",
        raised="8 KiB",
    ),
    Case(
        limit="parser",
        key="limits.max_code_bytes",
        value=100,
        shown="at most 100 are read",
        code="x = 1\n" * 50,
        raised="1 KiB",
    ),
    Case(
        limit="files",
        key="limits.max_files",
        value=32,
        shown="limit is 32",
        code="import os\nfiles = [os.dup(1) for _ in range(50)]",
        raised=128,
    ),
    Case(
        limit="threads",
        key="limits.max_threads",
        value=4,
        shown="limit is 4 threads",
        code="import threading\ngate = threading.Event()\n"
        "threads = [threading.Thread(target=gate.wait, daemon=True) for _ in range(10)]\n"
        "try:\n    for t in threads: t.start()\nfinally: gate.set()",
        raised=16,
    ),
    Case(
        limit="disk",
        key="limits.disk_bytes",
        value="1 MiB",
        shown="1 MiB",
        code=f"import os\nwith open('a', 'wb') as f: f.write(bytes({2 * MIB}))",
        raised="8 MiB",
    ),
]


# Other tiers have no files whose bytes are counted.
NEEDS = {"disk": "ns"}


@pytest.mark.promise("sandbox.limits-said")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_limit_that_is_hit_says_its_name_its_value_and_its_key(
    case: Case, folders: dict[str, Any]
) -> None:
    machine.need(NEEDS.get(case.limit, ""))
    overrides = folders | {case.key: case.value}
    async with toolweft.open(tools=[take], overrides=overrides) as box:
        outcome = await box.run(case.code)
        assert (outcome.status, outcome.limit) == ("limit", case.limit), outcome.error
        assert outcome.error is not None
        said = f"{outcome.error.message}; {outcome.error.hint}"
        check_key(said, case.key)
        assert case.shown in said
        # And a model reads the same.
        reply = await box.invoke("run_code", {"code": case.code})
        assert f"Stopped at the {case.limit} limit" in reply.text
        check_key(reply.text, case.key)


@pytest.mark.parametrize("case", [case for case in CASES if case.raised], ids=str)
async def test_raising_the_key_that_was_named_is_enough(
    case: Case, folders: dict[str, Any]
) -> None:
    machine.need(NEEDS.get(case.limit, ""))
    overrides = folders | {case.key: case.raised}
    async with toolweft.open(tools=[take], overrides=overrides) as box:
        outcome = await box.run(case.code)
        assert outcome.status == "ok", outcome.error


async def test_each_run_may_have_limits_of_its_own(folders: dict[str, Any]) -> None:
    async with toolweft.open(tools=[take], overrides=folders) as box:
        outcome = await box.run("await take(text='a')\n" * 3, limits=ProgramLimits(max_calls=2))
        assert (outcome.limit, outcome.stats.calls) == ("calls", 2)
        assert outcome.error is not None
        assert "more than 2 calls" in outcome.error.message


async def test_memory_is_the_containers_and_is_said_so(folders: dict[str, Any]) -> None:
    limits = ProgramLimits(memory_bytes=128 * MIB)
    async with toolweft.open(tools=[], overrides=folders) as box:
        first = await box.run("x = 1", limits=limits)
        assert first.container is not None
        second = await box.run(f"bytearray({300 * MIB})", container_id=first.container.id)
        assert second.error is not None
        assert second.limit == "memory"
        assert "the limit is 128 MiB" in second.error.message


async def test_what_all_containers_hold_together_says_its_key(folders: dict[str, Any]) -> None:
    overrides = folders | {"containers.memory_bytes": "16 MiB"}
    code = f"held = b'x' * {100 * MIB}\nawait wait_long()"
    with anyio.fail_after(60):
        async with toolweft.open(tools=[wait_long], overrides=overrides) as box:
            outcome = await box.run(code)
    assert (outcome.status, outcome.limit) == ("limit", "total_memory")
    assert outcome.error is not None
    assert "16 MiB" in outcome.error.message
    check_key(outcome.error.hint or "", "containers.memory_bytes")


@pytest.mark.parametrize("name", sorted(LIMIT_CEILINGS))
async def test_no_run_gets_more_than_the_ceiling(name: str, folders: dict[str, Any]) -> None:
    asked: dict[str, Any] = {name: LIMIT_CEILINGS[name] + 1}
    async with toolweft.open(tools=[], overrides=folders) as box:
        with pytest.raises(
            InvalidArguments, match=rf"limits\.{name} is .* above its ceiling of"
        ) as e:
            await box.run("1", limits=ProgramLimits(**asked))
        assert name in (e.value.hint or "")
        highest: dict[str, Any] = {name: LIMIT_CEILINGS[name]}
        assert (await box.run("1", limits=ProgramLimits(**highest))).value == 1


@pytest.mark.parametrize(
    ("name", "value", "shown", "fitting"),
    [
        ("memory_bytes", 2**25, "32 MiB", "64 MiB to 5 GiB"),
        ("memory_bytes", 1, "1 bytes", "64 MiB to 5 GiB"),
        ("memory_bytes", 0, "0 bytes", "64 MiB to 5 GiB"),
        ("max_files", 15, "15", "16 or more"),
    ],
)
async def test_no_run_gets_less_than_a_program_needs_to_start(
    name: str, value: int, shown: str, fitting: str, folders: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {name: value}
    async with toolweft.open(tools=[], overrides=folders) as box:
        with pytest.raises(InvalidArguments, match=rf"limits\.{name} is {shown}, and with") as e:
            await box.run("1", limits=ProgramLimits(**asked))
        assert fitting in (e.value.hint or "")
        lowest: dict[str, Any] = {name: LIMIT_FLOORS[name]}
        assert (await box.run("1", limits=ProgramLimits(**lowest))).value == 1


async def test_no_run_may_open_more_files_than_a_process_here(folders: dict[str, Any]) -> None:
    async with toolweft.open(tools=[], overrides=folders) as box:
        with pytest.raises(SandboxUnavailable, match=r"limits\.max_files is 4,000,000,000") as e:
            await box.run("1", limits=ProgramLimits(max_files=4_000_000_000))
    check_key(e.value.hint or "", "limits.max_files")


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 0, True, "30 s", None])
async def test_a_limit_that_is_none_is_refused(value: Any, folders: dict[str, Any]) -> None:
    async with toolweft.open(tools=[], overrides=folders) as box:
        with pytest.raises(InvalidArguments, match=r"limits\.wall_s is"):
            await box.run("1", limits=ProgramLimits(wall_s=value))


@pytest.mark.parametrize(
    ("key", "value", "most"),
    [
        ("limits.memory_bytes", "6 GiB", "5 GiB"),
        ("limits.max_in_flight", 1025, "1,024"),
        ("limits.max_result_bytes", "65 MiB", "64 MiB"),
        ("calls.max_result_bytes", "65 MiB", "64 MiB"),
    ],
)
async def test_no_configuration_passes_a_ceiling(
    key: str, value: Any, most: str, folders: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        async with toolweft.open(tools=[], overrides=folders | {key: value}):
            pass
    assert f"{key} is {value!r}: it is above its ceiling of {most}" in caught.value.message
    assert caught.value.hint == f"write {most} or less"


@pytest.mark.parametrize(("allowed", "most"), [(3, 3), (1024, 40)])
async def test_no_more_calls_than_allowed_are_in_flight(
    allowed: int, most: int, folders: dict[str, Any]
) -> None:
    inside, seen, full = 0, 0, anyio.Event()

    @toolweft.tool(severity="read_only")
    async def enter() -> int:
        """Go on once as many are inside as there may be."""
        nonlocal inside, seen
        inside += 1
        seen = max(seen, inside)
        if inside == most:
            full.set()
        await full.wait()
        await anyio.lowlevel.checkpoint()
        inside -= 1
        return 1

    overrides = folders | {"limits.max_in_flight": allowed}
    with anyio.fail_after(60):
        async with toolweft.open(tools=[enter], overrides=overrides) as box:
            code = "import asyncio\nsum(await asyncio.gather(*[enter() for _ in range(40)]))"
            assert (await box.run(code)).value == 40
    assert seen == most


async def test_printed_text_that_is_not_kept_or_not_shown_says_so(folders: dict[str, Any]) -> None:
    overrides = folders | {"limits.kept_characters": 2000, "toolbox.shown_characters": 500}
    async with toolweft.open(tools=[], overrides=overrides) as box:
        outcome = await box.run("print('x' * 4999)")
        assert (outcome.status, len(outcome.stdout), outcome.stdout_characters) == (
            "ok",
            2000,
            5000,
        )
        text = (await box.invoke("run_code", {"code": "print('x' * 4999)"})).text
        assert "limits.kept_characters is 2,000" in text
        check_key(text, "toolbox.shown_characters")
        assert "toolbox.shown_characters is 500" in text


async def test_a_result_that_is_too_large_says_which_key_lets_it_in(
    folders: dict[str, Any],
) -> None:
    code = "h = await get_text(count=5000)\nisinstance(h, str)"
    small = {"limits.max_result_bytes": "1 KiB"}
    async with toolweft.open(tools=[get_text], overrides=folders | small) as box:
        outcome = await box.run(code)
        assert outcome.value is False
        assert outcome.handles
    async with toolweft.open(tools=[get_text], overrides=folders) as box:
        assert (await box.run(code)).value is True


async def test_the_opt_in_lets_a_large_result_in_as_a_value(folders: dict[str, Any]) -> None:
    code = f"len(await get_text(count={17 * MIB}))"
    both = {"limits.max_result_bytes": "64 MiB", "calls.max_result_bytes": "64 MiB"}
    async with toolweft.open(tools=[get_text], overrides=folders | both) as box:
        assert (await box.run(code)).value == 17 * MIB


async def test_a_call_that_takes_too_long_says_whose_time_it_was(folders: dict[str, Any]) -> None:
    overrides = folders | {"catalog.default_timeout_s": 0.05}
    async with toolweft.open(tools=[wait_long], overrides=overrides) as box:
        outcome = await box.run("await wait_long()")
        assert outcome.error is not None
        assert "within 0.05 s" in outcome.error.message
        check_key(outcome.error.hint or "", "catalog.default_timeout_s")
        direct = await box.call("wait_long")
        assert direct.failure is not None
        assert direct.failure.code == "timeout"


async def run_for_ever(box: toolweft.Toolbox, container_id: ContainerId) -> None:
    while True:
        await box.run("x", container_id=container_id)


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [("containers.idle_s", 0.001, "0.001 s"), ("containers.max_age_s", 0.001, "0.001 s")],
)
async def test_an_expired_container_says_which_time_was_up(
    key: str, value: float, shown: str, folders: dict[str, Any]
) -> None:
    async with toolweft.open(tools=[], overrides=folders | {key: value}) as box:
        first = await box.run("x = 1")
        assert first.container is not None
        with pytest.raises(ContainerExpired) as caught:
            await run_for_ever(box, first.container.id)
        check_key(caught.value.hint or "", key)
        assert f"{key} is {shown}" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("extra", "key"),
    [
        ({"containers.queue_s": 0.01}, "containers.queue_s"),
        ({"containers.max_queued": 0}, "containers.max_queued"),
    ],
    ids=["time", "places"],
)
async def test_a_full_house_is_overloaded_and_says_what_makes_room(
    extra: dict[str, Any], key: str, folders: dict[str, Any]
) -> None:
    overrides = folders | {"containers.max_live": 1} | extra
    printed = anyio.Event()
    async with toolweft.open(tools=[wait_long], overrides=overrides) as box:

        async def hold() -> None:
            code = "print('in', flush=True)\nawait wait_long()"
            await box.run(code, on_output=lambda _: printed.set())

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hold)
                await printed.wait()
                with pytest.raises(Overloaded) as caught:
                    await box.run("1")
                assert caught.value.code == "overloaded"
                check_key(caught.value.hint or "", "containers.max_live")
                check_key(caught.value.hint or "", key)
                tasks.cancel_scope.cancel()


NEST = """
def deep(levels):
    value = []
    for _ in range(levels - 2):
        value = [value]
    return value
print(await nest(value=deep(100)))
try:
    await nest(value=deep(101))
except ToolError as error:
    print(error.message, error.hint, sep="|")
"""


async def test_a_program_nests_as_deep_as_a_direct_call(folders: dict[str, Any]) -> None:
    value: list[Any] = []
    for _ in range(99):
        value = [value]
    async with toolweft.open(tools=[nest], overrides=folders) as box:
        direct = await box.call("nest", {"value": value})
        outcome = await box.run(NEST)
    async with toolweft.open(tools=[nest], overrides={**folders, "calls.max_depth": 150}) as box:
        raised = await box.run(NEST)

    assert direct.failure is not None
    taken, message = outcome.stdout.splitlines()
    assert taken == "taken"
    assert message == f"{direct.failure.message}|{direct.failure.hint}"
    check_key(message, "calls.max_depth")
    assert raised.stdout == "taken\n"
