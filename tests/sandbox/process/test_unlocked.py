"""Parts of the guest that only show in a process of their own, here without any lock."""

import json
import os
import socket
import sys
import sysconfig
from pathlib import Path

import pytest
from tests import machine
from tests.sandbox.guest.recording import RecordingKernel
from tests.sandbox.process.guests import ALL_TIERS, MIB, UNLOCKED, echo, open_guest

from toolweft.core.ports import GuestReply
from toolweft.sandbox.guest import launcher, zygote
from toolweft.sandbox.guest.probe import ATTEMPTS, attempt

pytestmark = pytest.mark.process

# Left out: what would use up the test machine's memory or disk, or write to its root.
_TOO_MUCH = {"memory", "scratch size", "root folder", "library file"}
_NOT_EVERYWHERE = {"io_uring", "bpf", "perf events", "userfaultfd", "mount", "chroot", "keyring"}


async def test_without_a_lock_the_probe_finds_every_hole():
    names = [name for name in ATTEMPTS if name not in _TOO_MUCH]
    code = (
        "from toolweft.sandbox.guest.probe import attempt_all\n"
        f"attempt_all(canary={__file__!r}, names={names!r})"
    )
    async with open_guest(UNLOCKED) as guest:
        outcome = await guest.run(code, max_value_bytes=100_000)
    found = json.loads(outcome.value)
    # A kernel or container may refuse some of them on its own; "descriptors" finds none to find.
    missed = set(names) - set(found) - _NOT_EVERYWHERE - {"descriptors", "threads"}
    if machine.missing("ns"):
        missed.discard("user namespace")
    assert missed == set()


def test_an_attempt_tells_refusals_from_other_failures():
    def fail(error):
        def action(_canary):
            raise error

        return action

    assert attempt(lambda canary: canary, "x") == "went through: 'x'"
    assert attempt(fail(PermissionError(1, "no")), "") == ""
    assert attempt(fail(MemoryError()), "") == ""
    assert attempt(fail(RuntimeError("can't start new thread")), "") == ""
    assert attempt(fail(RuntimeError("other")), "") == "failed otherwise: other"
    assert "failed otherwise" in attempt(fail(OSError(14, "bad address")), "")


def test_the_probe_s_descriptor_check_sees_an_open_file(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert str(file.fileno()) in attempt(ATTEMPTS["descriptors"], "")


def test_the_scratch_check_stops_at_its_own_cap(tmp_path):
    assert attempt(ATTEMPTS["root folder"], "") in ("", "went through: PosixPath('/probe')")


async def test_a_guest_whose_memory_is_full_still_reports():
    async with open_guest(ALL_TIERS["noopen"]) as guest:
        outcome = await guest.run("kept = []\nwhile True: kept.append(bytes(1 << 16))")
        assert (outcome.status, outcome.limit) == ("limit", "memory")
        assert (await guest.run("del kept\n1")).value == b"1"


async def test_empty_runs_take_no_memory_of_their_own():
    async with open_guest(ALL_TIERS["noopen"]) as guest:
        await guest.run("1")
        before = guest.session.memory_bytes()
        for _ in range(8):
            await guest.run("1")
        assert guest.session.memory_bytes() - before < MIB


async def test_results_that_do_not_fit_end_the_run_not_in_silence():
    async def on_call(_call):
        return GuestReply(payload=b'"' + b"x" * 4_000_000 + b'"')

    async with open_guest(ALL_TIERS["noopen"]) as guest:
        outcome = await guest.run(
            "kept = []\nfor _ in range(150): kept.append(await t.f())", on_call=on_call
        )
    assert (outcome.status, outcome.limit) == ("limit", "memory")


async def test_a_program_that_swallows_the_output_limit_still_meets_it():
    code = "try:\n    while True: print('x' * 1000)\nexcept BaseException: pass"
    async with open_guest(UNLOCKED) as guest:
        outcome = await guest.run(code, max_output_characters=5000)
    assert (outcome.status, outcome.limit) == ("limit", "output")


async def test_the_kernel_s_own_processor_limit_stops_a_run_the_host_did_not_watch():
    async with open_guest(UNLOCKED) as guest:
        code = "import signal\nsignal.raise_signal(signal.SIGXCPU)\nfor _ in range(10**6): pass"
        outcome = await guest.run(code)
    assert (outcome.status, outcome.limit) == ("limit", "cpu")


async def test_host_paths_do_not_show_in_errors():
    async with open_guest(UNLOCKED) as guest:
        outcome = await guest.run("from json import nothing")
    assert str(Path(os.__file__).parent) not in outcome.error.message
    assert "/python/json" in outcome.error.message


async def test_names_that_cannot_be_bound_end_the_run():
    async with open_guest(UNLOCKED) as guest:
        await guest.run(
            "class Odd:\n    @property\n"
            "    def __module__(self): raise ValueError('odd')\necho = Odd()"
        )
        outcome = await guest.run("1", on_call=echo)
    assert (outcome.status, outcome.error.message) == ("error", "odd")


# ------------------------------------------------------------------------- zygote and launcher

SETUP = {
    "layers": [],
    "file_calls": "none",
    "standard_library": sysconfig.get_path("stdlib"),
    "packages": "",
    "preload": [],
    "proc_fd": -1,
}
REQUEST = {"spawn": {"memory_bytes": 1, "disk_bytes": 1, "max_files": 1, "max_threads": 1}}


class RefusingKernel(RecordingKernel):
    def clone(self, flags):
        raise OSError(28, "clone: No space left on device")


class CloningKernel(RecordingKernel):
    def clone(self, flags):
        self.calls.append(("clone", flags))
        return 4711, 5


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def serve(pair, kernel, layers=()):
    setup = zygote.Setup.from_json(json.dumps({**SETUP, "layers": list(layers)}))
    return zygote.Zygote(pair[1], setup, kernel)


def test_a_refused_clone_is_answered_with_its_reason(pair):
    served = serve(pair, RefusingKernel())
    answer, passed = served.answer(REQUEST, [3])
    assert answer == {"error": "[Errno 28] clone: No space left on device"}
    assert passed == []


def test_a_guest_is_cloned_into_namespaces_only_where_the_tier_has_them(pair):
    kernel = CloningKernel()
    served = serve(pair, kernel)
    assert served.answer(REQUEST, [3]) == ({"pid": 4711}, [5])
    served = serve(pair, kernel, ["namespaces"])
    served.answer(REQUEST, [3])
    assert [flags for _name, flags in kernel.calls] == [0, zygote.SESSION_FLAGS]


def test_reaping_what_is_no_child_is_an_answer_too(pair):
    served = serve(pair, RecordingKernel())
    answer, _passed = served.answer({"reap": os.getpid()}, [])
    assert "No child" in answer["error"]


def test_the_zygote_serves_until_the_socket_closes(pair):
    served = serve(pair, RefusingKernel())
    ours = pair[0]
    ours.send(json.dumps({"reap": 1}).encode())
    ours.shutdown(socket.SHUT_WR)
    served.serve()
    assert json.loads(ours.recv(100)) == {"ready": True}
    assert "error" in json.loads(ours.recv(100))


def test_the_launcher_becomes_the_interpreter_at_its_neutral_path(pair):
    _ours, theirs = pair
    executed, built = [], []
    setup = {**SETUP, "interpreter": sys.executable, "shared_libraries": []}
    launcher.launch(
        theirs.fileno(),
        json.dumps(setup),
        build=built.extend,
        execute=lambda *arguments: executed.append(arguments),
    )
    ((binary, arguments, environment),) = executed
    version = Path(SETUP["standard_library"]).name
    assert binary == f"/opt/python/bin/{version}"
    assert arguments[:3] == [binary, "-I", "-S"]
    assert json.loads(arguments[-1])["standard_library"] == f"/opt/python/lib/{version}"
    assert environment["LD_LIBRARY_PATH"] == "/opt/python/lib"
    assert any(bind.source == sys.executable for bind in built)
    os.close(json.loads(arguments[-1])["proc_fd"])


def test_a_root_that_cannot_be_built_is_told_over_the_socket(pair):
    def refuse(_binds):
        raise PermissionError(1, "mount /: Operation not permitted")

    ours, theirs = pair
    setup = {**SETUP, "interpreter": sys.executable, "shared_libraries": []}
    launcher.launch(theirs.fileno(), json.dumps(setup), build=refuse)
    assert "Operation not permitted" in json.loads(ours.recv(1000))["error"]
