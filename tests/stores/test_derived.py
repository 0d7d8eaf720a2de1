"""What was worked out of definitions kept as files, and files that are not what they should be."""

import json
import logging
import os
import stat
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from toolweft.core.derived import Derived
from toolweft.stores import DiscoveryOptions, FileDerivedCache, clear_discoveries
from toolweft.testing import FakeClock

KEY, OTHER = "a" * 64, "b" * 64
SOUND = frozenset({"v1:sha256:" + "1" * 64, "v1:sha256:" + "2" * 64})
PARTS = {"c" * 64: b"\x00\xff\n", "d" * 64: b""}


def build(folder: Path, **options: object) -> FileDerivedCache:
    return FileDerivedCache(DiscoveryOptions(**options), folder=folder, clock=FakeClock())


def note(derived: Derived, sound: frozenset[str]) -> None:
    for pin_hash in sound:
        derived.note_sound(pin_hash)


async def work_out(
    folder: Path, *, sound: frozenset[str] = SOUND, parts: dict[str, bytes] | None = None
) -> Derived:
    """A whole start that finds out these, as it has been told at its end."""
    derived = await build(folder).load(KEY)
    note(derived, sound)
    derived.note_parts(PARTS if parts is None else parts)
    await derived.finish()
    return derived


async def known(folder: Path, key: str = KEY) -> tuple[set[str], dict[str, bytes]]:
    """What the next start knows of all that these tests keep."""
    derived = await build(folder).load(key)
    sound = {pin_hash for pin_hash in (*SOUND, "new") if derived.is_sound(pin_hash)}
    parts = {name: derived.part(name) for name in (*PARTS, "e" * 64)}
    return sound, {name: part for name, part in parts.items() if part is not None}


def list_files(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file stands where; another one in its place is another one."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): (p.stat().st_ino, p.stat().st_size) for p in paths}


def only(folder: Path, kind: str) -> Path:
    (path,) = (folder / kind).iterdir()
    return path


def put_content(folder: Path, text: bytes) -> None:
    """Have the address lead to another content, of which the hash is right."""
    name = sha256(text).hexdigest()
    path = folder / "contents" / f"{name}.json"
    path.write_bytes(text)
    path.chmod(0o600)
    address = only(folder, "derived")
    address.write_text(json.dumps({**json.loads(address.read_bytes()), "content": name}))


async def test_what_a_start_found_out_is_known_to_the_next(tmp_path: Path) -> None:
    first = await build(tmp_path).load(KEY)
    assert not first.knows_sound
    assert first.part("c" * 64) is None

    await work_out(tmp_path)

    assert (await build(tmp_path).load(KEY)).knows_sound
    assert await known(tmp_path) == (SOUND, PARTS)
    assert await known(tmp_path, OTHER) == (set(), {})


@pytest.mark.promise("discovery.private")
@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
async def test_only_the_owner_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await work_out(tmp_path / "cache")
    finally:
        os.umask(before)
    paths = [only(tmp_path / "cache", kind) for kind in ("derived", "contents")]
    assert paths[0].name == f"{KEY}.json"
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in paths} == {0o700}


async def test_a_start_that_found_out_nothing_makes_no_folder(tmp_path: Path) -> None:
    await work_out(tmp_path / "cache", sound=frozenset(), parts={})
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_where_nothing_is_new_nothing_is_written(tmp_path: Path, count: int) -> None:
    await work_out(tmp_path)
    before = list_files(tmp_path)

    # Also where not all of it came up again: a server may have been slow.
    parts = dict(list(PARTS.items())[:count])
    await work_out(tmp_path, sound=frozenset(sorted(SOUND)[:count]), parts=parts)

    assert list_files(tmp_path) == before
    assert await known(tmp_path) == (SOUND, PARTS)


async def test_what_nobody_uses_any_more_is_not_kept_beside_what_is_new(tmp_path: Path) -> None:
    await work_out(tmp_path)
    await work_out(tmp_path, sound=frozenset({"new"}), parts={"e" * 64: b"new"})
    assert await known(tmp_path) == ({"new"}, {"e" * 64: b"new"})


async def test_a_new_part_alone_is_kept_too(tmp_path: Path) -> None:
    await work_out(tmp_path)
    await work_out(tmp_path, parts={**PARTS, "e" * 64: b"new"})
    assert await known(tmp_path) == (SOUND, {**PARTS, "e" * 64: b"new"})


async def test_known_parts_stay_where_nothing_was_searched(tmp_path: Path) -> None:
    await work_out(tmp_path)
    await work_out(tmp_path, sound=SOUND | {"new"}, parts={})
    assert await known(tmp_path) == ({*SOUND, "new"}, PARTS)


async def test_at_the_end_all_of_it_is_forgotten_and_nothing_is_kept_twice(tmp_path: Path) -> None:
    await work_out(tmp_path)
    derived = await work_out(tmp_path, sound=SOUND | {"new"})
    assert (derived.knows_sound, derived.sound, derived.parts) == (False, set(), {})
    assert not any(map(derived.is_sound, SOUND))
    assert derived.part("c" * 64) is None
    before = list_files(tmp_path)

    derived.note_sound("newer")
    await derived.finish()

    assert list_files(tmp_path) == before
    assert await known(tmp_path) == ({*SOUND, "new"}, PARTS)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _change_hash(path: Path) -> None:
    address = json.loads(path.read_bytes())
    path.write_bytes(json.dumps({**address, "content": "0" * 64}).encode())


def _change_format(path: Path) -> None:
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "format": 2}).encode())


def _let_others_write(path: Path) -> None:
    path.chmod(0o622)


def _link(path: Path) -> None:
    elsewhere = path.parents[1] / "elsewhere.json"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _swap(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"11', b'"12').replace(b":11", b":12"))


_HERE = [_cut, *([] if sys.platform == "win32" else [_let_others_write, _link, _pipe])]
_DAMAGES = [
    *((damage, kind) for damage in _HERE for kind in ("derived", "contents")),
    (_change_format, "derived"),
    (_swap, "contents"),
]


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize(("damage", "kind"), _DAMAGES)
async def test_a_damaged_file_is_as_good_as_none_with_one_line_and_replaced_by_the_next_start(
    tmp_path: Path,
    damage: Callable[[Path], None],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await work_out(tmp_path)
    damage(only(tmp_path, kind))
    cache = build(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert not (await cache.load(KEY)).knows_sound
        assert (await cache.load(KEY)).part("c" * 64) is None
    assert [record.message for record in caplog.records] == ["discovery.cache_failed"]

    await work_out(tmp_path)
    assert await known(tmp_path) == (SOUND, PARTS)


async def test_an_address_of_a_content_that_is_gone_is_as_good_as_none(tmp_path: Path) -> None:
    await work_out(tmp_path)
    _change_hash(only(tmp_path, "derived"))
    assert await known(tmp_path) == (set(), {})


_ODD = [
    None,
    7,
    "text",
    [],
    {},
    {"sound": []},
    {"parts": {}},
    {"sound": None, "parts": {}},
    {"sound": 7, "parts": {}},
    {"sound": [1, 2], "parts": {}},
    {"sound": [["a"]], "parts": {}},
    {"sound": [], "parts": {"c" * 64: "a"}},
    {"sound": [], "parts": {"c" * 64: "\u00e9\u00e9"}},
    {"sound": [], "parts": {"c" * 64: 7}},
    {"sound": [], "parts": {"c" * 64: None}},
]
_PARTS_OF_NO_NAMES = [{"sound": sorted(SOUND), "parts": odd} for odd in (None, [], ["a"], "a", 7)]


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize(
    "content",
    [*_ODD, *_PARTS_OF_NO_NAMES],
)
async def test_content_of_another_kind_is_as_good_as_none(
    tmp_path: Path, content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await work_out(tmp_path)
    put_content(tmp_path, json.dumps(content).encode())
    with caplog.at_level(logging.WARNING):
        assert await known(tmp_path) == (set(), {})
    assert [record.message for record in caplog.records] == ["discovery.cache_failed"]


async def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("")
    with caplog.at_level(logging.WARNING):
        await work_out(tmp_path / "taken")
    assert [record.message for record in caplog.records] == ["discovery.cache_failed"]


async def test_more_than_the_cap_is_neither_kept_nor_read(tmp_path: Path) -> None:
    derived = await build(tmp_path, max_listing_bytes=100).load(KEY)
    note(derived, SOUND)
    await derived.finish()
    assert list_files(tmp_path) == {}

    await work_out(tmp_path)
    assert not (await build(tmp_path, max_listing_bytes=100).load(KEY)).knows_sound


async def test_clearing_removes_it_too(tmp_path: Path) -> None:
    await work_out(tmp_path)
    size_bytes = sum(size for _, size in list_files(tmp_path).values())
    assert clear_discoveries(tmp_path) == (2, size_bytes)
    assert list_files(tmp_path) == {}
    assert await known(tmp_path) == (set(), {})


async def test_what_is_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    for number in range(3):
        derived = await build(tmp_path).load(KEY)
        derived.note_sound(f"v1:sha256:{number:064}")
        await derived.finish()
    assert len(list((tmp_path / "contents").iterdir())) == 1
    assert (await build(tmp_path).load(KEY)).is_sound(f"v1:sha256:{2:064}")


async def test_where_saving_fails_all_of_it_is_forgotten_too() -> None:
    async def fail(_derived: Derived) -> None:
        raise OSError("no room")

    derived = Derived(SOUND, PARTS, save=fail)
    derived.note_sound("new")
    with pytest.raises(OSError, match="no room"):
        await derived.finish()
    assert not (derived.is_kept)
    assert not (derived.knows_sound)
    assert not (derived.parts)
    assert not (derived.sound)
