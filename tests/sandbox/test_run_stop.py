"""How the host waits for a run that it stops."""

import anyio
from tests.sandbox.test_frame_floods import IdleProcess, Nobody, no_call

from toolweft.core.ports import GuestNames
from toolweft.core.programs import ProgramError, ProgramLimits
from toolweft.sandbox.channel import Channel
from toolweft.sandbox.run import ActiveRun
from toolweft.testing import FakeClock

FOREIGN = ProgramError(type="LimitError", message="all sessions together use too much")


class CountingChannel(Channel):
    """Counts how often somebody asks whether it is open."""

    asked = 0

    @property
    def is_open(self) -> bool:
        self.asked += 1
        return super().is_open


class StoppedAgain(IdleProcess):
    """Is told to end at once while it is given its moment of grace."""

    run: ActiveRun

    def interrupt(self) -> None:
        self.run.stop("memory", FOREIGN)

    def kill(self) -> None:
        self.run._channel.close()


async def test_a_second_stop_while_the_first_is_under_way_does_not_keep_the_host_busy() -> None:
    channel, process = CountingChannel(Nobody()), StoppedAgain()
    process.run = ActiveRun(
        child=process,
        channel=channel,
        clock=FakeClock(),
        limits=ProgramLimits(),
        on_call=no_call,
        on_output=None,
    )
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.run.execute, b"", GuestNames())
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert not process.run._channel.is_open
    # A handful of times; thousands where it is asked without waiting.
    assert channel.asked < 50
