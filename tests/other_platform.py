"""Another operating system, as far as it can be pretended: what our own modules find of it.

`enter` makes `toolweft.*` and `tests.*` see what the standard library has on macOS or Windows:
`sys.platform`, and neither the modules nor the attributes that are missing there. The standard
library and other packages see the real system, as their own makers run them there. What such a
system does differently behind the same names (paths, locked files, real signals) is not pretended.

    python -m tests.other_platform win32 cli run -c '1 + 1'     the command line
    python -m tests.other_platform win32 file script.py         a script that uses the library
    python -m tests.other_platform win32 pytest -m 'not process' tests
"""

import builtins
import importlib
import runpy
import sys
from types import ModuleType
from typing import Any

__all__ = ("MISSING_ATTRIBUTES", "MISSING_MODULES", "PLATFORMS", "enter")

PLATFORMS = ("darwin", "win32")

_LINUX_ONLY = {
    "os": {
        "eventfd", "getrandom", "memfd_create", "pidfd_open", "posix_fallocate",
        "sched_getaffinity", "sched_setaffinity", "setns", "unshare", "pipe2", "splice",
        "copy_file_range", "O_PATH", "O_TMPFILE", "getresuid", "getresgid",
    },
    "signal": {"pidfd_send_signal", "SIGCLD", "SIGPOLL", "SIGPWR", "SIGRTMAX", "SIGRTMIN"},
    "socket": {"AF_NETLINK", "AF_VSOCK", "AF_ALG", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED"},
    "select": {"epoll", "EPOLLIN", "EPOLLOUT", "EPOLLHUP", "EPOLLERR"},
    "time": set(),
    "subprocess": set(),
    "sys": set(),
    "platform": set(),
    "resource": {"prlimit"},
}  # fmt: skip
# As the documentation of Python 3.11 says ("Availability: Unix", "not Windows").
_UNIX_ONLY = {
    "os": {
        "O_ASYNC", "O_CLOEXEC", "O_DIRECT", "O_DIRECTORY", "O_DSYNC", "O_NOCTTY", "O_NOFOLLOW",
        "O_NONBLOCK", "O_SYNC", "WNOHANG", "chown", "chroot", "confstr", "ctermid", "fchdir",
        "fchmod", "fchown", "fork", "forkpty", "fstatvfs", "get_blocking", "getegid", "geteuid",
        "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp", "getpriority", "getsid",
        "getuid", "initgroups", "killpg", "lchown", "lockf", "mkfifo", "mknod", "nice", "openpty",
        "pathconf", "posix_spawn", "pread", "preadv", "pwrite", "pwritev", "readv",
        "register_at_fork", "sendfile", "set_blocking", "setegid", "seteuid", "setgid",
        "setgroups", "setpgid", "setpriority", "setsid", "setuid", "statvfs", "sync", "sysconf",
        "tcgetpgrp", "ttyname", "uname", "wait", "wait3", "wait4", "waitid", "writev",
    },
    "signal": {
        "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGIO", "SIGKILL", "SIGPIPE",
        "SIGPROF", "SIGQUIT", "SIGSTOP", "SIGSYS", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU",
        "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH", "SIGXCPU", "SIGXFSZ", "alarm",
        "getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt",
        "sigpending", "sigtimedwait", "sigwait", "sigwaitinfo",
    },
    "socket": {"AF_UNIX", "CMSG_LEN", "CMSG_SPACE", "SCM_RIGHTS", "recv_fds", "send_fds"},
    "select": {"PIPE_BUF", "POLLERR", "POLLHUP", "POLLIN", "POLLOUT", "poll"},
    "time": {"clock_gettime", "clock_getres", "tzset", "pthread_getcpuclockid"},
    "subprocess": set(),
    "sys": {"abiflags"},
    "platform": set(),
}  # fmt: skip
_NOT_ON_WINDOWS = frozenset(
    {"crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline", "resource"}
    | {"spwd", "syslog", "termios", "tty", "_posixsubprocess", "_curses", "curses"}
)
MISSING_MODULES = {"darwin": frozenset({"ossaudiodev", "spwd"}), "win32": _NOT_ON_WINDOWS}
MISSING_ATTRIBUTES = {
    "darwin": _LINUX_ONLY,
    "win32": {name: _LINUX_ONLY[name] | _UNIX_ONLY.get(name, set()) for name in _LINUX_ONLY},
}
_SYSTEMS = {"darwin": "Darwin", "win32": "Windows"}


class _View:
    """A module with some things missing and some things different."""

    __slots__ = ("_hidden",)

    def __init__(self, real: ModuleType, *, missing: set[str], different: dict[str, Any]) -> None:
        object.__setattr__(self, "_hidden", (real, frozenset(missing), different))

    def __getattr__(self, name: str) -> Any:
        real, missing, different = self._hidden
        if name in missing:
            raise AttributeError(f"module {real.__name__!r} has no attribute {name!r}")
        return different[name] if name in different else getattr(real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._hidden[0], name, value)

    @property
    def __dict__(self) -> dict[str, Any]:
        # Whoever changes a module for a while looks here for what was there.
        return self._hidden[0].__dict__


def _windows_locks() -> ModuleType:
    """Locks on files, which nobody else holds here."""
    module = ModuleType("msvcrt")
    module.LK_NBLCK, module.LK_UNLCK = 2, 0  # type: ignore[attr-defined]  # made here
    module.locking = lambda _fd, _mode, _size: None  # type: ignore[attr-defined]  # as above
    return module


# For toolweft alone: subprocess takes a machine that has it for Windows.
_WINDOWS_LOCKS = _windows_locks()


def enter(platform: str) -> None:
    """Let `toolweft.*` find the system `platform` from now on, in this process.

    Args:
        platform: one of `PLATFORMS`.

    Raises:
        RuntimeError: toolweft was imported already, so it has seen the real one.
    """
    if any(name.partition(".")[0] == "toolweft" for name in sys.modules):
        raise RuntimeError("toolweft was imported before")
    different: dict[str, dict[str, Any]] = {
        "sys": {"platform": platform},
        "platform": {"system": lambda: _SYSTEMS[platform], "machine": lambda: "arm64"},
    }
    if platform == "win32":
        different["os"] = {"name": "nt", "O_BINARY": 0, "O_NOINHERIT": 0}
        different["anyio"] = _windows_waits()
    views = {
        name: _View(
            importlib.import_module(name),
            missing=MISSING_ATTRIBUTES[platform].get(name, set()),
            different=different.get(name, {}),
        )
        for name in MISSING_ATTRIBUTES[platform].keys() | different.keys()
        if name not in MISSING_MODULES[platform]
    }
    real_import = builtins.__import__

    def import_(name: str, *arguments: Any, **named: Any) -> Any:
        scope = named.get("globals") or (arguments[0] if arguments else None) or {}
        if str(scope.get("__name__", "")).partition(".")[0] in {"toolweft", "tests"}:
            top = name.partition(".")[0]
            if platform == "win32" and top == "msvcrt":
                return _WINDOWS_LOCKS
            if top in MISSING_MODULES[platform]:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            found = real_import(name, *arguments, **named)
            return views.get(found.__name__, found)
        return real_import(name, *arguments, **named)

    builtins.__import__ = import_


def _windows_waits() -> dict[str, Any]:
    """What the event loop of Windows cannot do: wait for descriptors, take signals."""
    import anyio

    def refuse_descriptors(thing: object) -> None:
        if isinstance(thing, int):
            raise OSError(10038, "an operation was attempted on something that is not a socket")

    async def wait_readable(thing: Any) -> None:
        refuse_descriptors(thing)
        await anyio.wait_readable(thing)

    async def wait_writable(thing: Any) -> None:
        refuse_descriptors(thing)
        await anyio.wait_writable(thing)

    def open_signal_receiver(*_signals: object) -> Any:
        raise NotImplementedError

    return {
        "wait_readable": wait_readable,
        "wait_writable": wait_writable,
        "open_signal_receiver": open_signal_receiver,
    }


def main() -> None:
    """Enter the system that is named, then do what is asked for."""
    platform, kind, *arguments = sys.argv[1:]
    enter(platform)
    if kind == "file":
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
        return
    if kind == "pytest":
        import pytest

        # What has to be imported before the pretence cannot be rewritten, and need not be.
        sys.exit(pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments]))
    sys.argv = ["toolweft", *arguments]
    from toolweft.cli import main as run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
