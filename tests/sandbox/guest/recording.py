"""A kernel that only writes down what it is asked."""

from pathlib import Path
from typing import Any

from toolweft.sandbox.guest.machines import find_machine


class RecordingKernel:
    """Stands in for `syscalls.Kernel`; every call succeeds and is kept in `calls`."""

    machine = find_machine("x86_64")

    def __init__(self, *, abi: int = 6) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._abi = abi

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> None:
            self.calls.append((name, *arguments, *sorted(named.items())))

        return call

    def landlock_version(self) -> int:
        return self._abi

    def landlock_create(self, attributes: bytes) -> int:
        import os

        self.calls.append(("landlock_create", attributes))
        return os.open("/dev/null", os.O_RDONLY)

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


def make_proc(folder: Path) -> Path:
    """A folder that looks like /proc to whoever writes id maps."""
    (folder / "self").mkdir(parents=True)
    for name in ("setgroups", "uid_map", "gid_map"):
        (folder / "self" / name).touch()
    return folder
