"""What was accepted, on disk: readable, whole, and shared by processes."""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json
from toolweft.core.pins import Pin, PinHashes, PinnedServer, Pins
from toolweft.stores.pins import LockFile, PinKeeper
from toolweft.stores.pins.lock_file import merge_new
from toolweft.stores.pins.text import parse_pins, render_pins

GIT, MAIL = SourceName("git"), SourceName("mail")


def pin(digits: str = "1", **definition: Json) -> Pin:
    return Pin(hash=f"v1:sha256:{digits}", definition=definition)


def server(**tools: Pin) -> PinnedServer:
    return PinnedServer(reached="run it", tools={ToolName(n): p for n, p in tools.items()})


class Book:
    """What decides, without deciding anything."""

    def __init__(self) -> None:
        self.hashes: PinHashes = {}
        self.unsaved: dict[SourceName, dict[ToolName, Pin]] = {}
        self.call = lambda: None

    def call_on_new(self, callback: object) -> None:
        assert callable(callback)
        self.call = callback

    def replace_hashes(self, hashes: PinHashes) -> bool:
        is_other, self.hashes = hashes != self.hashes, hashes
        return is_other

    def take_unsaved(self) -> Mapping[SourceName, Mapping[ToolName, Pin]]:
        unsaved, self.unsaved = self.unsaved, {}
        return unsaved

    def accept(self, source: SourceName, **tools: Pin) -> None:
        self.unsaved.setdefault(source, {}).update({ToolName(n): p for n, p in tools.items()})
        self.call()


def keeper(book: Book, path: Path, heard: list[int] | None = None) -> PinKeeper:
    changes = [] if heard is None else heard
    return PinKeeper(
        book,
        file=LockFile(path),
        reached={GIT: "run git"},
        on_change=lambda: changes.append(len(changes)),
    )


TEXTS = st.text(max_size=20)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=6,
)
PINS = st.dictionaries(
    TEXTS.map(SourceName),
    st.builds(
        PinnedServer,
        reached=TEXTS,
        tools=st.dictionaries(
            TEXTS.map(ToolName),
            st.builds(
                Pin,
                hash=st.just("v1:sha256:0af"),
                definition=st.dictionaries(TEXTS, JSONS, max_size=3),
                removed=st.booleans(),
            ),
            max_size=3,
        ),
    ),
    max_size=3,
)


@given(PINS)
def test_what_is_written_is_what_is_read(pins: Pins) -> None:
    assert parse_pins(render_pins(pins), place="x") == pins


def test_the_file_is_in_the_order_of_names_and_hides_nothing() -> None:
    pins = {MAIL: server(b=pin(), a=pin(description="\u200b\U000e0041 ü\ufe0f")), GIT: server()}

    text = render_pins(pins)

    assert text.index('"git"') < text.index('"mail"')
    assert text.index('"a"') < text.index('"b"')
    assert r"\u200b\udb40\udc41 ü\ufe0f" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n<<<<<<< mine", "toolweft.lock:2: it is not JSON"),
        ("[]", "version"),
        ('{"version": 9}', "its version is 9, not 1"),
        ('{"version": 1}', "does not hold servers"),
        ('{"version": 1, "servers": {"git": {"tools": {"a": {"hash": 5}}}}}', "git.tools.a"),
        ('{"version": 1, "version": 1}', "it has the key 'version' twice"),
        ('{"version": ' + "1" * 5_000 + "}", "more digits"),
        ("[" * 99_999, "does not hold servers"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "toolweft.lock"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match="version control") as refused:
        LockFile(path).read()
    assert said in refused.value.message


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders there")
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "toolweft.lock"
    make(path)

    with pytest.raises(ConfigError, match="it is no file"):
        LockFile(path).read()


@pytest.mark.promise("pins.kept")
def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "toolweft.lock"

    def write(number: int) -> None:
        new = {GIT: {ToolName(f"tool_{number}"): pin(str(number % 10))}}
        LockFile(path).change(lambda pins: merge_new(pins, new, {}))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))

    assert len(LockFile(path).read()[GIT].tools) == 40
    assert [entry.name for entry in tmp_path.iterdir() if ".guard" not in entry.name] == [path.name]


@pytest.mark.promise("pins.kept")
async def test_what_another_process_accepted_first_is_what_counts(tmp_path: Path) -> None:
    one, other = Book(), Book()
    heard: list[int] = []
    path = tmp_path / "toolweft.lock"
    async with keeper(one, path) as early, keeper(other, path, heard) as late:
        one.accept(GIT, commit=pin("1"))
        await early.save()
        other.accept(GIT, commit=pin("2"), push=pin("3"))
        await late.save()

    expected = {GIT: {"commit": "v1:sha256:1", "push": "v1:sha256:3"}}
    assert other.hashes == expected
    assert heard
    assert {n: p.hash for n, p in LockFile(path).read()[GIT].tools.items()} == expected[GIT]
    assert LockFile(path).read()[GIT].reached == "run git"


class SlowFile(LockFile):
    """Reads, and gives what it read only when somebody has written, or after a while."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.was_written = threading.Event()
        self.has_read = threading.Event()
        self.is_slow = False

    def read(self) -> Pins:
        pins = super().read()
        if self.is_slow:
            self.has_read.set()
            self.was_written.wait(0.5)
        return pins

    def change(self, change: Callable[[Pins], Pins]) -> Pins:
        self.is_slow = False
        return super().change(change)


async def test_what_was_read_before_a_write_does_not_come_after_it(tmp_path: Path) -> None:
    book, file = Book(), SlowFile(tmp_path / "toolweft.lock")
    kept = PinKeeper(book, file=file, reached={GIT: "run git"}, on_change=lambda: None)
    async with kept:
        LockFile(file.path).change(lambda _: {GIT: server(commit=pin("1"))})
        file.is_slow = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kept.refresh)
            await anyio.to_thread.run_sync(file.has_read.wait)
            book.accept(GIT, push=pin("3"))
            await kept.save()
            file.was_written.set()
        assert book.hashes == {GIT: {"commit": "v1:sha256:1", "push": "v1:sha256:3"}}


async def test_what_another_process_writes_is_taken_over(tmp_path: Path) -> None:
    book, heard, path = Book(), list[int](), tmp_path / "toolweft.lock"
    async with keeper(book, path, heard) as kept:
        LockFile(path).change(lambda _: {GIT: server(commit=pin("5"))})
        await kept.refresh()

        assert book.hashes == {GIT: {"commit": "v1:sha256:5"}}
        assert heard


async def test_a_file_that_breaks_or_goes_takes_no_acceptance_away(tmp_path: Path) -> None:
    book, path = Book(), tmp_path / "toolweft.lock"
    LockFile(path).change(lambda _: {GIT: server(commit=pin("5"))})
    async with keeper(book, path) as kept:
        path.write_text("{", encoding="utf-8")
        await kept.refresh()
        broken = book.hashes
        path.unlink()
        await kept.refresh()

    assert broken == book.hashes == {GIT: {"commit": "v1:sha256:5"}}


async def test_a_broken_file_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "toolweft.lock"
    path.write_text("{", encoding="utf-8")

    with pytest.raises(ConfigError):
        async with keeper(Book(), path):
            pytest.fail("it was opened")


async def test_where_nothing_can_be_written_it_is_said_and_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    book = Book()
    async with keeper(book, tmp_path / "file" / "toolweft.lock") as kept:
        book.accept(GIT, commit=pin("1"))
        await kept.save()

    assert "toolweft.lock" in kept.problem
    assert book.hashes == {GIT: {"commit": "v1:sha256:1"}}


async def test_what_could_not_be_kept_is_kept_as_soon_as_it_can_be(tmp_path: Path) -> None:
    book, path = Book(), tmp_path / "toolweft.lock"
    LockFile(path).change(lambda _: {GIT: server(commit=pin("5"))})
    whole = path.read_bytes()
    async with keeper(book, path) as kept:
        path.write_text("{", encoding="utf-8")
        book.accept(GIT, push=pin("1"))
        await kept.save()
        assert "toolweft.lock" in kept.problem
        path.write_bytes(whole)
        # What others write meanwhile takes the acceptance away as little.
        await kept.refresh()
        assert book.hashes[GIT] == {"commit": "v1:sha256:5", "push": "v1:sha256:1"}
        await kept.save()
        assert kept.problem == ""

    assert set(LockFile(path).read()[GIT].tools) == {"commit", "push"}


@pytest.mark.promise("pins.kept")
@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_writers_by_several_links_lose_nothing(tmp_path: Path) -> None:
    real = tmp_path / "real.lock"
    real.write_text(render_pins({}), encoding="utf-8")
    links = [tmp_path / name / "toolweft.lock" for name in "abcd"]
    for link in links:
        link.parent.mkdir()
        link.symlink_to(real)

    def write(number: int) -> None:
        new = {GIT: {ToolName(f"tool_{number}"): pin(str(number % 10))}}
        LockFile(links[number % 4]).change(lambda pins: merge_new(pins, new, {}))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))

    assert len(LockFile(real).read()[GIT].tools) == 40


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_one_and_so_do_rights(tmp_path: Path) -> None:
    real, link = tmp_path / "real.lock", tmp_path / "toolweft.lock"
    real.write_text(render_pins({}), encoding="utf-8")
    real.chmod(0o600)
    link.symlink_to(real)

    LockFile(link).change(lambda _: {GIT: server(commit=pin())})

    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert "commit" in json.loads(real.read_text(encoding="utf-8"))["servers"]["git"]["tools"]
