"""The filter, run by an interpreter of its own: what it allows is the table, and nothing else."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.seccomp import BASE, FILES_READ, FILES_WRITE, build_filter, build_rules

X86_64, I386 = 0xC000003E, 0x40000003
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
OWN_PID = 4711
RULES = build_rules(own_pid=OWN_PID, read_files=True, write_files=True)
PROGRAM = build_filter(RULES)
ALWAYS = {rule.number for rule in RULES if not rule.alternatives}
CONDITIONAL = {rule.number for rule in RULES if rule.alternatives}


def run_filter(program: bytes, number: int, arguments=(), *, arch=X86_64) -> int:
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


def verdict(number: int, *arguments: int) -> int:
    return run_filter(PROGRAM, number, arguments)


def test_every_call_of_the_table_without_conditions_is_allowed():
    assert {number for number in ALWAYS if verdict(number) != ALLOW} == set()


@given(st.integers(0, 0x3FFFFFFF), st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6))
def test_a_call_outside_of_the_table_is_refused_whatever_its_arguments(number, arguments):
    if number in ALWAYS | CONDITIONAL:
        return
    assert verdict(number, *arguments) == (ENOSYS if number == 435 else EPERM)


def test_all_numbers_the_kernel_knows_are_decided_by_the_table():
    allowed = {number for number in range(600) if verdict(number) == ALLOW} - CONDITIONAL
    assert allowed == ALWAYS


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_another_architecture_ends_the_process(arch, number):
    if arch != X86_64:
        assert run_filter(PROGRAM, number, arch=arch) == KILL


@given(st.integers(0x40000000, 2**32 - 1))
def test_a_number_of_the_x32_abi_ends_the_process(number):
    assert verdict(number) == KILL


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("clone for a thread", (56, 0x3D0F00)),
        ("clone for a thread of musl", (56, 0x7D0F00)),
        ("stream pair", (53, 1, 1 | 0o2000000)),
        ("signal to itself", (234, OWN_PID, 12, 6)),
        ("read own limits", (302, 0, 7, 0)),
        ("set non-blocking", (16, 5, 0x5421)),
        ("duplicate above", (72, 5, 1030, 10)),
        ("send on a connection", (44, 3, 0x1000, 8, 0, 0)),
    ],
)
def test_what_python_needs_is_allowed(call, arguments):
    assert verdict(*arguments) == ALLOW, call


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("fork by clone", (56, 17)),
        ("new user namespace", (56, 0x10000011)),
        ("thread that is also a namespace", (56, 0x3D0F00 | 0x10000000)),
        ("thread flags in the high half", (56, 0x3D0F00 | 1 << 40)),
        ("datagram pair", (53, 1, 2)),
        ("internet pair", (53, 2, 1)),
        ("signal to another process", (234, OWN_PID + 1, 12, 6)),
        ("set own limits", (302, 0, 7, 0x7FFF00000000)),
        ("set own limits, low half zero", (302, 0, 7, 1 << 32)),
        ("read limits of another", (302, 1, 7, 0)),
        ("inject terminal input", (16, 0, 0x5412)),
        ("owner of signals by ioctl", (16, 5, 0x8901)),
        ("owner of signals", (72, 5, 8, 1)),
        ("signal of an owner", (72, 5, 10, 9)),
        ("extended owner", (72, 5, 15, 0x1000)),
        ("send to an address", (44, 3, 0x1000, 8, 0, 0x2000)),
        ("send to an address, low half zero", (44, 3, 0x1000, 8, 0, 1 << 33)),
        ("clear no_new_privs", (157, 38, 0)),
        ("make dumpable", (157, 4, 1)),
    ],
)
def test_conditions_on_arguments_refuse_the_dangerous_form(call, arguments):
    assert verdict(*arguments) == EPERM, call


@pytest.mark.promise("sandbox.network")
@pytest.mark.parametrize(
    "number",
    [
        41,
        42,
        49,
        57,
        58,
        59,
        62,
        101,
        155,
        161,
        165,
        166,
        175,
        200,
        250,
        272,
        298,
        304,
        308,
        310,
        311,
        317,
        319,
        321,
        322,
        323,
        425,
        426,
        434,
        438,
    ],
)
def test_calls_that_reach_others_are_not_in_any_table(number):
    assert number not in {rule.number for rule in RULES}


def test_without_files_no_path_can_be_named():
    program = build_filter(build_rules(own_pid=1, read_files=False, write_files=False))
    for rule in (*FILES_READ, *FILES_WRITE):
        assert run_filter(program, rule.number) == EPERM, rule.name


def test_with_read_access_nothing_of_a_file_can_be_changed():
    program = build_filter(build_rules(own_pid=1, read_files=True, write_files=False))
    for rule in FILES_WRITE:
        assert run_filter(program, rule.number) == EPERM, rule.name
    assert run_filter(program, 257) == ALLOW


def test_no_number_stands_twice():
    numbers = [rule.number for rule in RULES]
    assert len(numbers) == len(set(numbers))


def test_every_jump_stays_inside_the_program():
    steps = list(struct.iter_unpack("HBBI", PROGRAM))
    for position, (code, on_true, on_false, _value) in enumerate(steps):
        if code in (0x15, 0x35):
            assert position + 1 + max(on_true, on_false) < len(steps)
    assert steps[-1][0] == 0x06


def test_the_filter_is_the_reviewed_one():
    """A change of the table is a decision: read the difference, then put the new digest here."""
    listed = "\n".join(repr(tuple(rule)) for rule in (*BASE, *FILES_READ, *FILES_WRITE))
    assert hashlib.sha256(listed.encode()).hexdigest()[:16] == "086e3e3dd0075d84"
    assert hashlib.sha256(PROGRAM).hexdigest()[:16] == "a95fd289dce4d4c6"
