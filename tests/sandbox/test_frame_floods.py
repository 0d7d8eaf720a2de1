"""Frames that cost the host work and are counted by no limit end the run."""

from collections.abc import Callable

import pytest

from toolweft.core.ports import GuestCall, GuestReply
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.channel import Channel
from toolweft.sandbox.guest.wire import Frame, FrameError, FrameKind
from toolweft.sandbox.run import ActiveRun
from toolweft.testing import FakeClock


class IdleProcess:
    def interrupt(self) -> None: ...

    def kill(self) -> None: ...

    def cpu_s(self) -> float:
        return 0.0

    def limit_cpu(self, budget_s: float) -> None: ...


class Nobody:
    def frame_received(self, frame: Frame) -> None: ...

    def channel_lost(self) -> None: ...


async def no_call(call: GuestCall) -> GuestReply:
    raise AssertionError(call)


def make_run(on_output: Callable[[str], None] | None = None) -> ActiveRun:
    return ActiveRun(
        child=IdleProcess(),
        channel=Channel(Nobody()),
        clock=FakeClock(),
        limits=ProgramLimits(),
        on_call=no_call,
        on_output=on_output,
    )


def test_an_output_frame_without_text_is_refused() -> None:
    heard: list[str] = []
    run = make_run(heard.append)
    run.frame_received(Frame(FrameKind.OUTPUT, 0, {}, b"a"))
    with pytest.raises(FrameError, match="without text"):
        run.frame_received(Frame(FrameKind.OUTPUT, 0, {}, b""))
    assert heard == ["a"]


def test_the_output_limit_is_passed_once() -> None:
    run = make_run()
    run.frame_received(Frame(FrameKind.OUTPUT_OVER, 0, {}, b""))
    with pytest.raises(FrameError, match="more than once"):
        run.frame_received(Frame(FrameKind.OUTPUT_OVER, 0, {}, b""))


def test_no_more_calls_can_be_given_up_than_were_made() -> None:
    with pytest.raises(FrameError, match="given up"):
        make_run().frame_received(Frame(FrameKind.CANCEL, 1, {}, b""))
