"""What a database address says, without a database package.

Pure but for `prepare_file` and `make_folder`, which make what is kept private before it exists.
"""

import os
from pathlib import Path
from typing import Final

from toolweft.core.errors import LedgerUnavailable

__all__ = ("is_memory", "is_sqlite", "make_folder", "prepare_file", "read_path", "say_durability")

_SQLITE: Final = "sqlite"
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def is_sqlite(url: str) -> bool:
    """Whether the address names SQLite."""
    return url.partition(":")[0].partition("+")[0] == _SQLITE


def is_memory(url: str) -> bool:
    """Whether the address names a database that ends with its connection."""
    return is_sqlite(url) and read_path(url) is None


def read_path(url: str) -> Path | None:
    """The file of an SQLite address; None where there is none."""
    if not is_sqlite(url):
        return None
    path = url.partition("///")[2].partition("?")[0]
    return None if path in {"", ":memory:"} else Path(path)


def say_durability(url: str, *, synchronous: str) -> str:
    """What a committed event survives."""
    if is_memory(url):
        return "nothing: kept in memory"
    if is_sqlite(url) and synchronous == "NORMAL":
        return "process kill"
    return "power loss"


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, mode 0700.

    Raises:
        OSError: it cannot be made.
    """
    for missing in reversed([folder, *folder.parents]):
        if not missing.exists():
            missing.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def prepare_file(path: Path) -> None:
    """Make sure that the file can be written: missing folders 0700, a new file 0600.

    Raises:
        LedgerUnavailable: it cannot; the message says why.
    """
    try:
        make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _FILE_MODE))
    except OSError as exc:
        raise LedgerUnavailable(
            f"the ledger {str(path)!r} cannot be written: {exc.strerror or exc}",
            hint="make the folder writable, or name another place for the ledger",
        ) from exc
