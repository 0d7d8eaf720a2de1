"""From what the host saw to an outcome."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.programs import SESSION_LIMITS, ProgramError, ProgramLimits, ProgramStats
from toolweft.sandbox.channel import CLOSED, Channel, frames_of_run
from toolweft.sandbox.ending import crash_outcome, parse_report
from toolweft.sandbox.guest.wire import Frame, FrameError, FrameKind, encode_frame
from toolweft.sandbox.limits import explain_limit, limit_error
from toolweft.sandbox.meter import Meter
from toolweft.testing import FakeClock

LIMITS = ProgramLimits()
GOOD = {"status": "ok", "limit": None, "characters": 3, "value_bytes": 1, "is_reusable": True}


def report(body=b"1", **changes):
    return parse_report(Frame(FrameKind.DONE, 0, {**GOOD, **changes}, body), limits=LIMITS)


def test_a_good_report_is_read():
    read = report()
    assert (read.status, read.value, read.characters, read.error) == ("ok", b"1", 3, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "fine"},
        {"status": None},
        {"status": ["ok"]},
        {"limit": "patience"},
        {"limit": "cpu"},
        {"status": "limit"},
        {"value_bytes": 2},
        {"value_bytes": -1},
        {"value_bytes": True},
        {"characters": -1},
        {"characters": "3"},
    ],
)
def test_a_report_that_makes_no_sense_is_refused(changes):
    with pytest.raises(FrameError):
        report(**changes)


@pytest.mark.parametrize("text", [b"{", b"[1]", b"[" * 5000, b"\xff"])
def test_an_error_that_cannot_be_read_is_refused(text):
    with pytest.raises(FrameError, match="unreadable"):
        report(b"1" + text)


def test_an_error_s_fields_are_taken_only_as_what_they_should_be():
    error = report(b'1{"type": 7, "message": "m\\ud800", "line": true, "hint": ["x"]}').error
    assert (error.type, error.message, error.line, error.hint) == ("Exception", "m?", None, None)
    assert report(b'1{"line": 3, "type": "E"}').error.line == 3


@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), st.none() | st.integers() | st.text()))
def test_any_head_is_read_or_refused(head):
    with suppress(FrameError):
        parse_report(Frame(FrameKind.DONE, 0, head, b""), limits=LIMITS)


@pytest.mark.parametrize(
    ("status", "killed", "fault", "expected", "text"),
    [
        (11, False, "", "crashed", "SIGSEGV"),
        (-11, False, "", "crashed", "SIGSEGV"),
        (-9, False, "", "limit", "memory limit"),
        (-9, True, "bad frame", "crashed", "broke its channel to the host: bad frame"),
        (-9, True, "", "crashed", "ended by signal 9"),
        (0, False, "", "crashed", "ended its process with status 0"),
        (-31, False, "", "crashed", "ended by signal 31"),
    ],
)
def test_an_exit_status_tells_crashes_from_exhausted_memory(status, killed, fault, expected, text):
    outcome = crash_outcome(
        exit_status=status,
        was_killed=killed,
        fault=fault,
        stdout="x",
        stats=ProgramStats(),
        limits=LIMITS,
    )
    assert outcome.status == expected
    assert text in outcome.error.message
    assert outcome.stdout_characters == 1


def test_a_stopped_run_names_its_limit_and_the_program_s_line():
    reported = report(b'1{"line": 3, "type": "Stop", "traceback": "t"}').error
    error = limit_error("wall", LIMITS, reported)
    assert "longer than 300 s" in error.message
    assert (error.line, error.traceback) == (3, "t")
    assert limit_error("calls", LIMITS, None).line is None


def test_a_limit_met_inside_gets_its_value_and_what_raises_it_once():
    bare = ProgramError(type="OSError", message="No space left", hint="delete files")
    told = explain_limit("disk", LIMITS, bare)
    assert told.message == "No space left (the limit is 64 MiB)"
    assert told.hint == "delete files; limits.disk_bytes raises it"
    assert explain_limit("disk", LIMITS, told).message == told.message
    odd = explain_limit("memory", replace(LIMITS, memory_bytes=1_500_000), bare)
    assert "1,500,000 bytes" in odd.message
    assert explain_limit("recursion", LIMITS, bare) is bare


RAISED_BY = {
    "memory": "limits.memory_bytes",
    "cpu": "limits.active_s",
    "wall": "limits.wall_s",
    "output": "limits.max_output_characters",
    "calls": "limits.max_calls",
    "recursion": "a loop instead",
    "files": "limits.max_files",
    "disk": "limits.disk_bytes",
    "threads": "limits.max_threads",
    "arguments": "limits.max_argument_bytes",
    "result": "limits.max_value_bytes",
    "parser": "split",
}


@pytest.mark.parametrize("text", [b"", b"{}", b'{"type": "E", "message": "", "line": 3}'])
@pytest.mark.parametrize("limit", sorted(SESSION_LIMITS))
def test_a_limit_that_a_guest_only_names_is_explained_by_the_host(limit, text):
    read = report(b"1" + text, status="limit", limit=limit)
    assert (read.status, read.limit) == ("limit", limit)
    assert " limit: " in read.error.message
    assert RAISED_BY[limit] in read.error.hint
    assert read.error.line == (3 if b"line" in text else None)


def test_a_guest_knows_nothing_of_what_all_containers_hold():
    with pytest.raises(FrameError, match="unknown status"):
        report(status="limit", limit="total_memory")


def test_active_time_leaves_out_what_was_only_waited_for():
    clock, cpu = FakeClock(), [0.0]
    meter = Meter(clock=clock, cpu_s=lambda: cpu[0], limit_s=60)
    clock.advance(1)
    cpu[0] = 1.0
    meter.call_started()
    meter.call_started()
    clock.advance(10)
    cpu[0] = 3.0
    meter.call_ended()
    meter.call_ended()
    clock.advance(1)
    stats = meter.stats(peak_mem_bytes=7)
    assert (stats.wall_s, stats.cpu_s, stats.peak_mem_bytes) == (12, 3, 7)
    # One second before, two of its own while it waited, one after.
    assert stats.active_s == 4
    meter.call_started()
    clock.advance(5)
    assert meter.stats(peak_mem_bytes=0).active_s == 4


def test_time_for_a_person_is_told_apart():
    clock, cpu = FakeClock(), [0.0]
    meter = Meter(clock=clock, cpu_s=lambda: cpu[0], limit_s=60)
    clock.advance(1)
    cpu[0] = 1.0
    meter.call_started()
    clock.advance(2)
    with meter.countdown.hold():
        clock.advance(100)
        # It computed beside the call that asked.
        cpu[0] = 4.0
    clock.advance(3)
    meter.call_ended()
    clock.advance(1)
    stats = meter.stats(peak_mem_bytes=0)
    assert (stats.wall_s, stats.held_s, stats.cpu_s) == (7, 100, 4)
    # All but the five seconds with the call, of which it computed three.
    assert stats.active_s == 5
    assert meter.countdown.left_s() == 53


class Receiver:
    def __init__(self):
        self.frames, self.lost = [], 0

    def frame_received(self, frame):
        self.frames.append(frame)

    def channel_lost(self):
        self.lost += 1


async def test_a_channel_without_connection_sends_nothing_and_closes_once():
    receiver = Receiver()
    channel = Channel(receiver)
    assert channel.send(FrameKind.RUN) == 0
    channel.pause_reading()
    channel.resume_reading()
    channel.close()
    channel.break_off("again")
    channel.connection_lost(None)
    assert (receiver.lost, channel.fault) == (1, "closed by the host")


def test_a_container_that_was_closed_is_not_put_down_to_its_program():
    outcome = crash_outcome(
        exit_status=0,
        was_killed=False,
        fault=CLOSED,
        stdout="",
        stats=ProgramStats(),
        limits=LIMITS,
    )
    assert (outcome.status, outcome.limit) == ("cancelled", None)
    assert outcome.error.message == "the run was stopped: its container was closed"


async def test_a_frame_outside_of_a_run_breaks_the_channel():
    channel = Channel(Receiver())
    channel.attach(Receiver(), frames_of_run(LIMITS))
    channel.detach()
    channel.data_received(encode_frame(FrameKind.OUTPUT, body=b"late"))
    assert "not expected" in channel.fault
    nobody = Channel(Receiver())
    nobody._receiver = None
    nobody.data_received(encode_frame(FrameKind.READY))
    assert nobody.fault == "READY frame outside of a run"


def test_media_stand_between_the_value_and_the_error():
    media = [["image/png", 3], ["audio/wav", 0]]
    read = report(b"1png", media=media)
    assert [(blob.media_type, blob.data) for blob in read.media] == [
        ("image/png", b"png"),
        ("audio/wav", b""),
    ]
    assert (read.value, read.error) == (b"1", None)


@pytest.mark.parametrize(
    "media",
    [
        {},
        "x",
        [["image/png"]],
        [["image/png", 4]],
        [["image/png", -1]],
        [["image/png", True]],
        [["image/png", 2], ["image/png", 2]],
        [["text/html", 1]],
        [["image/\n", 1]],
        [[None, 1]],
        ["ab"],
        [["image/png", 0]] * 17,
    ],
)
def test_media_that_make_no_sense_are_refused(media):
    with pytest.raises(FrameError):
        report(b"1png", media=media)


def test_media_without_a_value_are_refused():
    with pytest.raises(FrameError, match="no value"):
        report(b"1png", status="error", media=[["image/png", 3]])


@pytest.mark.parametrize("line", [0, -1, True, 10**4000, "3"])
def test_a_line_that_no_program_has_is_none(line):
    assert report(b"1" + json.dumps({"type": "E", "line": line}).encode()).error.line is None


def test_the_output_limit_says_what_to_do_in_the_host_s_words():
    text = b'{"type": "Stop", "message": "output limit", "line": 3}'
    error = report(b"1" + text, status="limit", limit="output").error
    assert (error.type, error.line) == ("LimitExceeded", 3)
    assert "more than 10,000,000 characters" in error.message
    assert "limits.max_output_characters raises it" in error.hint


@pytest.mark.parametrize(
    ("code", "status"), [("", "ok"), ("0", "ok"), ("1", "error"), ("'0'", "error")]
)
def test_a_program_that_exits_without_fault_is_done(code, status):
    message = f"the program called sys.exit({code})"
    text = json.dumps({"type": "SystemExit", "message": message}).encode()
    read = report(b"1" + text, status="error")
    assert (read.status, read.error is None) == (status, status == "ok")
