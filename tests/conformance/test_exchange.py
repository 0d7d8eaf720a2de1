"""What passes between a program and the host in every sandbox: calls, results, text, counts."""

import json

import anyio
import pytest
from tests.conformance.needs import needs
from tests.sandbox.process.guests import MIB, Guest

from toolweft.core.calls import Blob
from toolweft.core.ports import GuestBlob, GuestNames, GuestReply

pytestmark = pytest.mark.process


# ----------------------------------------------------------------------------- calls and values


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


async def test_calls_of_a_gather_are_numbered_once_each_with_their_lines(guest: Guest):
    calls = {}

    async def on_call(call):
        calls[call.index] = (json.loads(call.arguments)["i"], call.line)
        return GuestReply(payload=b"1")

    code = (
        "import asyncio\nasync def f(i):\n    await t.f(i=i)\n"
        "await asyncio.gather(*[f(i) for i in range(20)])\nawait t.f(i=20)"
    )
    assert (await guest.run(code, on_call=on_call)).stats.calls == 21
    assert sorted(calls) == list(range(1, 22))
    assert sorted(calls.values()) == [*((i, 3) for i in range(20)), (20, 5)]


async def test_bytes_of_tools_arrive_as_bytes(guest: Guest):
    async def on_call(call):
        if call.name == "echo":
            alone = GuestBlob(position=None, media_type="text/plain", data=b"\0\xff")
            return GuestReply(blobs=(alone,))
        blob = GuestBlob(position=1, media_type="image/png", data=b"\x89PNG")
        return GuestReply(payload=b'["text",null]', blobs=(blob,))

    code = "r = await t.f()\n[r[0], r[1].hex(), len(r[1]), (await echo()).hex()]"
    outcome = await guest.run(code, on_call=on_call)
    assert json.loads(outcome.value) == ["text", "89504e47", 4, "00ff"]


@needs("rich_results")
async def test_bytes_have_their_media_type(guest: Guest):
    async def on_call(_call):
        blob = GuestBlob(position=0, media_type="image/png", data=b"\x89PNG")
        return GuestReply(payload=b"[null]", blobs=(blob,))

    outcome = await guest.run("(await t.f())[0].media_type", on_call=on_call)
    assert outcome.value == b'"image/png"'


@needs("rich_results")
async def test_images_of_a_value_leave_with_it(guest: Guest):
    large = bytes(range(256)) * 20_000

    async def on_call(_call):
        blobs = (
            GuestBlob(position=1, media_type="image/png", data=b"\x89PNG"),
            GuestBlob(position=2, media_type="image/jpeg", data=large),
        )
        return GuestReply(payload=b'["seen",null,null]', blobs=blobs)

    outcome = await guest.run("print('on')\nawait t.f()", on_call=on_call)
    assert (outcome.status, outcome.stdout) == ("ok", "on\n")
    assert json.loads(outcome.value) == [
        "seen",
        {"media_type": "image/png", "size_bytes": 4},
        {"media_type": "image/jpeg", "size_bytes": len(large)},
    ]
    assert outcome.media == (
        Blob(data=b"\x89PNG", media_type="image/png"),
        Blob(data=large, media_type="image/jpeg"),
    )
    made = await guest.run("Blob(b'GIF8', 'image/gif')")
    assert made.media == (Blob(data=b"GIF8", media_type="image/gif"),)
    assert (await guest.run("1")).media == ()


async def test_a_large_result_is_decoded_inside(guest: Guest):
    text = b"[" + b",".join(b'{"id":%d,"name":"row"}' % i for i in range(20_000)) + b"]"

    async def on_call(_call):
        return GuestReply(payload=text)

    outcome = await guest.run("rows = await t.f()\n[len(rows), rows[-1]]", on_call=on_call)
    assert outcome.value == b'[20000,{"id":19999,"name":"row"}]'


# --------------------------------------------------------------------------------------- output


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


async def test_output_and_calls_arrive_in_the_order_of_the_program(guest: Guest):
    order = []

    async def on_call(call):
        order.append(f"call {json.loads(call.arguments)['n']};")
        return GuestReply(payload=b"1")

    code = "for n in range(5):\n    print(n, end=';')\n    await t.f(n=n)"
    await guest.run(code, on_call=on_call, on_output=order.append)
    assert "".join(order) == "".join(f"{n};call {n};" for n in range(5))


async def test_what_tasks_print_arrives_whole_and_in_order(guest: Guest):
    seen = []
    code = (
        "import asyncio\nasync def f(i):\n    for k in range(50):\n"
        "        print(f'{i}:{k}')\n        await echo()\n"
        "await asyncio.gather(*[f(i) for i in range(4)])"
    )
    outcome = await guest.run(code, on_output=seen.append)
    assert "".join(seen) == outcome.stdout
    lines = [line.split(":") for line in outcome.stdout.splitlines()]
    for i in range(4):
        assert [int(k) for who, k in lines if who == str(i)] == list(range(50))


async def test_the_stats_are_complete(guest: Guest):
    async def on_call(_call):
        await anyio.sleep(0.1)
        return GuestReply(payload=b'"' + b"x" * 1000 + b'"')

    code = "print('x' * 50)\nr = await t.f(x=1)\nlen([i for i in range(30_000)])"
    stats = (await guest.run(code, on_call=on_call)).stats
    assert stats.calls == 1
    assert stats.wall_s >= 0.1
    assert 0 < stats.active_s < stats.wall_s
    assert stats.cpu_s > 0
    assert stats.peak_mem_bytes > MIB
    assert stats.bytes_in > 1000
    assert 50 < stats.bytes_out < 1000


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


@needs("handles")
async def test_stored_results_are_loaded_in_ranges_and_stand_in_for_large_ones(guest: Guest):
    contents = {
        "h_1": ("json", '\ufeff[{"a": "é"}, 2.5e1]'.encode()),
        "h_2": ("text", "\ufeffone\r\ntwo".encode()),
        "h_3": ("json_lines", b'{"a": 1}\n' * 3),
        "h_4": ("binary", b"\x89PNG"),
    }

    async def on_call(call):
        arguments = json.loads(call.arguments)
        key = arguments.get("handle", "h_1")
        kind, data = contents[key]
        info = {"id": key, "kind": kind, "size_bytes": len(data), "rows": None}
        info["media_type"] = "image/png" if kind == "binary" else "text/plain"
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
        list(b"\x89PNG"),
        ["one", "two"],
    ]
    for stored in ('await load("h_4")', 'load("h_4")', '[await load("h_4")]'):
        shown = await guest.run(stored, names=names, on_call=on_call)
        assert shown.media == (Blob(data=b"\x89PNG", media_type="image/png"),), stored
    assert (await guest.run("load('h_2')", names=names, on_call=on_call)).value_is_repr
    assert (await guest.run("load", on_call=on_call)).value_is_repr
    fresh = await guest.run("load = 5\nload", names=names, on_call=on_call)
    assert fresh.value == b"5"
    assert (await guest.run("load", names=names, on_call=on_call)).value == b"5"


async def test_names_of_a_later_run_are_added_and_own_variables_win(guest: Guest):
    await guest.run("search = 'mine'")
    names = GuestNames(namespaces=("crm",), functions=("search", "find"))
    outcome = await guest.run("[search, await find(x=1), await crm.get(y=2)]", names=names)
    assert json.loads(outcome.value) == ["mine", {"x": 1}, {"y": 2}]
    assert (await guest.run("repr(t)", names=GuestNames())).value.startswith(b'"<tools of t')
