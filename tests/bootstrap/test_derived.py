"""Two starts over the same servers: what the first worked out of their tools, the second has."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolweft.bootstrap import App, open_app
from toolweft.bootstrap.derived import _build_key, _list_files, open_derived
from toolweft.config import Settings, load_settings
from toolweft.core.clock import SystemClock
from toolweft.core.derived import Derived
from toolweft.core.search import SearchHit
from toolweft.core.snapshot import CatalogTool
from toolweft.search.documents import Document
from toolweft.search.parts import document_key, pack_document
from toolweft.stores import FileDerivedCache

SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Where"}}}
TOOLS = [
    {"name": "forecast", "description": "The weather of tomorrow.", "inputSchema": SCHEMA},
    {"name": "rent", "description": "Rent a car in a city.", "inputSchema": SCHEMA},
    {"name": "odd", "description": "Translate\u200b a text.", "inputSchema": SCHEMA},
    {"name": "broken", "description": "Paint.", "inputSchema": {"type": "array"}},
]
QUERIES = ("weather", "hire an automobile", "translate", "forecast")


def write_tools(folder: Path, tools: list[dict[str, Any]]) -> None:
    (folder / "tools.json").write_text(json.dumps({"tools": tools}), encoding="utf-8")


def load(folder: Path, *names: str) -> Settings:
    listing = str(folder / "tools.json")
    server = {"command": sys.executable, "args": [str(SERVER), "from-file", listing]}
    config = folder / "mcp.json"
    config.write_text(
        json.dumps({"mcpServers": dict.fromkeys(names or ("plain",), server)}), encoding="utf-8"
    )
    return load_settings(
        config=config,
        overrides={
            "ledger.url": "sqlite://",
            "handles.folder": str(folder / "handles"),
            "discovery.folder": str(folder / "seen"),
            # A tool that changes is to be found as before.
            "pins.mode": "off",
        },
        environ={},
        cwd=folder,
        home=folder,
    )


async def find(app: App, *queries: str) -> list[tuple[SearchHit, ...]]:
    snapshot = app.catalog.snapshot
    found = await app.searcher.search(queries, snapshot=snapshot, limit=9, visible=None, tenant="")
    return [result.hits for result in found]


async def start(
    settings: Settings, *queries: str
) -> tuple[dict[str, CatalogTool], list[tuple[SearchHit, ...]]]:
    """The server's tools by name, and what each query finds; without any nothing is searched."""
    async with open_app(settings) as app:
        await app.settle()
        tools = {tool.definition.name: tool for tool in app.catalog.snapshot.tools.values()}
        return tools, await find(app, *queries) if queries else []


async def peek(settings: Settings) -> Derived:
    """What the next start would know, as it was read."""
    async with open_derived(settings, clock=SystemClock()) as derived:
        return Derived(derived._known_sound, derived.parts)


def list_derived(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in (folder / "seen" / "derived").glob("*")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tools(tmp_path, TOOLS)
    return tmp_path


@pytest.mark.process
@pytest.mark.promise("discovery.derived")
async def test_the_second_start_has_what_the_first_worked_out_and_finds_the_same(
    folder: Path,
) -> None:
    settings = load(folder)
    tools, found = await start(settings, *QUERIES)
    known, written = await peek(settings), list_derived(folder)
    assert [known.is_sound(tools[name].pin_hash) for name in ("forecast", "rent", "odd")] == [
        True,
        True,
        False,
    ]
    assert len(known._known_sound) == 2
    assert set(known.parts) == {
        document_key(tools[name].definition) for name in ("forecast", "rent", "odd")
    }

    assert await start(settings, *QUERIES) == (tools, found)

    assert found[0][0].qualified == "plain.forecast"
    # Nothing was new, so nothing was written.
    assert list_derived(folder) == written
    assert (await peek(settings)).parts == known.parts


@pytest.mark.process
@pytest.mark.promise("discovery.derived")
async def test_a_tool_that_is_flagged_or_refused_is_so_at_every_start(folder: Path) -> None:
    settings = load(folder)
    starts = [(await start(settings, *QUERIES))[0] for _ in range(3)]
    for tools in starts:
        assert [flag.kind for flag in tools["odd"].flags] == ["hidden"]
        assert tools["forecast"].flags == ()
        assert tools["broken"].status == "disabled"


@pytest.mark.process
@pytest.mark.promise("discovery.derived")
async def test_a_tool_that_was_changed_between_two_starts_is_checked_and_indexed_anew(
    folder: Path,
) -> None:
    await start(load(folder), *QUERIES)
    write_tools(folder, [TOOLS[0] | {"description": "The \u200bprices of gold."}, *TOOLS[1:]])
    # Asked anew, as what a server lists is remembered too.
    remembered = next((folder / "seen" / "servers").glob("*.json"))
    remembered.unlink()

    tools, (hits,) = await start(load(folder), "price of gold")
    assert [flag.kind for flag in tools["forecast"].flags] == ["hidden"]
    assert hits[0].qualified == "plain.forecast"


@pytest.mark.process
async def test_projects_whose_servers_have_the_same_names_keep_their_own(folder: Path) -> None:
    await start(load(folder), *QUERIES)
    first = list_derived(folder)
    other = folder / "other"
    other.mkdir()
    write_tools(other, TOOLS[:1])
    elsewhere = load(other)
    seen = replace(elsewhere.discovery, folder=folder / "seen")

    await start(replace(elsewhere, discovery=seen), *QUERIES)

    assert len(first) == 1
    assert len(list_derived(folder)) == 2
    # The first project's is as it was.
    assert first.items() < list_derived(folder).items()


@pytest.mark.process
async def test_the_second_start_makes_its_index_of_the_kept_parts(folder: Path) -> None:
    settings = load(folder)
    tools, _ = await start(settings, *QUERIES)
    # A word that no tool holds shows where the document comes from.
    (key,) = (Path(name).stem for name in list_derived(folder))
    cache = FileDerivedCache(settings.discovery, folder=folder / "seen", clock=SystemClock())
    derived, known = await cache.load(key), await peek(settings)
    odd = pack_document(
        Document(words=("unheard",), impacts=(1.0,), fields=b"\x01", emphases=(1.0,))
    )
    derived.note_sound("new")
    derived.note_parts({**known.parts, document_key(tools["rent"].definition): odd})
    await derived.finish()

    _, (hits,) = await start(settings, "unheard")
    assert [hit.qualified for hit in hits][:1] == ["plain.rent"]


@pytest.mark.process
async def test_a_start_that_searches_nothing_keeps_what_it_checked(folder: Path) -> None:
    settings = load(folder)
    tools, _ = await start(settings)
    known = await peek(settings)
    assert known.is_sound(tools["forecast"].pin_hash)
    assert known.parts == {}

    await start(settings, *QUERIES)
    assert len((await peek(settings)).parts) == 3
    # The parts stay known where the next one searches nothing again.
    await start(settings)
    assert len((await peek(settings)).parts) == 3


@pytest.mark.process
@pytest.mark.promise("discovery.harmless")
async def test_a_start_over_damaged_files_is_as_the_first(folder: Path) -> None:
    settings = load(folder)
    before = await start(settings, *QUERIES)
    for path in (folder / "seen" / "derived").iterdir():
        path.write_bytes(b"\xff{")
    assert await start(settings, *QUERIES) == before


@pytest.mark.process
async def test_nothing_is_read_or_kept_where_nothing_is_to_be_remembered(folder: Path) -> None:
    await start(load(folder), *QUERIES)
    written = list_derived(folder)
    write_tools(folder, [*TOOLS, {"name": "more", "inputSchema": SCHEMA}])

    settings = load(folder)
    settings = replace(settings, discovery=replace(settings.discovery, folder=None))
    async with open_derived(settings, clock=SystemClock()) as derived:
        assert not derived.knows_sound
        assert derived.part(next(iter((await peek(load(folder))).parts))) is None
    tools, _ = await start(settings, *QUERIES)

    assert "more" in tools
    assert list_derived(folder) == written


async def test_where_servers_are_asked_anew_nothing_is_read_and_what_is_found_is_kept(
    folder: Path,
) -> None:
    settings = load(folder)
    async with open_derived(settings, clock=SystemClock()) as derived:
        derived.note_sound("before")
    anew = replace(settings, discovery=replace(settings.discovery, is_read=False))
    async with open_derived(anew, clock=SystemClock()) as derived:
        assert not derived.knows_sound
        derived.note_sound("now")
    assert (await peek(settings))._known_sound == {"now"}


async def test_other_sources_are_kept_apart_and_their_order_does_not_count(folder: Path) -> None:
    async def keep(settings: Settings, sound: str) -> None:
        async with open_derived(settings, clock=SystemClock()) as derived:
            derived.note_sound(sound)

    await keep(load(folder, "a", "b"), "of both")
    await keep(load(folder, "a"), "of one")
    assert len(list_derived(folder)) == 2
    known = await peek(load(folder, "b", "a"))
    assert known._known_sound == {"of both"}


@pytest.mark.promise("discovery.derived")
def test_the_key_is_of_the_names_of_sources() -> None:
    keys = [_build_key(names) for names in ([], ["a"], ["b"], ["a", "b"], ["ab"])]
    assert len(set(keys)) == len(keys)
    assert _build_key(["a"]) == _build_key(["a"])


def make_code(folder: Path) -> list[str]:
    (folder / "below").mkdir()
    for name in ("checks.py", "below/words.py"):
        (folder / name).write_text("MAX = 1\n", encoding="utf-8")
    return _list_files(folder)[0]


@pytest.mark.promise("discovery.derived")
@pytest.mark.parametrize("name", ["checks.py", "below/words.py", "more.py", "below/more.so"])
def test_a_file_of_the_code_that_changes_or_comes_counts(tmp_path: Path, name: str) -> None:
    before = make_code(tmp_path)
    (tmp_path / name).write_text("MAX = 10\n", encoding="utf-8")
    assert _list_files(tmp_path)[0] != before


@pytest.mark.promise("discovery.derived")
def test_a_file_of_the_code_that_changes_and_stays_as_large_counts(tmp_path: Path) -> None:
    before = make_code(tmp_path)
    path = tmp_path / "below" / "words.py"
    changed_ns = path.stat().st_mtime_ns
    path.write_text("MAX = 2\n", encoding="utf-8")
    os.utime(path, ns=(changed_ns, changed_ns + 1_000_000))
    assert _list_files(tmp_path)[0] != before


def test_a_file_of_the_code_that_goes_counts_and_bytecode_does_not(tmp_path: Path) -> None:
    before = make_code(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "checks.pyc").write_bytes(b"1")
    assert _list_files(tmp_path)[0] == before
    (tmp_path / "checks.py").unlink()
    assert _list_files(tmp_path)[0] != before


@pytest.mark.promise("discovery.derived")
async def test_code_that_was_replaced_while_this_process_runs_keeps_and_reads_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = folder / "code_of_a_checkout"
    package.mkdir()
    path = package / "__init__.py"
    path.touch()
    # Long ago, as an installer may say of what it has just written.
    os.utime(path, (1, 1))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("toolweft.bootstrap.derived._CODE", (package.name,))
    assert _build_key(["a"]) == ""
    async with open_derived(load(folder), clock=SystemClock()) as derived:
        assert not derived.is_kept
    monkeypatch.setattr("toolweft.bootstrap.derived._LOADED_S", path.stat().st_ctime + 1)
    assert _build_key(["a"]) != ""


@pytest.mark.promise("discovery.derived")
def test_another_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _build_key(["a"])
    monkeypatch.setattr("toolweft.bootstrap.derived.__version__", "999")
    assert _build_key(["a"]) != before


@pytest.mark.promise("discovery.harmless")
@pytest.mark.skipif(sys.platform == "win32", reason="links are not for everybody there")
@pytest.mark.parametrize("target", ["somebody@desk.1234", "."])
async def test_code_that_cannot_be_listed_is_worked_with_and_nothing_is_kept(
    folder: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = folder / "code_of_a_checkout"
    package.mkdir()
    (package / "__init__.py").touch()
    # As an editor leaves it beside a file that is open.
    (package / ".#checks.py").symlink_to(target)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("toolweft.bootstrap.derived._CODE", (package.name,))
    async with open_derived(load(folder), clock=SystemClock()) as derived:
        derived.note_sound("new")
    assert list_derived(folder) == {}


@pytest.mark.promise("discovery.harmless")
async def test_where_the_code_is_not_to_be_found_nothing_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolweft.bootstrap.derived._CODE", ("code_that_is_nowhere",))
    async with open_derived(load(folder), clock=SystemClock()) as derived:
        assert not derived.knows_sound
