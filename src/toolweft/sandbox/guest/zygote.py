"""The warm parent of all guests: imports once, then clones a locked-down child per request.

It never runs a program's code and holds no secret: it was exec'd with a clean environment. One
socket leads to the host, message by message; when it closes, the zygote ends and its children are
killed with it. The host asks for each child's status, so a process id stays taken until then.
"""

import asyncio
import gc
import importlib
import json
import os
import platform
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from . import probe
from .limits import Limits
from .lockdown import LANDLOCK, NAMESPACES, FileCalls, lock_down
from .namespaces import SESSION_FLAGS
from .runner import run_guest
from .syscalls import Kernel
from .timezones import keep_time_zones
from .undisturbed import die_with_host, move_away

__all__ = ("PRELOADED", "Setup", "Zygote", "main", "probe")

# What programs import most; without file access (tier "noopen") it is all they can import.
# fmt: off
PRELOADED: tuple[str, ...] = (
    "abc", "array", "ast", "asyncio", "atexit", "base64", "binascii", "bisect", "bz2",
    "calendar", "cmath", "codecs", "collections", "collections.abc", "colorsys",
    "concurrent.futures", "configparser", "contextlib", "contextvars", "copy", "csv", "ctypes",
    "dataclasses", "datetime", "decimal", "difflib", "email.message", "email.utils",
    "encodings.idna", "encodings.latin_1", "encodings.ascii", "encodings.utf_16", "enum",
    "errno", "fnmatch", "fractions", "functools", "getpass", "glob", "graphlib", "gzip",
    "hashlib", "heapq", "hmac", "html", "html.parser", "inspect", "io", "ipaddress",
    "itertools", "json", "keyword", "linecache", "locale", "logging", "lzma", "math",
    "mimetypes", "numbers", "operator", "os", "pathlib", "pickle", "pprint", "pwd", "queue",
    "random", "re", "reprlib", "secrets", "shlex", "shutil", "socket", "sqlite3", "statistics",
    "string", "struct", "subprocess", "tempfile", "textwrap", "threading", "time", "timeit",
    "tomllib", "traceback", "tracemalloc", "types", "typing", "unicodedata", "unittest.mock",
    "urllib.parse", "urllib.request", "urllib.error", "uuid", "warnings", "weakref",
    "xml.dom.minidom", "xml.etree.ElementTree", "zipfile", "zlib", "zoneinfo", "_strptime",
    "_decimal",
)
# fmt: on

# Longer requests do not exist: a request is four numbers.
_MAX_REQUEST_BYTES = 4096
_MAX_REASON_CHARACTERS = 500
_NEUTRAL_MACHINE = ("Linux", "sandbox", "", "")


class Setup(NamedTuple):
    """What the host decided about all guests of this zygote."""

    layers: frozenset[str]
    # What the system call list allows on paths.
    file_calls: FileCalls
    standard_library: str
    # The folder of further packages, "" for none, and the modules of it to import beforehand.
    packages: str
    preload: tuple[str, ...]
    # The host's /proc, for id maps; -1 without namespaces.
    proc_fd: int

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The setup given on the command line."""
        data = json.loads(text)
        return cls(
            layers=frozenset(data["layers"]),
            file_calls=data["file_calls"],
            standard_library=data["standard_library"],
            packages=data["packages"],
            preload=tuple(data["preload"]),
            proc_fd=data["proc_fd"],
        )


class Zygote:
    """Answers the host's requests, one at a time."""

    def __init__(self, control: socket.socket, setup: Setup, kernel: Kernel) -> None:
        self._control = control
        self._setup = setup
        self._kernel = kernel

    def serve(self) -> None:
        """Answer until the host closes the socket."""
        self._control.send(b'{"ready":true}')
        while True:
            message, fds, _flags, _address = socket.recv_fds(
                self._control, _MAX_REQUEST_BYTES, maxfds=1
            )
            if not message:
                return
            answer, passed = self.answer(json.loads(message), fds)
            socket.send_fds(self._control, [json.dumps(answer).encode()], passed)
            for fd in (*fds, *passed):
                os.close(fd)

    def answer(self, request: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        """The answer to one request, and a descriptor that goes with it."""
        try:
            if "hello" in request:
                # Only what has just read it can say it: no message of a package's code passes.
                return {"hello": request["hello"]}, []
            if "reap" in request:
                _pid, status, used = os.wait4(request["reap"], 0)
                code = os.waitstatus_to_exitcode(status)
                return {"status": code, "peak_bytes": used.ru_maxrss * 1024}, []
            return self._spawn(Limits.from_dict(request["spawn"]), fds[0])
        except OSError as refusal:
            return {"error": str(refusal)}, []

    def _spawn(self, limits: Limits, fd: int) -> tuple[dict[str, Any], list[int]]:
        flags = SESSION_FLAGS if NAMESPACES in self._setup.layers else 0
        pid, pidfd = self._kernel.clone(flags)
        if pid == 0:
            self._control.close()
            run_guest(
                lambda: self._lock_down(limits),
                read_fd=fd,
                write_fd=fd,
                kernel=self._kernel,
                limits=limits,
            )
        return {"pid": pid}, [pidfd]

    def _lock_down(self, limits: Limits) -> None:
        setup = self._setup
        lock_down(
            self._kernel,
            setup.layers,
            limits,
            readable=[setup.standard_library, *([setup.packages] if setup.packages else [])],
            proc_fd=setup.proc_fd,
            file_calls=setup.file_calls,
        )


def preload(packages: str, names: Sequence[str]) -> None:
    """Import what programs use, so that every clone has it."""
    for name in PRELOADED:
        importlib.import_module(name)
    if packages:
        # Behind the standard library: no package takes the place of a module of it.
        sys.path.append(packages)
    for name in names:
        importlib.import_module(name)
    # A first loop fills asyncio's own caches.
    asyncio.run(asyncio.sleep(0))
    # platform remembers the first answer; the machine's name is not for programs.
    machine = platform.uname().machine
    setattr(platform, "_uname_cache", platform.uname_result(*_NEUTRAL_MACHINE, machine))  # noqa: B010  not typed
    gc.collect()
    gc.freeze()


def main(control_fd: int, setup_text: str) -> None:
    """The zygote process; ends when the host closes the socket."""
    # Both are inherited over exec: a host that ignores or blocks signals must not matter here.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    sys.dont_write_bytecode = True
    kernel = Kernel()
    kernel.limit_arenas()
    with socket.socket(fileno=move_away(control_fd)) as control:
        setup = Setup.from_json(setup_text)
        if setup.proc_fd >= 0:
            setup = setup._replace(proc_fd=move_away(setup.proc_fd))
        try:
            with die_with_host(control.fileno()):
                preload(setup.packages, setup.preload)
            if not setup.layers & {NAMESPACES, LANDLOCK}:
                keep_time_zones()
        # A package may fail in any way when it is imported, or end the interpreter.
        except (Exception, SystemExit) as fault:
            reason = f"preload: {type(fault).__name__}: {fault}"
            control.send(json.dumps({"error": reason[:_MAX_REASON_CHARACTERS]}).encode())
            return
        Zygote(control, setup, kernel).serve()
