"""What went wrong elsewhere once, and must not here."""

import json
import sys

import anyio
import pytest
from tests.sandbox.process.guests import ALL_TIERS, MIB, UNLOCKED, open_guest

from toolweft.core.ports import GuestNames, GuestReply

pytestmark = pytest.mark.process


@pytest.mark.promise("sandbox.files")
async def test_no_path_of_the_host_shows_in_the_strongest_tier():
    code = (
        "import sys, os, json, traceback, asyncio\n"
        "files = [getattr(m, '__file__', '') or '' for m in list(sys.modules.values())]\n"
        "try: json.loads('{')\nexcept ValueError: text = traceback.format_exc()\n"
        "[sys.path, sys.prefix, sys.executable, sys.argv, sorted(set(files)), text,"
        " dict(os.environ), os.getcwd(), os.uname().nodename, os.listdir('/')]"
    )
    async with open_guest(ALL_TIERS["ns"]) as guest:
        shown = (await guest.run(code)).value.decode()
    for path in (sys.base_prefix, sys.prefix, __file__.partition("/tests/")[0]):
        # A system's own Python lies where every system has it.
        if path not in ("/usr", "/"):
            assert path not in shown
    assert "/opt/python/lib" in shown
    assert '"sandbox"' in shown


async def test_the_scratch_folder_time_zones_and_late_imports_work():
    code = (
        "import tempfile, os, sqlite3, tomllib\nfrom zoneinfo import ZoneInfo\n"
        "from datetime import datetime\n"
        "with tempfile.NamedTemporaryFile('w+') as f:\n    f.write('kept')\n    f.seek(0)\n"
        "    text = f.read()\nopen('notes.txt', 'w').write('x')\nos.rename('notes.txt', 'n.txt')\n"
        "db = sqlite3.connect('data.db')\ndb.execute('create table t (x)')\ndb.commit()\n"
        "import sched\n"
        "[text, sorted(os.listdir('.')), os.getcwd(), tempfile.gettempdir(),"
        " str(datetime(2026, 7, 1, tzinfo=ZoneInfo('Europe/Berlin')).utcoffset())]"
    )
    async with open_guest(ALL_TIERS["ns"]) as guest:
        outcome = await guest.run(code)
    assert json.loads(outcome.value) == [
        "kept",
        ["data.db", "n.txt"],
        "/tmp/work",
        "/tmp",
        "2:00:00",
    ]


async def test_arguments_that_wait_in_the_host_are_bounded():
    held, most, was_reading = 0, 0, []
    release = anyio.Event()

    async def on_call(call):
        nonlocal held, most
        held += len(call.arguments)
        most = max(most, held)
        if held > 16 * MIB:
            was_reading.append(guest.session._channel._transport.is_reading())
            release.set()
        with anyio.fail_after(10):
            await release.wait()
        held -= len(call.arguments)
        return GuestReply(payload=b"1")

    code = "import asyncio\nsum(await asyncio.gather(*[t.f(x='x' * 1_000_000) for _ in range(60)]))"
    async with open_guest(UNLOCKED) as guest:
        outcome = await guest.run(code, on_call=on_call)
    assert outcome.value == b"60"
    assert was_reading[0] is False
    assert most <= 18 * MIB


async def test_thousands_of_names_reach_a_program():
    names = GuestNames(
        namespaces=tuple(f"source_{i}" for i in range(3000)),
        functions=tuple(f"tool_{i}" for i in range(5000)),
    )
    async with open_guest(UNLOCKED) as guest:
        outcome = await guest.run("[await source_2999.f(x=1), await tool_4999(y=2)]", names=names)
    assert json.loads(outcome.value) == [{"x": 1}, {"y": 2}]


async def test_ten_thousand_calls_fit_into_one_session():
    async with open_guest(ALL_TIERS["noopen"]) as guest:
        for _ in range(10):
            outcome = await guest.run("for i in range(1000): await t.f(i=i)")
            assert (outcome.status, outcome.stats.calls) == ("ok", 1000)


async def test_a_deadline_that_has_passed_stops_a_program_that_never_waits():
    asked = []

    async def on_call(call):
        asked.append(call.index)
        return GuestReply(payload=b"1")

    code = "while True:\n    try: await t.f()\n    except ToolError: break\n'stopped'"
    async with open_guest(UNLOCKED) as guest:
        outcome = await guest.run(code, on_call=on_call, wall_s=0.1, max_calls=10**6)
        before = len(asked)
        assert outcome.limit == "wall"
        assert (await guest.run("1", on_call=on_call)).value == b"1"
    assert len(asked) == before


async def test_one_session_knows_nothing_of_another():
    async with (
        open_guest(ALL_TIERS["ns"]) as first,
        open_guest(ALL_TIERS["ns"]) as second,
    ):
        await first.run("secret = 1\nopen('/tmp/mine', 'w').write('x')")
        assert (await second.run("import os\nos.listdir('/tmp')")).value == b'["work"]'
        assert (await second.run("secret")).error.type == "NameError"
