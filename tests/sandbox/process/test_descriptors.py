"""What a guest may hold open: its channel, its loop, and nothing else."""

import os
import socket
import subprocess
import sys

import pytest
from tests.sandbox.process.guests import LIMITS, UNLOCKED, launch_unlocked

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox.process.descriptors import check_descriptors, read_descriptors
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import Tier
from toolweft.sandbox.process.zygote import Zygote

CHANNEL = 77
RIGHT = {
    0: "/dev/null",
    1: "/dev/null",
    2: "/dev/null",
    3: "socket:[77]",
    4: "anon_inode:[eventpoll]",
    5: "socket:[80]",
    6: "socket:[81]",
}


def test_a_guest_with_its_channel_and_its_loop_is_as_it_should_be() -> None:
    check_descriptors(RIGHT, channel_inode=CHANNEL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({7: "/etc/passwd"}, r"a guest holds \['/etc/passwd'\]"),
        ({7: "socket:[12]"}, r"a guest holds \['socket'\]"),
        ({7: "/dev/null"}, r"a guest holds \['/dev/null'\]"),
        ({7: "pipe:[12]"}, "a guest holds"),
        ({1: "/dev/pts/0"}, "descriptor 1 of a guest is '/dev/pts/0'"),
        ({3: "socket:[78]"}, "does not hold its channel"),
        ({4: "anon_inode:[io_uring]"}, r"io_uring.*lacks \['anon_inode:\[eventpoll\]'\]"),
    ],
)
def test_anything_else_is_refused_by_name(change: dict[int, str], message: str) -> None:
    with pytest.raises(SandboxUnavailable, match=message):
        check_descriptors({**RIGHT, **change}, channel_inode=CHANNEL)


def test_a_guest_without_standard_streams_is_refused() -> None:
    with pytest.raises(SandboxUnavailable, match="descriptor 0 of a guest is None"):
        check_descriptors({k: v for k, v in RIGHT.items() if k}, channel_inode=CHANNEL)


def test_descriptors_are_read_as_the_kernel_names_them() -> None:
    with socket.socket() as held:
        fd, inode = held.fileno(), os.fstat(held.fileno()).st_ino
        waiting = [sys.executable, "-c", "print(flush=True); input()"]
        pipe = subprocess.PIPE
        with subprocess.Popen(waiting, stdin=pipe, stdout=pipe, pass_fds=[fd]) as process:
            # Until it says so it is still opening and closing files of its own.
            process.stdout.readline()
            found = read_descriptors(process.pid)
            process.communicate(b"\n")
    assert found[fd] == f"socket:[{inode}]"


def test_a_process_that_is_gone_cannot_be_looked_at() -> None:
    with pytest.raises(SandboxUnavailable, match="cannot be read"):
        read_descriptors(2**22 + 1)


@pytest.mark.process
@pytest.mark.promise("sandbox.descriptors")
async def test_a_guest_that_inherited_a_descriptor_gets_no_program() -> None:
    """A zygote that was started with a pipe too many passes it to its guests."""
    ours, theirs = os.pipe()

    def launch(tier: Tier, control_fd: int) -> "subprocess.Popen[bytes]":
        return launch_unlocked(tier, control_fd, theirs)

    zygote = await Zygote.start(UNLOCKED, timeout_s=30, launch=launch)
    try:
        with pytest.raises(SandboxUnavailable, match=r"a guest holds \['pipe:\[\d+\]'\]"):
            await ProcessSession.open(zygote, LIMITS, clock=SystemClock())
    finally:
        await zygote.close()
        os.close(ours)
        os.close(theirs)
