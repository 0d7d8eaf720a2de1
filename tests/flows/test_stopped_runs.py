"""Runs that meet a limit or are cancelled, from end to end: what the caller hears, and how soon."""

import time
from pathlib import Path

import anyio
import pytest
from tests import machine

import toolweft
from toolweft.core.programs import SESSION_LIMITS, ProgramLimits

pytestmark = pytest.mark.process

MIB = 1024 * 1024
MAX_CANCEL_S = 0.5
# A busy machine may take a turn of its own; the promise is of the product.
ATTEMPTS = 4

LIMITS = ProgramLimits(
    memory_bytes=128 * MIB,
    active_s=5.0,
    wall_s=20.0,
    max_calls=5,
    max_output_characters=50_000,
    max_argument_bytes=1000,
    max_value_bytes=1000,
    disk_bytes=2 * MIB,
    max_threads=8,
)
WAITING = ProgramLimits(wall_s=0.3)
SPINNING = ProgramLimits(active_s=0.1)

# Limit, program, its limits, what the message says, and what the hint does.
CASES = [
    ("memory", "x = []\nwhile True: x.append('a' * 100_000)", LIMITS, "128 MiB", "memory_bytes"),
    ("cpu", "while True: pass", SPINNING, "more than 0.1 s of processor time", "active_s"),
    ("wall", "await hang()", WAITING, "longer than 0.3 s", "wall_s"),
    ("output", "while True: print('x' * 1000)", LIMITS, "50,000", "max_output_characters"),
    ("calls", "while True: await mirror(text='')", LIMITS, "more than 5 calls", "max_calls"),
    ("recursion", "def f(): return f() + 1\nf()", LIMITS, "1000 frames", "instead of recursion"),
    ("files", "import os\nwhile True: os.dup(0)", LIMITS, "64 open at once", "max_files"),
    (
        "disk",
        "f = open('/tmp/f', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        LIMITS,
        "2 MiB",
        "disk_bytes",
    ),
    (
        "threads",
        "import threading, time\n"
        "while True: threading.Thread(target=time.sleep, args=(1,), daemon=True).start()",
        LIMITS,
        "8 threads",
        "max_threads",
    ),
    ("arguments", "await mirror(text='x' * 5000)", LIMITS, "1000 bytes", "max_argument_bytes"),
    ("result", "'x' * 5000", LIMITS, "1000 bytes", "max_value_bytes"),
    ("parser", "x = " + "-" * 60_000 + "1", LIMITS, "too deeply nested", "fixes this depth"),
    (
        "parser",
        f"x = {'1' * 3000}",
        ProgramLimits(max_code_bytes=1000),
        "at most 1,000",
        "max_code_bytes",
    ),
]


@pytest.fixture
def ledger(tmp_path: Path) -> dict[str, str]:
    return {"ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}", "profile": "open"}


@toolweft.tool(severity="read_only")
async def mirror(text: str) -> str:
    """Give a text back."""
    return text


@toolweft.tool(severity="read_only")
async def hang() -> None:
    """Never answer."""
    await anyio.sleep_forever()


def test_every_limit_has_a_program_that_meets_it() -> None:
    assert {limit for limit, *_ in CASES} == SESSION_LIMITS


async def test_each_limit_has_its_name_its_value_and_what_raises_it(
    ledger: dict[str, str],
) -> None:
    async with toolweft.open(tools=[mirror, hang], overrides=ledger) as box:
        for limit, code, limits, value, hint in CASES:
            # Other tiers have no files whose bytes are counted.
            if limit == "disk" and machine.missing("ns"):
                continue
            outcome = await box.run(code, limits=limits)
            assert (outcome.status, outcome.limit) == ("limit", limit)
            assert outcome.error is not None
            assert value in outcome.error.message
            assert hint in (outcome.error.hint or "")


@pytest.mark.parametrize("backend", ["process", "monty"])
async def test_cancelling_a_run_ends_its_program_and_its_calls_within_half_a_second(
    ledger: dict[str, str], backend: str
) -> None:
    going = 0
    all_going = anyio.Event()

    @toolweft.tool(severity="read_only")
    async def wait_for_ever(number: int) -> None:
        """Never answer, and notice the end."""
        nonlocal going
        going += 1
        if going == 20:
            all_going.set()
        try:
            await anyio.sleep_forever()
        finally:
            going -= 1

    code = (
        "import asyncio\nasync def one(n):\n    await wait_for_ever(number=n)\n"
        "try:\n    await asyncio.gather(*[one(n) for n in range(20)])\n"
        "except BaseException:\n    while True: pass"
    )
    overrides = {**ledger, "sandbox.backend": backend}
    taken_s = []
    async with toolweft.open(tools=[wait_for_ever], overrides=overrides) as box:
        for _ in range(ATTEMPTS):
            all_going = anyio.Event()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(box.run, code)
                with anyio.fail_after(30):
                    await all_going.wait()
                started_s = time.monotonic()
                tasks.cancel_scope.cancel()
            taken_s.append(time.monotonic() - started_s)
            assert going == 0
            if taken_s[-1] <= MAX_CANCEL_S:
                break
        assert (await box.run("1 + 1")).value == 2
    assert min(taken_s) <= MAX_CANCEL_S
