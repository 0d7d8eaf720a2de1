"""Locks one guest process down: the order of steps, from its layers and limits.

A layer that cannot be put on raises, and the process ends before any program runs.
"""

import os
import resource
from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from . import namespaces
from .landlock import restrict_files
from .limits import Limits
from .seccomp import build_filter, build_rules
from .syscalls import Kernel

__all__ = (
    "CAPABILITIES",
    "LANDLOCK",
    "LIMITS",
    "NAMESPACES",
    "SCRATCH_FOLDER",
    "SECCOMP",
    "FileCalls",
    "lock_down",
)

# The layers a tier is made of.
NAMESPACES = "namespaces"
CAPABILITIES = "capabilities"
LANDLOCK = "landlock"
LIMITS = "limits"
# Whoever started the process gave it an empty folder of limited size, and nothing else to change.
SCRATCH_FOLDER = "scratch"
SECCOMP = "seccomp"

# Which calls on paths the system call list holds: no layer, but how far one of them goes.
FileCalls: TypeAlias = Literal["none", "read", "change"]

_DEVICES = ("/dev/null", "/dev/urandom")
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")
_TIME_ZONES = "/usr/share/zoneinfo"
# A program that computes gives way to its host, and to whatever else answers somebody.
_NICENESS = 10
_STACK_BYTES = 8 * 1024 * 1024
# The main thread, and one that the interpreter may need for a moment.
_SPARE_THREADS = 2


def lock_down(
    kernel: Kernel,
    layers: Collection[str],
    limits: Limits,
    *,
    readable: Sequence[str],
    proc_fd: int,
    file_calls: FileCalls = "none",
    scratch: str = namespaces.SCRATCH,
) -> None:
    """Put every layer on this process, which never gets out again.

    Args:
        kernel: where calls go.
        layers: the names above; what is missing is not applied, so only the host's proof that
            the rest holds makes a tier usable.
        limits: sizes.
        readable: folders that imports come from.
        proc_fd: the host's /proc; used and closed with namespaces only.
        file_calls: what the system call list allows on paths; whatever is in reach of them has
            to be held by another layer.
        scratch: the folder that `SCRATCH_FOLDER` is about.
    """
    if NAMESPACES in layers:
        namespaces.enter_session(kernel, proc_fd, scratch_bytes=limits.disk_bytes)
    if CAPABILITIES in layers:
        kernel.drop_capabilities()
    # A change of credentials clears this, so it comes after them.
    kernel.die_with_parent()
    kernel.forbid_new_privileges()
    has_folder = SCRATCH_FOLDER in layers
    if has_folder:
        namespaces.enter_scratch(scratch)
    if LANDLOCK in layers:
        restrict_files(
            kernel,
            readable=(*readable, *_LIBRARIES, _TIME_ZONES),
            devices=_DEVICES,
            writable=(scratch,) if has_folder else (),
        )
    if LIMITS in layers:
        set_limits(limits)
    if SECCOMP in layers:
        rules = build_rules(
            own_pid=os.getpid(),
            read_files=file_calls in ("read", "change"),
            write_files=file_calls == "change",
        )
        kernel.install_filter(build_filter(rules, kernel.machine))


def set_limits(limits: Limits) -> None:
    """Set the resource limits; as no second process is possible they hold for the whole guest."""
    os.nice(_NICENESS)
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_STACK, _STACK_BYTES),
        (resource.RLIMIT_NOFILE, limits.max_files),
        (resource.RLIMIT_FSIZE, limits.disk_bytes),
        (resource.RLIMIT_AS, limits.memory_bytes),
    ):
        resource.setrlimit(what, (value, value))
