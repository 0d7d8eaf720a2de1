"""One guest process as the host sees it: signals by descriptor, clocks by process id.

The zygote keeps the process id taken until the host has it reaped, so neither can ever mean
another process.
"""

import math
import os
import resource
import signal
import time
from contextlib import suppress

import anyio

from toolweft.sandbox.guest.namespaces import SCRATCH

__all__ = ("Child",)

_MAX_STATUS_BYTES = 8192


class Child:
    """A running guest."""

    def __init__(
        self, pid: int, pidfd: int, *, channel_inode: int, has_scratch: bool = False
    ) -> None:
        self.pid = pid
        # Of the guest's end of its channel.
        self.channel_inode = channel_inode
        self._pidfd = pidfd
        self._has_scratch = has_scratch
        self._scratch_fd: int | None = None
        self._status_fd: int | None = None
        # What it was born with: it shares that with every other guest.
        self._shared_bytes = 0
        # As the kernel told it when the process had ended.
        self._peak_bytes = 0
        self._cpu_s = 0.0
        self._is_paused = False
        # From then on its numbers, process id and descriptors, may be another's.
        self._is_closed = False
        # Guests inherit it and never change it.
        self._hard_cpu_limit = resource.getrlimit(resource.RLIMIT_CPU)[1]
        self.was_killed = False

    def interrupt(self) -> None:
        """Ask the program to stop."""
        self.resume()
        self._send(signal.SIGINT)

    async def settled(self) -> None:
        """Nothing to wait for: a signal is sent when it is asked for."""

    def kill(self) -> None:
        """End the process."""
        self.was_killed = True
        self._send(signal.SIGKILL)

    def kill_if_alive(self) -> None:
        """End the process, for cleaning up: how it ended is not put down to the host."""
        self._send(signal.SIGKILL)

    def pause(self) -> None:
        """Let it use no processor time, whatever is left running inside."""
        if not self._is_paused:
            self._is_paused = True
            self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        if self._is_paused:
            self._is_paused = False
            self._send(signal.SIGCONT)

    def cpu_s(self) -> float:
        """Processor time of all its threads since it started; the last known value once dead."""
        # The kernel's clock id of a whole process, see clock_getcpuclockid(3).
        clock_id = (~self.pid << 3) | 2
        if self._is_closed:
            return self._cpu_s
        with suppress(OSError):
            self._cpu_s = max(self._cpu_s, time.clock_gettime(clock_id))
        return self._cpu_s

    def limit_cpu(self, budget_s: float) -> None:
        """Let the kernel send SIGXCPU when this much more was used, should the host not notice."""
        used_s = self.cpu_s()
        soft_s = math.ceil(used_s + budget_s) + 1
        # The host's own clock is what counts; this is the backstop.
        if self._is_closed:
            return
        with suppress(OSError, ValueError):
            resource.prlimit(self.pid, resource.RLIMIT_CPU, (soft_s, self._hard_cpu_limit))

    def peak_memory_bytes(self) -> int:
        """The most memory it ever had resident; 0 where the machine does not tell."""
        return max(self._peak_bytes, self._read_memory(b"VmHWM:"))

    def note_peak_memory(self, peak_bytes: int) -> None:
        """Keep what the kernel told of a process that has ended, as it can no longer be asked."""
        self._peak_bytes = peak_bytes

    def memory_bytes(self) -> int:
        """What it holds now, its scratch files included, beside what it was born with."""
        resident_bytes = self._read_memory(b"RssAnon:", b"RssShmem:")
        return max(0, resident_bytes - self._shared_bytes) + self._scratch_bytes()

    def note_shared_memory(self) -> None:
        """Count what it has now for none of its own; nothing has run in it yet."""
        self._shared_bytes = self._read_memory(b"RssAnon:", b"RssShmem:")
        if self._has_scratch:
            with suppress(OSError):
                folder = f"/proc/{self.pid}/root{SCRATCH}"
                self._scratch_fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)

    async def wait_exit(self) -> None:
        """Return once the process has ended."""
        await anyio.wait_readable(self._pidfd)

    def close(self) -> None:
        """Let go of the descriptors; whoever asks later hears what is known. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        for fd in (self._pidfd, self._status_fd, self._scratch_fd):
            if fd is not None:
                os.close(fd)

    def _read_memory(self, *names: bytes) -> int:
        """The sum of these lines of its status, in bytes; 0 where the machine does not tell."""
        if self._is_closed:
            return 0
        with suppress(OSError):
            if self._status_fd is None:
                # Kept open: finding the file again after a pause costs a fifth of a millisecond.
                self._status_fd = os.open(f"/proc/{self.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
            lines = os.pread(self._status_fd, _MAX_STATUS_BYTES, 0).splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith(names)) * 1024
        return 0

    def _scratch_bytes(self) -> int:
        """The size of its scratch files, which lie in memory."""
        if self._scratch_fd is None or self._is_closed:
            return 0
        folder = os.fstatvfs(self._scratch_fd)
        return (folder.f_blocks - folder.f_bfree) * folder.f_frsize

    def _send(self, number: signal.Signals) -> None:
        if self._is_closed:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)
