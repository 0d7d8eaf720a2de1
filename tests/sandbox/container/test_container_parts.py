"""What the container backend decides without an engine."""

import asyncio
import json
import marshal
import ssl
import struct
from dataclasses import replace
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.container.fake_engine import GOOD_SURVEY

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.container.address import parse_address
from toolweft.sandbox.container.attachment import Attachment
from toolweft.sandbox.container.owner import (
    LABEL,
    Owner,
    parse_owner,
    process_start,
    this_process,
)
from toolweft.sandbox.container.parcel import load_parcel
from toolweft.sandbox.container.recipe import build_recipe, max_processes
from toolweft.sandbox.container.survey import check_runtime, find_faults
from toolweft.sandbox.container.usage import CgroupUsage, PolledUsage
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.limits import fixed_limits
from toolweft.sandbox.options import EngineOptions

OWNER = Owner(machine="m", boot="b", processes="1", pid=7, started="70")
LIMITS = Limits(memory_bytes=1 << 28, disk_bytes=2 << 20, max_files=64, max_threads=4)


# ------------------------------------------------------------------------------------ address


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("unix:///run/podman.sock", ("/run/podman.sock", "", 0)),
        ("tcp://127.0.0.1", ("", "127.0.0.1", 2375)),
        ("tcp://[::1]:99/", ("", "::1", 99)),
        ("tcp://localhost:2375", ("", "localhost", 2375)),
    ],
)
def test_an_engine_of_this_machine_needs_no_encryption(engine, expected):
    address = parse_address(EngineOptions(engine=engine))
    assert (address.path, address.host, address.port) == expected
    assert address.tls is None


@pytest.mark.promise("sandbox.engine-encrypted")
@pytest.mark.parametrize("host", ["10.0.0.5", "engine.example", "0.0.0.0", "127.0.0.1.example"])
def test_an_engine_elsewhere_is_refused_without_encryption_unless_spelled_out(host):
    options = EngineOptions(engine=f"tcp://{host}:2375")
    with pytest.raises(SandboxUnavailable, match="without encryption"):
        parse_address(options)
    assert parse_address(replace(options, allow_unencrypted=True)).host == host


@pytest.mark.parametrize(
    "engine", ["", "unix://relative", "http://x", "tcp://", "tcp://x:port", "tcp://x/path"]
)
def test_what_is_no_address_is_refused_with_its_text(engine):
    with pytest.raises(SandboxUnavailable) as caught:
        parse_address(EngineOptions(engine=engine))
    assert repr(engine) in caught.value.message


def test_a_folder_without_certificates_is_refused(tmp_path):
    options = EngineOptions(engine="tcp://x:1", tls_folder=str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="cannot be used"):
        parse_address(options)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SandboxUnavailable, match="cannot be used") as caught:
        parse_address(options)
    assert isinstance(caught.value.__cause__, ssl.SSLError | OSError)


# --------------------------------------------------------------------------------- attachment


class Taken:
    def __init__(self) -> None:
        self.data = b""
        self.lost = 0

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc) -> None:
        self.lost += 1

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_aborted = False

    def write(self, data) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.is_aborted = True


def attachment() -> tuple[Attachment, Taken, Wire]:
    taken, wire = Taken(), Wire()
    made = Attachment(b"GET", taken)
    made.connection_made(wire)
    return made, taken, wire


UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n"


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=12),
    st.lists(st.integers(1, 60), min_size=1, max_size=30),
)
def test_output_arrives_whole_however_the_stream_is_cut(pieces, steps):
    stream = UPGRADED + b"".join(
        struct.pack(">BxxxI", number, len(data)) + data for number, data in pieces
    )
    made, taken, _wire = attachment()
    position = 0
    while position < len(stream):
        step = steps[position % len(steps)]
        made.data_received(stream[position : position + step])
        position += step
    assert taken.data == b"".join(data for number, data in pieces if number == 1)
    said = b"".join(data for number, data in pieces if number == 2)
    assert made.stderr == said.decode("utf-8", "replace").strip()
    assert made.fault is None


def test_only_the_end_of_standard_error_is_kept():
    made, _taken, _wire = attachment()
    made.data_received(UPGRADED + struct.pack(">BxxxI", 2, 100_006) + b"x" * 100_000 + b"at end")
    assert made.stderr.endswith("at end")
    assert len(made.stderr) < 5000


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\nno such container", "status 404 no such container"),
        (b"nonsense\r\n\r\n", "status 0"),
        (b"x" * 20_000, "has no end"),
    ],
)
def test_an_answer_that_is_no_stream_is_refused_and_reaches_no_one(answer, fault):
    made, taken, wire = attachment()
    made.data_received(answer)
    made.connection_lost(None)
    assert fault in made.fault
    assert wire.is_aborted
    assert (taken.data, taken.lost) == (b"", 0)


# -------------------------------------------------------------------------------------- owner


@given(st.text(), st.text(), st.text(), st.integers(), st.text())
def test_an_owner_is_read_back_from_its_label(machine, boot, processes, pid, started):
    owner = Owner(machine=machine, boot=boot, processes=processes, pid=pid, started=started)
    assert parse_owner(owner.render()) == owner


@pytest.mark.parametrize(
    "text", ["", "?", "[]", "{}", '{"pid": 1}', OWNER.render()[:-1] + ',"a":1}']
)
def test_a_label_of_somebody_else_names_no_owner(text):
    assert parse_owner(text) is None
    wrong = json.loads(OWNER.render()) | {"pid": "7"}
    assert parse_owner(json.dumps(wrong)) is None


@pytest.mark.parametrize(
    ("changes", "start", "gone"),
    [
        ({}, "70", False),
        ({}, None, True),
        ({}, "71", True),
        ({"boot": "before"}, "70", True),
        # Nothing can be known of these.
        ({"machine": "other", "boot": "before"}, None, False),
        ({"processes": "2"}, None, False),
        ({"started": ""}, "", False),
    ],
)
def test_an_owner_is_gone_only_where_that_is_certain(changes, start, gone):
    assert replace(OWNER, **changes).is_gone(OWNER, lambda _pid: start) is gone


def test_this_process_is_there_and_one_that_ended_is_not():
    here = this_process()
    assert not here.is_gone(here, process_start)
    # Above what the kernel gives out.
    assert process_start(2**22 + 1) is None


# ------------------------------------------------------------------------------------- recipe


def recipe(**changes):
    options = EngineOptions(image="img", **changes)
    return build_recipe("solo", {"a": 1}, limits=LIMITS, options=options, owner="me")


@pytest.mark.promise("sandbox.container-hardened")
def test_every_container_is_asked_to_be_closed_on_all_sides():
    made = recipe()
    host = made["HostConfig"]
    assert made["User"] == "1000:1000"
    assert made["Labels"] == {LABEL: "me"}
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes + LIMITS.disk_bytes
    assert host["PidsLimit"] == max_processes(LIMITS)
    assert host["NanoCpus"] == 1_000_000_000
    assert {limit["Name"] for limit in host["Ulimits"]} >= {"nofile", "nproc"}
    assert all(limit["Soft"] == limit["Hard"] for limit in host["Ulimits"])
    assert "noexec" in host["Tmpfs"]["/tmp"]
    assert f"size={LIMITS.disk_bytes}" in host["Tmpfs"]["/tmp"]
    assert not {"Binds", "Mounts", "Devices", "CapAdd", "Privileged", "PidMode"} & set(host)
    assert "Runtime" not in host


def test_a_runtime_and_a_share_of_processors_are_passed_on():
    host = recipe(runtime="runsc", cpus=0.5)["HostConfig"]
    assert (host["Runtime"], host["NanoCpus"]) == ("runsc", 500_000_000)


def test_a_container_is_as_large_as_its_sessions_limits():
    limits = ProgramLimits(memory_bytes=1, disk_bytes=2, max_files=3, max_threads=4)
    assert fixed_limits(limits) == Limits(1, 2, 3, 4)


@pytest.mark.parametrize("magic", ["", "00000000", MAGIC_NUMBER.hex()])
def test_the_guests_files_travel_compiled_only_to_the_same_bytecode(magic):
    parcel = load_parcel(magic=magic)
    assert int.from_bytes(parcel[:4], "big") == len(parcel) - 4
    files = marshal.loads(parcel[4:])
    assert {"guest", "guest.solo", "guest.survey", "guest.probe"} <= set(files)
    place, code = files["guest.solo"]
    assert place == "/opt/toolweft/guest/solo.py"
    assert isinstance(code, str) is (magic != MAGIC_NUMBER.hex())


# ------------------------------------------------------------------------------------- survey


def test_a_container_as_asked_for_has_no_faults():
    assert find_faults(GOOD_SURVEY, limits=LIMITS, cpus=1.0) == []


@pytest.mark.promise("sandbox.container-proven")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"interfaces": ["lo", "eth0"]}, "network"),
        ({"writable": ["/tmp", "/etc"]}, "'/etc'"),
        ({"writable": ["/dev/shm"]}, "mode 1777"),
        ({"scratch_bytes": 1 << 40}, "scratch folder has"),
        ({"scratch_runs": True}, "files be run"),
        ({"processes": max_processes(LIMITS) + 8}, "processes"),
        ({"max_files": 1_048_576}, "files"),
        ({"processors_used": 1.9}, "processors"),
        ({"python": [3, 10, 4]}, "3.11 is needed"),
    ],
)
def test_each_thing_that_was_asked_for_and_is_not_there_is_named(changes, said):
    faults = find_faults({**GOOD_SURVEY, **changes}, limits=LIMITS, cpus=1.0)
    assert len(faults) == 1
    assert said in faults[0]


def test_a_survey_that_found_nothing_is_all_faults():
    assert len(find_faults({}, limits=LIMITS, cpus=1.0)) >= 8


@pytest.mark.promise("sandbox.container-proven")
@pytest.mark.parametrize(
    ("runtime", "used", "inside", "is_podman", "fault"),
    [
        ("runsc", "runsc", "4.4.0", False, ""),
        ("runsc", "runc", "6.1.0", False, "'runc' is used"),
        # Podman repeats the name it was given and runs something else.
        ("runsc", "runsc", "6.1.0", True, "'runc' is used"),
        ("runsc", "runsc", "6.1.0", False, "own kernel"),
        ("crun", "crun", "6.1.0", False, ""),
        ("runc", "whatever", "6.1.0", True, ""),
    ],
)
def test_a_runtime_counts_only_where_it_shows(runtime, used, inside, is_podman, fault):
    faults = check_runtime(
        runtime,
        found={"release": inside},
        info={"KernelVersion": "6.1.0", "DefaultRuntime": "runc"},
        known={"HostConfig": {"Runtime": used}},
        is_podman=is_podman,
    )
    assert (fault in faults[0]) if fault else faults == []


# -------------------------------------------------------------------------------------- usage


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("folder", ["cpuacct", "cpu,cpuacct"])
def test_counters_of_the_first_version_of_control_groups_are_read(tmp_path, folder):
    write(tmp_path / folder / "engine/abc/cpuacct.usage", "1500000000\n")
    write(tmp_path / "memory/engine/abc/memory.max_usage_in_bytes", "4096\n")
    groups = f"9:{folder}:/engine/abc\n4:memory:/engine/abc\n0::/engine/abc\n"
    usage = CgroupUsage.open_group(groups, "abc", root=tmp_path)
    assert (usage.cpu_s(), usage.peak_memory_bytes()) == (1.5, 4096)
    usage.close()
    assert (usage.cpu_s(), usage.peak_memory_bytes()) == (1.5, 4096)


def test_counters_of_the_second_version_are_read(tmp_path):
    write(tmp_path / "x/abc.scope/cpu.stat", "usage_usec 2500000\nuser_usec 1\n")
    write(tmp_path / "x/abc.scope/memory.peak", "8192\n")
    usage = CgroupUsage.open_group("0::/x/abc.scope\n", "abc", root=tmp_path)
    assert (usage.cpu_s(), usage.peak_memory_bytes()) == (2.5, 8192)
    usage.close()


def test_the_group_of_another_container_is_not_taken(tmp_path):
    write(tmp_path / "x/other/cpu.stat", "usage_usec 1\n")
    assert CgroupUsage.open_group("0::/x/other\n", "abc", root=tmp_path) is None
    assert CgroupUsage.find(1, "abc") is None


def test_what_the_engine_says_is_kept_and_never_falls():
    usage = PolledUsage()
    usage.take({"cpu_stats": {"cpu_usage": {"total_usage": 3_000_000_000}}, "memory_stats": {}})
    usage.take({"memory_stats": {"usage": 10, "max_usage": 20}, "cpu_stats": None})
    usage.take({"cpu_stats": {"cpu_usage": {"total_usage": True}}})
    assert (usage.cpu_s(), usage.peak_memory_bytes()) == (3.0, 20)
