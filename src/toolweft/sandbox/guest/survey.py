"""What a container really is, seen from inside before anything else runs in it.

Asking an engine for a limit is not having it: some ignore what they cannot do without a word. So
the host starts a throw-away container with the same settings, and this looks round in it.
"""

import json
import os
import platform
import resource
import signal
import sys
import time
from collections.abc import Iterable
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

from .namespaces import SCRATCH
from .syscalls import Kernel

__all__ = ("fill_memory", "main")

_SPIN_S = 0.4
_PAGE_BYTES = 4096
_CHUNK_BYTES = 1024 * 1024
# Every folder in which somebody might leave something.
_FOLDERS = ("/", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/usr", "/usr/lib", "/var",
            "/var/lib", "/var/tmp", "/dev", "/dev/shm", "/dev/mqueue", "/mnt", "/media",
            "/sys", "/sys/fs/cgroup", "/proc", "/proc/sys", SCRATCH)  # fmt: skip


def main(setup_text: str) -> None:
    """Print what there is as one JSON object."""
    setup = json.loads(setup_text)
    if fill_bytes := setup.get("fill_bytes"):
        fill_memory(fill_bytes)
        report: dict[str, Any] = {"filled": fill_bytes}
    else:
        report = look_round(max_processes=setup["max_processes"], spinners=setup["spinners"])
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def look_round(*, max_processes: int, spinners: int) -> dict[str, Any]:
    """Everything the host wants to know.

    Args:
        max_processes: how many to start at most while looking for the limit.
        spinners: processes that use all the processor time they get, for a moment.
    """
    return {
        "status": _read_status(),
        "interfaces": _interfaces(),
        "writable": [folder for folder in _FOLDERS if _is_writable(folder)],
        "scratch_bytes": _scratch_bytes(),
        "scratch_runs": _can_run_from_scratch(),
        "max_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "release": platform.uname().release,
        "landlock": _landlock_version(),
        "python": list(sys.version_info[:3]),
        "magic": MAGIC_NUMBER.hex(),
        "processors_used": _measure_processors(spinners),
        "processes": _count_processes(max_processes),
    }


def fill_memory(size: int) -> None:
    """Take this much memory, page by page; a limit below it ends the process."""
    kept = []
    for _ in range(0, size, _CHUNK_BYTES):
        chunk = bytearray(_CHUNK_BYTES)
        chunk[::_PAGE_BYTES] = b"x" * len(range(0, _CHUNK_BYTES, _PAGE_BYTES))
        kept.append(chunk)


def _read_status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def _interfaces() -> list[str]:
    """Network interfaces that are up; a kernel may add tunnels that nobody switched on."""
    lines = Path("/proc/self/net/dev").read_text("utf-8").splitlines()
    names = [line.partition(":")[0].strip() for line in lines if ":" in line]
    return [name for name in names if _is_up(name)]


def _is_up(interface: str) -> bool:
    try:
        flags = int(Path("/sys/class/net", interface, "flags").read_text("ascii"), 16)
    except (OSError, ValueError):
        return True
    return bool(flags & 1)


def _is_writable(folder: str) -> bool:
    path = Path(folder, ".toolweft-survey")
    try:
        path.touch(exist_ok=False)
    except OSError:
        return False
    path.unlink()
    return True


def _scratch_bytes() -> int:
    space = os.statvfs(SCRATCH)
    return space.f_blocks * space.f_frsize


def _can_run_from_scratch() -> bool:
    return not os.statvfs(SCRATCH).f_flag & os.ST_NOEXEC


def _landlock_version() -> int:
    try:
        return Kernel().landlock_version()
    except OSError:
        return 0


def _measure_processors(spinners: int) -> float:
    """Processor seconds used per second by processes that never wait."""
    before, start = os.times(), time.monotonic()
    pids = []
    for _ in range(spinners):
        pid = os.fork()
        if pid == 0:
            while time.monotonic() - start < _SPIN_S:
                pass
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    after, wall_s = os.times(), time.monotonic() - start
    used_s = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return used_s / wall_s


def _count_processes(most: int) -> int:
    """How many processes there can be, this one included; `most` where no limit was met."""
    pids: list[int] = []
    try:
        while len(pids) + 1 < most:
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            pids.append(pid)
    except OSError:
        # The limit.
        return len(pids) + 1
    finally:
        _end(pids)
    return most


def _end(pids: Iterable[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
