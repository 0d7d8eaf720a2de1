"""Drafts: the folders in which environments are made, beside those that are done.

Whoever makes one holds a lock on it, which the system lets go of however that process ends. So a
draft without a holder is a left-over, and is removed by the next one who looks. Where folders
cannot be locked, nothing of others is removed. Called by `environment_build` and the command line.
"""

import logging
import os
import re
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ("INSTALLING", "Draft", "remove_folder", "remove_left_drafts")

log = logging.getLogger(__name__)

# Where an installer keeps what it downloads and unpacks, in a draft.
INSTALLING: Final = "installing"
# A name, and what `tempfile` puts behind it.
_NAME: Final = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._-]{0,63}-[a-z0-9_]{8}")
_CONTENTS: Final = frozenset(
    {
        "site",
        INSTALLING,
        "environment.json",
        "requirements.txt",
        "constraints.txt",
        "overrides.txt",
    }
)
_MAX_ATTEMPTS: Final = 10


class Draft:
    """A folder of one's own, removed at the end unless it was moved to its place."""

    def __init__(self, path: Path, lock_fd: int | None) -> None:
        self.path = path
        self._lock_fd = lock_fd

    @classmethod
    def make(cls, folder: Path, name: str) -> Self:
        """A new one for an environment of this name.

        Raises:
            OSError: the folder takes none.
        """
        for _attempt in range(_MAX_ATTEMPTS):
            path = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
            try:
                return cls(path, _lock(path))
            # Somebody who tidies up came between.
            except (BlockingIOError, FileNotFoundError):
                continue
        raise OSError(f"each of {_MAX_ATTEMPTS} new folders in {folder} was taken away at once")

    def __enter__(self) -> Self:
        """Begin; there is nothing to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove it where it still is, and let go."""
        try:
            remove_folder(self.path)
        finally:
            if self._lock_fd is not None:
                os.close(self._lock_fd)


def remove_left_drafts(folder: Path) -> None:
    """Remove the drafts whose makers are gone; what cannot be removed stays."""
    with suppress(OSError):
        for path in sorted(folder.glob(".*")):
            with suppress(OSError):
                if _looks_like_draft(path) and _is_left(path):
                    log.info("environment.draft_removed", extra={"draft": path.name})


def remove_folder(path: Path) -> None:
    """Remove a folder with everything in it, read-only or not; what cannot be removed stays."""
    for folder, _folders, _files in os.walk(path):
        with suppress(OSError):
            Path(folder).chmod(0o755)
    shutil.rmtree(path, ignore_errors=True)


def _looks_like_draft(path: Path) -> bool:
    is_named_so = _NAME.fullmatch(path.name) is not None
    if not is_named_so or path.is_symlink() or not path.is_dir():
        return False
    return all(inner.name in _CONTENTS for inner in path.iterdir())


def _is_left(path: Path) -> bool:
    """Whether nobody held this draft; then it is removed."""
    try:
        lock_fd = _lock(path)
    except BlockingIOError:
        return False
    if lock_fd is None:
        return False
    try:
        remove_folder(path)
    finally:
        os.close(lock_fd)
    return True


def _lock(path: Path) -> int | None:
    """A descriptor that holds a folder until it is closed; None where folders cannot be held.

    Raises:
        BlockingIOError: somebody else holds it.
        FileNotFoundError: the folder is not there any more.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Held, but is it still what is found there?
        if not os.path.samestat(os.fstat(fd), path.lstat()):
            raise FileNotFoundError(f"{path} is another folder by now")
    except OSError as exc:
        os.close(fd)
        if isinstance(exc, BlockingIOError | FileNotFoundError):
            raise
        return None
    return fd
