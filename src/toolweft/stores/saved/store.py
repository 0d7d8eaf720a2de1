"""Saved programs as files that people can read and version.

    FOLDER/NAME/VERSION/program.py   the program
    FOLDER/NAME/VERSION/tool.json    what it is as a tool
    FOLDER/NAME/VERSION/run.jsonl    the run it came from, which its test replays

A version is written aside and appears by one rename. Work with files is done in threads.
"""

import errno
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from anyio import to_thread

from toolweft.core.clock import IdSource
from toolweft.core.errors import ConfigError, StorageFull, ToolNotFound
from toolweft.core.journal import JournalRun
from toolweft.core.saved import SavedProgram
from toolweft.stores.journal.records import parse_run, render_run
from toolweft.stores.private_files import make_folder, remove, subfolders, write_lines
from toolweft.stores.saved.options import SavedOptions
from toolweft.stores.saved.reading import TOOL_FILE, read_program

__all__ = ("FileSavedStore",)

log = logging.getLogger(__name__)

T = TypeVar("T")

# Only what has this form becomes part of a path.
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}\Z")
# Others may save under the same name at the same moment.
_ATTEMPTS: Final = 20
_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY)
_BROKEN: Final = (OSError, ValueError, KeyError, TypeError, RecursionError)


class FileSavedStore:
    """Saved programs in a folder; see `core.saved.SavedStore`."""

    def __init__(self, options: SavedOptions, *, ids: IdSource) -> None:
        self._folder = options.folder
        self._ids = ids

    async def add(self, program: SavedProgram, run: JournalRun) -> SavedProgram:
        """Keep a program as the next version of its name."""
        return await _in_thread(self._add, program, run)

    async def latest(self) -> Sequence[SavedProgram]:
        """The newest readable version of each, by name; what cannot be read is logged."""
        return await _in_thread(self._latest)

    async def find(self, name: str, *, version: int | None = None) -> SavedProgram:
        """One version; None for the newest."""
        return await _in_thread(self._find, name, version)

    async def versions(self, name: str) -> Sequence[int]:
        """The versions of a program, oldest first."""
        return await _in_thread(self._known_versions, name)

    async def load_run(self, program: SavedProgram) -> JournalRun:
        """The run that a version came from."""
        return await _in_thread(self._load_run, program)

    async def remove(self, name: str, *, version: int | None = None) -> None:
        """Forget one version, or all."""
        await _in_thread(self._remove, name, version)

    async def stamp(self) -> str:
        """All names and versions."""
        return await _in_thread(lambda: repr(self._listing()))

    # --------------------------------------------------------------------------- in a thread

    def _add(self, program: SavedProgram, run: JournalRun) -> SavedProgram:
        incoming = self._folder / "incoming" / self._ids.new("s")
        try:
            make_folder(incoming)
            write_lines(incoming / "program.py", (program.code.encode(),))
            write_lines(incoming / "run.jsonl", render_run(run))
            home = self._folder / program.name
            make_folder(home)
            version = max(self._versions(program.name), default=0)
            for _ in range(_ATTEMPTS):
                version += 1
                stored = replace(program, version=version)
                text = json.dumps(stored.to_dict(), indent=2, ensure_ascii=False)
                (incoming / TOOL_FILE).unlink(missing_ok=True)
                write_lines(incoming / TOOL_FILE, (f"{text}\n".encode(),))
                try:
                    incoming.rename(home / str(version))
                except OSError as exc:
                    # Somebody else was first.
                    if exc.errno not in _TAKEN:
                        raise
                else:
                    return stored
            raise FileExistsError("others save under this name at the same time")
        except OSError as exc:
            raise StorageFull(
                f"the program {program.name!r} cannot be kept in {str(self._folder)!r}:"
                f" {exc.strerror or exc}",
                hint="make the folder writable, or name another in saved.folder",
            ) from exc
        finally:
            remove(incoming)

    def _latest(self) -> list[SavedProgram]:
        found = []
        for name, versions in self._listing():
            for version in reversed(versions):
                try:
                    found.append(self._read(name, version))
                    break
                except _BROKEN as exc:
                    log.warning(
                        "saved.unreadable",
                        extra={"program": name, "version": version, "reason": str(exc)},
                    )
        return found

    def _find(self, name: str, version: int | None) -> SavedProgram:
        versions = self._known_versions(name)
        chosen = versions[-1] if version is None else version
        if chosen not in versions:
            raise ToolNotFound(
                f"the saved program {name!r} has no version {chosen}",
                hint=f"it has {', '.join(map(str, versions))}",
            )
        try:
            return self._read(name, chosen)
        except _BROKEN as exc:
            raise self._unreadable(name, chosen, exc) from exc

    def _known_versions(self, name: str) -> list[int]:
        versions = self._versions(name)
        if not versions:
            listed = ", ".join(known for known, _ in self._listing()) or "none"
            raise ToolNotFound(f"no program was saved as {name!r:.60}", hint=f"there are: {listed}")
        return versions

    def _load_run(self, program: SavedProgram) -> JournalRun:
        try:
            folder = self._folder / program.name / str(program.version)
            return parse_run((folder / "run.jsonl").read_bytes())
        except _BROKEN as exc:
            raise self._unreadable(program.name, program.version, exc) from exc

    def _remove(self, name: str, version: int | None) -> None:
        if version is None:
            self._known_versions(name)
            remove(self._folder / name)
        else:
            self._find(name, version)
            remove(self._folder / name / str(version))
            if not self._versions(name):
                remove(self._folder / name)

    def _read(self, name: str, version: int) -> SavedProgram:
        folder = self._folder / name / str(version)
        fields = json.loads((folder / TOOL_FILE).read_bytes())
        code = (folder / "program.py").read_bytes().decode()
        return read_program(fields, code, name=name, version=version)

    def _listing(self) -> list[tuple[str, list[int]]]:
        try:
            names = sorted(path.name for path in subfolders(self._folder))
            return [(name, versions) for name in names if (versions := self._versions(name))]
        except OSError as exc:
            raise ConfigError(
                f"saved programs cannot be read from {str(self._folder)!r}: {exc.strerror or exc}",
                hint="make the folder readable, or name another in saved.folder",
            ) from exc

    def _versions(self, name: str) -> list[int]:
        if not _NAME.match(name):
            return []
        folders = subfolders(self._folder / name)
        return sorted(int(path.name) for path in folders if _VERSION.match(path.name))

    def _unreadable(self, name: str, version: int, exc: Exception) -> ToolNotFound:
        return ToolNotFound(
            f"version {version} of the saved program {name!r} cannot be read:"
            f" {type(exc).__name__}: {exc}",
            hint=f"mend or remove {str(self._folder / name / str(version))!r}",
        )


async def _in_thread(work: Callable[..., T], *arguments: object) -> T:
    return await to_thread.run_sync(partial(work, *arguments))
