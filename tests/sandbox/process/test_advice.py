"""What to do about each way in which machines refuse a tier."""

import pytest

from toolweft.sandbox.process.advice import advise

LOCK = "a guest could not be locked down: "
ADVICE = {
    "[Errno 28] unshare: No space left on device": "user.max_user_namespaces",
    "no guest could be made: [Errno 28] clone: No space left on device": "user.max_user_namespaces",
    "[Errno 1] unshare: Operation not permitted": "kernel.unprivileged_userns_clone",
    "[Errno 38] unshare: Function not implemented": "allow user namespaces",
    "[Errno 22] unshare: Invalid argument": "allow user namespaces",
    "[Errno 1] uid_map: Operation not permitted": "apparmor_restrict_unprivileged_userns",
    "[Errno 13] Permission denied: 'self/uid_map'": "apparmor_restrict_unprivileged_userns",
    "[Errno 13] mount /: Permission denied": "apparmor_restrict_unprivileged_userns",
    "[Errno 1] pivot_root: Operation not permitted": "apparmor_restrict_unprivileged_userns",
    f"{LOCK}OSError: [Errno 1] mount /tmp: Operation not permitted": "AppArmor",
    "the dry run failed: [Errno 2] No usable temporary directory found in ['/tmp']": "TMPDIR",
    f"{LOCK}OSError: the kernel offers no Landlock": "/sys/kernel/security/lsm",
    f"{LOCK}OSError: [Errno 1] landlock_restrict_self: Operation not permitted": "Linux 5.13",
    f"{LOCK}OSError: [Errno 22] seccomp: Invalid argument": "seccomp filters",
}


@pytest.mark.parametrize("reason", ADVICE)
def test_the_words_of_a_refusal_lead_to_what_can_be_done(reason: str) -> None:
    assert ADVICE[reason] in advise(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "the dry run took longer than 10 s",
        "a guest is not confined: tcp socket went through: 3",
        "the memory limit does not hold: ok",
        "the dry run failed: [Errno 24] Too many open files",
        "[Errno 28] mount /tmp: No space left on device",
    ],
)
def test_where_the_reason_is_unknown_nothing_is_advised(reason: str) -> None:
    assert advise(reason) == ""
