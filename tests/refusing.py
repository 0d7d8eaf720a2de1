"""Runs a command where the machine refuses something, as kernels and container engines do.

`python tests/refusing.py NAME=HOW ... -- COMMAND`: a system call with the error it fails with, or
`user_namespaces=0`. A seccomp filter is what engines refuse calls with; the process sees no
difference from a kernel or a security module that lacks them. Nothing here is code under test.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

# As a kernel with user.max_user_namespaces = 0.
NO_USER_NAMESPACES = {"user_namespaces": "0"}
# As the default profiles of container engines.
FILTERED_NAMESPACES = {"unshare": "EPERM", "mount": "EPERM"}
# As AppArmor on Ubuntu 24.04: they can be made, and nothing can be mounted in them.
UNUSABLE_NAMESPACES = {"mount": "EACCES"}
# As a kernel that was built without it.
NO_LANDLOCK = {"landlock_create_ruleset": "ENOSYS"}
# No further filter from here on.
NO_FILTERS = {"seccomp": "EPERM", "prctl": "EPERM"}

# System calls by number, on x86_64 and aarch64.
_NUMBERS = {
    "unshare": (272, 97),
    "mount": (165, 40),
    "seccomp": (317, 277),
    "prctl": (157, 167),
    "landlock_create_ruleset": (444, 444),
}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_CLONE_NEWUSER = 0x1000_0000
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_OFFSET_NUMBER, _OFFSET_FIRST_ARGUMENT = 0, 16


def command(refused: Mapping[str, str], *arguments: str) -> list[str]:
    """The command line that runs `arguments` where this is refused."""
    pairs = [f"{name}={how}" for name, how in refused.items()]
    return [sys.executable, __file__, *pairs, "--", *arguments]


def forbid_user_namespaces() -> None:
    """Move into a user namespace that allows no further one; the user stays the same."""
    uid, gid = os.geteuid(), os.getegid()
    _check(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER), "unshare")
    for name, line in (
        ("self/setgroups", "deny"),
        ("self/uid_map", f"{uid} {uid} 1"),
        ("self/gid_map", f"{gid} {gid} 1"),
        ("sys/user/max_user_namespaces", "0"),
    ):
        Path("/proc", name).write_text(line, encoding="ascii")


def build_filter(refused: Mapping[str, str]) -> bytes:
    """The BPF program that fails these calls with their errors and lets all others through."""
    program = b""
    column = ("x86_64", "aarch64").index(platform.machine())
    for name, error in refused.items():
        body = [_instruction(_RETURN, _ERRNO | getattr(errno, error))]
        if name == "prctl":
            # Only what installs a filter.
            body = [
                _instruction(_LOAD, _OFFSET_FIRST_ARGUMENT),
                _instruction(_JUMP_EQUAL, _PR_SET_SECCOMP, on_false=1),
                *body,
            ]
        program += _instruction(_LOAD, _OFFSET_NUMBER)
        program += _instruction(_JUMP_EQUAL, _NUMBERS[name][column], on_false=len(body))
        program += b"".join(body)
    return program + _instruction(_RETURN, _ALLOW)


def install_filter(program: bytes) -> None:
    """Put it on this process and all it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    descriptor = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions)), 16
    )
    zero = ctypes.c_ulong(0)
    for option, first, second in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), descriptor),
    ):
        _check(libc.prctl(option, first, second, zero, zero), f"prctl {option}")


def _instruction(code: int, value: int, *, on_true: int = 0, on_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, on_true, on_false, value)


def _check(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def main(arguments: list[str]) -> None:
    """Take away what is named and become the command."""
    split = arguments.index("--")
    refused = dict(pair.split("=") for pair in arguments[:split])
    if refused.pop("user_namespaces", "") == "0":
        forbid_user_namespaces()
    if refused:
        install_filter(build_filter(refused))
    os.execvp(arguments[split + 1], arguments[split + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
