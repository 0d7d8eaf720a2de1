"""What a guest holds open, seen from the host before it gets a program.

A descriptor that slipped through from the host or the zygote would be a way out that no filter
sees, so anything beyond what a guest opens for itself ends it.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from toolweft.core.errors import SandboxUnavailable

__all__ = ("check_descriptors", "read_descriptors")

_STANDARD = (0, 1, 2)
_NOTHING = "/dev/null"
# The loop's own: its poll set, and the pair of sockets it wakes itself with.
_LOOP = Counter({"anon_inode:[eventpoll]": 1, "socket": 2})


def read_descriptors(pid: int) -> dict[int, str]:
    """The open descriptors of a process, as the kernel names them: "/dev/null", "socket:[17]".

    Raises:
        SandboxUnavailable: it cannot be looked at.
    """
    folder = Path(f"/proc/{pid}/fd")
    try:
        return {int(link.name): str(link.readlink()) for link in folder.iterdir()}
    except OSError as exc:
        raise SandboxUnavailable(f"the descriptors of a guest cannot be read: {exc}") from exc


def check_descriptors(open_now: Mapping[int, str], *, channel_inode: int) -> None:
    """Check that a guest holds nothing but its channel, its loop and nothing thrice.

    Args:
        open_now: from `read_descriptors`.
        channel_inode: of the guest's end of the channel.

    Raises:
        SandboxUnavailable: it holds something else; the message names it.
    """
    for fd in _STANDARD:
        if open_now.get(fd) != _NOTHING:
            raise SandboxUnavailable(f"descriptor {fd} of a guest is {open_now.get(fd)!r}")
    others = [name for fd, name in open_now.items() if fd not in _STANDARD]
    channel = f"socket:[{channel_inode}]"
    if channel not in others:
        raise SandboxUnavailable("a guest does not hold its channel")
    others.remove(channel)
    found = Counter("socket" if name.startswith("socket:[") else name for name in others)
    if found != _LOOP:
        surplus, missing = found - _LOOP, _LOOP - found
        raise SandboxUnavailable(
            f"a guest holds {sorted(surplus.elements())} and lacks {sorted(missing.elements())}"
        )
