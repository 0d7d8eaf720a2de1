"""The check before a run: what it refuses, what it only mentions, what it leaves alone."""

import json
import warnings
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import make_snapshot, make_tool

from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.snapshot import GoneTool, Snapshot
from toolweft.programs.check import CheckReport, check_program, collect_namespaces

TEXT = {"type": "string"}
SNAPSHOT = make_snapshot(
    make_tool("github.list_issues", parameters={"repo": TEXT, "state": TEXT}, required=["repo"]),
    make_tool(
        "github.find",
        schema={
            "type": "object",
            "properties": {"filter-query": TEXT},
            "required": ["filter-query"],
            "additionalProperties": False,
        },
    ),
    make_tool("gitlab.list_issues", parameters={"project": TEXT}),
    make_tool("notes.print", parameters={"text": TEXT}),
    make_tool("notes.add_note", parameters={"text": TEXT}, required=["text"]),
    make_tool(
        "open.any",
        schema={"type": "object", "properties": {"a": {}}, "additionalProperties": True},
    ),
    make_tool("time.now"),
)


def check(
    code: str,
    *,
    snapshot: Snapshot = SNAPSHOT,
    known: Collection[str] = (),
    mode: str = "standard",
    has_workers: bool = False,
) -> CheckReport:
    return check_program(
        code,
        snapshot=snapshot,
        namespaces=collect_namespaces(snapshot),
        known=known,
        mode=mode,
        has_workers=has_workers,
    )


@pytest.mark.promise("programs.static-check")
@pytest.mark.parametrize(
    ("code", "kind", "line", "message", "hint"),
    [
        (
            "x = 1\nawait github.list_isues(repo='a')",
            "ToolNotFound",
            2,
            "github has no tool 'list_isues'",
            "did you mean github.list_issues",
        ),
        (
            "await github.list_issues(state='open')",
            "InvalidArguments",
            1,
            "github.list_issues() needs 'repo'",
            "github.list_issues(repo, state?)",
        ),
        ("await add_note()", "InvalidArguments", 1, "notes.add_note() needs 'text'", "add_note("),
        (
            "await github.find(filter_query='a', limit=1)",
            "InvalidArguments",
            1,
            "github.find() has no parameter 'limit'",
            "filter_query",
        ),
        (
            "await github.find(filter_qery='a', **more)",
            "InvalidArguments",
            1,
            "no parameter 'filter_qery'; did you mean 'filter-query'?",
            "",
        ),
        ("await github.list_issues('a/b')", "InvalidArguments", 1, "keyword arguments only", ""),
        (
            "await list_issues(repo='a')",
            "AmbiguousTool",
            1,
            "'list_issues' is a tool of 2 sources: github.list_issues, gitlab.list_issues",
            "use the full name",
        ),
        ("await tools.list()", "ToolNotFound", 1, "tools has no 'list'", "search(query=…)"),
        ("if True print()", "SyntaxError", 1, "syntax: 'if True print()'", ""),
        ("```python\nprint(1)\n```", "SyntaxError", 1, "```python", "without a fence"),
        ("const x = 1;\nconsole.log(x)", "SyntaxError", 1, "const x", "are Python"),
        ("x = '\0'", "SyntaxError", None, "null bytes", ""),
        ("x = '\ud800'", "SyntaxError", None, "surrogates", ""),
    ],
)
def test_what_must_fail_is_refused_with_its_line_and_a_way_out(
    code: str, kind: str, line: int | None, message: str, hint: str
) -> None:
    error = check(code).error
    assert error is not None
    assert (error.type, error.line) == (kind, line)
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.promise("programs.static-check")
@pytest.mark.parametrize("code", ["await time.zone()", "await zone()"])
def test_a_tool_that_was_taken_away_is_refused_as_gone(code: str) -> None:
    gone = GoneTool(
        qualified=QualifiedName("time.zone"),
        source=SourceName("time"),
        at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    )
    snapshot = replace(SNAPSHOT, gone={"time.zone": gone, "zone": gone})
    error = check(code, snapshot=snapshot).error
    assert error is not None
    assert (error.type, error.line) == ("ToolGone", 1)
    assert "time.zone is gone: its source 'time' took it away" in error.message
    # What the program may have defined itself is its own.
    assert check("async def zone(): ...\nawait zone()", snapshot=snapshot).error is None


def test_several_faults_are_listed_together() -> None:
    error = check("await notes.ad()\nawait notes.add_note()\n" + "await notes.x()\n" * 9).error
    assert error is not None
    lines = error.message.splitlines()
    assert lines[0].startswith("line 1: notes has no tool 'ad'")
    assert lines[1].startswith("line 2: notes.add_note() needs 'text'")
    assert (len(lines), lines[-1]) == (6, "and 3 more")


@pytest.mark.parametrize(
    "code",
    [
        "await github.list_issues(repo='a', state='open')",
        "await github.list_issues(**arguments)",
        "await github.list_issues(*[], **{})",
        "await github.find(**{'filter-query': 'x'})",
        "await github.find(filter_query='x')",
        "await github_list_issues",
        "github = connect()\ngithub.nothing()",
        "def run(github):\n    return github.nothing()",
        "from my_module import *\nawait github.nothing()",
        "globals()['github'] = 1\nawait github.nothing()",
        "import github\ngithub.nothing()",
        "for notes in []:\n    notes.clear()",
        "match x:\n    case {'a': notes, **rest}: notes.clear()",
        "try:\n    pass\nexcept E as notes:\n    notes.clear()",
        "def f():\n    global notes\n    notes.clear()",
        "print('hi')",
        "undefined_function()",
        "json.dumps({})",
        "await tools.search('issues')",
        "x = github.__class__()",
        "import asyncio\na = github.list_issues(repo='a')\nawait asyncio.gather(a)",
        "tasks = [github.list_issues(repo=r) for r in 'ab']",
        "def get(r):\n    return github.list_issues(repo=r)",
        "async with asyncio.TaskGroup() as group:\n    group.create_task(add_note(text='x'))",
        "x = add_note(text='x')\nprint(await x)",
    ],
)
def test_what_may_be_right_passes_without_a_word(code: str) -> None:
    report = check(code)
    assert (report.error, report.warnings) == (None, ())


def test_names_of_earlier_runs_are_left_alone() -> None:
    assert check("github.nothing()", known={"github"}).error is None
    assert check("github.nothing()", known={"*"}).error is None


@pytest.mark.parametrize("state", ["starting", "failed", "stopped"])
def test_a_source_that_is_not_ready_may_still_have_the_tool(state: str) -> None:
    snapshot = make_snapshot(*SNAPSHOT.tools.values(), state=state)
    assert check("await github.brand_new()", snapshot=snapshot).error is None


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    await add_note()\nexcept ToolError:\n    pass",
        "try:\n    await add_note()\nexcept* ToolError:\n    pass",
        "with contextlib.suppress(Exception):\n    await add_note()",
        "async with suppress():\n    await add_note()",
        "import asyncio\nawait asyncio.gather(add_note(), return_exceptions=True)",
    ],
)
def test_a_program_ready_for_the_failure_is_only_warned(code: str) -> None:
    report = check(code)
    assert report.error is None
    assert "needs 'text'" in report.warnings[0].message


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    pass\nexcept ValueError:\n    await add_note()",
        "try:\n    await add_note()\nfinally:\n    pass",
    ],
)
def test_a_failure_nobody_catches_is_refused(code: str) -> None:
    assert check(code).error is not None


@pytest.mark.parametrize(
    "code",
    [
        "add_note(text='x')",
        "def later():\n    add_note(text='x')",
        "print(add_note(text='x'))",
        "len(add_note(text='x'))",
        "f'{add_note(text=1)}'",
        "add_note(text='x')['id']",
        "add_note(text='x').id",
        "for x in add_note(text='x'): pass",
        "[x for x in add_note(text='x')]",
        "add_note(text='x') + 1",
        "tools.search(query='x')[0]",
    ],
)
def test_a_forgotten_await_that_must_fail_or_do_nothing_is_refused(code: str) -> None:
    error = check(code).error
    assert error is not None
    assert error.type == "MissingAwait"
    assert "is not awaited" in error.message
    assert (error.hint or "").startswith("await ")


@pytest.mark.parametrize(
    "code",
    [
        "import json\njson.dumps(add_note(text='x'))",
        "add_note(text='x') == 1",
        "try:\n    add_note(text='x')\nexcept ToolError:\n    pass",
        "r = add_note(text='x')\nprint(r['id'], r)",
    ],
)
def test_a_forgotten_await_that_may_be_meant_is_mentioned(code: str) -> None:
    report = check(code)
    assert report.error is None
    assert "is not awaited" in report.warnings[0].message
    assert (report.warnings[0].hint or "").startswith("await ")


@pytest.mark.parametrize(
    "code",
    [
        "add_note(text='x').close()",
        "list(map(await_it, [add_note(text='x')]))",
        "def print(call): jobs.append(call)\nprint(add_note(text='x'))",
        "lambda: add_note(text='x')",
        "asyncio.create_task(add_note(text='x'))",
    ],
)
def test_a_call_that_is_handed_on_is_left_alone(code: str) -> None:
    assert check(code) == check(code.replace("add_note", "(add_note)"))
    assert check(code).error is None
    assert not [w for w in check(code).warnings if "awaited" in w.message]


def test_long_programs_are_checked_in_time_that_grows_with_their_length() -> None:
    calls = "r = add_note(text='x')\n" * 11_000
    assert check(calls).error is None
    keywords = ", ".join(f"k{n}=1" for n in range(12_000))
    assert check(f"await open.any({keywords})").error is None
    unknown = "\n".join(f"await add_nota{n}(text='x')" for n in range(3))
    assert check("await zqzq()\n" * 4_000 + unknown).error is not None


def test_warnings_of_the_parser_go_nowhere_and_filters_of_others_stay() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert check("x = '\\d'").error is None
        check("x = '\\d'")
        assert warnings.filters[1:] == before


def test_an_unlisted_argument_is_mentioned_where_the_schema_is_silent() -> None:
    report = check("await github.list_issues(repo='a', stat='open')")
    assert report.error is None
    assert "did you mean 'state'?" in report.warnings[0].message


def test_an_open_schema_takes_anything() -> None:
    assert check("await open.any(a=1, b=2)").warnings == ()


def test_an_import_that_hides_a_source_is_mentioned() -> None:
    report = check("import time\nawait time.now()\ntime.sleep(1)")
    assert [(w.line, w.message) for w in report.warnings] == [
        (2, "an import named 'time' hides the source 'time'")
    ]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import socket", "import socket: there is no network"),
        ("import urllib.request", "import urllib.request: there is no network"),
        ("from urllib import request", "import urllib.request: there is no network"),
        ("import http.client", "import http.client: there is no network"),
        ("import subprocess as s", "programs cannot start processes"),
        ("from pickle import loads", "such data can run code"),
        ("import ctypes.util", "native code"),
        ("import importlib", "code made at run time"),
        ("open('x')", "files of the host"),
        ("eval('1')", "eval()"),
        ("exec(code)", "exec()"),
        ("__import__('os')", "__import__()"),
        ("getattr(x, name)", "computed name"),
        ("os.system('ls')", "os.system: programs cannot start processes"),
        ("().__class__.__subclasses__()", "__subclasses__: the interpreter's internals"),
        ("print.__globals__", "__globals__"),
        ("__builtins__", "__builtins__"),
        ("import os as x\nx.system('a')", "os.system: programs cannot start processes"),
        ("import os\nx = os\nx.popen('a')", "os.popen: programs cannot start processes"),
        ("from os import system as s\ns('a')", "import os.system: programs cannot"),
        ("from os import *\nsystem('a')", "from os import *"),
        ("import os\nos.system.__call__('a')", "os.system"),
        ("__import__('os').system('a')", "os.system"),
        ("import importlib\nimportlib.import_module('os').system('a')", "os.system"),
        ("import sys\nsys.modules['os'].system('a')", "os.system"),
        ("import urllib\nurllib.request.urlopen('a')", "urllib.request.urlopen: there is no"),
        ("from http import client", "import http.client: there is no network"),
        ("import asyncio\nawait asyncio.open_connection('a', 1)", "there is no network"),
        ("import asyncio as a\na.create_subprocess_shell('ls')", "cannot start processes"),
        ("import concurrent.futures as c\nc.ProcessPoolExecutor()", "cannot start processes"),
        ("import builtins\nbuiltins.eval('1')", "eval()"),
        ("from builtins import exec as run\nrun('1')", "import builtins.exec"),
        ("list(map(eval, texts))", "eval()"),
        ("do = exec\ndo('1')", "exec()"),
        ("import io\nio.open('x')", "io.open: files of the host"),
        ("from pathlib import Path\nPath('x').read_text()", "read_text(): files of the host"),
        ("import os\nos.listdir('/')", "os.listdir: files of the host"),
        ("globals()['__builtins__']", "__builtins__"),
        ("getattr(f, '__globals__')", "__globals__"),
        ("getattr(x, f'{a}')", "computed name"),
        ("import operator\noperator.attrgetter(name)(x)", "computed name"),
        ("f'{x.__class__.__mro__}'", "__mro__"),
        ("'{0.__init__.__globals__}'.format(x)", "__globals__"),
        ("type(x).__subclasses__()", "__subclasses__"),
        ("breakpoint()", "nobody is there"),
        ("def f():\n    asyncio.run(main())", "asyncio.run() inside a def"),
        ("def f():\n    loop.run_until_complete(x)", "run_until_complete()"),
    ],
)
def test_forbidden_patterns_are_named_and_strict_refuses_them(code: str, found: str) -> None:
    report = check(code)
    assert report.error is None
    named = [w for w in report.warnings if found in w.message][-1]
    assert named.hint
    # Where the pattern itself stands: of these programs in the last line, or at the import.
    assert named.line in {code.count("\n") + 1, 1}
    strict = check(code, mode="strict").error
    assert strict is not None
    assert strict.type == "ForbiddenPattern"


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.parse",
        "from urllib import parse",
        "getattr(x, 'name')",
        "def open(x): return x\nopen(1)",
        "import re\nre.compile('x')",
        "import os\nos.path.join('a', 'b')",
        "asyncio.run(main())",
        "def f():\n    return 1",
        "from http import HTTPStatus",
        "import urllib\nurllib.parse.quote('a')",
        "def f(requests):\n    return requests.get('x')",
        "input = [1]\nprint(input)",
        "await open.any(a=1)",
        "import io\nio.BytesIO(b'').read()",
        "import concurrent.futures",
        "import zipfile\nzipfile.ZipFile(data).open('x')",
        "class A:\n    def eval(self):\n        return self.exec()",
        "row.get('system')",
        "'{0.name}'.format(row)",
    ],
)
def test_ordinary_code_is_no_forbidden_pattern(code: str) -> None:
    assert check(code, mode="strict").error is None


def test_a_module_named_at_its_import_is_not_named_at_each_use() -> None:
    warnings_ = check("import requests\nrequests.get('a')\nrequests.get('b')").warnings
    assert [warning.line for warning in warnings_] == [1]
    assert "tools.search" in (warnings_[0].hint or "")


def test_a_source_named_as_a_module_is_no_module() -> None:
    snapshot = make_snapshot(make_tool("os.system", parameters={"text": TEXT}))
    assert check("await os.system(text='a')", snapshot=snapshot).warnings == ()


def test_what_is_said_of_files_fits_the_sandbox() -> None:
    namespaces = collect_namespaces(SNAPSHOT)
    for has_files, fault, hint in (
        (True, "files of the host do not exist", "scratch folder"),
        (False, "no file can be opened", "in variables"),
    ):
        report = check_program(
            "open('a')", snapshot=SNAPSHOT, namespaces=namespaces, has_files=has_files
        )
        (warning,) = report.warnings
        assert fault in warning.message
        assert hint in (warning.hint or "")
        assert "load('name')" in (warning.hint or "")


def test_strict_names_each_fault_with_its_line_and_alternative() -> None:
    error = check("import socket\nx = 1\nimport pickle as p", mode="strict").error
    assert error is not None
    first, second = error.message.splitlines()
    assert first.startswith("line 1: import socket")
    assert "call a tool instead" in first
    assert second.startswith("line 3: import pickle")
    assert "use json" in second


@pytest.mark.parametrize(
    "code",
    [
        "(" * 500,
        "-" * 50_000 + "1",
        "a" + ".b" * 50_000,
        "a" + "('b')" * 5_000,
        "a" + "['b']" * 5_000,
        "a" + ".b('c')" * 5_000,
        "  x"[:1],
    ],
)
def test_source_of_any_depth_is_answered(code: str) -> None:
    report = check(code)
    assert report.error is None or report.limit == "parser"


def test_a_program_above_the_cap_is_not_parsed() -> None:
    report = check_program(
        "x" * 11,
        snapshot=SNAPSHOT,
        namespaces=collect_namespaces(SNAPSHOT),
        max_code_bytes=10,
    )
    assert (report.limit, report.error and report.error.type) == ("parser", "ProgramTooLong")


def test_namespaces_are_bound_always_and_bare_names_where_they_are_read() -> None:
    names = check("await add_note(text='x')\nprint(1)\nlist_issues").names
    assert names.namespaces == collect_namespaces(SNAPSHOT).names
    assert {"github", "gitlab", "notes", "time", "tools"} <= set(names.namespaces)
    assert names.functions == ("add_note", "list_issues")


def test_names_the_program_or_python_has_are_not_bound() -> None:
    names = check("add_note = 1\nprint(add_note)", known={"github"}).names
    assert names.functions == ()
    assert "github" not in names.namespaces


def test_an_awaited_call_on_a_name_that_nothing_has_is_refused() -> None:
    error = check("await Notes.add_note(text='x')").error
    assert error is not None
    assert (error.type, error.message) == ("ToolNotFound", "nothing is named 'Notes'")
    assert "notes.add_note" in (error.hint or "")
    assert check("await zzzqq.sleep(1)").error is not None
    assert check("import zzzqq\nawait zzzqq.sleep(1)").error is None
    assert check("await zzzqq.sleep(1)", known={"zzzqq"}).error is None


def test_an_awaited_name_that_is_nearly_a_tool_is_refused_before_anything_runs() -> None:
    report = check("x = 1\nawait list_isues(repo='a/b')")
    assert report.error is not None
    assert report.error.line == 2
    assert "list_issues" in (report.error.hint or "")
    assert check("async def list_isues(repo): ...\nawait list_isues(repo='a/b')").error is None
    assert check("try:\n    await list_isues()\nexcept NameError:\n    pass").error is None


@given(st.text(max_size=200) | st.text("()[]{}:=.,'\"\n tools.search x1", max_size=60))
def test_any_text_is_answered(code: str) -> None:
    assert isinstance(check(code), CheckReport)


@pytest.mark.data
def test_no_legitimate_program_of_the_collection_is_blamed(data: Path) -> None:
    tools = json.loads((data / "sandbox" / "tools.json").read_text(encoding="utf-8"))["tools"]
    schemas = {tool["name"]: tool["input_schema"] for tool in tools}
    snapshot = make_snapshot(*(make_tool(f"box.{n}", schema=s) for n, s in schemas.items()))
    lines = (data / "sandbox" / "programs.jsonl").read_text(encoding="utf-8").splitlines()
    allowed = [p for p in map(json.loads, lines) if p["must"] == "allowed"]
    assert allowed
    for program in allowed:
        report = check(program["code"], snapshot=snapshot)
        assert (program["id"], report.error, report.warnings) == (program["id"], None, ())
