"""Exceptions in the program's own terms."""

import errno

import pytest

from toolweft.sandbox.guest.faults import Stop, describe, limit_of, line_of
from toolweft.sandbox.guest.names import ToolError


def fault_of(code, **variables):
    try:
        exec(compile(code, "<run 1>", "exec"), variables)
    except BaseException as error:
        return describe(error)
    raise AssertionError("the program did not raise")


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (MemoryError(), "memory"),
        (RecursionError(), "recursion"),
        (OSError(errno.EMFILE, "x"), "files"),
        (OSError(errno.ENOSPC, "x"), "disk"),
        (OSError(errno.EFBIG, "x"), "disk"),
        (OSError(errno.EPERM, "x"), None),
        (RuntimeError("can't start new thread"), "threads"),
        (RuntimeError("other"), None),
        (ToolError("x", "argument_too_large"), "arguments"),
        (ToolError("x", "result_too_large"), "result"),
        (ToolError("x", "denied"), None),
        (Stop("output", "x"), "output"),
        (ExceptionGroup("g", [ValueError(), ExceptionGroup("h", [MemoryError()])]), "memory"),
        (ValueError(), None),
    ],
)
def test_an_exception_stands_for_its_limit(error, limit):
    assert limit_of(error) == limit


def test_only_the_program_s_own_frames_are_shown():
    fault = fault_of("import json\ndef f(text):\n    return json.loads(text)\nf('{')")
    assert fault.type == "JSONDecodeError"
    assert fault.line == 3
    assert "json/decoder" not in fault.traceback
    assert [line for line in fault.traceback.splitlines() if "File" in line] == [
        '  File "<run 1>", line 4, in <module>',
        '  File "<run 1>", line 3, in f',
    ]


def test_a_deep_traceback_is_cut_in_the_middle():
    fault = fault_of("def f(n):\n    f(n + 1)\nf(0)")
    assert fault.limit == "recursion"
    assert "more frames" in fault.traceback
    assert len(fault.traceback) < 2000
    assert "loop instead" in fault.hint


@pytest.mark.parametrize("fault", ["KeyError", "SystemExit"])
@pytest.mark.parametrize("base", ["Exception", "RuntimeError", "ExceptionGroup"])
def test_a_message_that_cannot_be_made_is_replaced_and_is_no_limit(base, fault):
    made = "E('g', [ValueError()])" if base == "ExceptionGroup" else "E()"
    part = "message" if base == "ExceptionGroup" else "__str__"
    kind = "@property\n    " if part == "message" else ""
    code = f"class E({base}):\n    {kind}def {part}(self): raise {fault}\nraise {made}"
    told = fault_of(code)
    assert told.message == f"<its message cannot be printed: {fault}>"
    assert (told.type, told.limit) == ("E", None)


def test_what_a_program_exits_with_need_not_be_printable():
    code = "class Code:\n    def __repr__(self): raise KeyError\nraise SystemExit(Code())"
    told = fault_of(code)
    assert told.message == "<its message cannot be printed: KeyError>"
    assert told.limit is None


def test_running_out_of_memory_while_making_the_message_is_said():
    code = "class E(Exception):\n    def __str__(self): raise MemoryError\nraise E()"
    with pytest.raises(MemoryError):
        fault_of(code)


def test_a_stop_while_the_message_is_made_goes_on():
    code = "class E(Exception):\n    def __str__(self): raise Stop('cpu', 'x')\nraise E()"
    with pytest.raises(Stop):
        fault_of(code, Stop=Stop)


def test_a_message_is_cut_and_always_text():
    fault = fault_of("raise ValueError('\\ud800' + 'x' * 10000)")
    assert len(fault.message) == 4000
    fault.message.encode()


def test_a_chain_shows_its_causes_first_and_ends():
    fault = fault_of(
        "e = None\nfor i in range(50):\n    n = ValueError(i)\n"
        "    n.__context__ = e\n    e = n\nraise e"
    )
    assert fault.traceback.count("ValueError") == 3
    assert fault.traceback.endswith("ValueError: 49")
    hidden = fault_of("try:\n    1/0\nexcept ZeroDivisionError:\n    raise KeyError('k') from None")
    assert "ZeroDivision" not in hidden.traceback
    shown = fault_of("raise KeyError('k') from ValueError('cause')")
    assert shown.traceback.startswith("ValueError: cause")


def test_a_group_lists_its_first_leaves():
    group = ExceptionGroup("several", [ValueError(str(i)) for i in range(7)])
    assert describe(group).message.endswith("ValueError: 4; and 2 more")


def test_the_end_of_the_program_by_sys_exit_is_said():
    assert fault_of("raise SystemExit(3)").message == "the program called sys.exit(3)"
    assert fault_of("raise SystemExit").message == "the program called sys.exit()"


def test_a_tool_s_error_names_the_tool_once():
    error = ToolError("quota exceeded", "tool_error", "wait", tool="crm.get")
    fault = describe(error)
    assert (fault.message, fault.hint) == ("crm.get: quota exceeded", "wait")
    assert describe(ToolError("crm.get failed", tool="crm.get")).message == "crm.get failed"


def test_a_loop_inside_a_loop_gets_one_hint():
    message = "asyncio.run() cannot be called from a running event loop"
    assert "already runs inside an event loop" in describe(RuntimeError(message)).hint


def test_host_paths_are_hidden():
    fault = describe(
        ImportError("cannot import x (/host/lib/json.py)"), hide=lambda t: t.replace("/host", "")
    )
    assert fault.message == "cannot import x (/lib/json.py)"


def test_no_line_is_blamed_outside_of_a_program():
    assert line_of(ValueError()) is None
    with pytest.raises(SyntaxError) as caught:
        compile("x = (", "other", "exec")
    assert line_of(caught.value) is None


def test_memory_errors_say_what_they_mean():
    assert describe(MemoryError()).message.startswith("memory limit")
    assert "limit" not in describe(MemoryError()).to_dict()
