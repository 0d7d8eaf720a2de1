"""One program from text to result."""

import asyncio
import builtins
import contextlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.cell import parse_program, run_program
from toolweft.sandbox.guest.names import Blob


async def run(code, variables=None, max_value_bytes=1000):
    scope = {"__name__": "__main__"} if variables is None else variables
    return await run_program(code, number=1, variables=scope, max_value_bytes=max_value_bytes)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", b"2"),
        ("x = 3", b""),
        ("", b""),
        ("None", b""),
        ("{'a': [1, None, 'é']}", '{"a":[1,null,"é"]}'.encode()),
        ("import asyncio\nawait asyncio.sleep(0, 'slept')", b'"slept"'),
        ("x = 2\nif x: y = x\ny", b"2"),
    ],
)
async def test_the_last_expression_is_the_value(code, value):
    result = await run(code)
    assert (result.status, result.value) == ("ok", value)


@pytest.mark.parametrize("code", ["{1, 2}", "object()", "{1: 2}", "float('nan')", "[1, {2: 3}]"])
async def test_a_value_that_is_not_json_is_shown_as_its_repr(code):
    result = await run(code)
    assert result.value_is_repr
    assert result.value.startswith(b'"')


PNG = Blob(b"\x89PNG", "image/png")
IN_JSON = '{"media_type":"image/png","size_bytes":4}'


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("png", IN_JSON),
        ("['a', png]", f'["a",{IN_JSON}]'),
        ("{'deep': [{'png': png}], 'n': 1}", f'{{"deep":[{{"png":{IN_JSON}}}],"n":1}}'),
    ],
)
async def test_images_in_a_value_stand_beside_its_json(code, value):
    result = await run(code, {"png": PNG})
    assert (result.value.decode(), result.value_is_repr) == (value, False)
    assert [(blob, blob.media_type) for blob in result.media] == [(b"\x89PNG", "image/png")]


@pytest.mark.parametrize(
    "media_type", ["application/pdf", "image/", "image/p\nng", "image/x" * 20, 7]
)
async def test_bytes_of_other_types_are_only_described(media_type):
    result = await run("[blob]", {"blob": Blob(b"1234", media_type)})
    assert json.loads(result.value) == [{"media_type": media_type, "size_bytes": 4}]
    assert result.media == ()


async def test_what_is_not_json_has_no_images():
    result = await run("[png, {1, 2}]", {"png": PNG})
    assert result.value_is_repr
    assert result.media == ()


async def test_images_beyond_their_bounds_are_a_limit_that_says_so():
    many = await run("[png] * 17", {"png": PNG})
    assert (many.status, many.limit) == ("limit", "result")
    assert "17 images or sounds of 68 bytes" in many.fault.message
    large = await run("Blob(bytes(16 * 1024**2 + 1), 'image/png')", {"Blob": Blob})
    assert (large.status, large.limit) == ("limit", "result")
    fits = await run("Blob(bytes(16 * 1024**2), 'image/png')", {"Blob": Blob})
    assert fits.status == "ok"


async def test_variables_stay():
    variables = {}
    await run("x = 1\ndef f(): return x", variables)
    assert (await run("f() + x", variables)).value == b"2"


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\nasync def main(): return 5\nasyncio.run(main())",
        "import asyncio as aio\nasync def main(): return 5\naio.run(main(), debug=True)",
        "from asyncio import run as go\nasync def main(): return 5\ngo(main())",
        (
            "import asyncio\nasync def a(): return 5\n"
            "async def main(): return asyncio.run(a())\nawait main()"
        ),
        (
            "import asyncio\nasync def main(): return 5\n"
            "if __name__ == '__main__':\n    r = asyncio.run(main())\nr"
        ),
        "import asyncio\nasync def main(): return 5\n[asyncio.run(main()) for _ in range(1)][0]",
    ],
)
async def test_asyncio_run_at_the_top_is_awaited(code):
    assert (await run(code)).value == b"5"


@pytest.mark.parametrize(
    "code",
    [
        (
            "import asyncio\nasync def main(): pass\ndef f():\n    c = main()\n"
            "    try: asyncio.run(c)\n    finally: c.close()\nf()"
        ),
        (
            "import asyncio\nasync def main(): pass\nc = main()\n"
            "try: asyncio.get_running_loop().run_until_complete(c)\nfinally: c.close()"
        ),
    ],
)
async def test_a_loop_in_a_plain_function_gets_one_hint(code):
    result = await run(code)
    assert result.status == "error"
    assert "`await` it" in result.fault.hint


async def test_other_things_called_run_are_left_alone():
    code = (
        "class App:\n    def run(self, x): return x\napp = App()\n"
        "f = lambda: app.run(4)\nclass B:\n    y = app.run(1)\nf()"
    )
    assert (await run(code)).value == b"4"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("for i in range(3)\n    pass", 1),
        ("x = 1\nprint('a", 2),
        ("a = 1\nbreak", 2),
        ("return 1", 1),
    ],
)
async def test_source_that_is_not_python_is_invalid_with_its_line(code, line):
    result = await run(code)
    assert result.status == "invalid"
    assert result.fault.line == line


async def test_a_nul_byte_is_invalid():
    assert (await run("a = 1\0")).status == "invalid"


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "(" * 9000 + ")" * 9000,
        "x = " + "[" * 6000 + "]" * 6000,
        "x = " + "-" * 15000 + "1",
    ],
)
async def test_source_nested_too_deeply_meets_the_parser_limit(code):
    result = await run(code)
    assert (result.status, result.limit) == ("limit", "parser")
    assert "deeply nested" in result.fault.message


async def test_a_value_above_the_cap_meets_the_result_limit():
    assert (await run("'x' * 2000")).limit == "result"
    unfolding = "l = ['lol'] * 10\nfor i in range(9):\n    l = [l] * 10\nl"
    assert (await run(unfolding)).limit == "result"


async def test_a_coroutine_as_value_is_not_a_value():
    assert (await run("async def f(): pass\nf()")).value == b""


async def test_an_error_has_its_line_and_frames():
    result = await run("x = 1\ny = x / 0")
    assert (result.status, result.fault.type, result.fault.line) == (
        "error",
        "ZeroDivisionError",
        2,
    )
    assert "y = x / 0" in result.fault.traceback


async def test_an_error_that_breaks_while_it_is_described_still_ends_the_run():
    code = "class E(Exception):\n    @property\n    def __cause__(self): raise KeyError\nraise E()"
    result = await run(code)
    assert (result.status, result.limit, result.fault.type) == ("error", None, "E")
    assert result.fault.message == "<KeyError>"


@pytest.mark.parametrize(
    ("raised", "status", "limit"), [("KeyError", "error", None), ("MemoryError", "limit", "memory")]
)
async def test_an_error_whose_text_breaks_is_the_program_s_own(raised, status, limit):
    code = f"class E(Exception):\n    def __str__(self): raise {raised}\nraise E()"
    result = await run(code)
    assert (result.status, result.limit, result.fault.type) == (status, limit, "E")


async def test_a_program_that_cancels_itself_is_an_error():
    result = await run("import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(1)")
    assert result.fault.message == "the program cancelled itself"


async def test_what_a_program_does_to_builtins_ends_with_it():
    before = builtins.len
    result = await run("import builtins\nbuiltins.len = None\nbuiltins.isinstance = None\n1/0")
    assert result.fault.type == "ZeroDivisionError"
    assert builtins.len is before


async def test_limits_inside_a_program_are_told_apart():
    limit = sys.getrecursionlimit()
    result = await run("def f(): return f() + 1\nf()")
    assert (result.status, result.limit) == ("limit", "recursion")
    assert sys.getrecursionlimit() == limit


@given(st.text(max_size=60))
def test_any_text_ends_in_a_result(code):
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        parse_program(code, "<run 1>")


async def test_tasks_of_a_program_share_its_loop():
    code = (
        "import asyncio\nasync def f(i):\n    await asyncio.sleep(0)\n"
        "    return i\nawait asyncio.gather(f(1), f(2))"
    )
    assert (await run(code)).value == b"[1,2]"
    assert asyncio.get_running_loop().is_running()
