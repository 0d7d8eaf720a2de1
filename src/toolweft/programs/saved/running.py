"""Runs saved programs on behalf of whoever calls them.

Each run is a run like any other: its own fresh container, its calls on the one road. Programs that
call one another have a depth and, below one call from outside, one budget of calls.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import anyio

from toolweft.core.calls import Failure, ToolCall
from toolweft.core.countdown import Countdown
from toolweft.core.errors import CallDenied, SandboxError
from toolweft.core.ids import RunId
from toolweft.core.ports import GuestCall, GuestCallHandler, GuestReply
from toolweft.core.programs import ProgramOutcome
from toolweft.core.saved import SavedProgram
from toolweft.programs.runner import ProgramRunner
from toolweft.programs.runs import Run
from toolweft.programs.saved.constants import fill_constants

__all__ = ("SavedRunner",)

# Runs whose budgets are remembered; one that is forgotten begins a new one.
_MAX_BUDGETS: Final = 1_024
_CLOSE_S: Final = 5.0
# The call's own deadline ends it first, and says so better.
_GRACE_S: Final = 1.0


@dataclass(slots=True, eq=False)
class _Budget:
    """Calls left to all saved programs below one run."""

    left: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run of a saved program stands among those that called it."""

    depth: int
    budget: _Budget


class SavedRunner:
    """Runs saved programs.

    Args:
        runner: already entered.
        max_depth: how deep they may call one another.
    """

    def __init__(self, runner: ProgramRunner, *, max_depth: int) -> None:
        self._runner = runner
        self._max_depth = max_depth
        # Of runs that are going.
        self._places: dict[RunId, _Place] = {}
        # Of programs that are not saved, by run.
        self._budgets: OrderedDict[RunId, _Budget] = OrderedDict()

    async def run(self, program: SavedProgram, call: ToolCall) -> ProgramOutcome:
        """Run a program with the arguments of a call, on behalf of its principal.

        Raises:
            CallDenied: programs call one another too deep.
            InvalidArguments: an argument is no JSON.
            ToolweftError: it never began; as `ProgramRunner.run`.
        """
        place = self._place_of(call, program)
        limits = self._runner.options.limits
        left_s = call.countdown.left_s()
        begun: list[Run] = []

        def watch(run: Run, answer: GuestCallHandler) -> GuestCallHandler:
            begun.append(run)
            self._places[run.id] = place
            return _within(place.budget, answer, call.countdown)

        try:
            return await self._runner.run(
                fill_constants(program.code, program.parameters, call.arguments),
                principal=call.principal,
                environment=program.environment,
                limits=replace(limits, wall_s=min(limits.wall_s, max(left_s, 0.0) + _GRACE_S)),
                watch=watch,
                client=call.client,
            )
        finally:
            for run in begun:
                del self._places[run.id]
                await self._close(run)

    def _place_of(self, call: ToolCall, program: SavedProgram) -> _Place:
        caller = call.caller.program_id
        above = None if caller is None else self._places.get(caller)
        if above is not None:
            if above.depth >= self._max_depth:
                raise CallDenied(
                    f"saved.{program.name} was not run: saved programs call one another"
                    f" {self._max_depth} deep already",
                    hint="call fewer inside one another, or raise saved.max_depth",
                )
            return _Place(above.depth + 1, above.budget)
        if caller is None:
            return _Place(1, self._new_budget())
        budget = self._budgets.pop(caller, None) or self._new_budget()
        self._budgets[caller] = budget
        while len(self._budgets) > _MAX_BUDGETS:
            self._budgets.popitem(last=False)
        return _Place(1, budget)

    def _new_budget(self) -> _Budget:
        return _Budget(self._runner.options.limits.max_calls)

    async def _close(self, run: Run) -> None:
        """End its container, which nobody can go on in: the id is told to nobody."""
        if run.container is None:
            return
        with anyio.move_on_after(_CLOSE_S, shield=True), suppress(SandboxError):
            await self._runner.close_container(run.container.id, principal=run.principal)


def _within(budget: _Budget, answer: GuestCallHandler, outer: Countdown) -> GuestCallHandler:
    """The handler for as many calls as are left; whoever holds one holds the outer call too."""

    async def answer_within(call: GuestCall) -> GuestReply:
        if budget.left <= 0:
            return GuestReply(
                failure=Failure(
                    code="denied",
                    message="the saved programs below one run have made all the calls they may",
                    hint="limits.max_calls is that number; do less at once, or raise it",
                )
            )
        budget.left -= 1
        return await answer(replace(call, countdown=call.countdown.beside(outer)))

    return answer_within
