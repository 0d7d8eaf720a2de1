"""The list of system calls a guest may make, and the BPF program that enforces it.

Pure: `build_filter` gives bytes; `syscalls.Kernel` installs them. Everything that is not listed
fails with EPERM; another architecture's numbering ends the process. Which number a call has is
the machine's business.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .machines import Machine

__all__ = ("BASE", "FILES_READ", "FILES_WRITE", "Match", "Rule", "build_filter", "build_rules")


class Match(NamedTuple):
    """A condition on one argument: `argument & mask == value`, over all 64 bits."""

    argument: int
    value: int
    mask: int = 0xFFFF_FFFF_FFFF_FFFF


class Rule(NamedTuple):
    """A call that is allowed: always, or where all matches of one alternative hold."""

    name: str
    alternatives: tuple[tuple[Match, ...], ...] = ()


def _any(argument: int, *values: int) -> tuple[tuple[Match, ...], ...]:
    # The kernel reads these arguments as 32 bits, so the filter does too.
    return tuple((Match(argument, value, 0xFFFF_FFFF),) for value in values)


# What glibc and musl pass for a thread; anything else would be a process or a namespace.
_THREAD_GLIBC = 0x003D_0F00
_THREAD_MUSL = 0x007D_0F00

# Memory, signals to itself, threads, clocks, descriptors it already has.
BASE: tuple[Rule, ...] = (
    Rule("read"),
    Rule("write"),
    Rule("close"),
    Rule("fstat"),
    Rule("poll"),
    Rule("lseek"),
    Rule("mmap"),
    Rule("mprotect"),
    Rule("munmap"),
    Rule("brk"),
    Rule("rt_sigaction"),
    Rule("rt_sigprocmask"),
    Rule("rt_sigreturn"),
    # Terminal and pipe queries Python makes; nothing that injects or changes an owner.
    Rule("ioctl", _any(1, 0x5401, 0x541B, 0x5421, 0x5450, 0x5451)),
    Rule("pread64"),
    Rule("pwrite64"),
    Rule("readv"),
    Rule("writev"),
    Rule("pipe"),
    Rule("select"),
    Rule("pselect6"),
    Rule("sched_yield"),
    Rule("mremap"),
    Rule("madvise"),
    Rule("dup"),
    Rule("dup2"),
    Rule("pause"),
    Rule("nanosleep"),
    Rule("getitimer"),
    Rule("alarm"),
    Rule("setitimer"),
    Rule("getpid"),
    # Without an address: the peer is fixed.
    Rule("sendto", ((Match(4, 0),),)),
    Rule("recvfrom"),
    Rule("sendmsg"),
    Rule("recvmsg"),
    Rule("shutdown"),
    # AF_UNIX streams only: a datagram pair may send to any address in reach.
    Rule("socketpair", ((Match(0, 1, 0xFFFF_FFFF), Match(1, 1, 0xF)),)),
    Rule("getsockopt"),
    Rule("clone", ((Match(0, _THREAD_GLIBC),), (Match(0, _THREAD_MUSL),))),
    Rule("exit"),
    # Duplicate, flags and file locks; never F_SETOWN, which aims signals at other processes.
    Rule("fcntl", _any(1, 0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)),
    Rule("fsync"),
    Rule("fdatasync"),
    Rule("ftruncate"),
    Rule("getcwd"),
    Rule("gettimeofday"),
    Rule("getrlimit"),
    Rule("getrusage"),
    Rule("getuid"),
    Rule("getgid"),
    Rule("geteuid"),
    Rule("getegid"),
    Rule("getppid"),
    Rule("sigaltstack"),
    # Reading its own name, no_new_privs and filter mode.
    Rule("prctl", _any(0, 16, 21, 39)),
    Rule("gettid"),
    Rule("time"),
    Rule("futex"),
    Rule("sched_getaffinity"),
    Rule("set_tid_address"),
    # The kernel itself makes this call after a stop and a continue.
    Rule("restart_syscall"),
    Rule("clock_gettime"),
    Rule("clock_getres"),
    Rule("clock_nanosleep"),
    Rule("exit_group"),
    Rule("epoll_wait"),
    Rule("epoll_ctl"),
    Rule("ppoll"),
    Rule("set_robust_list"),
    Rule("epoll_pwait"),
    Rule("eventfd2"),
    Rule("epoll_create1"),
    Rule("dup3"),
    Rule("pipe2"),
    # Reading limits only, and only its own.
    Rule("prlimit64", ((Match(0, 0), Match(2, 0)),)),
    Rule("getrandom"),
    Rule("rseq"),
)

# Looking at files: what imports need.
FILES_READ: tuple[Rule, ...] = (
    Rule("open"),
    Rule("stat"),
    Rule("lstat"),
    Rule("access"),
    Rule("getdents64"),
    Rule("openat"),
    Rule("newfstatat"),
    Rule("faccessat"),
    Rule("statx"),
    Rule("faccessat2"),
    Rule("fadvise64"),
)

# Changing files and looking further: only where no file of the host is in reach.
FILES_WRITE: tuple[Rule, ...] = (
    Rule("uname"),
    Rule("chdir"),
    Rule("rename"),
    Rule("mkdir"),
    Rule("rmdir"),
    Rule("unlink"),
    Rule("readlink"),
    Rule("chmod"),
    Rule("fchmod"),
    Rule("umask"),
    Rule("statfs"),
    Rule("fstatfs"),
    Rule("mkdirat"),
    Rule("unlinkat"),
    Rule("renameat"),
    Rule("readlinkat"),
    Rule("fchmodat"),
    Rule("utimensat"),
    Rule("fallocate"),
    Rule("renameat2"),
)

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW = 0x7FFF_0000
_KILL = 0x8000_0000
_EPERM = 0x0005_0000 | 1
_ENOSYS = 0x0005_0000 | 38
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENTS = 0, 4, 16


def build_rules(*, own_pid: int, read_files: bool, write_files: bool) -> tuple[Rule, ...]:
    """Every call allowed to one guest; `own_pid` is the id it has in its own namespace."""
    # abort() and raise() signal their own thread group.
    tgkill = Rule("tgkill", ((Match(0, own_pid, 0xFFFF_FFFF),),))
    rules = (*BASE, tgkill)
    if read_files:
        rules += FILES_READ
    if write_files:
        rules += FILES_WRITE
    return rules


def build_filter(rules: Iterable[Rule], machine: Machine) -> bytes:
    """The BPF program that allows exactly these calls, as far as the machine has them."""
    program = [
        _instruction(_LOAD, _OFFSET_ARCH),
        _instruction(_JUMP_EQUAL, machine.architecture, on_true=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _OFFSET_NUMBER),
    ]
    if machine.second_set is not None:
        program += [
            _instruction(_JUMP_GREATER_EQUAL, machine.second_set, on_false=1),
            _instruction(_RETURN, _KILL),
        ]
    # glibc asks for clone3 first and falls back to clone, whose flags a filter can read.
    program += _decide(machine.numbers["clone3"], [_instruction(_RETURN, _ENOSYS)])
    for rule in rules:
        if rule.name in machine.numbers:
            program += _decide(machine.numbers[rule.name], _build_body(rule))
    program.append(_instruction(_RETURN, _EPERM))
    return b"".join(program)


def _decide(number: int, body: Sequence[bytes]) -> list[bytes]:
    """Run the body where the call has this number."""
    return [_instruction(_JUMP_EQUAL, number, on_false=len(body)), *body]


def _build_body(rule: Rule) -> list[bytes]:
    if not rule.alternatives:
        return [_instruction(_RETURN, _ALLOW)]
    body = [step for matches in rule.alternatives for step in _build_alternative(matches)]
    # The accumulator no longer holds the number, so a conditional rule decides for good.
    return [*body, _instruction(_RETURN, _EPERM)]


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
