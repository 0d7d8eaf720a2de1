"""Whose a container is, written on it as a label, so that what a killed host left can be told.

Only what is certainly nobody's is swept: an owner on another machine, or one whose processes
cannot be seen from here, is left alone.
"""

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ("LABEL", "Owner", "parse_owner", "process_start", "this_process")

# On every container ever made here; its value says whose.
LABEL = "org.toolweft.owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process of one machine."""

    # The machine, as far as its name and its own id tell.
    machine: str
    # A new one with every start of the machine; "" where the system does not tell.
    boot: str
    # Which processes can be seen: containers have their own numbers.
    processes: str
    pid: int
    # When the process started, in the kernel's own count; "" where the system does not tell.
    started: str

    def render(self) -> str:
        """The label's value."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def is_gone(self, here: "Owner", start_of: Callable[[int], str | None]) -> bool:
        """Whether this process certainly runs no more.

        Args:
            here: who asks.
            start_of: when the process of a number started, "" where unknown; None for no process.
        """
        if self.machine != here.machine:
            return False
        if self.boot != here.boot:
            return True
        if self.processes != here.processes:
            return False
        started = start_of(self.pid)
        return started is None or started != self.started


def parse_owner(text: str) -> Owner | None:
    """The owner a label names; None where it is not one of ours."""
    try:
        data: Any = json.loads(text)
        owner = Owner(**data)
    except (ValueError, TypeError):
        return None
    texts = (owner.machine, owner.boot, owner.processes, owner.started)
    is_whole = type(owner.pid) is int and all(isinstance(part, str) for part in texts)
    return owner if is_whole else None


def this_process() -> Owner:
    """The owner of what this process makes; reads small system files."""
    return Owner(
        machine=f"{socket.gethostname()} {_read('/etc/machine-id')}",
        boot=_read("/proc/sys/kernel/random/boot_id"),
        processes=_pid_namespace(),
        pid=os.getpid(),
        started=process_start(os.getpid()) or "",
    )


def process_start(pid: int) -> str | None:
    """When a process started; "" where the system does not tell, None where there is none."""
    try:
        # Field 22; the name before may hold spaces and brackets.
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    except FileNotFoundError:
        pass
    except (OSError, IndexError):
        return ""
    if Path("/proc/self").exists():
        return None
    return "" if _answers(pid) else None


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _pid_namespace() -> str:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    return ""


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text("ascii").strip()
    return ""
