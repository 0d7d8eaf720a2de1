"""What a confined process must not be able to do, tried for real.

The host runs this in a throw-away guest before a tier is used. Each attempt is harmless where it
succeeds, and tells so; a filter that allows everything by mistake shows here and nowhere else.
"""

import ctypes
import errno
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from .namespaces import SCRATCH

__all__ = ("ATTEMPTS", "attempt", "attempt_all")

_SYS_SOCKET = 41
_SYS_SOCKETPAIR = 53
_SYS_CLONE = 56
_SYS_FORK = 57
_SYS_EXECVE = 59
_SYS_KILL = 62
_SYS_FCNTL = 72
_SYS_PTRACE = 101
_SYS_CHROOT = 161
_SYS_KEYCTL = 250
_SYS_UNSHARE = 272
_SYS_PERF_EVENT_OPEN = 298
_SYS_PROCESS_VM_READV = 310
_SYS_MEMFD_CREATE = 319
_SYS_BPF = 321
_SYS_USERFAULTFD = 323
_SYS_IO_URING_SETUP = 425
_SYS_FSOPEN = 430
_SYS_PIDFD_OPEN = 434

_F_SETOWN = 8
_PTRACE_TRACEME = 0
_CLONE_NEWUSER = 0x1000_0000
_AF_INET, _AF_UNIX, _AF_NETLINK = 2, 1, 16
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_RAW = 1, 2, 3
_REFUSALS = (errno.EPERM, errno.EACCES)
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def attempt_all(*, canary: str, names: Iterable[str]) -> dict[str, str]:
    """Try the named attempts; those that went through, with what happened."""
    failures = {}
    for name in names:
        outcome = attempt(ATTEMPTS[name], canary)
        if outcome:
            failures[name] = outcome
    return failures


def attempt(action: Callable[[str], object], canary: str) -> str:
    """Try one thing; empty where it was refused."""
    try:
        return f"went through: {action(canary)!r:.80}"
    except MemoryError:
        return ""
    except OSError as refusal:
        refused = (*_REFUSALS, *_ABSENT, errno.EROFS, errno.EMFILE, errno.EFBIG, errno.ENOSPC)
        return "" if refusal.errno in refused else f"failed otherwise: {refusal}"
    except RuntimeError as refusal:
        return "" if "can't start new thread" in str(refusal) else f"failed otherwise: {refusal}"


def _call(number: int, *arguments: object) -> Callable[[str], object]:
    def action(_canary: str) -> object:
        libc = ctypes.CDLL(None, use_errno=True)
        result = libc.syscall(number, *arguments)
        if result == 0 and number in (_SYS_FORK, _SYS_CLONE):
            # The unwanted child of a filter that does not hold.
            os._exit(0)
        if result < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return result

    return action


def _fork(canary: str) -> object:
    pid = _call(_SYS_FORK)(canary)
    assert isinstance(pid, int)
    os.waitpid(pid, 0)
    return pid


def _read_canary(canary: str) -> object:
    return len(Path(canary).read_bytes())


def _find_canary(canary: str) -> object:
    return Path(canary).stat().st_size


def _read_environment(_canary: str) -> object:
    return len(Path("/proc/self/environ").read_bytes())


def _write_library(_canary: str) -> object:
    # Opening is enough, and changes nothing where it succeeds.
    with Path(os.__file__).open("ab") as file:
        return file.name


def _write_root(_canary: str) -> object:
    folder = Path("/probe")
    folder.mkdir()
    folder.rmdir()
    return folder


def _allocate(_canary: str) -> object:
    # Address space only: not one page is touched.
    limit = 1 << 40
    if (soft := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        limit = soft
    return len(bytearray(limit))


def _open_many(_canary: str) -> object:
    opened: list[int] = []
    try:
        while len(opened) < 4096:
            opened.append(os.dup(0))
    finally:
        for fd in opened:
            os.close(fd)
    return len(opened)


def _raise_limit(_canary: str) -> object:
    # Setting what is set already changes nothing, and is refused all the same.
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    except ValueError:
        # Python says so for EPERM.
        raise OSError(errno.EPERM, "refused") from None
    return limits


def _start_threads(_canary: str) -> object:
    gate = threading.Event()
    threads: list[threading.Thread] = []
    try:
        while len(threads) < 512:
            thread = threading.Thread(target=gate.wait, daemon=True)
            thread.start()
            threads.append(thread)
    finally:
        gate.set()
        for thread in threads:
            thread.join()
    return len(threads)


def _fill_scratch(_canary: str) -> object:
    path = Path(SCRATCH, "fill")
    size = 0
    try:
        with path.open("wb", buffering=0) as file:
            while size < 1 << 30:
                size += file.write(bytes(1 << 20))
    finally:
        path.unlink()
    return size


def _find_descriptors(_canary: str) -> object:
    """Descriptors of the kinds nobody should have given us: files and folders."""
    found = []
    for fd in range(3, 64):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            found.append(fd)
    if not found:
        raise OSError(errno.ENOENT, "none")
    return found


def _outer_process_id(_canary: str) -> object:
    if os.getpid() == 1:
        raise OSError(errno.ENOENT, "none")
    return os.getpid()


# Refused in every tier.
ATTEMPTS: dict[str, Callable[[str], object]] = {
    "tcp socket": _call(_SYS_SOCKET, _AF_INET, _SOCK_STREAM, 0),
    "udp socket": _call(_SYS_SOCKET, _AF_INET, _SOCK_DGRAM, 0),
    "unix socket": _call(_SYS_SOCKET, _AF_UNIX, _SOCK_STREAM, 0),
    "netlink socket": _call(_SYS_SOCKET, _AF_NETLINK, _SOCK_RAW, 0),
    "datagram pair": _call(_SYS_SOCKETPAIR, _AF_UNIX, _SOCK_DGRAM, 0, (ctypes.c_int * 2)()),
    "fork": _fork,
    # Without a path it fails, but otherwise than where it is refused.
    "exec": _call(_SYS_EXECVE, None, None, None),
    "signal": _call(_SYS_KILL, os.getppid() or 1, 0),
    "signal owner": _call(_SYS_FCNTL, 0, _F_SETOWN, 1),
    "ptrace": _call(_SYS_PTRACE, _PTRACE_TRACEME, 0, 0, 0),
    "chroot": _call(_SYS_CHROOT, b"/"),
    "mount": _call(_SYS_FSOPEN, b"tmpfs", 0),
    "keyring": _call(_SYS_KEYCTL, 0, -3, 0, 0, 0),
    "user namespace": _call(_SYS_UNSHARE, _CLONE_NEWUSER),
    "perf events": _call(_SYS_PERF_EVENT_OPEN, None, 0, -1, -1, 0),
    "other memory": _call(_SYS_PROCESS_VM_READV, 1, None, 0, None, 0, 0),
    "memory file": _call(_SYS_MEMFD_CREATE, b"probe", 0),
    "bpf": _call(_SYS_BPF, 0, None, 0),
    "userfaultfd": _call(_SYS_USERFAULTFD, 0),
    "io_uring": _call(_SYS_IO_URING_SETUP, 1, None),
    "pidfd": _call(_SYS_PIDFD_OPEN, 1, 0),
    "host file": _read_canary,
    "environment file": _read_environment,
    "library file": _write_library,
    "root folder": _write_root,
    "descriptors": _find_descriptors,
    "memory": _allocate,
    "open files": _open_many,
    "own limits": _raise_limit,
    "threads": _start_threads,
    # Refused where the guest has a file system of its own.
    "host file size": _find_canary,
    "host process ids": _outer_process_id,
    "scratch size": _fill_scratch,
}
