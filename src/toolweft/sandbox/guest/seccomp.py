"""The list of system calls a guest may make, and the BPF program that enforces it (x86_64).

Pure: `build_filter` gives bytes; `syscalls.Kernel` installs them. Everything that is not listed
fails with EPERM; another architecture's numbering ends the process.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ("BASE", "FILES_READ", "FILES_WRITE", "Match", "Rule", "build_filter", "build_rules")


class Match(NamedTuple):
    """A condition on one argument: `argument & mask == value`, over all 64 bits."""

    argument: int
    value: int
    mask: int = 0xFFFF_FFFF_FFFF_FFFF


class Rule(NamedTuple):
    """A call that is allowed: always, or where all matches of one alternative hold."""

    name: str
    number: int
    alternatives: tuple[tuple[Match, ...], ...] = ()


def _any(argument: int, *values: int) -> tuple[tuple[Match, ...], ...]:
    # The kernel reads these arguments as 32 bits, so the filter does too.
    return tuple((Match(argument, value, 0xFFFF_FFFF),) for value in values)


# What glibc and musl pass for a thread; anything else would be a process or a namespace.
_THREAD_GLIBC = 0x003D_0F00
_THREAD_MUSL = 0x007D_0F00

# Memory, signals to itself, threads, clocks, descriptors it already has.
BASE: tuple[Rule, ...] = (
    Rule("read", 0),
    Rule("write", 1),
    Rule("close", 3),
    Rule("fstat", 5),
    Rule("poll", 7),
    Rule("lseek", 8),
    Rule("mmap", 9),
    Rule("mprotect", 10),
    Rule("munmap", 11),
    Rule("brk", 12),
    Rule("rt_sigaction", 13),
    Rule("rt_sigprocmask", 14),
    Rule("rt_sigreturn", 15),
    # Terminal and pipe queries Python makes; nothing that injects or changes an owner.
    Rule("ioctl", 16, _any(1, 0x5401, 0x541B, 0x5421, 0x5450, 0x5451)),
    Rule("pread64", 17),
    Rule("pwrite64", 18),
    Rule("readv", 19),
    Rule("writev", 20),
    Rule("pipe", 22),
    Rule("select", 23),
    Rule("sched_yield", 24),
    Rule("mremap", 25),
    Rule("madvise", 28),
    Rule("dup", 32),
    Rule("dup2", 33),
    Rule("pause", 34),
    Rule("nanosleep", 35),
    Rule("getitimer", 36),
    Rule("alarm", 37),
    Rule("setitimer", 38),
    Rule("getpid", 39),
    # Without an address: the peer is fixed.
    Rule("sendto", 44, ((Match(4, 0),),)),
    Rule("recvfrom", 45),
    Rule("sendmsg", 46),
    Rule("recvmsg", 47),
    Rule("shutdown", 48),
    # AF_UNIX streams only: a datagram pair may send to any address in reach.
    Rule("socketpair", 53, ((Match(0, 1, 0xFFFF_FFFF), Match(1, 1, 0xF)),)),
    Rule("getsockopt", 55),
    Rule("clone", 56, ((Match(0, _THREAD_GLIBC),), (Match(0, _THREAD_MUSL),))),
    Rule("exit", 60),
    # Duplicate, flags and file locks; never F_SETOWN, which aims signals at other processes.
    Rule("fcntl", 72, _any(1, 0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)),
    Rule("flock", 73),
    Rule("fsync", 74),
    Rule("fdatasync", 75),
    Rule("ftruncate", 77),
    Rule("getcwd", 79),
    Rule("gettimeofday", 96),
    Rule("getrlimit", 97),
    Rule("getrusage", 98),
    Rule("getuid", 102),
    Rule("getgid", 104),
    Rule("geteuid", 107),
    Rule("getegid", 108),
    Rule("getppid", 110),
    Rule("sigaltstack", 131),
    # Reading its own name, no_new_privs and filter mode.
    Rule("prctl", 157, _any(0, 16, 21, 39)),
    Rule("gettid", 186),
    Rule("time", 201),
    Rule("futex", 202),
    Rule("sched_getaffinity", 204),
    Rule("set_tid_address", 218),
    # The kernel itself makes this call after a stop and a continue.
    Rule("restart_syscall", 219),
    Rule("clock_gettime", 228),
    Rule("clock_getres", 229),
    Rule("clock_nanosleep", 230),
    Rule("exit_group", 231),
    Rule("epoll_wait", 232),
    Rule("epoll_ctl", 233),
    Rule("ppoll", 271),
    Rule("set_robust_list", 273),
    Rule("epoll_pwait", 281),
    Rule("eventfd2", 290),
    Rule("epoll_create1", 291),
    Rule("dup3", 292),
    Rule("pipe2", 293),
    # Reading limits only, and only its own.
    Rule("prlimit64", 302, ((Match(0, 0), Match(2, 0)),)),
    Rule("getrandom", 318),
    Rule("rseq", 334),
)

# Looking at files: what imports need.
FILES_READ: tuple[Rule, ...] = (
    Rule("open", 2),
    Rule("stat", 4),
    Rule("lstat", 6),
    Rule("access", 21),
    Rule("getdents64", 217),
    Rule("openat", 257),
    Rule("newfstatat", 262),
    Rule("faccessat", 269),
    Rule("statx", 332),
    Rule("faccessat2", 439),
    Rule("fadvise64", 221),
)

# Changing files and looking further: only where no file of the host is in reach.
FILES_WRITE: tuple[Rule, ...] = (
    Rule("uname", 63),
    Rule("chdir", 80),
    Rule("rename", 82),
    Rule("mkdir", 83),
    Rule("rmdir", 84),
    Rule("unlink", 87),
    Rule("readlink", 89),
    Rule("chmod", 90),
    Rule("fchmod", 91),
    Rule("umask", 95),
    Rule("statfs", 137),
    Rule("fstatfs", 138),
    Rule("mkdirat", 258),
    Rule("unlinkat", 263),
    Rule("renameat", 264),
    Rule("readlinkat", 267),
    Rule("fchmodat", 268),
    Rule("utimensat", 280),
    Rule("fallocate", 285),
    Rule("renameat2", 316),
)

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW = 0x7FFF_0000
_KILL = 0x8000_0000
_EPERM = 0x0005_0000 | 1
_ENOSYS = 0x0005_0000 | 38
_ARCH_X86_64 = 0xC000_003E
# Numbers from here on are the x32 ABI: the same calls under other numbers.
_X32 = 0x4000_0000
# glibc asks for clone3 first and falls back to clone, whose flags a filter can read.
_CLONE3 = 435
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENTS = 0, 4, 16


def build_rules(*, own_pid: int, read_files: bool, write_files: bool) -> tuple[Rule, ...]:
    """Every call allowed to one guest; `own_pid` is the id it has in its own namespace."""
    # abort() and raise() signal their own thread group.
    tgkill = Rule("tgkill", 234, ((Match(0, own_pid, 0xFFFF_FFFF),),))
    rules = (*BASE, tgkill)
    if read_files:
        rules += FILES_READ
    if write_files:
        rules += FILES_WRITE
    return rules


def build_filter(rules: Iterable[Rule]) -> bytes:
    """The BPF program that allows exactly these calls."""
    program = [
        _instruction(_LOAD, _OFFSET_ARCH),
        _instruction(_JUMP_EQUAL, _ARCH_X86_64, on_true=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _OFFSET_NUMBER),
        _instruction(_JUMP_GREATER_EQUAL, _X32, on_false=1),
        _instruction(_RETURN, _KILL),
        _instruction(_JUMP_EQUAL, _CLONE3, on_false=1),
        _instruction(_RETURN, _ENOSYS),
    ]
    for rule in rules:
        program += _build_rule(rule)
    program.append(_instruction(_RETURN, _EPERM))
    return b"".join(program)


def _build_rule(rule: Rule) -> list[bytes]:
    if not rule.alternatives:
        return [
            _instruction(_JUMP_EQUAL, rule.number, on_false=1),
            _instruction(_RETURN, _ALLOW),
        ]
    body = [step for matches in rule.alternatives for step in _build_alternative(matches)]
    # The accumulator no longer holds the number, so a conditional rule decides for good.
    body.append(_instruction(_RETURN, _EPERM))
    return [_instruction(_JUMP_EQUAL, rule.number, on_false=len(body)), *body]


def _build_alternative(matches: Sequence[Match]) -> list[bytes]:
    """Allow where every half of every argument fits; fall through to what follows otherwise."""
    tests = [half for match in matches for half in _split(match)]
    steps: list[bytes] = []
    for index, (offset, mask, value) in enumerate(tests):
        # Three instructions a test; the one after the last test allows.
        beyond = (len(tests) - 1 - index) * 3 + 1
        steps += [
            _instruction(_LOAD, offset),
            _instruction(_AND, mask),
            _instruction(_JUMP_EQUAL, value, on_false=beyond),
        ]
    steps.append(_instruction(_RETURN, _ALLOW))
    return steps


def _split(match: Match) -> list[tuple[int, int, int]]:
    """A 64-bit condition as (offset, mask, value) of the halves it looks at, low half first."""
    offset = _OFFSET_ARGUMENTS + 8 * match.argument
    halves = []
    for shift in (0, 32):
        mask = match.mask >> shift & 0xFFFF_FFFF
        if mask:
            halves.append((offset + shift // 8, mask, match.value >> shift & 0xFFFF_FFFF))
    return halves


def _instruction(code: int, value: int, *, on_true: int = 0, on_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, on_true, on_false, value)
