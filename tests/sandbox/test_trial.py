"""What a dry run makes of sessions that a limit ended."""

import pytest

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import SandboxOutcome
from toolweft.core.programs import ProgramStats
from toolweft.sandbox.trial import try_limits

LIMITS = {
    "pass": "cpu",
    "Future": "wall",
    "print": "output",
    "probe": "calls",
    "bytearray": "memory",
}


class BusySession:
    """Meets each limit, and is ended by the first of its kind that a busy machine notices late."""

    def __init__(self, ended_by: str) -> None:
        self.is_alive = True
        self.is_closed = False
        self._ended_by = ended_by

    async def run(self, code, **_options):
        assert self.is_alive, "nobody runs a program in a session that has ended"
        if code.startswith(("[", "import sched")):
            return SandboxOutcome(status="ok", value=b"[1,2]", stats=ProgramStats())
        limit = next(name for word, name in LIMITS.items() if word in code)
        self.is_alive = limit != self._ended_by
        return SandboxOutcome(status="limit", limit=limit, stats=ProgramStats())

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("limit", ["cpu", "wall", "output", "calls"])
async def test_a_limit_that_ends_its_session_is_a_limit_that_holds(limit):
    opened = []

    async def open_next():
        opened.append(BusySession(""))
        return opened[-1]

    await try_limits(BusySession(limit), imports=True, open_next=open_next)
    assert [session.is_closed for session in opened] == [True]


async def test_a_limit_that_is_not_met_does_not_hold():
    class Unlimited(BusySession):
        async def run(self, code, **options):
            outcome = await super().run(code, **options)
            if outcome.limit == "calls":
                return SandboxOutcome(status="ok", stats=ProgramStats())
            return outcome

    with pytest.raises(SandboxUnavailable, match="the calls limit does not hold"):
        await try_limits(Unlimited(""), imports=False)
