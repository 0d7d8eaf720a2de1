"""A cap on what all containers together hold: idle ones end first, then the largest run."""

import os
from contextlib import suppress
from pathlib import Path

from toolweft.core.programs import ProgramError
from toolweft.programs.containers import ContainerTable, LiveContainer

__all__ = ("MemoryKeeper", "default_memory_bytes")

_MIB = 1024 * 1024
# What a container's engine or the system lets this process use, in versions 2 and 1.
_CONTROL_GROUP_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class MemoryKeeper:
    """Keeps the containers of a table below a cap.

    Args:
        table: the containers.
        limit_bytes: what they may hold together; None for no cap.
    """

    def __init__(self, table: ContainerTable, *, limit_bytes: int | None) -> None:
        self._table = table
        self.limit_bytes = limit_bytes

    def enforce(self) -> list[LiveContainer]:
        """Take idle containers out of the table until the rest fits; they are to be closed.

        Where that is not enough the run that holds most is stopped, one at each look: its memory
        may be all that was too much.
        """
        if self.limit_bytes is None:
            return []
        held_bytes = self._table.memory_bytes()
        if held_bytes <= self.limit_bytes:
            return []
        taken = self._table.take_for_memory(held_bytes - self.limit_bytes)
        held_bytes -= sum(container.held_bytes() for container in taken)
        largest = self._table.largest_busy()
        if held_bytes > self.limit_bytes and largest is not None:
            largest.session.stop("total_memory", self._error(largest))
        return taken

    def _error(self, container: LiveContainer) -> ProgramError:
        own_mib, limit_mib = container.held_bytes() // _MIB, (self.limit_bytes or 0) // _MIB
        return ProgramError(
            type="LimitExceeded",
            message=f"memory limit of all containers: together they hold more than {limit_mib} MiB,"
            f" and this run held most of it, {own_mib} MiB; its variables are gone",
            hint="keep less in memory at once, in pieces for example, or try again later;"
            " containers.memory_bytes raises the limit",
        )


def default_memory_bytes(files: tuple[Path, ...] = _CONTROL_GROUP_FILES) -> int | None:
    """Half of the memory that this process may use; None where the system does not tell."""
    sizes: list[int] = []
    # Windows has no sysconf, and some systems do not know these names.
    with suppress(AttributeError, ValueError, OSError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in files:
        # "max" where there is no limit.
        with suppress(ValueError, OSError):
            sizes.append(int(file.read_text("ascii")))
    return min(sizes) // 2 if sizes else None
