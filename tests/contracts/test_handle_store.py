"""What every handle store keeps to, wherever it keeps its contents."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.calls import LOCAL, Principal
from toolweft.core.clock import RandomIds
from toolweft.core.errors import HandleNotFound, InvalidArguments, StorageFull
from toolweft.core.handles import Draft, HandleStore
from toolweft.stores.handles import FileHandleStore, HandleOptions
from toolweft.testing import CountingIds, FakeClock, MemoryHandleStore

ANN, BEN = Principal("acme", "ann"), Principal("acme", "ben")


@pytest.fixture(params=["files", "memory"])
async def store(request, tmp_path: Path, clock: FakeClock, ids: CountingIds) -> AsyncIterator:
    if request.param == "memory":
        yield MemoryHandleStore(clock=clock, ids=ids)
        return
    options = HandleOptions(folder=tmp_path / "handles")
    async with FileHandleStore(options, clock=clock, ids=ids) as opened:
        yield opened


async def test_what_is_kept_is_found_and_read_by_id_and_by_name(store: HandleStore) -> None:
    handle = await store.keep(b'{"a":1}', owner=ANN, draft=Draft(name="orders", kind="json"))
    assert await store.find(handle.id, owner=ANN) == handle
    assert await store.find("orders", owner=ANN) == handle
    assert (handle.kind, handle.media_type) == ("json", "application/json")
    assert (handle.size_bytes, handle.sha256) == (7, sha256(b'{"a":1}').hexdigest())
    assert handle.uri == f"toolweft://handles/{handle.id}"
    assert await store.read("orders", owner=ANN, start=2, size_bytes=3) == b'a":'
    assert await store.read(handle.id, owner=ANN, start=0, size_bytes=100) == b'{"a":1}'


async def test_a_later_content_takes_the_name(store: HandleStore) -> None:
    first = await store.keep(b"one", owner=ANN, draft=Draft(name="n"))
    second = await store.keep(b"two", owner=ANN, draft=Draft(name="n"))
    assert await store.read("n", owner=ANN, start=0, size_bytes=9) == b"two"
    assert await store.read(first.id, owner=ANN, start=0, size_bytes=9) == b"one"
    assert [handle.id for handle in await store.owned(ANN)] == [second.id, first.id]


@pytest.mark.promise("handles.owners")
async def test_somebody_elses_handle_reads_as_one_that_never_was(store: HandleStore) -> None:
    handle = await store.keep(b"secret", owner=ANN, draft=Draft(name="mine"))
    for stranger in (BEN, replace(ANN, tenant="other"), LOCAL):
        for key in (handle.id, "mine"):
            with pytest.raises(HandleNotFound) as theirs:
                await store.find(key, owner=stranger)
            unknown = f"{key[:2]}{'0' * (len(key) - 2)}"
            with pytest.raises(HandleNotFound) as never:
                await store.find(unknown, owner=stranger)
            assert str(theirs.value).replace(key, "?") == str(never.value).replace(unknown, "?")
            with pytest.raises(HandleNotFound):
                await store.read(key, owner=stranger, start=0, size_bytes=1)
            with pytest.raises(HandleNotFound):
                await store.drop(key, owner=stranger)
        assert list(await store.owned(stranger)) == []
    with_another_key = Principal("acme", "ann", "laptop")
    assert await store.read(handle.id, owner=with_another_key, start=0, size_bytes=9) == b"secret"


async def test_a_handle_is_gone_when_its_time_is_up(store: HandleStore, clock: FakeClock) -> None:
    handle = await store.keep(b"x", owner=ANN, draft=Draft(name="n"))
    assert handle.expires_at - handle.created_at == timedelta(hours=1)
    clock.advance(3600)
    for key in (handle.id, "n"):
        with pytest.raises(HandleNotFound):
            await store.find(key, owner=ANN)
        with pytest.raises(HandleNotFound):
            await store.read(key, owner=ANN, start=0, size_bytes=1)
    assert list(await store.owned(ANN)) == []


async def test_a_dropped_handle_is_gone_at_once(store: HandleStore) -> None:
    handle = await store.keep(b"x", owner=ANN, draft=Draft(name="n"))
    other = await store.keep(b"x", owner=ANN, draft=Draft())
    await store.drop("n", owner=ANN)
    for key in (handle.id, "n"):
        with pytest.raises(HandleNotFound):
            await store.find(key, owner=ANN)
    assert await store.read(other.id, owner=ANN, start=0, size_bytes=1) == b"x"


@pytest.mark.parametrize("name", ["", "  ", "h_" + "0" * 32])
async def test_a_name_that_could_be_an_id_or_nothing_is_refused(
    store: HandleStore, name: str
) -> None:
    with pytest.raises(InvalidArguments, match="cannot be named"):
        await store.keep(b"x", owner=ANN, draft=Draft(name=name))


@pytest.mark.parametrize("key", ["..", "../..", "/etc/passwd", "h_/../x", "h_a\0b", "~", "h_"])
async def test_no_key_is_ever_a_path(store: HandleStore, key: str) -> None:
    await store.keep(b"x", owner=ANN, draft=Draft())
    with pytest.raises(HandleNotFound):
        await store.read(key, owner=ANN, start=0, size_bytes=1)
    named = await store.keep(b"ok", owner=ANN, draft=Draft(name="../../etc/x"))
    assert await store.find("../../etc/x", owner=ANN) == named


async def test_a_file_is_copied_as_it_is_now(store: HandleStore, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a":1}\n{"a":2}')
    handle = await store.keep(file, owner=ANN, draft=Draft(name="rows"))
    file.write_bytes(b"something else")
    assert (handle.kind, handle.rows) == ("json_lines", 2)
    assert await store.read("rows", owner=ANN, start=0, size_bytes=99) == b'{"a":1}\n{"a":2}'


async def test_what_is_no_file_is_refused(store: HandleStore, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InvalidArguments, match="cannot be stored"):
            await store.keep(path, owner=ANN, draft=Draft())


async def test_a_source_that_breaks_off_leaves_nothing(store: HandleStore) -> None:
    def pieces():
        yield b"first"
        raise StorageFull("no more")

    with pytest.raises(StorageFull, match="no more"):
        await store.keep(pieces(), owner=ANN, draft=Draft(name="n"))
    assert list(await store.owned(ANN)) == []
    with pytest.raises(HandleNotFound):
        await store.find("n", owner=ANN)


@pytest.mark.parametrize(
    ("content", "draft", "kind"),
    [
        (b'{"a": 1}\n{"a": 2}\n', Draft(), "json_lines"),
        (b'{\n "a": 1\n}', Draft(), "json"),
        (b"[" + b'"x",' * 40_000 + b"1]", Draft(), "json"),
        (json.dumps({"text": "y" * 100_000}).encode(), Draft(), "json"),
        (b"[INFO] started\n[INFO] ready\n", Draft(), "text"),
        (b"[2026-01-01] started " + b"x" * 90_000, Draft(), "text"),
        ("Straße\n".encode(), Draft(), "text"),
        ("ß".encode() * 40_000, Draft(), "text"),
        (b"\x89PNG\0", Draft(), "binary"),
        (b"\xff\xfe", Draft(), "binary"),
        (b"", Draft(), "text"),
        (b"a,b", Draft(media_type="text/csv"), "text"),
        (b"\xff\0", Draft(media_type="text/csv"), "binary"),
        (b"%PDF", Draft(media_type="application/pdf"), "binary"),
        (b"{}", Draft(media_type="application/geo+json; charset=utf-8"), "json"),
        (b"{}", Draft(media_type="application/x-ndjson"), "json_lines"),
    ],
)
async def test_the_kind_is_read_off_type_and_content(
    store: HandleStore, content: bytes, draft: Draft, kind: str
) -> None:
    assert (await store.keep(content, owner=ANN, draft=draft)).kind == kind


@pytest.mark.parametrize(
    ("name", "content", "kind", "media_type"),
    [
        ("a.json", b'{"a": 1}\n{"a": 2}\n', "json_lines", "application/x-ndjson"),
        ("a.json", b'[{"a": 1},\n {"a": 2}]', "json", "application/json"),
        ("a.JSONL", b"", "json_lines", "application/x-ndjson"),
        ("a.png", b"\x89PNG", "binary", "image/png"),
        ("a.jpg", b"a text in truth", "binary", "image/jpeg"),
        ("a.csv", b"a,b\n", "text", "text/csv"),
        ("a.unknown", b"[1]\n[2]\n", "json_lines", "application/x-ndjson"),
    ],
)
async def test_the_kind_is_read_off_a_files_name_and_start(
    store: HandleStore, tmp_path: Path, name: str, content: bytes, kind: str, media_type: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    handle = await store.keep(file, owner=ANN, draft=Draft())
    assert (handle.kind, handle.media_type) == (kind, media_type)


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize(
    ("draft", "content", "kind", "media_type"),
    [
        (Draft(), PNG, "binary", "image/png"),
        (Draft(kind="binary"), PNG, "binary", "image/png"),
        (Draft(media_type="image/x-own"), PNG, "binary", "image/x-own"),
        (Draft(), b"\xff\xd8\xff\xe0\0\x10JFIF", "binary", "image/jpeg"),
        (Draft(), b"GIF89a\1\0\1\0", "binary", "image/gif"),
        (Draft(), b"RIFF\x24\0\0\0WEBPVP8 ", "binary", "image/webp"),
        (Draft(), b"RIFF\x24\0\0\0WAVEfmt ", "binary", "application/octet-stream"),
        (Draft(), b"%PDF-1.7\n", "binary", "application/pdf"),
        (Draft(), b"GIF89a is a format", "text", "text/plain"),
        (Draft(), b"RIFF and WEBP, a text", "text", "text/plain"),
        (Draft(), b'["\\u0089PNG"]', "json", "application/json"),
        (Draft(name="a.mp3"), b"\xff\xfb\0", "binary", "audio/mpeg"),
        (Draft(name="a.csv"), b"a,b\n", "text", "text/csv"),
        (Draft(name="a.json"), b"{}\n{}\n", "json_lines", "application/x-ndjson"),
        (Draft(name="a.png"), b"a text in truth", "text", "text/plain"),
        (Draft(name="a.png"), b'{"a": 1}', "json", "application/json"),
        (Draft(name="a.txt"), b"\xff\0", "binary", "application/octet-stream"),
    ],
)
async def test_bytes_are_known_by_their_beginning_and_then_by_the_name_they_are_put_under(
    store: HandleStore, draft: Draft, content: bytes, kind: str, media_type: str
) -> None:
    handle = await store.keep(content, owner=ANN, draft=draft)
    assert (handle.kind, handle.media_type) == (kind, media_type)


@pytest.mark.parametrize("name", ["noext", "a.txt", "a.jpg"])
async def test_a_file_that_is_an_image_is_one_by_any_name(
    store: HandleStore, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(PNG)
    handle = await store.keep(tmp_path / name, owner=ANN, draft=Draft(name="x"))
    assert (handle.kind, handle.media_type) == ("binary", "image/png")


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(max_size=40), max_size=12),
    start=st.integers(0, 400),
    size=st.integers(1, 400),
)
def test_any_pieces_read_back_in_any_ranges(
    tmp_path_factory, pieces: list[bytes], start: int, size: int
) -> None:
    whole = b"".join(pieces)

    async def check(store: HandleStore) -> None:
        handle = await store.keep(iter(pieces), owner=ANN, draft=Draft(kind="binary"))
        assert (handle.size_bytes, handle.sha256) == (len(whole), sha256(whole).hexdigest())
        part = await store.read(handle.id, owner=ANN, start=start, size_bytes=size)
        assert part == whole[start : start + size]
        read = b""
        while data := await store.read(handle.id, owner=ANN, start=len(read), size_bytes=size):
            read += data
        assert read == whole

    async def check_both() -> None:
        folder = tmp_path_factory.mktemp("handles")
        clock = FakeClock()
        await check(MemoryHandleStore(clock=clock, ids=CountingIds()))
        options = HandleOptions(folder=folder)
        async with FileHandleStore(options, clock=clock, ids=RandomIds()) as store:
            await check(store)

    anyio.run(check_both)
