"""What the interpreter's session does beyond the contract: its errors, its ends, its refusals."""

import json
import os
import signal
import subprocess
import sys

import anyio
import anyio.lowlevel
import pydantic_monty as monty
import pytest
from tests.sandbox.monty.guests import open_monty_guest

from toolweft.core.calls import Failure
from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxError, SandboxUnavailable
from toolweft.core.ports import GuestNames, GuestReply
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.monty import MontyBackend
from toolweft.sandbox.options import SandboxOptions

pytestmark = pytest.mark.process


@pytest.fixture
async def guest():
    async with open_monty_guest() as guest:
        yield guest


async def deny(_call):
    return GuestReply(failure=Failure(code="denied", message="not yours", hint="ask"))


async def hang(_call):
    await anyio.sleep_forever()


async def test_a_tool_whose_name_begins_with_dots_or_dashes_is_called(guest):
    async def name(call):
        return GuestReply(payload=json.dumps(call.name).encode())

    outcome = await guest.run("print(await t.__all(), await t.__())", on_call=name)
    assert outcome.stdout == "t.__all t.__\n", outcome.error


async def test_a_failed_call_is_caught_as_tool_error_and_reported_with_line_and_hint(guest):
    caught = await guest.run(
        "try:\n    await t.f()\nexcept ToolError as error:\n    print(error)", on_call=deny
    )
    assert caught.stdout == "not yours (ask)\n"
    outcome = await guest.run("\nawait t.f()", on_call=deny)
    assert outcome.status == "error"
    assert (outcome.error.type, outcome.error.message) == ("ToolError", "t.f: not yours")
    assert (outcome.error.line, outcome.error.hint) == (2, "ask")
    assert outcome.error.traceback.splitlines() == [
        '  File "<run 2>", line 2, in <module>',
        "    await t.f()",
        "ToolError: t.f: not yours",
    ]


async def test_a_stored_result_is_refused_with_a_reason(guest):
    async def on_call(_call):
        return GuestReply(handle={"id": "h_1"})

    outcome = await guest.run("await t.f()", on_call=on_call)
    assert (outcome.status, outcome.error.type) == ("error", "ToolError")
    assert "cannot read it" in outcome.error.message


@pytest.mark.parametrize("code", ["\nawait load('x')", "\nprint(load('x').chunks(5))"])
async def test_load_is_refused_with_a_reason_and_what_can_load(guest, code):
    outcome = await guest.run(code, names=GuestNames(has_handles=True))
    assert (outcome.status, outcome.error.type, outcome.error.line) == ("error", "ToolError", 2)
    assert "cannot read stored results" in outcome.error.message
    assert 'sandbox.backend = "process"' in outcome.error.hint


async def test_load_of_a_program_is_its_own(guest):
    code = "def load(name):\n    return name\nprint(load('x'))"
    outcome = await guest.run(code, names=GuestNames(has_handles=True))
    assert outcome.stdout == "x\n"


@pytest.mark.parametrize("code", ["def f():\n    yield 1", "class A(B): pass", "x = 1\ndel x"])
async def test_what_the_interpreter_cannot_read_is_invalid_and_nothing_of_it_runs(guest, code):
    outcome = await guest.run("print('ran')\n" + code)
    assert (outcome.status, outcome.error.type) == ("invalid", "UnsupportedSyntax")
    assert outcome.stdout == ""
    assert 'backend = "process"' in outcome.error.hint


async def test_lines_stay_right_after_programs_that_were_refused(guest):
    await guest.run("def f(:")
    await guest.run("x = " + "(" * 9000)
    await guest.run("class A(B): pass")
    assert (await guest.run("\n\n1 / 0")).error.line == 3


async def test_a_function_of_an_earlier_run_is_shown_with_its_own_text(guest):
    await guest.run("def divide(n):\n    return 1 / n")
    outcome = await guest.run("divide(0)")
    assert outcome.error.traceback.splitlines()[:4] == [
        '  File "<run 2>", line 1, in <module>',
        "    divide(0)",
        '  File "<run 1>", line 2, in divide',
        "    return 1 / n",
    ]


@pytest.mark.parametrize(
    "bomb",
    [
        "x = []\nwhile True: x.append('a' * 1000)",
        "'a' * 10**10",
        "a = [0] * 10\nfor _ in range(12): a = [a] * 10\na",
        "a = [0] * 10\nfor _ in range(12): a = [a] * 10\nawait t.f(a=a)",
    ],
)
async def test_the_memory_limit_ends_the_run_and_the_session(bomb):
    limits = ProgramLimits(memory_bytes=64 * 1024 * 1024, active_s=20.0, wall_s=30.0)
    async with open_monty_guest(limits) as guest:
        outcome = await guest.run(bomb, active_s=20.0, wall_s=30.0)
        assert (outcome.status, outcome.limit) == ("limit", "memory")
        assert not guest.session.is_alive
        with pytest.raises(SandboxError, match="process has ended"):
            await guest.run("1")


async def test_a_process_that_is_killed_from_outside_crashed(guest):
    async def on_call(_call):
        os.kill(guest.session.process_id, signal.SIGKILL)
        return GuestReply()

    outcome = await guest.run("print('before')\nawait t.f()", on_call=on_call)
    assert (outcome.status, outcome.error.type) == ("crashed", "Crash")
    assert outcome.stdout == "before\n"
    assert not guest.session.is_alive


async def test_the_event_loop_is_free_while_a_program_computes(guest):
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await guest.run("while True: pass", active_s=0.2)
        tasks.cancel_scope.cancel()
    assert turns > 10


async def test_sleeps_overlap_take_no_active_time_and_are_counted(guest):
    outcome = await guest.run(
        "import asyncio, time\n"
        "await asyncio.gather(*[asyncio.sleep(0.1) for _ in range(100)])\ntime.sleep(0.1)",
        wall_s=9.0,
    )
    assert outcome.status == "ok"
    assert outcome.stats.wall_s > 0.2
    assert outcome.stats.cpu_s < outcome.stats.wall_s
    many = "import asyncio\nawait asyncio.gather(*[asyncio.sleep(9) for _ in range(1001)])"
    assert "1000 sleeps at once" in (await guest.run(many)).error.message


async def test_the_value_is_what_stands_last_and_nothing_else(guest):
    assert (await guest.run("x = 'é'; x")).value == '"é"'.encode()
    assert (await guest.run("(1,\n 2)  # two")).value == b"[1,2]"
    assert (await guest.run("if True:\n    5")).value == b""
    assert (await guest.run("y: int = 5")).value == b""
    shown = await guest.run("lambda n: n")
    assert shown.value_is_repr
    left = await guest.run("return 5")
    assert (left.status, left.error.message) == ("error", "'return' outside function")


ITERATORS = [
    "(x for x in [1, 2])",
    "map(int, [1, 2])",
    "filter(None, [1, 2])",
    "zip([1], [2])",
    "enumerate([1])",
    "reversed([1, 2])",
]


@pytest.mark.parametrize("made", ITERATORS)
async def test_what_is_gone_through_once_in_python_is_so_here(guest, made):
    code = f"g = {made}\nfirst, second = list(g), list(g)\n[first == list({made}), second]"
    assert (await guest.run(code)).value == b"[true,[]]"


@pytest.mark.parametrize("made", ITERATORS)
async def test_what_is_no_json_is_refused_as_argument_and_never_a_list(guest, made):
    calls = []

    async def note(call):
        calls.append(call)
        return GuestReply(payload=b"1")

    outcome = await guest.run(f"await echo(value=[1, {made}])", on_call=note)
    assert (outcome.status, outcome.error.type) == ("error", "TypeError")
    assert "not JSON" in outcome.error.message
    assert calls == []


async def test_a_call_without_await_is_told(guest):
    outcome = await guest.run("rows = t.f()\nlen(rows)")
    assert "without await" in outcome.error.hint
    assert "without await" in (await guest.run("t.f()")).stdout


async def test_positional_arguments_are_named_where_the_host_says_how(guest):
    names = GuestNames(namespaces=("t",), positional={"t.find": ("query",)})
    outcome = await guest.run("await t.find('x', top=1)", names=names)
    assert outcome.value == b'{"top":1,"query":"x"}'
    wrong = await guest.run("await t.f(1)", names=names)
    assert "takes keyword arguments only" in wrong.error.message


@pytest.mark.promise("sandbox.interpreter")
async def test_the_backend_proves_itself_and_refuses_environments():
    async with MontyBackend(SandboxOptions(), clock=SystemClock()) as backend:
        assert [(report.tier, report.holds) for report in backend.reports] == [
            ("interpreter", True)
        ]
        assert not backend.capabilities.standard_library
        with pytest.raises(SandboxUnavailable, match="imports no packages"):
            await backend.open(ProgramLimits(), environment="science")
        session = await backend.open(ProgramLimits())
    assert not session.is_alive


_SHORT = """
import anyio
from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestNames, GuestReply
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.monty import MontyBackend
from toolweft.sandbox.options import SandboxOptions

async def main():
    async def on_call(call):
        return GuestReply(payload=call.arguments)
    async with MontyBackend(SandboxOptions(), clock=SystemClock()) as backend:
        session = await backend.open(ProgramLimits())
        outcome = await session.run(
            "(await t.f(x=1))['x']", names=GuestNames(namespaces=("t",)),
            limits=ProgramLimits(), on_call=on_call,
        )
        print(outcome.value.decode())

anyio.run(main)
"""


def test_short_processes_that_use_the_backend_end_well():
    # The library's asynchronous interface aborts every second such process at its exit.
    for _ in range(10):
        command = [sys.executable, "-c", _SHORT]
        ended = subprocess.run(command, capture_output=True, check=False)
        assert (ended.returncode, ended.stdout) == (0, b"1\n"), ended.stderr


@pytest.mark.parametrize("fault", [FileNotFoundError("no monty"), IndexError("4")])
async def test_an_interpreter_that_cannot_start_is_unavailable_with_the_reason(monkeypatch, fault):
    def fail(*_arguments, **_options):
        raise fault

    monkeypatch.setattr(monty, "Monty", fail)
    with pytest.raises(SandboxUnavailable, match=f"did not start: {type(fault).__name__}"):
        await MontyBackend(SandboxOptions(), clock=SystemClock()).__aenter__()
