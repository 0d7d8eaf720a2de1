"""Whether a container is what was asked for, judged by what was seen in a throw-away one.

Engines take settings they do not keep: a limit without the control group for it, a runtime they
have not got. What is missing here refuses the backend, with the reason.
"""

import math
from collections.abc import Sequence
from typing import Any

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.json import JsonObject
from toolweft.sandbox.container.engine import Engine
from toolweft.sandbox.container.maker import ContainerMaker
from toolweft.sandbox.container.recipe import max_processes
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.guest.namespaces import SCRATCH
from toolweft.sandbox.options import EngineOptions
from toolweft.sandbox.trial import check_status

__all__ = ("check_runtime", "find_faults", "survey_containers")

_MIB = 1024 * 1024
_LIMITS = Limits(memory_bytes=256 * _MIB, disk_bytes=2 * _MIB, max_files=64, max_threads=4)
_SMALL = Limits(memory_bytes=48 * _MIB, disk_bytes=1 * _MIB, max_files=64, max_threads=4)
_FILL_BYTES = 160 * _MIB
_KILLED_STATUS = 137
# More than the limit, so that meeting it shows.
_MORE_PROCESSES = 8
# A quota is kept over 100 ms at a time, so a short measurement may see some more.
_QUOTA_SLACK = 1.4
_OLDEST_PYTHON = (3, 11)
# Runtimes whose containers share the kernel of the engine's machine.
_SHARED_KERNEL = frozenset({"runc", "crun", "youki", "io.containerd.runc.v2"})
# The engine's own files of each container, and what the kernel shows of the process itself.
_MAY_WRITE = frozenset({SCRATCH, "/dev/shm", "/dev/mqueue"})  # noqa: S108  # nosec B108  seen only


async def survey_containers(
    maker: ContainerMaker, engine: Engine, options: EngineOptions
) -> JsonObject:
    """Return what a container is like, where all that was asked for is there.

    Raises:
        SandboxUnavailable: something is missing; the message names it.
    """
    setup: JsonObject = {
        "max_processes": max_processes(_LIMITS) + _MORE_PROCESSES,
        "spinners": math.ceil(options.cpus) + 1,
    }
    found, _status, known = await maker.survey(setup, _LIMITS)
    check_status(found.get("status") or {})
    faults = find_faults(found, limits=_LIMITS, cpus=options.cpus)
    if options.runtime:
        info = await engine.info()
        faults += check_runtime(
            options.runtime, found=found, info=info, known=known, is_podman=engine.is_podman
        )
    filled, status, _known = await maker.survey({"fill_bytes": _FILL_BYTES}, _SMALL)
    if filled or status != _KILLED_STATUS:
        faults.append(
            f"the memory limit does not hold: {_FILL_BYTES // _MIB} MiB could be used in a"
            f" container of {(_SMALL.memory_bytes + _SMALL.disk_bytes) // _MIB} MiB"
        )
    if faults:
        raise SandboxUnavailable(
            f"a container of this engine is not what was asked for: {'; '.join(faults)}",
            hint="a rootless engine needs control groups of version 2 with the controllers"
            " memory, pids and cpu delegated to it",
        )
    return found


def find_faults(found: JsonObject, *, limits: Limits, cpus: float) -> list[str]:
    """What does not hold in a container that was looked round in."""
    checks: Sequence[tuple[bool, str]] = (
        (
            _as_version(found.get("python")) >= _OLDEST_PYTHON,
            f"its Python is {found.get('python')}, 3.11 is needed",
        ),
        (found.get("interfaces") == ["lo"], f"it has a network: {found.get('interfaces')}"),
        (
            set(found.get("writable", ["?"])) <= _MAY_WRITE,
            f"it can write to {sorted(set(found.get('writable', ['?'])) - _MAY_WRITE)}",
        ),
        (
            SCRATCH in found.get("writable", ()),
            f"its scratch folder {SCRATCH} cannot be written to: in the image it must be open to"
            " all, mode 1777",
        ),
        (
            0 < _as_number(found.get("scratch_bytes")) <= limits.disk_bytes,
            f"its scratch folder has {found.get('scratch_bytes')} bytes, not {limits.disk_bytes}",
        ),
        (found.get("scratch_runs") is False, "its scratch folder lets files be run"),
        (
            0 < _as_number(found.get("processes")) <= max_processes(limits),
            f"it may have {found.get('processes')} processes, not {max_processes(limits)}",
        ),
        (
            0 < _as_number(found.get("max_files")) <= max(limits.max_files, 64),
            f"it may open {found.get('max_files')} files",
        ),
        (
            _as_number(found.get("processors_used")) <= cpus * _QUOTA_SLACK,
            f"it used {found.get('processors_used')} processors, {cpus:g} are its share",
        ),
    )
    return [fault for holds, fault in checks if not holds]


def check_runtime(
    runtime: str, *, found: JsonObject, info: JsonObject, known: JsonObject, is_podman: bool
) -> list[str]:
    """Why the runtime that was asked for is not the one in use.

    Args:
        runtime: its name.
        found: by the survey.
        info: of the engine.
        known: of the surveyed container.
        is_podman: it takes any name over this API and uses its own.
    """
    if is_podman:
        used = str(info.get("DefaultRuntime", "unknown"))
    else:
        used = str((known.get("HostConfig") or {}).get("Runtime", "unknown"))
    if used != runtime:
        return [
            f"the runtime {runtime!r} was asked for and {used!r} is used"
            + (" (start the service with `podman --runtime ...`)" if is_podman else "")
        ]
    has_own_kernel = found.get("release") != info.get("KernelVersion")
    if runtime not in _SHARED_KERNEL and not has_own_kernel:
        return [
            f"the runtime {runtime!r} was asked for, but programs see this machine's own kernel"
            f" {found.get('release')!r}"
        ]
    return []


def _as_number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else math.inf


def _as_version(value: Any) -> tuple[int, ...]:
    return tuple(part for part in value if type(part) is int) if isinstance(value, list) else ()
