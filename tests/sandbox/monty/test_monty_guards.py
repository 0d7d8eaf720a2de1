"""What the host guards itself against where the interpreter alone would not: its known traps.

The interpreter keeps parts of a value that are the same one, looks at its clock only between its
own steps, lets time pass while the host works for it, and takes values of any size.
"""

import json
import pathlib
import time

import anyio
import pytest
from tests.sandbox.monty.guests import open_monty_guest
from tests.sandbox.process.guests import MIB

from toolweft.core.ports import GuestReply
from toolweft.core.programs import ProgramLimits

pytestmark = pytest.mark.process

# 13 lists of 10, each the same: 10^13 leaves, in a few hundred bytes.
SHARED = "a = [0] * 10\nfor _ in range(12): a = [a] * 10\n"
# Far below what writing the leaves down would take, far above what refusing them takes.
SOON_S = 20.0


@pytest.fixture
async def guest():
    async with open_monty_guest() as guest:
        yield guest


def own_memory_bytes() -> int:
    with pathlib.Path("/proc/self/status").open(encoding="ascii") as status:
        return int(status.read().partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.promise("sandbox.interpreter-guards")
@pytest.mark.parametrize(
    "code",
    [
        "_tw_call('t.f', 1, a)",
        "_tw_call('t.f', a, '{}')",
        "_tw_call(a, 1, '{}')",
        "_tw_call(*a)",
        "_tw_value = lambda value: ('json', a)\n1",
        "_tw_value = lambda value: (a, 'json')\n1",
        "_tw_value = lambda value: a\n1",
        "return a",
        "import time\ntime.sleep(a)",
        "import asyncio\nawait asyncio.sleep(0, a)",
        "nobody_knows_this(a)",
    ],
)
async def test_shared_parts_sent_around_our_code_are_never_written_out(guest, code):
    before = own_memory_bytes()
    with anyio.fail_after(SOON_S):
        outcome = await guest.run(SHARED + code)
    if "sleep" not in code:
        assert outcome.status in {"error", "crashed"}
    assert len(str(outcome)) < 10_000
    assert own_memory_bytes() - before < 128 * MIB


@pytest.mark.parametrize(
    "code", ["print(a)", "raise ValueError(a)", "a", "await t.f(a=a)", "str(a)"]
)
async def test_shared_parts_are_written_out_inside_only_and_meet_the_memory_limit(code):
    asked = []

    async def on_call(call):
        asked.append(call)
        return GuestReply(payload=b"1")

    limits = ProgramLimits(memory_bytes=64 * MIB, active_s=15.0, wall_s=SOON_S)
    async with open_monty_guest(limits) as guest:
        before = own_memory_bytes()
        outcome = await guest.run(SHARED + code, on_call=on_call, active_s=15.0, wall_s=SOON_S)
        assert outcome.limit in {"memory", "cpu"} or outcome.status == "error"
        assert own_memory_bytes() - before < 128 * MIB
    assert asked == []


@pytest.mark.promise("sandbox.interpreter-guards")
@pytest.mark.parametrize(
    "code",
    [
        "for _ in range(4): await t.f()",
        "import asyncio\nawait asyncio.gather(t.f(), t.f())",
        "import asyncio\nfor _ in range(100): await asyncio.sleep(0.1)",
        "import time\nfor _ in range(100): time.sleep(0.1)",
    ],
)
async def test_time_that_passes_in_the_host_counts_and_its_calls_are_cancelled(guest, code):
    begun, cancelled = 0, 0

    async def on_call(_call):
        nonlocal begun, cancelled
        begun += 1
        try:
            await anyio.sleep(60)
        except anyio.get_cancelled_exc_class():
            cancelled += 1
            raise

    start = time.monotonic()
    outcome = await guest.run(code, on_call=on_call, wall_s=0.5)
    assert (outcome.status, outcome.limit) == ("limit", "wall")
    assert time.monotonic() - start < SOON_S
    assert begun == cancelled
    assert outcome.stats.cpu_s < 0.5


@pytest.mark.promise("sandbox.interpreter-guards")
@pytest.mark.parametrize(
    "code",
    [
        "import math\nmath.comb(3 * 10**6, 10**6)",
        "pow(3, 10**8, 10**1_000_000 + 7)",
        "3 ** 100_000_000",
        "sum(range(10**12))",
    ],
)
async def test_one_long_operation_is_ended_from_outside(guest, code):
    start = time.monotonic()
    outcome = await guest.run(code, active_s=0.3)
    assert (outcome.status, outcome.limit) == ("limit", "cpu")
    assert time.monotonic() - start < SOON_S
    assert not guest.session.is_alive
    # A process of its own was ended; the next one is as good as new.
    async with open_monty_guest() as other:
        assert (await other.run("1 + 1")).value == b"2"


async def test_arguments_above_the_limit_are_not_sent(guest):
    asked = []

    async def on_call(call):
        asked.append(call)
        return GuestReply(payload=b"1")

    code = "await t.f(x='x' * (64 * 1024 * 1024))"
    before = own_memory_bytes()
    outcome = await guest.run(code, on_call=on_call)
    assert outcome.limit in {"arguments", "memory"}
    assert asked == []
    # The text stayed inside: only its size was told.
    assert own_memory_bytes() - before < 32 * MIB


async def test_arguments_sent_around_the_limit_inside_are_refused_by_the_host(guest):
    asked = []

    async def on_call(call):
        asked.append(call)
        return GuestReply(payload=b"1")

    code = "text = 'x' * 5000\nawait _tw_call('t.f', 1, text)"
    outcome = await guest.run(code, on_call=on_call, max_argument_bytes=1000)
    assert asked == []
    assert outcome.value.startswith(b'["failure"')


async def test_results_above_the_limit_are_not_handed_in(guest):
    async def on_call(_call):
        return GuestReply(payload=b'"' + b"x" * (2 * MIB) + b'"')

    outcome = await guest.run("len(await t.f())", on_call=on_call, max_result_bytes=MIB)
    assert (outcome.status, outcome.limit) == ("limit", "result")
    again = await guest.run("len(await t.f())", on_call=on_call)
    assert again.value == str(2 * MIB).encode()


@pytest.mark.promise("sandbox.interpreter-guards")
@pytest.mark.parametrize(
    "value",
    [
        "lambda: 1",
        "len",
        "t",
        "t.f",
        "t.f()",
        "echo",
        "{1, 2}",
        "b'bytes'",
        "object",
        "float('nan')",
        "float('inf')",
        "json",
        "[1, [lambda: 1]]",
        "{'key': {'deep': t.f}}",
        "ValueError('x')",
        "range(3)",
        "1 + 2j",
    ],
)
async def test_what_would_arrive_as_its_description_is_refused_inside(guest, value):
    asked = []

    async def on_call(call):
        asked.append(call)
        return GuestReply(payload=b"1")

    outcome = await guest.run(f"import json\nawait t.f(x={value})", on_call=on_call)
    assert outcome.status == "error", outcome
    assert outcome.error.type in {"TypeError", "ValueError"}
    assert asked == []
    # Nothing broke: it was an error of the program, with its line.
    assert outcome.error.line == 2
    assert guest.session.is_alive


async def test_a_list_that_holds_itself_is_refused_inside(guest):
    outcome = await guest.run("a = []\na.append(a)\nawait t.f(x=a)")
    assert outcome.status == "error" or outcome.limit == "recursion"
    assert guest.session.is_alive


@pytest.mark.promise("sandbox.interpreter-guards")
async def test_calls_stop_at_their_own_budget_and_not_at_a_number_of_suspensions(guest):
    # The library's own default is 1,000 in a session, name look-ups included.
    code = "total = 0\nfor i in range(1500): total += (await echo(n=1))['n']\ntotal"
    first = await guest.run(code, max_calls=2000, wall_s=30.0, active_s=20.0)
    assert first.value == b"1500", first
    assert first.stats.calls == 1500
    looked_up = await guest.run(
        "count = 0\nfor _ in range(1500):\n    try:\n        nobody_knows_this\n"
        "    except NameError:\n        count += 1\ncount",
        wall_s=30.0,
        active_s=20.0,
    )
    assert looked_up.value == b"1500", looked_up
    stopped = await guest.run("while True: await echo(n=1)", max_calls=7)
    assert (stopped.limit, stopped.stats.calls) == ("calls", 7)


async def test_a_hundred_thousand_objects_cross_as_text_and_are_objects_inside(guest):
    rows = [{"id": n, "name": f"row number {n}", "value": n * 1.5} for n in range(100_000)]
    payload = json.dumps(rows).encode()

    async def on_call(_call):
        return GuestReply(payload=payload)

    code = (
        "kind, crossed, blobs = await _tw_call('t.f', 1, '{}')\nrows = await t.f()\n"
        "[type(crossed).__name__, len(rows), type(rows[-1]).__name__, sum(r['id'] for r in rows)]"
    )
    outcome = await guest.run(code, on_call=on_call, max_result_bytes=64 * MIB)
    assert json.loads(outcome.value) == ["str", 100_000, "dict", sum(range(100_000))]
