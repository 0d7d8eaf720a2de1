"""What to do where a tier does not hold, from the words it was refused with; pure.

Kernels, security modules and container engines refuse in ways of their own, and none says which
setting it was. Where the words fit nothing known there is no advice: the reason stands alone.
"""

import re

__all__ = ("advise",)

_NO_SPACE = "No space left on device"
# Making the namespaces themselves; everything later happens inside of them.
_MAKING = re.compile(r"\b(unshare|clone): ")
_USING = re.compile(r"\b(uid_map|gid_map|setgroups|hostname|mount\S*|pivot_root|umount)\b")
_DENIED = re.compile(r"Operation not permitted|Permission denied")

_USED_UP = (
    "allow user namespaces: `sysctl user.max_user_namespaces` is 0 here or all are in use;"
    " inside a container only its engine's machine can change that"
)
_FORBIDDEN = (
    "allow user namespaces: in a container by a seccomp profile of the engine that lets"
    " unshare, clone and mount through; on a machine of its own by"
    " `sysctl kernel.unprivileged_userns_clone=1` where there is such a setting"
)
_UNUSABLE = (
    "user namespaces can be made here but nothing can be mounted in them, as with AppArmor on"
    " Ubuntu 24.04: give this Python an AppArmor profile with `userns,`, or set"
    " `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
)
_NO_LANDLOCK = (
    "needs Linux 5.13 with `landlock` in /sys/kernel/security/lsm (boot parameter lsm=), and in a"
    " container an engine whose seccomp profile lets Landlock through"
)
_NO_FILTER = "every tier needs seccomp filters: the kernel or a container engine refuses them here"
_NO_SCRATCH = (
    "the dry run needs one folder it can write a file to: mount a tmpfs on /tmp, or set TMPDIR"
)


def advise(reason: str) -> str:
    """The next step for whoever owns the machine; "" where the reason is not a known one.

    Args:
        reason: what the tier was refused with, in the words of the kernel.
    """
    if "Landlock" in reason or "landlock_" in reason:
        return _NO_LANDLOCK
    if "seccomp: " in reason:
        return _NO_FILTER
    if _MAKING.search(reason):
        return _USED_UP if _NO_SPACE in reason else _FORBIDDEN
    if "No usable temporary directory" in reason:
        return _NO_SCRATCH
    if _DENIED.search(reason) and _USING.search(reason):
        return _UNUSABLE
    return ""
