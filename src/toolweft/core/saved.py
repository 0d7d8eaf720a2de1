"""A program that is kept as a tool, as data, and the ports round it.

Programs make and run them, stores keep them, and the source `saved` lists them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from toolweft.core.calls import ToolCall
from toolweft.core.ids import QualifiedName, RunId, SourceName
from toolweft.core.journal import JournalRun
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.programs import ProgramOutcome
from toolweft.core.tools import Severity

__all__ = (
    "SAVED_SOURCE",
    "RunSaved",
    "SavedParameter",
    "SavedProgram",
    "SavedStore",
)

# The source that lists them, so the namespace they are called under.
SAVED_SOURCE: Final = SourceName("saved")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedParameter:
    """A constant of a program that its callers may choose."""

    name: str
    # As the program's text has it: `CITY`.
    constant: str
    # The value the program was saved with.
    default: Json
    schema: JsonSchema
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedProgram:
    """One version of a kept program."""

    name: str
    # From 1; 0 before it was stored.
    version: int
    description: str
    code: str
    parameters: tuple[SavedParameter, ...]
    output_schema: JsonSchema
    # What its callers get: the last expression's value, or what it printed.
    returns: Literal["value", "text"]
    severity: Severity
    # Tools without which it is of no use.
    needs: tuple[QualifiedName, ...]
    environment: str | None
    timeout_s: float
    run_id: RunId
    saved_at: datetime

    def input_schema(self) -> JsonSchema:
        """The parameters as a tool's input schema; all have defaults."""
        properties: JsonObject = {}
        for parameter in self.parameters:
            properties[parameter.name] = {**parameter.schema, "default": parameter.default}
            if parameter.description:
                properties[parameter.name]["description"] = parameter.description
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def to_dict(self) -> dict[str, Json]:
        """Everything but the code, as plain JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "parameters": [
                {
                    "name": parameter.name,
                    "constant": parameter.constant,
                    "default": parameter.default,
                    "schema": parameter.schema,
                    "description": parameter.description,
                }
                for parameter in self.parameters
            ],
            "output_schema": self.output_schema,
            "returns": self.returns,
            "severity": self.severity,
            "needs": list(self.needs),
            "environment": self.environment,
            "timeout_s": self.timeout_s,
            "run_id": self.run_id,
            "saved_at": self.saved_at.isoformat(),
        }


class SavedStore(Protocol):
    """Keeps programs with the run each came from."""

    async def add(self, program: SavedProgram, run: JournalRun) -> SavedProgram:
        """Keep a program as the next version of its name; older ones stay.

        Raises:
            StorageFull: it cannot be written.
        """
        ...

    async def latest(self) -> Sequence[SavedProgram]:
        """The newest version of each, by name."""
        ...

    async def find(self, name: str, *, version: int | None = None) -> SavedProgram:
        """One version; None for the newest.

        Raises:
            ToolNotFound: there is none.
        """
        ...

    async def versions(self, name: str) -> Sequence[int]:
        """The versions of a program, oldest first; raises as `find`."""
        ...

    async def load_run(self, program: SavedProgram) -> JournalRun:
        """The run that a version came from; raises as `find`."""
        ...

    async def remove(self, name: str, *, version: int | None = None) -> None:
        """Forget one version, or all; raises as `find`."""
        ...

    async def stamp(self) -> str:
        """A text that changes whenever a program comes, goes or changes."""
        ...


# Runs a program with the arguments of a call, on behalf of whoever made it; raises as
# `ProgramRunner.run`, and where programs call one another too deep.
RunSaved: TypeAlias = Callable[[SavedProgram, ToolCall], Awaitable[ProgramOutcome]]
