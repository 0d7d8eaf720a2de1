"""Listings kept as files, and what happens when the files are not what they should be."""

import json
import logging
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.contents import Contents, Listing
from toolweft.core.discovery import Discovery
from toolweft.stores import DiscoveryOptions, FileDiscoveryCache, clear_discoveries
from toolweft.testing import FakeClock

KEY, OTHER = "a" * 64, "b" * 64
LISTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    _PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def discovery(*tools: object, **more: object) -> Discovery:
    return Discovery(tools=list(tools) or [{"name": "a"}], listed_at=LISTED, **more)


@pytest.fixture
def cache(tmp_path: Path) -> FileDiscoveryCache:
    return build(tmp_path)


def build(folder: Path, **options: object) -> FileDiscoveryCache:
    return FileDiscoveryCache(DiscoveryOptions(**options), folder=folder, clock=FakeClock())


def files(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("*"))


def all_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.json"))


async def test_contents_come_back_as_they_were(tmp_path: Path) -> None:
    entry = {"uri": "a:1", "name": "one", "_meta": {"n": 2**60, "none": None}}
    contents = Contents(
        resources=Listing(entries=(entry,), ttl_s=0.0, is_public=True),
        prompts=Listing(entries=({"name": "p"}, {"name": "q"}), ttl_s=1.5),
        can_read=True,
        can_subscribe=True,
    )
    await build(tmp_path).save(KEY, discovery(contents=contents))

    loaded = await build(tmp_path).load(KEY)

    assert loaded is not None
    assert loaded.contents == contents


@pytest.mark.parametrize(
    "odd",
    [
        {"resources": {"entries": ["text"], "ttl_s": None, "is_public": False}},
        {"prompts": {"entries": [{}], "ttl_s": "soon", "is_public": False}},
        {"can_read": "yes"},
        {"templates": []},
    ],
)
async def test_contents_of_another_kind_are_as_good_as_none(tmp_path: Path, odd: object) -> None:
    await build(tmp_path).save(KEY, discovery())
    (content,) = files(tmp_path, "contents")
    text = json.dumps({**json.loads(content.read_bytes()), "contents": odd}).encode()
    name = sha256(text).hexdigest()
    content.with_name(f"{name}.json").write_bytes(text)
    content.with_name(f"{name}.json").chmod(0o600)
    (address,) = files(tmp_path, "servers")
    address.write_text(json.dumps({**json.loads(address.read_bytes()), "content": name}))

    assert await build(tmp_path).load(KEY) is None


async def test_the_contents_are_not_known_of_a_listing_of_before_there_were_any(
    tmp_path: Path,
) -> None:
    await build(tmp_path).save(KEY, discovery())
    (content,) = files(tmp_path, "contents")
    older = json.loads(content.read_bytes())
    del older["contents"]
    name = sha256(json.dumps(older).encode()).hexdigest()
    content.with_name(f"{name}.json").write_text(json.dumps(older))
    content.with_name(f"{name}.json").chmod(0o600)
    (address,) = files(tmp_path, "servers")
    address.write_text(json.dumps({**json.loads(address.read_bytes()), "content": name}))

    loaded = await build(tmp_path).load(KEY)

    assert loaded is not None
    assert loaded.contents is None


async def test_a_listing_comes_back_as_it_was(cache: FileDiscoveryCache, tmp_path: Path) -> None:
    kept = discovery(instructions="Be \ud800 plain.", protocol_version="2025-11-25", ttl_s=60.5)
    assert await cache.load(KEY) is None
    await cache.save(KEY, kept)
    assert await cache.load(KEY) == kept
    assert await build(tmp_path).load(KEY) == kept
    assert await cache.load(OTHER) is None


@given(tools=st.lists(JSON))
def test_whatever_a_server_lists_comes_back_as_it_was(
    tools: list[object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = build(tmp_path_factory.getbasetemp() / "listings")
    kept = Discovery(tools=tools, listed_at=LISTED)
    cache._save(KEY, kept)
    assert cache._load(KEY) == kept


async def test_servers_that_list_the_same_share_it(
    cache: FileDiscoveryCache, tmp_path: Path
) -> None:
    await cache.save(KEY, discovery({"name": "a"}))
    await cache.save(OTHER, discovery({"name": "a"}))
    assert [len(files(tmp_path, kind)) for kind in ("servers", "contents")] == [2, 1]


@pytest.mark.promise("discovery.private")
@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
async def test_only_the_owner_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await build(tmp_path / "cache").save(KEY, discovery())
    finally:
        os.umask(before)
    paths = all_files(tmp_path / "cache")
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in paths} == {0o700}
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


ADDRESS = {"format": 1, "content": "0" * 64, "listed_at": LISTED.isoformat(), "ttl_s": None}


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 4000,
        b"x" * 5000,
        json.dumps(ADDRESS | {"format": 2}).encode(),
        json.dumps(ADDRESS | {"content": "../../secrets"}).encode(),
        json.dumps(ADDRESS | {"content": 7}).encode(),
    ],
)
async def test_a_broken_address_is_ignored_with_one_line_and_mended_by_the_next_listing(
    text: bytes, cache: FileDiscoveryCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await cache.save(KEY, discovery())
    files(tmp_path, "servers")[0].write_bytes(text)
    with caplog.at_level(logging.WARNING):
        assert await cache.load(KEY) is None
        assert await cache.load(KEY) is None
    assert [record.message for record in caplog.records] == ["discovery.cache_failed"]
    await cache.save(KEY, discovery())
    assert await cache.load(KEY) == discovery()


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize(
    "change",
    [
        {"listed_at": "yesterday"},
        {"listed_at": "2026-01-01"},
        {"listed_at": None},
        {"ttl_s": "long"},
        {"format": None},
    ],
)
async def test_an_address_of_other_values_is_ignored(
    change: dict[str, object], cache: FileDiscoveryCache, tmp_path: Path
) -> None:
    await cache.save(KEY, discovery())
    (path,) = files(tmp_path, "servers")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    assert await cache.load(KEY) is None


@pytest.mark.promise("discovery.harmless")
async def test_changed_content_is_not_believed(cache: FileDiscoveryCache, tmp_path: Path) -> None:
    await cache.save(KEY, discovery({"name": "read"}))
    (path,) = files(tmp_path, "contents")
    path.write_bytes(path.read_bytes().replace(b"read", b"wipe"))
    assert await cache.load(KEY) is None


@pytest.mark.promise("discovery.harmless")
@pytest.mark.skipif(sys.platform == "win32", reason="has no modes and links of this kind")
@pytest.mark.parametrize("fault", ["writable by others", "a link", "a folder", "a pipe"])
async def test_a_file_that_is_not_ours_alone_is_not_read(
    fault: str, cache: FileDiscoveryCache, tmp_path: Path
) -> None:
    await cache.save(KEY, discovery())
    (path,) = files(tmp_path, "servers")
    if fault == "writable by others":
        path.chmod(0o622)
    elif fault == "a link":
        path.rename(tmp_path / "elsewhere.json")
        path.symlink_to(tmp_path / "elsewhere.json")
    else:
        path.unlink()
        path.mkdir() if fault == "a folder" else os.mkfifo(path)
    assert await cache.load(KEY) is None


async def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("")
    cache = build(tmp_path / "taken")
    with caplog.at_level(logging.WARNING):
        await cache.save(KEY, discovery())
        await cache.save(KEY, discovery())
        assert await cache.load(KEY) is None
    assert len(caplog.records) == 1


async def test_a_listing_above_the_cap_is_neither_kept_nor_read(tmp_path: Path) -> None:
    large = discovery({"name": "a" * 5000})
    await build(tmp_path, max_listing_bytes=1000).save(KEY, large)
    assert files(tmp_path, "contents") == []
    await build(tmp_path).save(KEY, large)
    assert await build(tmp_path, max_listing_bytes=1000).load(KEY) is None


async def test_what_nobody_used_for_long_is_removed(tmp_path: Path) -> None:
    clock = FakeClock()
    await build(tmp_path).save(KEY, discovery({"name": "old"}))
    await build(tmp_path).save(OTHER, discovery({"name": "used"}))
    now_s = clock.now().timestamp()
    for path in all_files(tmp_path):
        os.utime(path, (now_s - 100, now_s - 100))
    cache = FileDiscoveryCache(DiscoveryOptions(keep_s=50), folder=tmp_path, clock=clock)
    assert await cache.load(OTHER) is not None
    await cache.save("c" * 64, discovery({"name": "new"}))
    assert await cache.load(KEY) is None
    assert await cache.load(OTHER) is not None


async def test_the_least_used_go_first_beyond_the_cap(tmp_path: Path) -> None:
    for number in range(4):
        key = f"{number}" * 64
        await build(tmp_path).save(key, discovery({"name": f"{number}" * 1000}))
        for path in all_files(tmp_path):
            status = path.stat()
            os.utime(path, (status.st_mtime - 1000, status.st_mtime - 1000))
    await build(tmp_path, max_bytes=3500).save("f" * 64, discovery({"name": "f" * 1000}))
    cache = build(tmp_path)
    known = [key for key in "0123f" if await cache.load(key * 64) is not None]
    assert known[-1] == "f"
    assert known == list("0123f")[-len(known) :]
    assert sum(path.stat().st_size for path in all_files(tmp_path)) <= 3500


async def test_clearing_removes_everything_and_says_how_much(
    cache: FileDiscoveryCache, tmp_path: Path
) -> None:
    assert clear_discoveries(tmp_path / "never made") == (0, 0)
    await cache.save(KEY, discovery())
    size_bytes = sum(path.stat().st_size for path in all_files(tmp_path))
    assert clear_discoveries(tmp_path) == (2, size_bytes)
    assert await cache.load(KEY) is None


async def test_the_time_of_a_listing_survives(cache: FileDiscoveryCache) -> None:
    kept = Discovery(tools=[], listed_at=LISTED + timedelta(microseconds=7))
    await cache.save(KEY, kept)
    assert await cache.load(KEY) == kept
