"""The kernel calls Python has no function for, each checked, on Linux.

A class so that whoever arranges calls (mounts, maps, filters) can be read and tested as a list of
them without being inside a sandbox.
"""

import ctypes
import os
import platform
import signal
import struct

from .machines import find_machine

__all__ = (
    "CLONE_NEWCGROUP",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "Kernel",
)

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
_CLONE_PIDFD = 0x1000

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x2008_0522
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_M_ARENA_MAX = -8
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_MAX_FD = 0xFFFF_FFFF


class Kernel:
    """Direct calls into libc; each raises `OSError` where the kernel refuses."""

    def __init__(self) -> None:
        # PyDLL keeps the interpreter lock: a clone must not run beside other Python code.
        self._libc = ctypes.PyDLL(None, use_errno=True)
        self.machine = find_machine(platform.machine())

    def clone(self, flags: int) -> tuple[int, int]:
        """Fork into new namespaces: pid and pidfd for the parent, 0 and -1 for the child."""
        pidfd = ctypes.c_int(-1)
        ctypes.pythonapi.PyOS_BeforeFork()
        pid: int = self._libc.syscall(
            self.machine.numbers["clone"],
            ctypes.c_ulong(flags | _CLONE_PIDFD | signal.SIGCHLD),
            None,
            ctypes.byref(pidfd),
            None,
            None,
        )
        error = ctypes.get_errno()
        if pid == 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
            return 0, -1
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(error, f"clone: {os.strerror(error)}")
        return pid, pidfd.value

    def unshare(self, flags: int) -> None:
        """Move this process into new namespaces."""
        self._check(self._libc.unshare(ctypes.c_int(flags)), "unshare")

    def mount(
        self, source: str, target: str, *, kind: str | None = None, flags: int = 0, data: str = ""
    ) -> None:
        """Mount a file system, or bind what is there elsewhere."""
        self._check(
            self._libc.mount(
                source.encode(),
                target.encode(),
                None if kind is None else kind.encode(),
                ctypes.c_ulong(flags),
                data.encode() or None,
            ),
            f"mount {target}",
        )

    def set_mount_flags(self, target: str, attributes: int) -> None:
        """Add attributes to a mount and everything mounted below it."""
        # attr_set, attr_clr, propagation, userns_fd
        data = ctypes.create_string_buffer(struct.pack("QQQQ", attributes, 0, 0, 0), 32)
        result = self._libc.syscall(
            self.machine.numbers["mount_setattr"],
            ctypes.c_int(_AT_FDCWD),
            target.encode(),
            ctypes.c_uint(_AT_RECURSIVE),
            data,
            ctypes.c_size_t(32),
        )
        self._check(result, f"mount_setattr {target}")

    def enter_root(self, path: str) -> None:
        """Make a mount the root folder and let go of the old one."""
        os.chdir(path)
        # Old and new root may be the same folder: the old one is then stacked on top.
        self._check(
            self._libc.syscall(self.machine.numbers["pivot_root"], b".", b"."), "pivot_root"
        )
        mnt_detach = 2
        self._check(self._libc.umount2(b".", mnt_detach), "umount of the old root")
        os.chdir("/")

    def set_hostname(self, name: str) -> None:
        """Give this UTS namespace a name."""
        self._check(self._libc.sethostname(name.encode(), ctypes.c_size_t(len(name))), "hostname")

    def close_from(self, lowest_fd: int) -> None:
        """Close every descriptor from this one up."""
        result = self._libc.syscall(
            self.machine.numbers["close_range"],
            ctypes.c_uint(lowest_fd),
            ctypes.c_uint(_MAX_FD),
            ctypes.c_uint(0),
        )
        self._check(result, "close_range")

    def die_with_parent(self) -> None:
        """Be killed when the parent's thread ends."""
        self._check(self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "PDEATHSIG")

    def drop_capabilities(self) -> None:
        """Give up every capability, for good."""
        for capability in range(64):
            # EINVAL ends the list of those the kernel knows; EPERM: not ours to begin with.
            if self._prctl(_PR_CAPBSET_DROP, capability) != 0:
                break
        self._prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), 8)
        self._check(self._libc.capset(header, ctypes.create_string_buffer(24)), "capset")

    def forbid_new_privileges(self) -> None:
        """No later exec gains anything; filters may be installed from here on."""
        self._check(self._prctl(_PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")

    def install_filter(self, program: bytes) -> None:
        """Put a seccomp filter on this process; it cannot be taken off."""
        instructions = ctypes.create_string_buffer(program, len(program))
        descriptor = ctypes.create_string_buffer(
            struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions)), 16
        )
        result = self._libc.prctl(
            _PR_SET_SECCOMP,
            ctypes.c_ulong(_SECCOMP_MODE_FILTER),
            descriptor,
            ctypes.c_ulong(0),
            ctypes.c_ulong(0),
        )
        self._check(result, "seccomp")

    def landlock_version(self) -> int:
        """The Landlock ABI the kernel offers; 0 without Landlock."""
        version: int = self._libc.syscall(
            self.machine.numbers["landlock_create_ruleset"],
            None,
            ctypes.c_size_t(0),
            ctypes.c_uint(_LANDLOCK_CREATE_RULESET_VERSION),
        )
        return max(version, 0)

    def landlock_create(self, attributes: bytes) -> int:
        """A ruleset's descriptor."""
        buffer = ctypes.create_string_buffer(attributes, len(attributes))
        fd: int = self._libc.syscall(
            self.machine.numbers["landlock_create_ruleset"],
            buffer,
            ctypes.c_size_t(len(attributes)),
            ctypes.c_uint(0),
        )
        self._check(fd, "landlock_create_ruleset")
        return fd

    def landlock_allow(self, ruleset_fd: int, rights: int, path_fd: int) -> None:
        """Add one path to a ruleset."""
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, path_fd), 12)
        result = self._libc.syscall(
            self.machine.numbers["landlock_add_rule"],
            ctypes.c_int(ruleset_fd),
            ctypes.c_int(_LANDLOCK_RULE_PATH_BENEATH),
            rule,
            ctypes.c_uint(0),
        )
        self._check(result, "landlock_add_rule")

    def landlock_restrict(self, ruleset_fd: int) -> None:
        """Apply a ruleset to this process."""
        result = self._libc.syscall(
            self.machine.numbers["landlock_restrict_self"],
            ctypes.c_int(ruleset_fd),
            ctypes.c_uint(0),
        )
        self._check(result, "landlock_restrict_self")

    def exit_on_signals(self, signals: tuple[int, ...]) -> None:
        """Let signals end the process with their number as exit status, without Python."""
        # The first process of a PID namespace ignores what would kill it by default.
        leave = ctypes.cast(self._libc["_exit"], ctypes.c_void_p)
        for number in signals:
            self._libc.signal(ctypes.c_int(number), leave)

    def limit_arenas(self) -> None:
        """One malloc arena for all threads: each further one reserves 64 MiB of address space."""
        self._libc.mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(1))

    def _prctl(self, option: int, value: int) -> int:
        zero = ctypes.c_ulong(0)
        result: int = self._libc.prctl(
            ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero
        )
        return result

    @staticmethod
    def _check(result: int, what: str) -> None:
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"{what}: {os.strerror(error)}")
