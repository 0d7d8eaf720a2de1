"""File rules for a guest that has no file system of its own: some paths to read, nothing else."""

import os
import stat
import struct
from collections.abc import Iterable

from .syscalls import Kernel

__all__ = ("build_attributes", "restrict_files")

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_FOLDER = 1 << 3
_REMOVE_FOLDER = 1 << 4
_REMOVE_FILE = 1 << 5
_MAKE_FOLDER = 1 << 7
_MAKE_FILE = 1 << 8
_REFER = 1 << 13
_TRUNCATE = 1 << 14
# Ordinary files and folders, and moving them about; no links, devices or sockets, nothing to run.
_CHANGE = (
    _READ_FILE
    | _READ_FOLDER
    | _WRITE_FILE
    | _REMOVE_FOLDER
    | _REMOVE_FILE
    | _MAKE_FOLDER
    | _MAKE_FILE
    | _REFER
    | _TRUNCATE
)
# How many file rights each ABI knows; all of them are refused unless a path has them.
_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_RIGHTS_LATEST = 16
_NETWORK_RIGHTS = 0b11
_SCOPES = 0b11


def build_attributes(abi: int) -> bytes:
    """What a ruleset handles under this ABI: every file right, TCP, sockets and signals outside."""
    files = _file_rights(abi)
    if abi < 4:
        return struct.pack("Q", files)
    if abi < 6:
        return struct.pack("QQ", files, _NETWORK_RIGHTS)
    return struct.pack("QQQ", files, _NETWORK_RIGHTS, _SCOPES)


def _file_rights(abi: int) -> int:
    return (1 << _RIGHTS_OF_ABI.get(abi, _RIGHTS_LATEST)) - 1


def restrict_files(
    kernel: Kernel,
    *,
    readable: Iterable[str],
    devices: Iterable[str],
    writable: Iterable[str] = (),
) -> None:
    """Allow reading and changing below some paths, and some devices; refuse every other file.

    Raises:
        OSError: the kernel has no Landlock, or refused.
    """
    abi = kernel.landlock_version()
    if abi < 1:
        raise OSError("the kernel offers no Landlock")
    ruleset = kernel.landlock_create(build_attributes(abi))
    for path in readable:
        _allow(kernel, ruleset, path, _EXECUTE | _READ_FILE | _READ_FOLDER)
    for path in devices:
        _allow(kernel, ruleset, path, _READ_FILE | _WRITE_FILE)
    for path in writable:
        # A right that this kernel does not know is refused as a whole rule.
        _allow(kernel, ruleset, path, _CHANGE & _file_rights(abi))
    kernel.landlock_restrict(ruleset)
    os.close(ruleset)


def _allow(kernel: Kernel, ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    # A single file takes no rights that are about folders.
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= ~_READ_FOLDER
    kernel.landlock_allow(ruleset, rights, fd)
    os.close(fd)
