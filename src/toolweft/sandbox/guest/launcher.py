"""Starts the zygote: first into a neutral root where the tier has one, then exec.

Its command line is `CONTROL_FD {json}`; faults go back over the control socket, as the process
has no other way to speak.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .namespaces import GUEST_ROOT, PACKAGES_ROOT, PYTHON_ROOT, Bind, build_root, plan_binds
from .syscalls import Kernel

__all__ = ("BOOT", "launch")

# Makes this package importable without the rest of the distribution, then forgets the folder.
BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from guest import {module};"
    " sys.path.pop(0); {module}.{function}(int(sys.argv[2]), sys.argv[3])"
)
_HOSTNAME = "sandbox"


def launch(
    control_fd: int,
    setup_text: str,
    *,
    build: Callable[[Sequence[Bind]], None] | None = None,
    execute: Callable[[str, list[str], dict[str, str]], object] = os.execve,
) -> None:
    """Build the root and become its interpreter; the two steps can be replaced."""
    setup = json.loads(setup_text)
    try:
        proc_fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        binds = plan_binds(
            interpreter=setup["interpreter"],
            standard_library=setup["standard_library"],
            shared_libraries=setup["shared_libraries"],
            guest=str(Path(__file__).parent),
            packages=setup["packages"],
        )
        if build is None:
            build_root(Kernel(), binds, hostname=_HOSTNAME)
        else:
            build(binds)
        execute(*plan_exec(control_fd, proc_fd, setup))
    except OSError as refusal:
        os.write(control_fd, json.dumps({"error": str(refusal)}).encode())


def plan_exec(
    control_fd: int, proc_fd: int, setup: dict[str, Any]
) -> tuple[str, list[str], dict[str, str]]:
    """The interpreter at its neutral path, its arguments and its environment."""
    version = Path(setup["standard_library"]).name
    binary = f"{PYTHON_ROOT}/bin/{version}"
    library = f"{PYTHON_ROOT}/lib"
    inside = json.dumps(
        {
            "layers": setup["layers"],
            "file_calls": setup["file_calls"],
            "standard_library": f"{library}/{version}",
            "packages": PACKAGES_ROOT if setup["packages"] else "",
            "preload": setup["preload"],
            "proc_fd": proc_fd,
        }
    )
    for fd in (control_fd, proc_fd):
        os.set_inheritable(fd, True)  # noqa: FBT003  its only argument
    boot = BOOT.format(module="zygote", function="main")
    arguments = [binary, "-I", "-S", "-c", boot, GUEST_ROOT, str(control_fd), inside]
    environment = {**os.environ, "LD_LIBRARY_PATH": library}
    return binary, arguments, environment
