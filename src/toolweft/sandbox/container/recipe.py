"""What a container is asked to be: pure data, the same for every engine."""

import json

from toolweft.core.json import JsonObject
from toolweft.sandbox.container.owner import LABEL
from toolweft.sandbox.container.parcel import BOOT
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.guest.namespaces import SCRATCH
from toolweft.sandbox.options import EngineOptions

__all__ = ("build_recipe", "max_processes")

# Threads a guest may need for a moment beside those of its program.
_SPARE_PROCESSES = 16
# For one user over all containers of an engine, so it bounds nothing here; but an engine that may
# not raise its own limits starts nothing unless told one.
_MAX_USER_PROCESSES = 4096
_MIN_FILES = 64
_NANOSECONDS = 1_000_000_000
# Engines mount these writable by themselves.
_CLOSED_FOLDERS = ("/run", "/var/tmp")  # noqa: S108  # nosec B108  closed, not used
_CLOSED = "ro,noexec,nosuid,nodev,size=4k"
_SHARED_MEMORY_BYTES = 4096


def max_processes(limits: Limits) -> int:
    """Processes and threads one container may have."""
    return limits.max_threads + _SPARE_PROCESSES


def build_recipe(
    module: str, setup: JsonObject, *, limits: Limits, options: EngineOptions, owner: str
) -> JsonObject:
    """The body of the request that makes a container.

    Args:
        module: of the guest, whose `main` runs.
        setup: what `main` gets.
        limits: of the session.
        options: image, runtime and processors.
        owner: the value of the label.
    """
    # The scratch folder lies in memory and counts as such.
    memory_bytes = limits.memory_bytes + limits.disk_bytes
    files = max(limits.max_files, _MIN_FILES)
    scratch = f"rw,noexec,nosuid,nodev,size={limits.disk_bytes},mode=1777"
    host: JsonObject = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Tmpfs": {SCRATCH: scratch, **dict.fromkeys(_CLOSED_FOLDERS, _CLOSED)},
        "ShmSize": _SHARED_MEMORY_BYTES,
        "IpcMode": "private",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": max_processes(limits),
        "Memory": memory_bytes,
        "MemorySwap": memory_bytes,
        "NanoCpus": int(options.cpus * _NANOSECONDS),
        "Ulimits": [
            {"Name": "nofile", "Soft": files, "Hard": files},
            {"Name": "nproc", "Soft": _MAX_USER_PROCESSES, "Hard": _MAX_USER_PROCESSES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        # What passes over the streams is nobody else's, and would be written twice.
        "LogConfig": {"Type": "none"},
        "RestartPolicy": {"Name": "no"},
    }
    if options.runtime:
        host["Runtime"] = options.runtime
    return {
        "Image": options.image,
        "Entrypoint": ["python3", "-I", "-S", "-u", "-c", BOOT],
        "Cmd": [module, json.dumps(setup)],
        "User": "1000:1000",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Env": ["LC_ALL=C.UTF-8", "TZ=UTC"],
        "Labels": {LABEL: owner},
        "NetworkDisabled": True,
        "Tty": False,
        "OpenStdin": True,
        # The guest ends when the host is gone.
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }
