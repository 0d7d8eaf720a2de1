"""Which tier is used, why others are not, and that a tier with a hole is never used."""

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests import machine
from tests.sandbox.process.guests import (
    ALL_TIERS,
    LIMITS,
    MIB,
    NAMES,
    START_TIMEOUT_S,
    echo,
    launch_unlocked,
    open_guest,
    open_zygote,
)

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.proof import prove_isolation
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import TIERS
from toolweft.sandbox.process.zygote import Zygote, launch_zygote
from toolweft.sandbox.trial import check_status

pytestmark = pytest.mark.process


async def accept(_zygote, _tier, _clock):
    """A proof that proves nothing: for tests that are about something else."""


async def refuse(_zygote, tier, _clock):
    raise SandboxUnavailable(f"{tier.name} was refused")


def backend(tier="auto", **arguments):
    return ProcessBackend(SandboxOptions(tier=tier), clock=SystemClock(), **arguments)


@pytest.mark.parametrize("name", [tier.name for tier in TIERS])
async def test_each_tier_of_this_machine_proves_itself_and_runs_programs(name):
    machine.need(name)
    async with backend(name) as opened:
        assert [(report.tier, report.holds) for report in opened.reports] == [(name, True)]
        assert opened.capabilities.tier == name
        assert opened.capabilities.files == (name == "ns")
        session = await opened.open(LIMITS)
        outcome = await session.run("1 + 1", names=NAMES, limits=LIMITS, on_call=echo)
    assert outcome.value == b"2"
    assert not session.is_alive


async def test_the_tier_used_is_the_strongest_this_machine_has_the_ground_for():
    async with backend() as opened:
        assert opened.capabilities.tier == machine.strongest()
        for report in opened.reports:
            assert report.holds == (report.tier == machine.strongest())
            assert report.holds or (report.reason and report.hint)


async def test_the_strongest_tier_that_holds_is_used_and_the_reasons_are_kept():
    async def only_weakest(_zygote, tier, _clock):
        if tier.name != "noopen":
            raise SandboxUnavailable("not here")

    async with backend(proof=only_weakest) as opened:
        assert opened.capabilities.tier == "noopen"
        assert [(report.tier, report.holds) for report in opened.reports] == [
            ("ns", False),
            ("landlock", False),
            ("noopen", True),
        ]
        for report in opened.reports[:2]:
            # Where the machine lacks what a tier stands on, no proof is ever asked.
            assert report.reason == "not here" or machine.missing(report.tier)


async def test_a_survey_reports_the_weaker_tiers_too_and_uses_the_strongest():
    async with backend(proof=accept, survey=True) as opened:
        assert [report.tier for report in opened.reports] == ["ns", "landlock", "noopen"]
        assert all(r.holds == (not machine.missing(r.tier)) for r in opened.reports)
        assert opened.capabilities.tier == machine.strongest()


@pytest.mark.promise("sandbox.refusal")
async def test_when_no_tier_holds_the_reason_for_each_is_given():
    tried = r"ns: \S.*; landlock: \S.*; noopen: noopen was refused"
    with pytest.raises(SandboxUnavailable, match=tried):
        await backend(proof=refuse).__aenter__()


async def test_a_wanted_tier_that_fails_is_never_replaced_by_a_weaker_one():
    machine.need("landlock")
    opened = backend("landlock", proof=refuse)
    with pytest.raises(SandboxUnavailable, match="landlock was refused"):
        await opened.__aenter__()
    assert [report.tier for report in opened.reports] == ["landlock"]


async def test_a_dry_run_that_hangs_is_a_reason():
    async def hang(_zygote, _tier, _clock):
        await anyio.sleep_forever()

    options = SandboxOptions(tier="noopen", probe_timeout_s=0.5)
    with pytest.raises(SandboxUnavailable, match=r"took longer than 0\.5 s"):
        await ProcessBackend(options, clock=SystemClock(), proof=hang).__aenter__()


async def test_outside_of_the_with_block_nothing_opens():
    closed = backend()
    with pytest.raises(SandboxUnavailable, match="not open"):
        await closed.open(LIMITS)
    with pytest.raises(SandboxUnavailable, match="not open"):
        _ = closed.capabilities


@pytest.mark.promise("sandbox.proven")
@pytest.mark.parametrize(
    ("name", "layer"),
    [(tier.name, layer) for tier in TIERS for layer in sorted(tier.layers)],
)
async def test_a_tier_without_any_one_of_its_layers_does_not_prove_itself(name, layer):
    tier = replace(ALL_TIERS[name], layers=ALL_TIERS[name].layers - {layer})
    if layer == "capabilities" and os.geteuid() != 0 and name != "ns":
        pytest.skip("an ordinary user has no capabilities to begin with")
    async with open_zygote(tier) as zygote:
        with pytest.raises(SandboxUnavailable):
            await prove_isolation(zygote, ALL_TIERS[name], SystemClock())


def test_the_kernel_s_own_words_are_checked():
    good = {
        "Seccomp": "2",
        "NoNewPrivs": "1",
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), "0"),
    }
    check_status(good)
    for field, value in (("Seccomp", "0"), ("NoNewPrivs", "0"), ("CapEff", "1")):
        with pytest.raises(SandboxUnavailable, match=field):
            check_status({**good, field: value})
    with pytest.raises(SandboxUnavailable):
        check_status({})


@pytest.mark.promise("sandbox.processes")
async def test_the_zygote_ends_with_its_control_socket_and_takes_its_guests_along():
    zygote = await Zygote.start(ALL_TIERS["noopen"], timeout_s=START_TIMEOUT_S)
    session = await ProcessSession.open(zygote, LIMITS, clock=SystemClock())
    child = session._child
    await zygote.close()
    with anyio.fail_after(5):
        await child.wait_exit()
    await session.close()


async def test_a_zygote_started_from_a_thread_outlives_the_thread():
    started = []
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(
        target=lambda: started.append(launch_zygote(ALL_TIERS["noopen"], theirs.fileno()))
    )
    thread.start()
    thread.join()
    theirs.close()
    ours.setblocking(False)
    zygote = Zygote(started[0], ours)
    with anyio.fail_after(START_TIMEOUT_S):
        await zygote._get_ready()
    session = await ProcessSession.open(zygote, LIMITS, clock=SystemClock())
    outcome = await session.run("7", names=NAMES, limits=LIMITS, on_call=echo)
    await session.close()
    await zygote.close()
    assert outcome.value == b"7"


async def test_a_host_that_ignores_child_and_interrupt_signals_still_gets_statuses_and_stops():
    program = (
        "import signal, anyio, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGXCPU])\n"
        "from tests.sandbox.process.guests import *\n"
        "async def main():\n"
        "    async with open_guest(ALL_TIERS['noopen']) as guest:\n"
        "        print((await guest.run('while True: pass', active_s=0.05)).limit)\n"
        "        print((await guest.run('import ctypes; ctypes.string_at(0)')).error.message)\n"
        "anyio.run(main)\n"
    )
    done = await anyio.run_process(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], stderr=subprocess.STDOUT
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "cpu"
    assert "SIGSEGV" in lines[1]


@pytest.mark.parametrize(
    ("held", "expected"),
    [("", ("crashed", None)), ("x = b'x' * (200 << 20)\n", ("limit", "memory"))],
)
async def test_a_guest_killed_from_outside_ran_out_of_memory_where_it_held_much(held, expected):
    async with open_guest(ALL_TIERS["noopen"]) as guest:

        async def kill(_call):
            signal.pidfd_send_signal(guest.session._child._pidfd, signal.SIGKILL)
            await anyio.sleep_forever()

        outcome = await guest.run(f"{held}await t.f()", on_call=kill)
    assert (outcome.status, outcome.limit) == expected


async def test_the_memory_of_a_guest_that_ended_itself_is_known():
    async with open_guest(ALL_TIERS["noopen"]) as guest:
        outcome = await guest.run("import os\nx = b'x' * (100 << 20)\nos._exit(3)")
    assert outcome.status == "crashed"
    assert "status 3" in outcome.error.message
    assert 100 * MIB < outcome.stats.peak_mem_bytes < LIMITS.memory_bytes


async def test_a_session_that_is_over_answers_whoever_still_asks():
    # Whoever adds up what all containers hold may come between its end and its removal.
    async with backend() as opened:
        session = await opened.open(LIMITS)
        outcome = await session.run("1 + 1", names=NAMES, limits=LIMITS, on_call=echo)
        assert outcome.status == "ok"
        assert session.memory_bytes() >= 0
        await session.close()
        used_s = session._child.cpu_s()
        # Its numbers mean something else now.
        taken = [os.open("/proc/self/status", os.O_RDONLY) for _ in range(8)]
        try:
            assert session.memory_bytes() == 0
            assert session._child.cpu_s() == used_s
            session._child.kill()
            session._child.pause()
            session._child.limit_cpu(1)
            session._child.close()
            assert [os.fstat(fd).st_size for fd in taken] == [0] * len(taken)
        finally:
            for fd in taken:
                os.close(fd)


async def test_a_program_that_closes_its_channel_and_goes_on_ran_out_of_nothing():
    async with open_guest(ALL_TIERS["noopen"]) as guest:
        outcome = await guest.run("import os, time\nos.closerange(0, 64)\ntime.sleep(60)")
    assert (outcome.status, outcome.limit) == ("crashed", None)
    assert "its program closed it" in outcome.error.message


async def test_a_program_that_cannot_start_a_zygote_says_so():
    def launch_nothing(_tier, _fd):
        return subprocess.Popen([sys.executable, "-c", ""])

    with pytest.raises(SandboxUnavailable, match="ended before it was ready"):
        await Zygote.start(ALL_TIERS["noopen"], timeout_s=START_TIMEOUT_S, launch=launch_nothing)


async def test_a_zygote_that_never_gets_ready_is_ended():
    def launch_sleeper(_tier, fd):
        code = f"import socket; s = socket.socket(fileno={fd}); s.recv(1)"
        return subprocess.Popen([sys.executable, "-c", code], pass_fds=[fd])

    with pytest.raises(SandboxUnavailable, match="was not ready within"):
        await Zygote.start(ALL_TIERS["noopen"], timeout_s=0.2, launch=launch_sleeper)


async def test_a_zygote_that_has_ended_makes_no_guests():
    zygote = await Zygote.start(
        ALL_TIERS["unlocked"], timeout_s=START_TIMEOUT_S, launch=launch_unlocked
    )
    await zygote.close()
    with pytest.raises(SandboxUnavailable, match="no guest could be made"):
        await zygote.spawn(LIMITS)


async def test_a_guest_that_cannot_be_locked_down_is_refused_with_the_reason():
    async with open_zygote(ALL_TIERS["noopen"]) as zygote:
        with pytest.raises(SandboxUnavailable, match="could not be locked down"):
            await ProcessSession.open(
                zygote, replace(LIMITS, memory_bytes=1 << 80), clock=SystemClock()
            )


async def test_a_machine_without_free_descriptors_is_a_reason_and_no_crash():
    async def exhaust(_zygote, _tier, _clock):
        raise OSError(24, "Too many open files")

    unusable = backend(proof=exhaust)
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="Too many open files"):
            await unusable.__aenter__()
    assert len(unusable.reports) == len(TIERS)


@pytest.mark.parametrize("name", [tier.name for tier in TIERS])
async def test_programs_wait_for_descriptors_in_every_way_python_has(name):
    code = (
        "import select, socket\n"
        "a, b = socket.socketpair()\nb.send(b'x')\n"
        "poll = select.poll()\npoll.register(a, select.POLLIN)\n"
        "[len(select.select([a], [], [], 5)[0]), len(poll.poll(5000))]"
    )
    async with open_guest(ALL_TIERS[name]) as guest:
        assert (await guest.run(code)).value == b"[1,1]"
