"""Saved programs in files: versions that stay, readable, for their user alone."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.stores.test_journal import make_run

from toolweft.core.errors import ConfigError, StorageFull, ToolNotFound
from toolweft.core.ids import QualifiedName, RunId
from toolweft.core.saved import SavedParameter, SavedProgram
from toolweft.stores.saved import FileSavedStore, SavedOptions
from toolweft.testing import CountingIds, FakeClock

PROGRAM = SavedProgram(
    name="count_people",
    version=0,
    description="Count the people of a team.",
    code='TEAM = "sales"\nlen(await desk.people(team=TEAM))\n',
    parameters=(
        SavedParameter(name="team", constant="TEAM", default="sales", schema={"type": "string"}),
    ),
    output_schema={"type": "integer"},
    returns="value",
    severity="read_only",
    needs=(QualifiedName("desk.people"),),
    environment=None,
    timeout_s=60.0,
    run_id=RunId("run_1"),
    saved_at=FakeClock().now(),
)


def modes(paths: list[Path]) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in paths}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "saved"


@pytest.fixture
def store(folder: Path, ids: CountingIds) -> FileSavedStore:
    return FileSavedStore(SavedOptions(folder=folder), ids=ids)


@pytest.mark.promise("saved.versions")
async def test_saving_again_makes_the_next_version_and_the_old_one_stays(
    store: FileSavedStore,
) -> None:
    first = await store.add(PROGRAM, make_run())
    second = await store.add(replace(PROGRAM, code="1\n"), make_run("run_2"))

    assert (first.version, second.version) == (1, 2)
    assert await store.latest() == [second]
    assert await store.find("count_people") == second
    assert await store.find("count_people", version=1) == first
    assert await store.versions("count_people") == [1, 2]
    assert await store.load_run(first) == make_run()
    assert (await store.load_run(second)).run_id == "run_2"


async def test_programs_saved_at_once_get_a_version_each(store: FileSavedStore) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(store.add, PROGRAM, make_run())

    assert await store.versions("count_people") == list(range(1, 9))


async def test_a_version_is_readable_files_for_their_user_alone(
    store: FileSavedStore, folder: Path
) -> None:
    await store.add(PROGRAM, make_run())

    home = folder / "count_people" / "1"
    assert sorted(path.name for path in home.iterdir()) == ["program.py", "run.jsonl", "tool.json"]
    assert (home / "program.py").read_text() == PROGRAM.code
    assert json.loads((home / "tool.json").read_text())["needs"] == ["desk.people"]
    assert modes([*home.iterdir()]) == {0o600}
    assert modes([folder, home.parent, home]) == {0o700}


async def test_the_stamp_changes_with_what_is_there(store: FileSavedStore) -> None:
    stamps = [await store.stamp()]
    await store.add(PROGRAM, make_run())
    stamps.append(await store.stamp())
    await store.add(PROGRAM, make_run())
    stamps.append(await store.stamp())
    await store.remove("count_people", version=1)
    stamps.append(await store.stamp())

    assert len(set(stamps)) == 4
    assert await store.stamp() == stamps[-1]


async def test_removing_the_last_version_removes_the_program(store: FileSavedStore) -> None:
    await store.add(PROGRAM, make_run())
    await store.add(PROGRAM, make_run())
    await store.remove("count_people", version=2)
    assert (await store.find("count_people")).version == 1
    await store.remove("count_people", version=1)

    assert await store.latest() == []
    with pytest.raises(ToolNotFound, match="count_people"):
        await store.remove("count_people")


@pytest.mark.parametrize("name", ["nothing", "../../etc", "count_people/1", "COUNT"])
async def test_a_name_that_is_none_is_not_found_with_those_that_are(
    store: FileSavedStore, name: str
) -> None:
    await store.add(PROGRAM, make_run())

    with pytest.raises(ToolNotFound) as found:
        await store.find(name)
    assert "count_people" in (found.value.hint or "")


async def test_a_version_that_is_not_there_names_those_that_are(store: FileSavedStore) -> None:
    await store.add(PROGRAM, make_run())

    with pytest.raises(ToolNotFound, match="no version 7") as found:
        await store.find("count_people", version=7)
    assert found.value.hint == "it has 1"


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"severity": "harmless"}'])
async def test_a_broken_version_hides_neither_the_one_before_nor_the_others(
    text: str, store: FileSavedStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = await store.add(PROGRAM, make_run())
    await store.add(PROGRAM, make_run())
    (folder / "count_people" / "2" / "tool.json").write_text(text)

    assert await store.latest() == [first]
    assert "saved.unreadable" in [record.message for record in caplog.records]
    with pytest.raises(ToolNotFound, match="version 2"):
        await store.find("count_people")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("timeout_s", -1), ("timeout_s", 0), ("timeout_s", "30"), ("timeout_s", True)),
        *(("needs", 5), ("needs", "desk.add"), ("needs", [5]), ("description", 5)),
        *(("returns", "all"), ("severity", ["write"]), ("output_schema", "any"), ("run_id", None)),
        *(("environment", 5), ("saved_at", "yesterday"), ("saved_at", 5), ("parameters", {})),
    ],
)
async def test_a_changed_field_is_refused_by_file_name_and_value(
    field: str, value: Any, store: FileSavedStore, folder: Path
) -> None:
    await store.add(PROGRAM, make_run())
    file = folder / "count_people" / "1" / "tool.json"
    fields = json.loads(file.read_text())
    file.write_text(json.dumps({**fields, field: value}))

    with pytest.raises(ToolNotFound) as caught:
        await store.find("count_people")
    assert f"tool.json: {field} is {value!r:.40}, not " in caught.value.message
    assert caught.value.hint is not None

    file.write_text(json.dumps({key: told for key, told in fields.items() if key != field}))
    with pytest.raises(ToolNotFound, match=f"tool.json: {field} is missing"):
        await store.find("count_people")


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (5, r"parameters\[0\] is 5, not an object"),
        ({"name": "a b"}, r"parameters\[0\].name is 'a b', not a name that Python takes"),
        ({"name": "city"}, r"parameters\[0\].constant is missing"),
    ],
)
async def test_a_changed_parameter_is_named_by_its_number(
    item: Any, told: str, store: FileSavedStore, folder: Path
) -> None:
    await store.add(PROGRAM, make_run())
    file = folder / "count_people" / "1" / "tool.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "parameters": [item]}))

    with pytest.raises(ToolNotFound, match=told):
        await store.find("count_people")


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, ids: CountingIds) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FileSavedStore(SavedOptions(folder=tmp_path / "file"), ids=ids)

    with pytest.raises(StorageFull, match="file"):
        await store.add(PROGRAM, make_run())
    with pytest.raises(ConfigError, match="file"):
        await store.latest()


async def test_a_version_that_somebody_else_was_first_with_is_left_alone(
    store: FileSavedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await store.add(PROGRAM, make_run())
    with monkeypatch.context() as patched:
        # As they were before the other's appeared.
        patched.setattr(store, "_versions", lambda _name: [])
        second = await store.add(PROGRAM, make_run("run_2"))

    assert (first.version, second.version) == (1, 2)
    assert (await store.load_run(first)).run_id == "run_1"
