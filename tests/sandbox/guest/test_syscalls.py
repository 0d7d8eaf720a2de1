"""Kernel calls that are harmless or bound to fail: each reports what the kernel said."""

import errno
import os
import pathlib
from pathlib import Path

import pytest

from toolweft.sandbox.guest.syscalls import CLONE_NEWUSER, Kernel

kernel = Kernel()


def in_child(action) -> int:
    """Run something that cannot be undone in a child; its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except OSError as fault:
            os._exit(fault.errno or 255)
        except BaseException:
            os._exit(254)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_refused_mount_names_its_target(tmp_path):
    with pytest.raises(OSError, match=r"mount .*/absent") as refusal:
        kernel.mount("none", str(tmp_path / "absent"), kind="nosuchkind")
    assert refusal.value.errno in (errno.ENOENT, errno.EPERM, errno.ENODEV)


def test_mount_flags_of_what_is_no_mount_are_refused(tmp_path):
    with pytest.raises(OSError, match="mount_setattr"):
        kernel.set_mount_flags(str(tmp_path / "absent"), 1)


def test_a_root_that_is_no_mount_is_refused(tmp_path):
    before = pathlib.Path.cwd()
    try:
        with pytest.raises(OSError, match="pivot_root"):
            kernel.enter_root(str(tmp_path))
    finally:
        os.chdir(before)


def test_impossible_namespaces_are_refused():
    with pytest.raises(OSError, match="unshare"):
        kernel.unshare(0x1)
    with pytest.raises(OSError, match="clone"):
        # Threads that share nothing are a contradiction.
        kernel.clone(0x0001_0000 | CLONE_NEWUSER)


def test_an_overlong_hostname_is_refused():
    with pytest.raises(OSError, match="hostname"):
        kernel.set_hostname("x" * 200)


def test_a_filter_that_is_no_program_is_refused():
    def action():
        kernel.forbid_new_privileges()
        kernel.install_filter(b"\xff" * 16)

    assert in_child(action) == errno.EINVAL


def test_capabilities_and_privileges_are_given_up_for_good():
    def action():
        kernel.drop_capabilities()
        kernel.die_with_parent()
        kernel.forbid_new_privileges()
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status

    assert in_child(action) == 0


def test_descriptors_above_a_number_are_closed():
    def action():
        fd = os.dup(0)
        kernel.close_from(fd)
        try:
            os.fstat(fd)
        except OSError:
            return
        os._exit(99)

    assert in_child(action) == 0


def test_a_clone_answers_with_a_descriptor_of_the_child():
    # In a process of one thread: a raw clone beside others may wait for a lock for ever.
    def action():
        pid, pidfd = kernel.clone(0)
        if pid == 0:
            os._exit(7)
        os.close(pidfd)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    assert in_child(action) == 7


def test_a_fatal_signal_becomes_an_exit_status():
    def action():
        kernel.limit_arenas()
        kernel.exit_on_signals((11,))
        os.kill(os.getpid(), 11)

    assert in_child(action) == 11


def test_landlock_refuses_a_ruleset_it_does_not_know():
    assert kernel.landlock_version() >= 0
    with pytest.raises(OSError, match="landlock_create"):
        kernel.landlock_create(b"\xff" * 8)
    with pytest.raises(OSError, match="landlock_add"):
        kernel.landlock_allow(-1, 1, -1)
    with pytest.raises(OSError, match="landlock_restrict"):
        kernel.landlock_restrict(-1)
