"""For each layer of the process sandbox, programs that only this layer stops.

A program prints PWNED, or changes something the host watches, where it gets through; otherwise it
ends with an error of its own or at a limit. What they do is harmless: they touch bait of the host
that runs them, and themselves. `@@NAMES@@` are filled in by that host.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from tests import machine

from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.guest.lockdown import (
    CAPABILITIES,
    LANDLOCK,
    LIMITS,
    NAMESPACES,
    SECCOMP,
)
from toolweft.sandbox.process.tiers import TIERS, Tier

# The list without calls on paths: a layer of tier `noopen` alone.
FILE_FREE = "file-free list"
# Clocks and counters of the host.
HOST = "host"

ALL = frozenset(tier.name for tier in TIERS)

_MIB = 1024 * 1024
# What the programs run with, so that each is over in a moment.
TIGHT = ProgramLimits(
    memory_bytes=512 * _MIB,
    active_s=0.3,
    wall_s=1.0,
    max_calls=20,
    max_output_characters=100_000,
    kept_characters=50_000,
    max_argument_bytes=100_000,
    disk_bytes=2 * _MIB,
    max_files=64,
)
# The same without the host's clocks and counters: no program here comes near them.
WIDE = replace(
    TIGHT,
    active_s=60.0,
    wall_s=60.0,
    max_calls=1_000_000,
    max_output_characters=1_000_000_000,
    kept_characters=10_000_000,
    max_argument_bytes=64 * _MIB,
)


Need = Literal["root", "namespaces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProgram:
    """One program and the only layer that stops it."""

    name: str
    layer: str
    code: str
    # Where the layer is the only one.
    tiers: frozenset[str] = ALL
    # Whoever is not root, or may make no user namespaces, cannot do it to begin with.
    needs: Need | None = None


def layers_of(tier: Tier) -> tuple[str, ...]:
    """Every layer of a tier that can be left out."""
    own = (FILE_FREE,) if tier.file_calls == "none" else ()
    return (*sorted(tier.layers), *own, HOST)


def without(tier: Tier, layer: str) -> Tier:
    """The tier without one layer; `HOST` is no part of it."""
    if layer == FILE_FREE:
        return replace(tier, file_calls="change")
    return replace(tier, layers=tier.layers - {layer})


def programs_for(tier: Tier, *, lacking: Collection[Need] = ()) -> list[LayerProgram]:
    """The programs that prove the layers of a tier on this machine."""
    return [
        program
        for program in PROGRAMS
        if tier.name in program.tiers and program.needs not in lacking
    ]


def find_lacking() -> set[Need]:
    """What programs of the layers cannot do on this machine to begin with."""
    lacking: set[Need] = set()
    if not machine.is_root():
        lacking.add("root")
    if machine.missing("ns"):
        lacking.add("namespaces")
    return lacking


_Make = Callable[[str, str], LayerProgram]


def _for(layer: str, *tiers: str, needs: Need | None = None, before: str = "") -> _Make:
    def make(name: str, code: str) -> LayerProgram:
        return LayerProgram(
            name=name,
            layer=layer,
            code=before + code,
            tiers=frozenset(tiers) or ALL,
            needs=needs,
        )

    return make


# --------------------------------------------------------------------------------------- files

_READ = "print('PWNED', open('@@CANARY_FILE@@').read())"
_LIST = "import os\nprint('PWNED', os.listdir('@@CANARY_DIR@@'))"
_APPEND = "open('@@CANARY_FILE@@', 'a').write('x')\nprint('PWNED')"
_TRUNCATE = "open('@@CANARY_FILE@@', 'w').close()\nprint('PWNED')"
_CREATE = "open('@@CANARY_DIR@@/new', 'x').close()\nprint('PWNED')"
_PROCESS = "print('PWNED', open('/proc/@@HOST_PID@@/stat').read())"
_SIZE = "import os\nprint('PWNED', os.stat('@@CANARY_FILE@@').st_size)"

_namespaces = _for(NAMESPACES, "ns")
_landlock = _for(LANDLOCK, "landlock")
_file_free = _for(FILE_FREE, "noopen")

FILES = (
    _namespaces("read a host file", _READ),
    _namespaces("list a host folder", _LIST),
    _namespaces("append to a host file", _APPEND),
    _namespaces("ask for the size of a host file", _SIZE),
    _namespaces("read of a host process", _PROCESS),
    _namespaces(
        "rename a host file",
        "import os\nos.rename('@@CANARY_FILE@@', '@@CANARY_FILE@@.1')\nprint('PWNED')",
    ),
    _namespaces(
        "make a folder on the host", "import os\nos.mkdir('@@CANARY_DIR@@/d')\nprint('PWNED')"
    ),
    _namespaces(
        "change a host file's mode",
        "import os\nos.chmod('@@CANARY_FILE@@', 0o640)\nprint('PWNED')",
    ),
    _namespaces(
        "ask for the host's name",
        "import os\nassert os.uname().nodename == '@@HOST_NAME@@'\nprint('PWNED')",
    ),
    _namespaces(
        "ask for the parent's process id",
        "import os\nassert os.getppid() and os.getpid() != 1\nprint('PWNED')",
    ),
    _landlock("read a host file under Landlock", _READ),
    _landlock("list a host folder under Landlock", _LIST),
    _landlock("append to a host file under Landlock", _APPEND),
    _landlock("truncate a host file under Landlock", _TRUNCATE),
    _landlock("make a host file under Landlock", _CREATE),
    _landlock("read of a host process under Landlock", _PROCESS),
    _file_free("read a host file without calls on paths", _READ),
    _file_free("list a host folder without calls on paths", _LIST),
    _file_free("append to a host file without calls on paths", _APPEND),
    _file_free("make a host file without calls on paths", _CREATE),
    _file_free("ask for the size of a host file without calls on paths", _SIZE),
    _file_free("read of a host process without calls on paths", _PROCESS),
)

# -------------------------------------------------------------------------------- capabilities

# Where a tier was left without its own files they are made in a folder of the host's.
_SCRATCH = """
import os
if os.path.isdir("@@SCRATCH_DIR@@"):
    os.chdir("@@SCRATCH_DIR@@")
"""
_own_files = _for(CAPABILITIES, "ns", before=_SCRATCH)

_LIBC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result in (-1, 2**64 - 1):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
libc.mmap.restype = libc.mremap.restype = libc.sbrk.restype = ctypes.c_void_p
def mmap(size, flags, *, protection=3):
    return check(libc.mmap(None, ctypes.c_size_t(size), protection, flags | 0x22,
                           -1, ctypes.c_long(0)))
"""
_as_root = _for(CAPABILITIES, "landlock", "noopen", needs="root", before=_LIBC)

_CREDENTIALS = """
import socket, struct
mine, other = socket.socketpair()
who = [os.getpid(), os.getuid(), os.getgid()]
who[{index}] = {claim}
data = struct.pack("3i", *who)
mine.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, data)])
print("PWNED")
"""

PRIVILEGES = (
    _own_files(
        "read a file that nobody may read",
        "open('f', 'w').write('x')\nos.chmod('f', 0)\nprint('PWNED', open('f').read())",
    ),
    _own_files(
        "write to a file that is read-only",
        "open('f', 'w').close()\nos.chmod('f', 0o444)\nopen('f', 'a').write('x')\nprint('PWNED')",
    ),
    _own_files(
        "list a folder that nobody may list",
        "os.mkdir('d')\nos.chmod('d', 0)\nprint('PWNED', os.listdir('d'))",
    ),
    _own_files(
        "look into a folder that nobody may enter",
        "os.mkdir('d')\nos.mkdir('d/e')\nos.chmod('d', 0)\nprint('PWNED', os.stat('d/e').st_ino)",
    ),
    _own_files(
        "make a file in a read-only folder",
        "os.mkdir('d')\nos.chmod('d', 0o555)\nopen('d/f', 'x').close()\nprint('PWNED')",
    ),
    _own_files(
        "remove a file from a read-only folder",
        "os.mkdir('d')\nopen('d/f', 'x').close()\nos.chmod('d', 0o555)\nos.unlink('d/f')\n"
        "print('PWNED')",
    ),
    _as_root("map the first page", "print('PWNED', mmap(4096, 0x10))"),
    _as_root(
        "move a mapping to the first page",
        "page = mmap(4096, 0)\n"
        "check(libc.mremap(ctypes.c_void_p(page), 4096, 4096, 3, None))\n"
        "print('PWNED')",
    ),
    _as_root("pass for another process", _CREDENTIALS.format(index=0, claim="@@HOST_PID@@")),
    _as_root("pass for another user", _CREDENTIALS.format(index=1, claim=12345)),
    _as_root("pass for another group", _CREDENTIALS.format(index=2, claim=12345)),
)

# ------------------------------------------------------------------------------ system calls

_call = _for(SECCOMP, before=_LIBC)

SYSTEM_CALLS = (
    _call("fork", "if os.fork() == 0: os._exit(0)\nprint('PWNED')"),
    _call("open a TCP socket", "import socket\nprint('PWNED', socket.socket())"),
    _call(
        "open a datagram pair",
        "import socket\nprint('PWNED', socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))",
    ),
    _call("make a memory file", "print('PWNED', os.memfd_create('x'))"),
    _for(SECCOMP, needs="namespaces", before=_LIBC)(
        "enter a user namespace", "check(libc.unshare(0x10000000))\nprint('PWNED')"
    ),
    _call("watch files", "print('PWNED', check(libc.inotify_init1(0)))"),
    _call("change its priority", "os.nice(1)\nprint('PWNED')"),
    _call("choose its processors", "os.sched_setaffinity(0, {0})\nprint('PWNED')"),
    _call("leave its session", "print('PWNED', os.setsid())"),
    _call("signal by process id", "os.kill(os.getpid(), 0)\nprint('PWNED')"),
    _call("hold a process", "print('PWNED', os.pidfd_open(os.getpid()))"),
    _call(
        "copy a process's memory",
        "import struct\ntext = ctypes.create_string_buffer(b'x' * 8)\n"
        "part = struct.pack('QQ', ctypes.addressof(text), 8)\n"
        "check(libc.process_vm_readv(os.getpid(), part, 1, part, 1, 0))\nprint('PWNED')",
    ),
)

# -------------------------------------------------------------------------------------- limits

_limit = _for(LIMITS, before=_LIBC)
# Above the limits the programs run with, and small for the machine: not one page is touched.
_MUCH = "much = 768 << 20\n"

SIZES = (
    _limit("map more than its memory", _MUCH + "mmap(much, 0)\nprint('PWNED')"),
    _limit(
        "reserve more address space than its memory",
        _MUCH + "mmap(much, 0x4000, protection=0)\nprint('PWNED')",
    ),
    _limit(
        "stretch a mapping above its memory",
        _MUCH + "page = mmap(4096, 0)\n"
        "check(libc.mremap(ctypes.c_void_p(page), 4096, ctypes.c_size_t(much), 1))\n"
        "print('PWNED')",
    ),
    _limit(
        "move the end of its data",
        _MUCH + "check(libc.sbrk(ctypes.c_long(much)))\nprint('PWNED')",
    ),
    _limit("many descriptors", "for _ in range(100): os.dup(0)\nprint('PWNED')"),
    _limit("a high descriptor", "os.dup2(0, 200)\nprint('PWNED')"),
    # Real root may lock pages whatever the limit, so in the other tiers two layers stop it.
    _for(LIMITS, "ns", before=_LIBC)("lock a page in memory", "print('PWNED', mmap(4096, 0x2000))"),
    _for(LIMITS, "ns", before=_SCRATCH)(
        "a file longer than its disk",
        "f = open('f', 'wb')\nos.ftruncate(f.fileno(), 1 << 40)\nprint('PWNED')",
    ),
    _for(LIMITS, "ns", before=_SCRATCH)(
        "write beyond the end of its disk",
        "f = open('f', 'wb')\nos.pwrite(f.fileno(), b'x', 1 << 40)\nprint('PWNED')",
    ),
)

# -------------------------------------------------------------------------------- the host

_FRAMES = """
import asyncio, gc, json, os, select, struct, time
loop = asyncio.get_running_loop()
(channel,) = [o._write_fd for o in gc.get_objects() if type(o).__name__ == "Channel"]
poll = select.poll()
poll.register(channel, select.POLLOUT)
def frame(kind, number=0, head=b"", body=b""):
    return struct.pack(">B3sIII", kind, bytes(3), number, len(head), len(body)) + head + body
def send(data):
    while data:
        poll.poll()
        data = data[os.write(channel, data):]
def wait_for_replies(count):
    loop.remove_reader(channel)
    file = os.fdopen(os.dup(channel), "rb", buffering=0)
    def read(size):
        data = b""
        while len(data) < size:
            select.select([channel], [], [])
            data += file.read(size - len(data)) or b""
        return data
    for _ in range(count):
        _kind, _padding, _number, head, body = struct.unpack(">B3sIII", read(16))
        read(head + body)
def call(number, body=b"{}"):
    return frame(17, number, json.dumps({"name": "echo", "line": 1}).encode(), body)
"""
# They speak to the host directly, past the guest's own counters.
_raw = _for(HOST, before=_FRAMES)
_timed = _for(HOST)

CLOCKS_AND_COUNTERS = (
    _timed("sleep for too long", "import time\ntime.sleep(3.0)\nprint('PWNED')"),
    _timed(
        "wait for too long",
        "import asyncio\nawait asyncio.sleep(3.0)\nprint('PWNED')",
    ),
    _timed(
        "swallow every stop",
        "import time\nend = time.monotonic() + 3.0\n"
        "while time.monotonic() < end:\n    try:\n        while time.monotonic() < end: pass\n"
        "    except BaseException: pass\nprint('PWNED')",
    ),
    _timed(
        "compute for too long with every signal blocked",
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n"
        "while time.process_time() < 3.0: pass\nprint('PWNED')",
    ),
    _raw(
        "print more than is allowed past the counter",
        "for _ in range(40): send(frame(19, 0, b'', b'x' * 10_000))\nprint('PWNED')",
    ),
    _raw(
        "call more often than is allowed past the counter",
        "for n in range(40): send(call(n + 1))\nwait_for_replies(40)\nprint('PWNED')",
    ),
    _raw(
        "send arguments larger than is allowed past the check",
        "send(call(1, json.dumps({'value': 'x' * 1_000_000}).encode()))\n"
        "wait_for_replies(1)\nprint('PWNED')",
    ),
)

PROGRAMS = (*FILES, *PRIVILEGES, *SYSTEM_CALLS, *SIZES, *CLOCKS_AND_COUNTERS)

# ------------------------------------------------------------------- two layers, one behind other

# In an allowed folder of tier `landlock`: packages, of which some belong to another user.
_others = _for(CAPABILITIES, "landlock", needs="root")

FILES_OF_OTHERS = (
    _others("read another user's file", "print('PWNED', open('@@OTHERS@@/file').read())"),
    _others(
        "list another user's folder", "import os\nprint('PWNED', os.listdir('@@OTHERS@@/folder'))"
    ),
    _others(
        "look into another user's folder",
        "import os\nprint('PWNED', os.stat('@@OTHERS@@/folder/file').st_size)",
    ),
    _others(
        "read another user's file without a trace",
        "import os\nos.open('@@OTHERS@@/open', os.O_RDONLY | os.O_NOATIME)\nprint('PWNED')",
    ),
    _others(
        "ask whether it may read another user's file",
        "import os\nassert os.access('@@OTHERS@@/file', os.R_OK)\nprint('PWNED')",
    ),
)

_behind_namespaces = _for(NAMESPACES, "ns", before="import os, signal, socket\n")
_behind_capabilities = _for(CAPABILITIES, "ns", before=_LIBC)

# The list of calls stops all of these as well; where it is off this layer does.
BEHIND_THE_LIST = (
    _behind_namespaces(
        "connect by TCP", "socket.create_connection(('127.0.0.1', @@TCP_PORT@@), 1)\nprint('PWNED')"
    ),
    _behind_namespaces(
        "send by UDP",
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', ('127.0.0.1', @@UDP_PORT@@))\nprint('PWNED')",
    ),
    _behind_namespaces(
        "send to an abstract socket",
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', '\\0@@ABSTRACT_NAME@@')\nprint('PWNED')",
    ),
    _behind_namespaces(
        "connect to a socket in a host folder",
        "socket.socket(socket.AF_UNIX).connect('@@UNIX_PATH@@')\nprint('PWNED')",
    ),
    _behind_namespaces("signal the host", "os.kill(@@HOST_PID@@, signal.SIGURG)\nprint('PWNED')"),
    _behind_namespaces("hold the host", "print('PWNED', os.pidfd_open(@@HOST_PID@@))"),
    _behind_capabilities("rename the machine", "check(libc.sethostname(b'x', 1))\nprint('PWNED')"),
    _behind_capabilities("change its root", "os.chroot('/tmp')\nprint('PWNED')"),
    _behind_capabilities(
        "mount a file system",
        "check(libc.mount(b'x', b'/tmp/work', b'tmpfs', 0, None))\nprint('PWNED')",
    ),
    _behind_capabilities("leave its mounts", "check(libc.unshare(0x20000))\nprint('PWNED')"),
    _behind_capabilities(
        "open a raw socket",
        "import socket\nprint('PWNED', socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))",
    ),
)
