"""Runs a command on a machine that refuses some system calls, as kernels and engines do.

A seccomp filter is what container engines refuse calls with, and to the process it looks like a
kernel or a security module that lacks them. `python -m tests.refusing NAME=ERRNO ... -- COMMAND`.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

# System calls by number, on x86_64 and aarch64.
_NUMBERS = {
    "clone": (56, 220),
    "unshare": (272, 97),
    "mount": (165, 40),
    "seccomp": (317, 277),
    "prctl": (157, 167),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
# As the default profiles of container engines do.
NO_USER_NAMESPACES = {"unshare": "EPERM", "mount": "EPERM"}
# As AppArmor on Ubuntu 24.04 does: they can be made, and nothing can be done in them.
UNUSABLE_USER_NAMESPACES = {"mount": "EACCES"}
# As a kernel that was built without it.
NO_LANDLOCK = dict.fromkeys(LANDLOCK, "ENOSYS")
# No further filter from here on.
NO_FILTERS = {"seccomp": "EPERM", "prctl": "EPERM"}

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_OFFSET_NUMBER, _OFFSET_FIRST_ARGUMENT = 0, 16


def command(refused: dict[str, str], *arguments: str) -> list[str]:
    """The command line that runs `arguments` without these calls."""
    pairs = [f"{name}={error}" for name, error in refused.items()]
    return [sys.executable, __file__, *pairs, "--", *arguments]


def _instruction(code: int, value: int, *, on_true: int = 0, on_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, on_true, on_false, value)


def _build_filter(refused: dict[str, str]) -> bytes:
    program = b""
    column = ("x86_64", "aarch64").index(platform.machine())
    for name, error in refused.items():
        refusal = _instruction(_RETURN, _ERRNO | getattr(errno, error))
        body = [refusal]
        if name == "prctl":
            # Only what installs a filter.
            body = [
                _instruction(_LOAD, _OFFSET_FIRST_ARGUMENT),
                _instruction(_JUMP_EQUAL, _PR_SET_SECCOMP, on_false=1),
                refusal,
            ]
        number = _NUMBERS[name][column]
        program += _instruction(_LOAD, _OFFSET_NUMBER)
        program += _instruction(_JUMP_EQUAL, number, on_false=len(body)) + b"".join(body)
    return program + _instruction(_RETURN, _ALLOW)


def _install(program: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    zero = ctypes.c_ulong(0)
    for option, first, second in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.create_string_buffer(descriptor)),
    ):
        if libc.prctl(option, first, second, zero, zero) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")


def main(arguments: list[str]) -> None:
    """Install the filter and become the command."""
    split = arguments.index("--")
    _install(_build_filter(dict(pair.split("=") for pair in arguments[:split])))
    os.execvp(arguments[split + 1], arguments[split + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
