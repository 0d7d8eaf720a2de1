"""Files and folders for their user alone, and folders named after nobody.

Synchronous. What is stored as files is written with these.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Final

from toolweft.core.principals import Principal
from toolweft.stores.opening import AS_IT_IS

__all__ = (
    "COPY_BYTES",
    "created",
    "make_folder",
    "name_key",
    "owner_key",
    "remove",
    "set_time",
    "subfolders",
    "write_all",
    "write_lines",
)

# Large enough to be quick; what counts its lines holds the interpreter for a fraction of a
# millisecond.
COPY_BYTES: Final = 1024 * 1024
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
# 128 bits tell any two names apart.
_KEY_DIGITS: Final = 32


def owner_key(owner: Principal) -> str:
    """The folder of an owner, below the folder of all: "<tenant>/<user>"."""
    return f"{name_key(owner.tenant)}/{name_key(owner.user)}"


def name_key(name: str) -> str:
    """The folder that stands for a name, which may hold anything."""
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_DIGITS]


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, for its user alone."""
    missing = [path for path in chain([folder], folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=_FOLDER_MODE, exist_ok=True)


@contextmanager
def created(path: Path) -> Iterator[int]:
    """The descriptor of a file that was not there, for its user alone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | AS_IT_IS
    fd = os.open(path, flags, _FILE_MODE)
    try:
        yield fd
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it."""
    with memoryview(data) as rest:
        done = 0
        while done < len(rest):
            done += os.write(fd, rest[done : done + COPY_BYTES])


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file that was not there, for its user alone."""
    with created(path) as fd, os.fdopen(fd, "wb", closefd=False) as file:
        file.writelines(lines)


def set_time(path: Path, now: datetime) -> None:
    """Set a file's or folder's time of change."""
    moment = int(now.timestamp() * 1e9)
    os.utime(path, ns=(moment, moment))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder; none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be done."""
    shutil.rmtree(folder, ignore_errors=True)
