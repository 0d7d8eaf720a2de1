"""What every session keeps to, whatever confines it."""

import asyncio
import json

import anyio
import pytest
from tests.sandbox.monty.guests import open_monty_guest
from tests.sandbox.process.guests import ALL_TIERS, MIB, Guest, open_guest

from toolweft.core.calls import Failure
from toolweft.core.errors import ContainerBusy, SandboxError
from toolweft.core.ports import GuestBlob, GuestNames, GuestReply
from toolweft.sandbox.abilities import MONTY_CAPABILITIES

pytestmark = pytest.mark.process


needs = pytest.mark.needs
# Reached while the program runs; the others are met by the program itself.
_STOPPED_BY_HOST = ("cpu", "wall", "output", "calls")


@pytest.fixture(params=[*sorted(ALL_TIERS), "monty"])
async def guest(request):
    if request.param == "monty":
        for mark in request.node.iter_markers("needs"):
            for capability in mark.args:
                if not getattr(MONTY_CAPABILITIES, capability):
                    pytest.skip(f"the interpreter has not got the capability {capability!r}")
        async with open_monty_guest() as guest:
            yield guest
        return
    async with open_guest(ALL_TIERS[request.param]) as guest:
        yield guest


@pytest.mark.promise("sandbox.state")
async def test_a_program_prints_computes_and_keeps_its_variables(guest: Guest):
    first = await guest.run("x = 20\nprint('hé', x)\nx + 1")
    assert (first.status, first.stdout, first.value) == ("ok", "hé 20\n", b"21")
    assert first.stdout_characters == 6
    second = await guest.run("x + 2")
    assert second.value == b"22"
    assert guest.session.is_alive


async def test_calls_reach_the_host_with_index_name_line_and_raw_arguments(guest: Guest):
    calls = []

    async def on_call(call):
        calls.append(call)
        return GuestReply(payload=b'{"n": 1.50}')

    outcome = await guest.run("a = await t.f(x=1)\nb = await echo(y='é')\n[a, b]", on_call=on_call)
    assert json.loads(outcome.value) == [{"n": 1.5}, {"n": 1.5}]
    assert [(call.index, call.name, call.line) for call in calls] == [(1, "t.f", 1), (2, "echo", 2)]
    assert calls[1].arguments == '{"y":"é"}'.encode()
    assert (await guest.run("await echo(z=1)", on_call=on_call)).stats.calls == 1
    assert calls[2].index == 1


async def test_calls_of_one_gather_overlap_up_to_the_cap(guest: Guest):
    running, most = 0, 0
    full = anyio.Event()

    async def on_call(_call):
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 5:
            full.set()
        with anyio.fail_after(10):
            await full.wait()
        running -= 1
        return GuestReply(payload=b"1")

    code = "import asyncio\nsum(await asyncio.gather(*[t.f(i=i) for i in range(40)]))"
    outcome = await guest.run(code, on_call=on_call, max_in_flight=5)
    assert outcome.value == b"40"
    assert most == 5


@needs("rich_results")
async def test_a_failure_is_a_tool_error_that_can_be_caught(guest: Guest):
    async def on_call(_call):
        return GuestReply(failure=Failure(code="denied", message="not yours", hint="ask"))

    code = "try:\n    await t.f()\nexcept ToolError as e:\n    r = [e.code, e.message, e.hint]\nr"
    assert json.loads((await guest.run(code, on_call=on_call)).value) == [
        "denied",
        "not yours",
        "ask",
    ]
    outcome = await guest.run("\nawait t.f()", on_call=on_call)
    assert (outcome.status, outcome.error.type, outcome.error.line) == ("error", "ToolError", 2)
    assert (outcome.error.message, outcome.error.hint) == ("t.f: not yours", "ask")


@needs("rich_results")
async def test_bytes_arrive_with_their_media_type(guest: Guest):
    async def on_call(_call):
        blob = GuestBlob(position=1, media_type="image/png", data=b"\x89PNG")
        return GuestReply(payload=b'["text",null]', blobs=(blob,))

    outcome = await guest.run(
        "r = await t.f()\n[r[0], r[1].media_type, r[1].hex()]", on_call=on_call
    )
    assert json.loads(outcome.value) == ["text", "image/png", "89504e47"]


@needs("handles")
async def test_stored_results_are_loaded_in_ranges_and_stand_in_for_large_ones(guest: Guest):
    contents = {
        "h_1": ("json", '\ufeff[{"a": "é"}, 2.5e1]'.encode()),
        "h_2": ("text", "\ufeffone\r\ntwo".encode()),
        "h_3": ("json_lines", b'{"a": 1}\n' * 3),
        "h_4": ("binary", b"\0\xff"),
    }

    async def on_call(call):
        arguments = json.loads(call.arguments)
        key = arguments.get("handle", "h_1")
        kind, data = contents[key]
        info = {"id": key, "kind": kind, "size_bytes": len(data), "rows": None}
        if call.name == "t.f":
            return GuestReply(handle=info)
        if call.name == "load.info":
            return GuestReply(payload=json.dumps(info).encode())
        part = data[arguments["start"] :][: arguments["size"]]
        blob = GuestBlob(position=None, media_type="application/octet-stream", data=part)
        return GuestReply(blobs=(blob,))

    names = GuestNames(namespaces=("t",), has_handles=True)
    code = """
from_call = await (await t.f())
chunks = [rows async for rows in load("h_3").chunks(2)]
found = await load("h_3").query(path="$[*].a", grep="1", window="1:2")
[from_call, await load("h_1").head(1), await load("h_2").text(), chunks, found["at"],
 list(await load("h_4")), [row async for row in load("h_2")]]
"""
    outcome = await guest.run(code, names=names, on_call=on_call)
    assert outcome.error is None
    assert json.loads(outcome.value) == [
        [{"a": "é"}, 25.0],
        [{"a": "é"}],
        "one\r\ntwo",
        [[{"a": 1}, {"a": 1}], [{"a": 1}]],
        [1],
        [0, 255],
        ["one", "two"],
    ]
    assert (await guest.run("load", on_call=on_call)).value_is_repr
    fresh = await guest.run("load = 5\nload", names=names, on_call=on_call)
    assert fresh.value == b"5"
    assert (await guest.run("load", names=names, on_call=on_call)).value == b"5"


async def test_output_is_streamed_while_the_program_runs(guest: Guest):
    seen = []
    arrived = anyio.Event()

    def on_output(text):
        seen.append(text)
        arrived.set()

    async def on_call(_call):
        with anyio.fail_after(5):
            await arrived.wait()
        return GuestReply(payload=b"null")

    outcome = await guest.run(
        "print('early')\nawait t.f()\nprint('late')", on_call=on_call, on_output=on_output
    )
    assert outcome.stdout == "".join(seen) == "early\nlate\n"


async def test_output_above_the_cap_is_counted_not_kept(guest: Guest):
    outcome = await guest.run("for _ in range(100): print('x' * 99)", kept_characters=1000)
    assert len(outcome.stdout) == 1000
    assert outcome.stdout_characters == 10_000


@pytest.mark.promise("sandbox.limits")
@pytest.mark.parametrize(
    ("code", "limit", "changes"),
    [
        ("while True: pass", "cpu", {"active_s": 0.05}),
        pytest.param(
            "import asyncio\nawait asyncio.Future()",
            "wall",
            {"wall_s": 0.05},
            marks=needs("full_asyncio"),
        ),
        ("import time\ntime.sleep(60)", "wall", {"wall_s": 0.05}),
        ("while True: print('x' * 1000)", "output", {"max_output_characters": 50_000}),
        ("while True: await t.f()", "calls", {"max_calls": 5}),
        ("def f(): return f() + 1\nf()", "recursion", {}),
        ("await t.f(x='x' * 5000)", "arguments", {"max_argument_bytes": 1000}),
        ("'x' * 5000", "result", {"max_value_bytes": 1000}),
        ("await t.f(x='x' * 500)", "result", {"max_result_bytes": 100}),
        ("x = " + "(" * 9000 + ")" * 9000, "parser", {}),
        pytest.param(
            "import threading, time\nfor i in range(40):\n"
            "    threading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()",
            "threads",
            {},
            marks=needs("standard_library"),
        ),
    ],
)
async def test_each_limit_stops_the_run_names_itself_and_leaves_the_session(
    guest, code, limit, changes
):
    await guest.run("kept = 1")
    outcome = await guest.run(code, **changes)
    assert (outcome.status, outcome.limit) == ("limit", limit)
    assert outcome.error is not None
    assert outcome.error.message
    if guest.survives_stops or limit not in _STOPPED_BY_HOST:
        assert (await guest.run("kept")).value == b"1"
    else:
        assert not guest.session.is_alive


async def test_a_run_that_swallows_the_stop_is_stopped_all_the_same(guest: Guest):
    # Where the stop arrives outside of the inner block the program ends by itself, and that is
    # fine too.
    code = (
        "while True:\n    try:\n        while True: sum(range(9))\n    except BaseException: pass"
    )
    outcome = await guest.run(code, active_s=0.05)
    assert (outcome.status, outcome.limit) == ("limit", "cpu")


@needs("standard_library")
async def test_a_run_that_ignores_the_stop_is_killed(guest: Guest):
    code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    outcome = await guest.run(code, active_s=0.05)
    assert (outcome.status, outcome.limit) == ("limit", "cpu")
    assert not guest.session.is_alive
    with pytest.raises(SandboxError, match="process has ended"):
        await guest.run("1")


async def test_from_the_moment_of_the_stop_calls_are_refused_and_running_ones_cancelled(
    guest: Guest,
):
    cancelled, asked = [], []

    async def on_call(call):
        asked.append(call.arguments)
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            cancelled.append(call.index)
            raise

    code = (
        "try:\n    await t.f(n=1)\nexcept BaseException: pass\n"
        "try:\n    await t.f(n=2)\nexcept ToolError as e: print(e.code)"
    )
    outcome = await guest.run(code, on_call=on_call, wall_s=0.1)
    assert outcome.limit == "wall"
    assert cancelled == [1]
    assert asked == [b'{"n":1}']


@needs("full_asyncio")
async def test_a_call_the_program_gives_up_on_is_cancelled(guest: Guest):
    cancelled = anyio.Event()

    async def on_call(_call):
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    code = (
        "import asyncio\ntry:\n    await asyncio.wait_for(t.f(), 0.05)\n"
        "except TimeoutError:\n    r = 'gave up'\nawait asyncio.sleep(0.05)\nr"
    )
    outcome = await guest.run(code, on_call=on_call)
    assert outcome.value == b'"gave up"'
    assert cancelled.is_set()


@pytest.mark.parametrize(
    "code",
    ["import ctypes\nctypes.string_at(0)", "import os\nos._exit(0)", "import os\nos.abort()"],
)
@needs("standard_library")
async def test_a_process_that_ends_without_a_report_crashed(guest: Guest, code):
    outcome = await guest.run("print('before')\nimport asyncio\nawait asyncio.sleep(0.05)\n" + code)
    assert outcome.status == "crashed"
    assert outcome.stdout == "before\n"
    assert outcome.error.type == "Crash"
    assert not guest.session.is_alive


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("for i in range(3)\n    pass", "invalid", "SyntaxError"),
        pytest.param(
            "import sys\nsys.exit(1)", "error", "SystemExit", marks=needs("standard_library")
        ),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
        ("raise BaseException('raw')", "error", "BaseException"),
        pytest.param(
            "import sys\nsys.stdout = sys.stderr = None\nraise RuntimeError('seen')",
            "error",
            "RuntimeError",
            marks=needs("standard_library"),
        ),
        ("x = 1\n1 / 0", "error", "ZeroDivisionError"),
        ("import no_such_package", "error", "ModuleNotFoundError"),
    ],
)
async def test_errors_are_reported_and_the_session_lives(guest: Guest, code, status, kind):
    outcome = await guest.run(code)
    assert (outcome.status, outcome.error.type) == (status, kind)
    assert (await guest.run("print(1)")).stdout == "1\n"


async def test_source_that_cannot_be_sent_is_invalid(guest: Guest):
    long = await guest.run("x = 1\n" * 100, max_code_bytes=100)
    assert (long.status, long.error.type) == ("invalid", "InvalidProgram")
    surrogate = await guest.run("x = '\ud800'")
    assert "not text" in surrogate.error.message


async def test_one_run_at_a_time(guest: Guest):
    started = anyio.Event()

    async def on_call(_call):
        started.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:

        async def first():
            await guest.run("await t.f()", on_call=on_call)

        tasks.start_soon(first)
        with anyio.fail_after(5):
            await started.wait()
        with pytest.raises(ContainerBusy):
            await guest.run("1")
        tasks.cancel_scope.cancel()


@needs("survives_stops")
async def test_a_cancelled_run_stops_its_calls_and_may_be_followed_by_another(guest: Guest):
    started, ended = anyio.Event(), anyio.Event()

    async def on_call(_call):
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:

        async def first():
            await guest.run("x = 5\nawait t.f()", on_call=on_call)

        tasks.start_soon(first)
        with anyio.fail_after(5):
            await started.wait()
        tasks.cancel_scope.cancel()
    assert ended.is_set()
    assert (await guest.run("x")).value == b"5"


@needs("full_asyncio")
async def test_work_left_behind_ends_with_the_run(guest: Guest):
    calls = []

    async def on_call(call):
        calls.append(call.arguments)
        return GuestReply(payload=b"1")

    code = (
        "import asyncio\nasync def late():\n"
        "    await asyncio.sleep(0.02)\n    await echo(value='LATE')\n"
        "async def stubborn():\n    try:\n        await asyncio.sleep(60)\n"
        "    finally:\n        await echo(value='LATE')\n"
        "kept = [asyncio.create_task(late()), asyncio.create_task(stubborn())]\n"
        "await asyncio.sleep(0)\n1"
    )
    assert (await guest.run(code, on_call=on_call)).status == "ok"
    assert (
        await guest.run("[task.done() for task in kept]", on_call=on_call)
    ).value == b"[true,true]"
    assert calls == []


@needs("full_asyncio")
async def test_a_stopped_loop_and_cancelled_guest_tasks_do_not_end_the_session(guest: Guest):
    stop = "import asyncio\nasyncio.get_running_loop().stop()\nawait echo(value=1)"
    assert (await guest.run(stop)).value == b'{"value":1}'
    cancel = (
        "me = asyncio.current_task()\n"
        "[t.cancel() for t in asyncio.all_tasks() if t is not me]\nawait echo(value=2)"
    )
    assert (await guest.run(cancel)).value == b'{"value":2}'
    leave = (
        "async def f(): raise SystemExit\n"
        "t1 = asyncio.create_task(f())\nawait asyncio.sleep(0.01)\n3"
    )
    assert (await guest.run(leave)).value == b"3"


@needs("standard_library")
async def test_a_forgotten_await_gets_one_hint(guest: Guest):
    held = await guest.run("issues = t.list(repo='x')\nlen(issues)")
    assert held.error.hint == "issues holds t.list(...), called without await"
    dropped = await guest.run("del issues\nt.list(repo='x')\nprint('done')")
    assert "t.list(...) was called without await" in dropped.stdout
    assert "/" not in dropped.stdout


@needs("full_asyncio")
async def test_a_background_task_that_failed_is_mentioned(guest: Guest):
    code = (
        "import asyncio, gc\nasync def f():\n    raise ValueError('lost')\n"
        "asyncio.create_task(f())\nawait asyncio.sleep(0.01)\ngc.collect()\nprint('end')"
    )
    assert "a background task failed: ValueError: lost (line 3)" in (await guest.run(code)).stdout


@needs("standard_library")
async def test_an_idle_guest_uses_no_processor_time(guest: Guest):
    busy = (
        "import threading\ndef spin():\n    while True: pass\n"
        "threading.Thread(target=spin, daemon=True).start()"
    )
    await guest.run(busy)
    child = guest.session._child
    child.pause()
    before = child.cpu_s()
    await anyio.sleep(0.1)
    assert child.cpu_s() - before < 0.02
    assert (await guest.run("1 + 1")).value == b"2"


async def test_the_stats_are_complete(guest: Guest):
    async def on_call(_call):
        await anyio.sleep(0.1)
        return GuestReply(payload=b'"' + b"x" * 1000 + b'"')

    stats = (await guest.run("print('x' * 50)\nr = await t.f(x=1)", on_call=on_call)).stats
    assert stats.calls == 1
    assert stats.wall_s >= 0.1
    assert stats.active_s < stats.wall_s
    assert stats.cpu_s > 0
    assert stats.peak_mem_bytes > MIB
    assert stats.bytes_in > 1000
    assert 50 < stats.bytes_out < 1000


async def test_names_of_a_later_run_are_added_and_own_variables_win(guest: Guest):
    await guest.run("search = 'mine'")
    names = GuestNames(namespaces=("crm",), functions=("search", "find"))
    outcome = await guest.run("[search, await find(x=1), await crm.get(y=2)]", names=names)
    assert json.loads(outcome.value) == ["mine", {"x": 1}, {"y": 2}]
    assert (await guest.run("repr(t)", names=GuestNames())).value.startswith(b'"<tools of t')


async def test_closing_twice_is_fine(guest: Guest):
    await guest.session.close()
    await guest.session.close()
    assert not guest.session.is_alive
