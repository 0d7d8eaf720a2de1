"""Imports the packages of a new environment once, as the parent of programs will.

Importing runs the packages' own code. Where the strongest tier has the ground it needs, that
happens inside its namespaces, by the very process that later makes programs; elsewhere in an
interpreter of its own, which is this user but gets an empty environment and an empty folder.
Called by `environment_build`.
"""

import os
import secrets
import subprocess  # nosec B404  starts this interpreter with fixed arguments and names of modules
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio

from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox.absent import is_linux
from toolweft.sandbox.environments import PackageEnvironment

__all__ = ("import_inside", "import_outside", "try_packages")

_TIMEOUT_S = 120
_MAX_SHOWN_CHARACTERS = 2_000
_MARK_BYTES = 16
# Says so at last with the mark it was given, as packages may end the interpreter or print anything.
# It ends with the thread that waits for it, or by a timer where the system cannot see to that.
# Counts threads where the system tells them; more than one, and no program could be made.
_IMPORT_ALL = """
import importlib, os, signal, sys
parent, most_s, site = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if sys.platform.startswith("linux"):
    import ctypes
    ctypes.CDLL(None).prctl(1, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit(4)
elif hasattr(signal, "alarm"):
    signal.alarm(most_s)
mark, report = sys.stdin.buffer.readline(), os.dup(1)
sys.path.append(site)
for name in sys.argv[4:]:
    importlib.import_module(name)
tasks = "/proc/self/task"
if os.path.isdir(tasks) and (count := len(os.listdir(tasks))) > 1:
    print(f"it starts threads when it is imported: {count} run now", file=sys.stderr)
    sys.exit(3)
try:
    os.write(report, b"\\n" + mark)
except OSError:
    print("its import closes open descriptors that are not its own", file=sys.stderr)
    sys.exit(3)
"""
# As in the process that programs come from: with threads of its own, their guests would hang.
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PATH": "/usr/bin:/bin",
    **dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
}

# Imports modules from a folder; says what went wrong, or None.
Import = Callable[[Path, Sequence[str]], str | None]


def try_packages(site: Path, names: Sequence[str]) -> None:
    """Import everything once.

    Raises:
        SandboxUnavailable: something cannot be imported, or starts threads.
    """
    is_walled = is_linux() and import_inside(None, ()) is None
    attempt: Import = import_inside if is_walled else import_outside
    fault = attempt(site, names)
    if fault is None:
        return
    found = ((name, said) for name in names if (said := attempt(site, [name])) is not None)
    name, said = next(found, ("", fault)) if len(names) > 1 else ("".join(names), fault)
    hint = f"leave out the package that brings {name!r}, or take another version" if name else None
    raise SandboxUnavailable(f"the packages cannot be imported:\n{name}: {said}", hint=hint)


def import_inside(site: Path | None, names: Sequence[str]) -> str | None:
    """Import inside the namespaces of the strongest tier; without a folder, see if they are there.

    Returns:
        What went wrong, or None.
    """
    packages = None
    if site is not None:
        packages = PackageEnvironment(
            name="new", site=site.absolute(), preload=tuple(names), packages=()
        )
    try:
        anyio.run(_start_and_end, packages)
    except (SandboxUnavailable, OSError) as fault:
        return str(fault)
    return None


async def _start_and_end(packages: PackageEnvironment | None) -> None:
    # It needs parts of Python that other systems have not got.
    from toolweft.sandbox.process.tiers import TIERS
    from toolweft.sandbox.process.zygote import Zygote, launch_zygote

    launch = partial(launch_zygote, packages=packages)
    zygote = await Zygote.start(TIERS[0], timeout_s=_TIMEOUT_S, launch=launch)
    await zygote.close()


def import_outside(site: Path, names: Sequence[str]) -> str | None:
    """Import in an interpreter of its own, with nothing of this one's environment.

    Returns:
        What went wrong, or None.
    """
    interpreter = os.path.realpath(sys.executable)
    command = [interpreter, "-I", "-S", "-B", "-c", _IMPORT_ALL, str(os.getpid())]
    command += [str(_TIMEOUT_S), str(site.absolute()), *names]
    mark = secrets.token_hex(_MARK_BYTES).encode()
    with tempfile.TemporaryDirectory(prefix="toolweft-import-") as scratch:
        try:
            done = subprocess.run(  # noqa: S603  a fixed command and names of modules
                command,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
                input=mark + b"\n",
                cwd=scratch,
                env={**_ENVIRONMENT, "HOME": scratch, "TMPDIR": scratch},
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            return str(exc)
    if done.returncode == 0:
        is_through = mark in done.stdout.splitlines()
        return None if is_through else "its import ends the interpreter"
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return said[-_MAX_SHOWN_CHARACTERS:] or f"the interpreter ended with {done.returncode}"
