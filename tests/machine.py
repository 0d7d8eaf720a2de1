"""What this machine offers a sandbox, found without the code under test.

So a tier that fails by its own fault fails its tests; one whose ground is missing skips them.
"""

import functools
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

_TIMEOUT_S = 30
# Makes what tier "ns" is made of: namespaces, an identity, a mount.
_NAMESPACES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def check(result, what):
    if result: raise SystemExit(f"{what}: {os.strerror(ctypes.get_errno())}")
uid = os.geteuid()
# user, mount, pid, net, ipc, uts, cgroup
check(libc.unshare(0x7E020000), "unshare")
try:
    with open("/proc/self/uid_map", "w") as file: file.write(f"0 {uid} 1")
except OSError as refusal:
    raise SystemExit(f"uid_map: {refusal.strerror}")
check(libc.mount(b"none", b"/", None, ctypes.c_ulong(0x44000), None), "mount")
check(libc.mount(b"none", b"/tmp", b"tmpfs", ctypes.c_ulong(0), None), "mount tmpfs")
"""
# Asks for the version of its interface.
_LANDLOCK = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)) < 1:
    raise SystemExit(os.strerror(ctypes.get_errno()))
"""


@functools.cache
def missing(tier: str) -> str:
    """What the machine lacks for a tier of the process sandbox; "" where it lacks nothing."""
    if platform.system() != "Linux":
        return "this is not Linux"
    match tier:
        case "ns":
            return _try("no usable user namespaces here", _NAMESPACES)
        case "landlock":
            return _try("no Landlock here", _LANDLOCK)
    return ""


def need(tier: str) -> None:
    """Skip the test where the machine has not got what the tier stands on."""
    if reason := missing(tier):
        pytest.skip(f"tier {tier!r}: {reason}")


@functools.cache
def is_root() -> bool:
    """Whether this is root over the machine, not only over a user namespace."""
    if os.geteuid() != 0:
        return False
    users = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return users == ["0", "0", str(2**32 - 1)]


def strongest() -> str:
    """The tier that has to be chosen here."""
    return next(tier for tier in ("ns", "landlock", "noopen") if not missing(tier))


def _try(what: str, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return "" if done.returncode == 0 else f"{what}: {done.stderr.strip()}"
