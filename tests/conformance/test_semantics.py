"""What programs can count on in every sandbox; what one of them lacks, its capabilities say."""

import json
import sys
from pathlib import Path

import anyio
import pytest
from tests.conformance.backends import OpenBackend
from tests.conformance.needs import needs
from tests.sandbox.process.guests import Guest

from toolweft.core.calls import Failure
from toolweft.core.errors import ContainerBusy
from toolweft.core.ports import GuestReply

pytestmark = pytest.mark.process

HOUSE = str(Path(__file__).resolve().parents[2])


# ------------------------------------------------------------------------- state and last value


@needs("state")
@pytest.mark.promise("sandbox.state")
async def test_a_program_prints_computes_and_keeps_its_variables(guest: Guest):
    first = await guest.run("x = 20\nprint('hé', x)\nx + 1")
    assert (first.status, first.stdout, first.value) == ("ok", "hé 20\n", b"21")
    assert first.stdout_characters == 6
    second = await guest.run("def double(n):\n    return 2 * n\nx + 2")
    assert second.value == b"22"
    assert (await guest.run("double(x)")).value == b"40"
    assert guest.session.is_alive


@needs("state")
async def test_what_a_failed_run_had_bound_stays(guest: Guest):
    assert (await guest.run("kept = [1]\nkept.append(2)\n1 / 0")).status == "error"
    assert (await guest.run("kept")).value == b"[1,2]"


async def test_one_session_knows_nothing_of_another(opened: OpenBackend):
    async with opened.guest() as first, opened.guest() as second:
        await first.run("import json\nsecret = 1\njson.secret = 1")
        assert (await second.run("secret")).error.type == "NameError"
        assert (await second.run("import json\nhasattr(json, 'secret')")).value == b"false"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", b"2"),
        ("x = 'é'; x", '"é"'.encode()),
        ("(1,\n 2)  # two", b"[1,2]"),
        ("{'a': [1, None, True, 2.5]}", b'{"a":[1,null,true,2.5]}'),
        ("None", b""),
        ("", b""),
        ("x = 3", b""),
        ("if True:\n    5", b""),
        ("y: int = 5", b""),
    ],
)
async def test_the_last_expression_is_the_value(guest: Guest, code, value):
    outcome = await guest.run(code)
    assert (outcome.status, outcome.value, outcome.value_is_repr) == ("ok", value, False)


@pytest.mark.parametrize("code", ["lambda n: n", "{1, 2}", "float('nan')"])
async def test_a_value_that_is_no_json_is_shown_as_text(guest: Guest, code):
    outcome = await guest.run(code)
    assert outcome.value_is_repr
    assert isinstance(json.loads(outcome.value), str)


# -------------------------------------------------------------------------------------- asyncio


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\nasync def main():\n    return await echo(x=5)\nasyncio.run(main())",
        "import asyncio\nasync def main():\n    return await echo(x=5)\n"
        "if __name__ == '__main__':\n    r = asyncio.run(main())\nr",
    ],
)
async def test_a_program_may_run_its_main_function_as_a_script_does(guest: Guest, code):
    outcome = await guest.run(code)
    assert (outcome.error, outcome.value) == (None, b'{"x":5}')


async def test_results_of_a_gather_stand_in_the_order_asked_for(guest: Guest):
    last = anyio.Event()

    async def on_call(call):
        i = json.loads(call.arguments)["i"]
        if i == 2:
            last.set()
        with anyio.fail_after(10):
            await last.wait()
        return GuestReply(payload=b"%d" % i)

    code = "import asyncio\nlist(await asyncio.gather(t.f(i=0), t.f(i=1), t.f(i=2)))"
    assert (await guest.run(code, on_call=on_call)).value == b"[0,1,2]"


@needs("full_asyncio")
@pytest.mark.parametrize(
    ("code", "value"),
    [
        (
            "task = asyncio.create_task(echo(x=1))\nothers = await echo(x=2)\n"
            "[(await task)['x'], others['x']]",
            b"[1,2]",
        ),
        (
            "async with asyncio.TaskGroup() as group:\n"
            "    tasks = [group.create_task(echo(x=i)) for i in range(3)]\n"
            "[task.result()['x'] for task in tasks]",
            b"[0,1,2]",
        ),
        (
            "r = await asyncio.gather(echo(x=1), t.fail(), return_exceptions=True)\n"
            "[r[0]['x'], type(r[1]).__name__]",
            b'[1,"ToolError"]',
        ),
        (
            "q = asyncio.Queue()\nasync def put():\n    await q.put(await echo(x=7))\n"
            "task = asyncio.create_task(put())\n(await q.get())['x']",
            b"7",
        ),
        (
            "done = [task.result()['x'] for task in (await asyncio.wait("
            "[asyncio.create_task(echo(x=i)) for i in range(3)]))[0]]\nsorted(done)",
            b"[0,1,2]",
        ),
        (
            "seen = []\nfor result in asyncio.as_completed([echo(x=i) for i in range(3)]):\n"
            "    seen.append((await result)['x'])\nsorted(seen)",
            b"[0,1,2]",
        ),
    ],
    ids=["create_task", "TaskGroup", "return_exceptions", "Queue", "wait", "as_completed"],
)
async def test_the_rest_of_asyncio_works_with_calls(guest: Guest, code, value):
    async def on_call(call):
        if call.name == "t.fail":
            return GuestReply(failure=Failure(code="denied", message="no"))
        return GuestReply(payload=call.arguments)

    outcome = await guest.run(f"import asyncio\n{code}", on_call=on_call)
    assert (outcome.error, outcome.value) == (None, value)


@needs("full_asyncio")
@pytest.mark.parametrize(
    "wait",
    [
        "async with asyncio.timeout(0.05):\n        await t.f()",
        "await asyncio.wait_for(t.f(), 0.05)",
        "async with asyncio.timeout_at(asyncio.get_running_loop().time() + 0.05):\n"
        "        await asyncio.gather(t.f(), t.f())",
    ],
    ids=["timeout", "wait_for", "timeout_at"],
)
async def test_a_call_the_program_gives_up_on_is_cancelled(guest: Guest, wait):
    going = 0
    given_up = anyio.Event()

    async def on_call(_call):
        nonlocal going
        if _call.name == "echo":
            with anyio.fail_after(10):
                await given_up.wait()
            return GuestReply(payload=b'"gave up"')
        going += 1
        try:
            await anyio.sleep_forever()
        finally:
            going -= 1
            if not going:
                given_up.set()

    code = f"import asyncio\ntry:\n    {wait}\nexcept TimeoutError:\n    r = await echo()\nr"
    outcome = await guest.run(code, on_call=on_call)
    assert (outcome.error, outcome.value, going) == (None, b'"gave up"', 0)


@needs("full_asyncio", "state")
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
    ended = await guest.run("[task.done() for task in kept]", on_call=on_call)
    assert ended.value == b"[true,true]"
    assert calls == []


# --------------------------------------------------------------------------------------- errors


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
        pytest.param(
            "class Own(Exception):\n    pass\nraise Own('mine')",
            "error",
            "Own",
            marks=needs("full_language"),
        ),
    ],
)
async def test_errors_are_reported_and_the_session_lives(guest: Guest, code, status, kind):
    outcome = await guest.run(code)
    assert (outcome.status, outcome.error.type) == (status, kind)
    assert (await guest.run("print(1)")).stdout == "1\n"


@pytest.mark.parametrize(
    ("code", "line", "shown"),
    [
        ("x = 1\n\n1 / 0", 3, "1 / 0"),
        ("def f(n):\n    return 1 / n\n\nf(0)", 2, "return 1 / n"),
        ("import json\nx = json.loads('{')", 2, "x = json.loads('{')"),
        ("import asyncio\nasync def f():\n    await t.f()\nawait asyncio.gather(f())", 3, "t.f()"),
        ("a = 1\nb = (a\n     + missing)", 3, "missing"),
    ],
)
async def test_an_error_has_the_program_s_line_and_no_path_of_the_host(
    guest: Guest, code, line, shown
):
    async def on_call(_call):
        return GuestReply(failure=Failure(code="denied", message="no"))

    outcome = await guest.run(code, on_call=on_call)
    error = outcome.error
    assert error.line == line
    assert f"line {line}" in error.traceback
    assert shown in error.traceback
    assert error.type in error.traceback
    text = f"{error.message} {error.traceback} {error.hint}"
    for path in (HOUSE, sys.prefix, sys.base_prefix + "/lib", "site-packages", "toolweft/"):
        assert path not in text


async def test_a_syntax_error_has_its_line_and_nothing_ran(guest: Guest):
    outcome = await guest.run("print('ran')\n\nx = = 1")
    assert (outcome.status, outcome.error.line, outcome.stdout) == ("invalid", 3, "")


async def test_a_failed_call_is_caught_as_a_tool_error_and_else_ends_the_program(guest: Guest):
    async def on_call(_call):
        return GuestReply(failure=Failure(code="denied", message="not yours", hint="ask"))

    caught = await guest.run(
        "try:\n    await t.f()\nexcept ToolError as error:\n    print(error)", on_call=on_call
    )
    assert "not yours" in caught.stdout
    outcome = await guest.run("\nawait t.f()", on_call=on_call)
    assert (outcome.status, outcome.error.type, outcome.error.line) == ("error", "ToolError", 2)
    assert (outcome.error.message, outcome.error.hint) == ("t.f: not yours", "ask")


@needs("rich_results")
async def test_a_tool_error_has_code_message_and_hint(guest: Guest):
    async def on_call(_call):
        return GuestReply(failure=Failure(code="denied", message="not yours", hint="ask"))

    code = "try:\n    await t.f()\nexcept ToolError as e:\n    r = [e.code, e.message, e.hint]\nr"
    assert json.loads((await guest.run(code, on_call=on_call)).value) == [
        "denied",
        "not yours",
        "ask",
    ]


async def test_a_forgotten_await_is_told(guest: Guest):
    held = await guest.run("issues = t.list(repo='x')\nlen(issues)")
    assert "without await" in held.error.hint
    dropped = await guest.run("issues = 0\nt.list(repo='x')")
    assert "without await" in dropped.stdout
    assert "/" not in dropped.stdout


@needs("full_language")
async def test_all_of_the_language_runs(guest: Guest):
    code = (
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Row:\n    n: int\n    @property\n"
        "    def twice(self): return 2 * self.n\n"
        "class More(Row): pass\n"
        "def rows():\n    yield from (More(n) for n in range(3))\n"
        "async def later():\n    for row in rows():\n        yield row\n"
        "found = {row.n: row.twice async for row in later()}\ndel found[0]\n"
        "match found:\n    case {1: two, **rest}: pass\n[two, rest[2]]"
    )
    outcome = await guest.run(code)
    assert (outcome.error, outcome.value) == (None, b"[2,4]")


# --------------------------------------------------------------------------- ---------- sessions


@needs("limits.threads")
async def test_an_idle_guest_uses_no_processor_time(guest: Guest):
    busy = (
        "import threading\ndef spin():\n    while True: pass\n"
        "threading.Thread(target=spin, daemon=True).start()"
    )
    await guest.run(busy)
    child = guest.session._child
    used_s = 1.0
    with anyio.fail_after(20):
        # Sessions are paused a while after a run, and neither kernels nor engines tell when.
        while used_s > 0.02:
            before_s = child.cpu_s()
            await anyio.sleep(0.2)
            used_s = child.cpu_s() - before_s
    assert (await guest.run("1 + 1")).value == b"2"


@needs("files")
async def test_files_of_the_scratch_folder_stay_between_runs(guest: Guest):
    code = (
        "import os, tempfile\nfrom pathlib import Path\n"
        "Path('a').mkdir()\nPath('a/x').write_text('1')\nos.rename('a/x', 'y')\n"
        "with tempfile.NamedTemporaryFile('w+') as f:\n    f.write('2')\n    f.seek(0)\n"
        "    text = f.read()\n[os.getcwd(), tempfile.gettempdir(), text]"
    )
    outcome = await guest.run(code)
    assert json.loads(outcome.value) == ["/tmp/work", "/tmp", "2"]
    assert (await guest.run("sorted(os.listdir()), open('y').read()")).value == b'[["a","y"],"1"]'


@needs("every_module")
@pytest.mark.parametrize(
    "module", ["sched", "wave", "concurrent.futures.thread", "xml.sax.handler"]
)
async def test_modules_that_nothing_loaded_beforehand_can_be_imported(guest: Guest, module):
    assert (await guest.run(f"import {module}\n1")).value == b"1"


@needs("standard_library")
@pytest.mark.parametrize(
    "module",
    ["asyncio", "collections", "csv", "dataclasses", "datetime", "decimal", "fractions", "hashlib",
     "heapq", "itertools", "json", "math", "pathlib", "random", "re", "statistics", "string",
     "textwrap", "typing", "urllib.parse", "uuid", "zoneinfo"],
)  # fmt: skip
async def test_what_programs_use_most_is_there(guest: Guest, module):
    outcome = await guest.run(f"import {module} as module\nlen(dir(module)) > 3")
    assert (outcome.error, outcome.value) == (None, b"true")


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


@needs("full_asyncio")
async def test_a_background_task_that_failed_is_mentioned(guest: Guest):
    code = (
        "import asyncio, gc\nasync def f():\n    raise ValueError('lost')\n"
        "asyncio.create_task(f())\nawait asyncio.sleep(0.01)\ngc.collect()\nprint('end')"
    )
    assert "a background task failed: ValueError: lost (line 3)" in (await guest.run(code)).stdout


async def test_closing_twice_is_fine(guest: Guest):
    await guest.session.close()
    await guest.session.close()
    assert not guest.session.is_alive


@pytest.mark.parametrize("code", ["print('on')\nawait echo(value=1)", "print('on')\nwhile 1: pass"])
async def test_a_run_whose_session_is_closed_is_cancelled(guest: Guest, code: str):
    started, outcomes = anyio.Event(), []

    async def on_call(call):
        await anyio.sleep_forever()

    async def run() -> None:
        outcomes.append(
            await guest.run(code, on_call=on_call, on_output=lambda _text: started.set())
        )

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await started.wait()
            await guest.session.close()
    (outcome,) = outcomes
    assert (outcome.status, outcome.limit) == ("cancelled", None)
    assert outcome.error.type == "Cancelled"
    assert outcome.error.message == "the run was stopped: its container was closed"
    assert not guest.session.is_alive
