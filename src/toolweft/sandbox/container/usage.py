"""What a container uses, as the host's own kernel counts it, or else the engine.

Where the engine runs on this machine, the counters of the container's control group are files that
cost microseconds to read. Elsewhere the engine is asked now and then.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from toolweft.core.json import Json, JsonObject

__all__ = ("CgroupUsage", "PolledUsage", "Usage")

_ROOT = Path("/sys/fs/cgroup")
_MAX_BYTES = 4096
_NANOSECONDS = 1_000_000_000
_MICROSECONDS = 1_000_000


class Usage(Protocol):
    """Two counters that never fall, and one that does."""

    def cpu_s(self) -> float:
        """Processor time since the container started; the last known once it is gone."""
        ...

    def peak_memory_bytes(self) -> int:
        """The most memory it ever used, its scratch folder included; 0 where unknown."""
        ...

    def memory_bytes(self) -> int:
        """The memory it uses now, its scratch folder included; 0 where unknown."""
        ...

    def close(self) -> None:
        """Let go of what is open; the counters keep their last values."""
        ...


class CgroupUsage:
    """Reads the files of a control group, of either version."""

    def __init__(
        self, *, cpu_fd: int, memory_fd: int | None, memory_now_fd: int | None = None
    ) -> None:
        self._cpu_fd: int | None = cpu_fd
        self._memory_fd = memory_fd
        self._memory_now_fd = memory_now_fd
        self._cpu_s = 0.0
        self._peak_bytes = 0

    @classmethod
    def find(cls, pid: int, container: str, *, root: Path = _ROOT) -> Self | None:
        """The counters of the process' control group; None where they are not to be had.

        A process id of another machine means nothing here, so the group must name the container.
        """
        with suppress(OSError):
            groups = Path(f"/proc/{pid}/cgroup").read_text("utf-8")
            return cls.open_group(groups, container, root=root)
        return None

    @classmethod
    def open_group(cls, groups: str, container: str, *, root: Path) -> Self | None:
        """The counters of a group, given the text of a process' `cgroup` file."""
        cpu_fd = memory_fd = memory_now_fd = None
        for line in groups.splitlines():
            _number, controllers, path = line.split(":", 2)
            if container not in path:
                continue
            # Without a name it is version 2, which has everything in one folder.
            place = root / controllers / path.lstrip("/")
            if controllers in ("", "cpuacct", "cpu,cpuacct"):
                cpu_fd = _open_first(cpu_fd, place / "cpuacct.usage", place / "cpu.stat")
            if controllers in ("", "memory"):
                memory_fd = _open_first(
                    memory_fd, place / "memory.max_usage_in_bytes", place / "memory.peak"
                )
                memory_now_fd = _open_first(
                    memory_now_fd, place / "memory.usage_in_bytes", place / "memory.current"
                )
        if cpu_fd is None:
            for fd in (memory_fd, memory_now_fd):
                if fd is not None:
                    os.close(fd)
            return None
        return cls(cpu_fd=cpu_fd, memory_fd=memory_fd, memory_now_fd=memory_now_fd)

    def cpu_s(self) -> float:
        """Processor time of everything in the group."""
        words = _read(self._cpu_fd)
        if words[:1] == [b"usage_usec"]:
            self._cpu_s = max(self._cpu_s, int(words[1]) / _MICROSECONDS)
        elif words:
            self._cpu_s = max(self._cpu_s, int(words[0]) / _NANOSECONDS)
        return self._cpu_s

    def peak_memory_bytes(self) -> int:
        """The most memory the group ever used."""
        words = _read(self._memory_fd)
        if words:
            self._peak_bytes = max(self._peak_bytes, int(words[0]))
        return self._peak_bytes

    def memory_bytes(self) -> int:
        """The memory the group uses now."""
        words = _read(self._memory_now_fd)
        return int(words[0]) if words else 0

    def close(self) -> None:
        """Close the files."""
        for fd in (self._cpu_fd, self._memory_fd, self._memory_now_fd):
            if fd is not None:
                os.close(fd)
        self._cpu_fd = self._memory_fd = self._memory_now_fd = None


class PolledUsage:
    """Keeps what the engine said last; as old as the last question."""

    def __init__(self) -> None:
        self._cpu_s = 0.0
        self._peak_bytes = 0
        self._memory_bytes = 0

    def take(self, stats: JsonObject) -> None:
        """Keep an answer of the engine."""
        used = _number(stats, "cpu_stats", "cpu_usage", "total_usage")
        self._cpu_s = max(self._cpu_s, used / _NANOSECONDS)
        self._memory_bytes = _number(stats, "memory_stats", "usage")
        for name in ("max_usage", "usage"):
            self._peak_bytes = max(self._peak_bytes, _number(stats, "memory_stats", name))

    def cpu_s(self) -> float:
        """Processor time when the engine was asked last."""
        return self._cpu_s

    def peak_memory_bytes(self) -> int:
        """The most memory any answer named."""
        return self._peak_bytes

    def memory_bytes(self) -> int:
        """The memory it used when the engine was asked last."""
        return self._memory_bytes

    def close(self) -> None:
        """Nothing is open."""


def _open_first(known: int | None, *paths: Path) -> int | None:
    for path in paths:
        if known is None:
            with suppress(OSError):
                known = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return known


def _read(fd: int | None) -> list[bytes]:
    if fd is not None:
        # Gone with the container.
        with suppress(OSError):
            return os.pread(fd, _MAX_BYTES, 0).split()
    return []


def _number(data: Json, *path: str) -> int:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if type(data) is int and data > 0 else 0
