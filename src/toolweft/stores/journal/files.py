"""Runs as files. Synchronous: `store` calls it in worker threads.

    FOLDER/<tenant>/<user>/<run>.jsonl

Tenants and users are folders by the hash of their names. A run is written under another name and
appears by one rename, so it is whole or not there.
"""

import logging
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from toolweft.core.errors import RunNotReplayable
from toolweft.core.ids import RunId
from toolweft.core.journal import JournalRun
from toolweft.core.principals import Principal
from toolweft.stores.journal.options import JournalOptions
from toolweft.stores.journal.records import parse_run, render_run
from toolweft.stores.opening import AS_IT_IS
from toolweft.stores.private_files import (
    make_folder,
    owner_key,
    set_time,
    subfolders,
    write_lines,
)

__all__ = ("JournalFiles",)

log = logging.getLogger(__name__)

# Only what has this form becomes part of a path.
_RUN_ID: Final = re.compile(r"[0-9A-Za-z_]{1,80}\Z")
_SUFFIX: Final = ".jsonl"
_PARTIAL: Final = ".partial"


class JournalFiles:
    """One folder of runs."""

    def __init__(self, options: JournalOptions) -> None:
        self._options = options

    def write(self, runs: Sequence[JournalRun]) -> None:
        """Write runs; one that cannot be written is logged and lost."""
        for run in runs:
            try:
                self._write(run)
            except (OSError, ValueError) as exc:
                reason = getattr(exc, "strerror", None) or str(exc)
                log.warning("journal.lost", extra={"run_id": run.run_id, "reason": reason})

    def read(self, run_id: RunId, *, owner: Principal, now: datetime) -> JournalRun | None:
        """The owner's run; None where there is none.

        Raises:
            RunNotReplayable: there is one that cannot be read.
        """
        if not _RUN_ID.match(run_id):
            return None
        path = self._home(owner) / f"{run_id}{_SUFFIX}"
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | AS_IT_IS), "rb") as file:
                data = file.read()
            run = parse_run(data)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
            log.warning("journal.unreadable", extra={"run_id": run_id, "reason": str(exc)})
            raise RunNotReplayable(
                f"the run {run_id!r} is in the journal and cannot be read:"
                f" {type(exc).__name__}: {exc}",
                hint=f"its file was changed or cut off; remove {str(path)!r}, or run it once more",
            ) from exc
        is_old = run.at + timedelta(seconds=self._options.keep_s) <= now
        return None if is_old or run.principal != owner else run

    def latest(self, owner: Principal) -> RunId | None:
        """The owner's newest run; None where there is none."""
        runs = (entry for entry in _entries(self._home(owner)) if entry[2].suffix == _SUFFIX)
        newest = max(runs, default=None)
        return None if newest is None else RunId(newest[2].stem)

    def sweep(self, *, now: datetime) -> None:
        """Remove what is too old, and each owner's oldest where all are too much."""
        oldest = (now - timedelta(seconds=self._options.keep_s)).timestamp()
        try:
            for tenant in subfolders(self._options.folder):
                for user in subfolders(tenant):
                    self._sweep_owner(user, oldest=oldest)
        except OSError as exc:
            log.warning("journal.not_swept", extra={"reason": exc.strerror or str(exc)})

    def _write(self, run: JournalRun) -> None:
        home = self._home(run.principal)
        partial = home / f"{run.run_id}{_PARTIAL}"
        try:
            write_lines(partial, render_run(run))
        except FileNotFoundError:
            make_folder(home)
            write_lines(partial, render_run(run))
        set_time(partial, run.at)
        partial.replace(home / f"{run.run_id}{_SUFFIX}")

    def _sweep_owner(self, home: Path, *, oldest: float) -> None:
        total = 0
        for changed, size_bytes, path in sorted(_entries(home), reverse=True):
            total += size_bytes
            if changed <= oldest or total > self._options.max_bytes:
                path.unlink(missing_ok=True)

    def _home(self, owner: Principal) -> Path:
        return self._options.folder / owner_key(owner)


def _entries(home: Path) -> list[tuple[float, int, Path]]:
    """Time, size and path of each file; none where there is no such folder."""
    found: list[tuple[float, int, Path]] = []
    with suppress(FileNotFoundError), os.scandir(home) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                found.append((status.st_mtime, status.st_size, Path(entry.path)))
    return found
