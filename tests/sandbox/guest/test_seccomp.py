"""The filter, run by an interpreter of its own: what it allows is the table, and nothing else."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.machines import MACHINES, Machine, find_machine
from toolweft.sandbox.guest.seccomp import FILES_READ, FILES_WRITE, build_filter, build_rules

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
OWN_PID = 4711
RULES = build_rules(own_pid=OWN_PID, read_files=True, write_files=True)
PROGRAMS = {name: build_filter(RULES, machine) for name, machine in MACHINES.items()}
X86_64 = MACHINES["x86_64"]

on_each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))


def numbers(machine: Machine, *, conditional: bool) -> set[int]:
    """The numbers of the table's calls, those with conditions or those without."""
    return {
        machine.numbers[rule.name]
        for rule in RULES
        if rule.name in machine.numbers and bool(rule.alternatives) == conditional
    }


def run_filter(program: bytes, number: int, arguments=(), *, arch: int) -> int:
    """Classic BPF, as far as filters here use it."""
    padded = [*arguments, *([0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, arch, 0, *(a & (2**64 - 1) for a in padded))
    steps = list(struct.iter_unpack("HBBI", program))
    accumulator, position = 0, 0
    while True:
        code, on_true, on_false, value = steps[position]
        position += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value}[code]
            position += on_true if holds else on_false


def verdict(machine: Machine, number: int, *arguments: int) -> int:
    return run_filter(PROGRAMS[machine.name], number, arguments, arch=machine.architecture)


@on_each_machine
def test_every_call_of_the_table_without_conditions_is_allowed(machine):
    always = numbers(machine, conditional=False)
    assert {number for number in always if verdict(machine, number) != ALLOW} == set()


@on_each_machine
@given(st.integers(0, 0x3FFFFFFF), st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6))
def test_a_call_outside_of_the_table_is_refused_whatever_its_arguments(machine, number, arguments):
    if number in numbers(machine, conditional=False) | numbers(machine, conditional=True):
        return
    assert verdict(machine, number, *arguments) == (ENOSYS if number == 435 else EPERM)


@on_each_machine
def test_all_numbers_the_kernel_knows_are_decided_by_the_table(machine):
    allowed = {number for number in range(600) if verdict(machine, number) == ALLOW}
    assert allowed - numbers(machine, conditional=True) == numbers(machine, conditional=False)


@on_each_machine
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_another_architecture_ends_the_process(machine, arch, number):
    if arch != machine.architecture:
        assert run_filter(PROGRAMS[machine.name], number, arch=arch) == KILL


@given(st.integers(0x40000000, 2**32 - 1))
def test_a_number_of_the_x32_abi_ends_the_process(number):
    assert verdict(X86_64, number) == KILL


def test_a_machine_whose_numbers_are_not_known_is_refused():
    with pytest.raises(OSError, match="'riscv64' are not known, only x86_64, aarch64's"):
        find_machine("riscv64")


@pytest.mark.parametrize(
    ("what", "call", "arguments"),
    [
        ("clone for a thread", "clone", (0x3D0F00,)),
        ("clone for a thread of musl", "clone", (0x7D0F00,)),
        ("stream pair", "socketpair", (1, 1 | 0o2000000)),
        ("signal to itself", "tgkill", (OWN_PID, 12, 6)),
        ("read own limits", "prlimit64", (0, 7, 0)),
        ("set non-blocking", "ioctl", (5, 0x5421)),
        ("duplicate above", "fcntl", (5, 1030, 10)),
        ("send on a connection", "sendto", (3, 0x1000, 8, 0, 0)),
    ],
)
@on_each_machine
def test_what_python_needs_is_allowed(machine, what, call, arguments):
    assert verdict(machine, machine.numbers[call], *arguments) == ALLOW, what


@pytest.mark.parametrize(
    ("what", "call", "arguments"),
    [
        ("fork by clone", "clone", (17,)),
        ("new user namespace", "clone", (0x10000011,)),
        ("thread that is also a namespace", "clone", (0x3D0F00 | 0x10000000,)),
        ("thread flags in the high half", "clone", (0x3D0F00 | 1 << 40,)),
        ("datagram pair", "socketpair", (1, 2)),
        ("internet pair", "socketpair", (2, 1)),
        ("signal to another process", "tgkill", (OWN_PID + 1, 12, 6)),
        ("set own limits", "prlimit64", (0, 7, 0x7FFF00000000)),
        ("set own limits, low half zero", "prlimit64", (0, 7, 1 << 32)),
        ("read limits of another", "prlimit64", (1, 7, 0)),
        ("inject terminal input", "ioctl", (0, 0x5412)),
        ("owner of signals by ioctl", "ioctl", (5, 0x8901)),
        ("owner of signals", "fcntl", (5, 8, 1)),
        ("signal of an owner", "fcntl", (5, 10, 9)),
        ("extended owner", "fcntl", (5, 15, 0x1000)),
        ("send to an address", "sendto", (3, 0x1000, 8, 0, 0x2000)),
        ("send to an address, low half zero", "sendto", (3, 0x1000, 8, 0, 1 << 33)),
        ("clear no_new_privs", "prctl", (38, 0)),
        ("make dumpable", "prctl", (4, 1)),
    ],
)
@on_each_machine
def test_conditions_on_arguments_refuse_the_dangerous_form(machine, what, call, arguments):
    assert verdict(machine, machine.numbers[call], *arguments) == EPERM, what


@pytest.mark.promise("sandbox.network")
@pytest.mark.parametrize(
    "name",
    [
        "socket",
        "connect",
        "bind",
        "fork",
        "vfork",
        "execve",
        "kill",
        "ptrace",
        "pivot_root",
        "chroot",
        "mount",
        "umount2",
        "init_module",
        "tkill",
        "keyctl",
        "unshare",
        "perf_event_open",
        "open_by_handle_at",
        "setns",
        "process_vm_readv",
        "process_vm_writev",
        "seccomp",
        "memfd_create",
        "bpf",
        "execveat",
        "userfaultfd",
        "io_uring_setup",
        "io_uring_enter",
        "pidfd_open",
        "pidfd_getfd",
    ],
)
def test_calls_that_reach_others_are_not_allowed(name):
    assert name not in {rule.name for rule in RULES}


@on_each_machine
def test_without_files_no_path_can_be_named(machine):
    program = build_filter(build_rules(own_pid=1, read_files=False, write_files=False), machine)
    for rule in (*FILES_READ, *FILES_WRITE):
        number = machine.numbers.get(rule.name)
        if number is not None:
            assert run_filter(program, number, arch=machine.architecture) == EPERM, rule.name


@on_each_machine
def test_with_read_access_nothing_of_a_file_can_be_changed(machine):
    program = build_filter(build_rules(own_pid=1, read_files=True, write_files=False), machine)
    for rule in FILES_WRITE:
        number = machine.numbers.get(rule.name)
        if number is not None:
            assert run_filter(program, number, arch=machine.architecture) == EPERM, rule.name
    opened = machine.numbers["openat"]
    assert run_filter(program, opened, arch=machine.architecture) == ALLOW


@on_each_machine
def test_no_call_stands_twice_and_each_is_known_somewhere(machine):
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert set(names) <= {name for known in MACHINES.values() for name in known.numbers}
    assert len(set(machine.numbers.values())) == len(machine.numbers)


@on_each_machine
def test_every_jump_stays_inside_the_program(machine):
    steps = list(struct.iter_unpack("HBBI", PROGRAMS[machine.name]))
    for position, (code, on_true, on_false, _value) in enumerate(steps):
        if code in (0x15, 0x35):
            assert position + 1 + max(on_true, on_false) < len(steps)
    assert steps[-1][0] == 0x06


@pytest.mark.parametrize(
    ("machine", "digest"), [("x86_64", "6ea9bac0be38c7b8"), ("aarch64", "5e0064fa02a2f004")]
)
def test_the_filter_is_the_reviewed_one(machine, digest):
    """A change of the table is a decision: read the difference, then put the new digest here."""
    assert hashlib.sha256(PROGRAMS[machine]).hexdigest()[:16] == digest
