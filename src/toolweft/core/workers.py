"""The port to the cheap models that answer inside programs."""

from dataclasses import dataclass
from typing import Protocol

from toolweft.core.calls import Principal
from toolweft.core.countdown import Countdown
from toolweft.core.ids import RunId
from toolweft.core.json import Json, JsonSchema

__all__ = ("WorkerRequest", "Workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRequest:
    """One question of a program to a cheap model; its text is a stranger's."""

    prompt: str
    # What the answer has to fit; None for free text.
    schema: JsonSchema | None
    # None where no program asks.
    run_id: RunId | None
    principal: Principal
    # What the run has left; held by whoever waits for a person meanwhile.
    countdown: Countdown


class Workers(Protocol):
    """Answers the questions of programs."""

    async def answer(self, request: WorkerRequest) -> Json:
        """A text, or with a schema the value that fits it.

        Raises:
            ToolweftError: no worker answered, or the budget is spent; the program can act on it.
        """
        ...
