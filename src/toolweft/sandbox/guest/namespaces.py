"""A root folder without the host in it, and the namespaces of one session.

Done once, `build_root` moves the zygote itself into a small read-only tree: the interpreter at a
neutral path, the system's libraries, time zones, two devices. So no host path stands in any
module, and a session, cloned from there, only adds namespaces of its own and a scratch folder.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    Kernel,
)

__all__ = (
    "GUEST_ROOT",
    "PACKAGES_ROOT",
    "PYTHON_ROOT",
    "SCRATCH",
    "SESSION_FLAGS",
    "Bind",
    "build_root",
    "enter_scratch",
    "enter_session",
    "masked_folders",
    "plan_binds",
)

PYTHON_ROOT = "/opt/python"
GUEST_ROOT = "/opt/toolweft"
PACKAGES_ROOT = "/opt/packages"
SCRATCH = "/tmp"  # nosec B108  the guest's own, mounted empty

SESSION_FLAGS = (
    CLONE_NEWUSER
    | CLONE_NEWNS
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWIPC
    | CLONE_NEWUTS
    | CLONE_NEWCGROUP
)
_ROOT_FLAGS = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8

_INSIDE_ID = 1000
# The root itself holds folders and links only.
_ROOT_SIZE = "size=1m,nr_inodes=512,mode=0755"
_MAX_SCRATCH_FILES = 4096
_DEVICES = ("/dev/null", "/dev/urandom")
# Packages that happen to be installed on the host are nobody's business inside.
_MASKED_FOLDERS = ("site-packages", "dist-packages")


class Bind(NamedTuple):
    """Something of the host that shows inside, read-only."""

    source: str
    target: str
    is_device: bool = False


def plan_binds(
    *,
    interpreter: str,
    standard_library: str,
    shared_libraries: Sequence[str],
    guest: str,
    packages: str = "",
) -> list[Bind]:
    """What a root is made of; sources that do not exist are left out when it is built.

    Args:
        interpreter: the real path of the Python binary.
        standard_library: its folder, ending in `pythonX.Y`.
        shared_libraries: libpython where the binary does not contain it.
        guest: the folder of this package.
        packages: the folder of further packages; "" for none.
    """
    version = Path(standard_library).name
    library = f"{PYTHON_ROOT}/lib"
    return [
        *([Bind(packages, PACKAGES_ROOT)] if packages else []),
        Bind(interpreter, f"{PYTHON_ROOT}/bin/{version}"),
        Bind(standard_library, f"{library}/{version}"),
        *(Bind(path, f"{library}/{Path(path).name}") for path in shared_libraries),
        Bind(guest, f"{GUEST_ROOT}/guest"),
        *(Bind(path, path) for path in ("/usr/lib", "/usr/lib64", "/lib", "/lib64")),
        Bind("/etc/ld.so.cache", "/etc/ld.so.cache"),
        Bind("/usr/share/zoneinfo", "/usr/share/zoneinfo"),
        *(Bind(path, path, is_device=True) for path in _DEVICES),
    ]


def masked_folders(binds: Iterable[Bind]) -> list[str]:
    """Folders inside that are covered by empty ones."""
    masked = ["/usr/lib/python3"]
    for bind in binds:
        if Path(bind.target).name.startswith("python"):
            masked += [f"{bind.target}/{name}" for name in _MASKED_FOLDERS]
    return masked


def build_root(
    kernel: Kernel,
    binds: Sequence[Bind],
    *,
    hostname: str,
    site: str = "/tmp",  # nosec B108  only a place to mount on
    proc: str = "/proc",
) -> None:
    """Move this process into namespaces with a root made of `binds` alone.

    Args:
        kernel: where calls go.
        binds: what shows inside.
        hostname: the machine's name inside.
        site: a folder every machine has; the root is built over it.
        proc: where process files are mounted.

    Raises:
        OSError: the kernel or a security module refused a step; the message names it.
    """
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(_ROOT_FLAGS)
    proc_fd = os.open(proc, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    write_id_maps(proc_fd, uid=uid, gid=gid)
    os.close(proc_fd)
    kernel.set_hostname(hostname)
    kernel.mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
    # Opened first: a source may lie under the folder that is about to be covered.
    opened = [(bind, fd) for bind in binds if (fd := _open_source(bind.source)) is not None]
    kernel.mount("root", site, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, data=_ROOT_SIZE)
    for bind, fd in opened:
        _place(kernel, bind, fd, site=site)
    for folder in masked_folders(binds):
        if Path(site + folder).is_dir():
            kernel.mount("empty", site + folder, kind="tmpfs", data="size=4k,mode=0555")
            kernel.set_mount_flags(site + folder, _ATTR_RDONLY)
    Path(site + SCRATCH).mkdir(exist_ok=True)
    kernel.enter_root(site)
    kernel.set_mount_flags("/", _ATTR_RDONLY)


def enter_session(
    kernel: Kernel, proc_fd: int, *, scratch_bytes: int, scratch: str = SCRATCH
) -> None:
    """Finish a process cloned with `SESSION_FLAGS`: its identity and its scratch folder.

    Args:
        kernel: where calls go.
        proc_fd: the host's /proc, opened before it went out of sight; closed here.
        scratch_bytes: size of the scratch folder.
        scratch: where it is.
    """
    write_id_maps(proc_fd, uid=_INSIDE_ID, gid=_INSIDE_ID)
    os.close(proc_fd)
    kernel.mount(
        "scratch",
        scratch,
        kind="tmpfs",
        flags=_MS_NOSUID | _MS_NODEV | _MS_NOEXEC,
        data=f"size={scratch_bytes},nr_inodes={_MAX_SCRATCH_FILES},mode=0755",
    )
    enter_scratch(scratch)


def enter_scratch(scratch: str = SCRATCH) -> None:
    """Start programs in a folder inside the scratch folder."""
    work = Path(scratch, "work")
    work.mkdir()
    os.chdir(work)


def write_id_maps(proc_fd: int, *, uid: int, gid: int) -> None:
    """Become user 1000 in this user namespace, which outside is still `uid`.

    One line with the own id is what the kernel allows without any privilege.
    """
    lines = (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} {uid} 1"),
        ("gid_map", f"{_INSIDE_ID} {gid} 1"),
    )
    for name, line in lines:
        fd = os.open(f"self/{name}", os.O_WRONLY, dir_fd=proc_fd)
        try:
            os.write(fd, line.encode())
        except OSError as refusal:
            # By itself it would not say which file it was.
            raise OSError(refusal.errno, f"{name}: {refusal.strerror}") from refusal
        finally:
            os.close(fd)


def _open_source(path: str) -> int | None:
    try:
        # A link such as /lib -> usr/lib is opened as the link it is.
        return os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _place(kernel: Kernel, bind: Bind, source_fd: int, *, site: str) -> None:
    target = Path(site + bind.target)
    source = f"/proc/self/fd/{source_fd}"
    target.parent.mkdir(parents=True, exist_ok=True)
    if _is_link(source_fd):
        target.symlink_to(os.readlink("", dir_fd=source_fd))
        os.close(source_fd)
        return
    if stat.S_ISDIR(os.fstat(source_fd).st_mode):
        target.mkdir(exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    kernel.mount(source, str(target), flags=_MS_BIND | _MS_REC)
    os.close(source_fd)
    # Adding to what the mount already forbids is always allowed, and reaches mounts below it.
    closed = _ATTR_RDONLY | _ATTR_NOSUID
    kernel.set_mount_flags(str(target), closed | (_ATTR_NOEXEC if bind.is_device else _ATTR_NODEV))


def _is_link(fd: int) -> bool:
    return stat.S_ISLNK(os.fstat(fd).st_mode)
