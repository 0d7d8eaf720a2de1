"""From a recorded run to a program that can be called. Pure.

What its callers may choose are its constants; what it returns is told from what it returned; how
severe it is, from the worst tool it called or can be seen to call.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from keyword import iskeyword
from typing import Final

from toolweft.core.errors import InvalidArguments, RunNotReplayable
from toolweft.core.ids import QualifiedName
from toolweft.core.journal import JournalCall, JournalRun
from toolweft.core.json import Json, JsonSchema, decode_json
from toolweft.core.saved import SavedParameter, SavedProgram
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import SEVERITIES, Severity
from toolweft.programs.replay import check_replayable
from toolweft.programs.saved.constants import Constant, find_constants, one_kind_of_line
from toolweft.programs.saved.reach import Reach, find_reach
from toolweft.programs.saved.schemas import schema_of

__all__ = ("SaveRequest", "build_saved", "check_saved_name")

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_MIN_TIMEOUT_S: Final = 60.0
# Another time the same program may have more to do.
_SLOWER: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRequest:
    """What whoever saves a program decides."""

    name: str
    # None: the program's docstring.
    description: str | None = None
    # Parameter -> constant; None for every constant in capitals, in lower case.
    parameters: Mapping[str, str] | None = None


def build_saved(
    run: JournalRun, request: SaveRequest, *, snapshot: Snapshot, now: datetime
) -> SavedProgram:
    """The program of a run, not yet stored.

    Args:
        run: as the journal has it.
        request: name, description, parameters.
        snapshot: knows the tools that the program names.
        now: for its record.

    Raises:
        RunNotReplayable: the run did not end well, or the journal has not all of it.
        InvalidArguments: a name, the description or a parameter cannot be as asked.
    """
    check_saved_name(request.name)
    check_replayable(run)
    if run.status != "ok":
        raise RunNotReplayable(
            f"run {run.run_id} ended as {run.status}; only one that ended as ok can be saved",
            hint="mend the program and run it again",
        )
    if any(call.name == "worker" for call in run.calls):
        raise RunNotReplayable(
            f"run {run.run_id} asked workers, which saved programs do not have",
            hint="save a program that calls tools alone",
        )
    if run.value_is_repr:
        raise RunNotReplayable(
            f"the value of run {run.run_id} is no JSON: {run.value.decode(errors='replace')[:80]}",
            hint="end the program with plain data, or with nothing, and run it again",
        )
    code = one_kind_of_line(run.code)
    value = decode_json(run.value.decode("utf-8", "replace")) if run.value else None
    reach = find_reach(code, snapshot)
    calls = [call for call in run.calls if call.tool is not None and not _was_denied(call)]
    needs = sorted(_needs(calls, reach, snapshot))
    return SavedProgram(
        name=request.name,
        version=0,
        description=_description(code, request),
        code=code,
        parameters=_parameters(code, request),
        output_schema={"type": "string"} if value is None else _output_schema(code, value),
        returns="text" if value is None else "value",
        severity=_severity(calls, needs, reach, snapshot),
        needs=tuple(needs),
        environment=run.environment,
        timeout_s=min(run.limits.wall_s, max(_MIN_TIMEOUT_S, float(round(_SLOWER * run.wall_s)))),
        run_id=run.run_id,
        saved_at=now,
    )


def check_saved_name(name: str) -> None:
    """Check that a program may be named so.

    Raises:
        InvalidArguments: it may not.
    """
    if not _NAME.match(name) or iskeyword(name):
        raise InvalidArguments(
            f"a saved program cannot be named {name!r:.60}",
            hint="use lower-case letters, digits and _, at most 40, a letter first: count_rain",
        )


def _output_schema(code: str, value: Json) -> JsonSchema:
    schema = schema_of(value)
    last = ast.parse(code).body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Dict) and "properties" in schema:
        # Written out at the end, so always there.
        written = {key.value for key in last.value.keys if isinstance(key, ast.Constant)}
        schema["required"] = [key for key in schema["properties"] if key in written]
    return schema


def _description(code: str, request: SaveRequest) -> str:
    said = request.description
    if said is None:
        said = ast.get_docstring(ast.parse(code)) or ""
    if not said.strip():
        raise InvalidArguments(
            f"{request.name!r} has no description, and searches find tools by theirs",
            hint="say what it does with --description (description=...), or begin the program"
            " with a docstring",
        )
    return said.strip()


def _parameters(code: str, request: SaveRequest) -> tuple[SavedParameter, ...]:
    constants = {constant.name: constant for constant in find_constants(code)}
    if request.parameters is None:
        chosen = {name.lower(): name for name in constants if name.isupper()}
    else:
        chosen = dict(request.parameters)
    return tuple(_parameter(name, place, constants) for name, place in chosen.items())


def _parameter(name: str, constant: str, constants: Mapping[str, Constant]) -> SavedParameter:
    if not name.isidentifier() or iskeyword(name):
        raise InvalidArguments(
            f"a parameter cannot be named {name!r:.60}", hint="use a name as Python has them"
        )
    found = constants.get(constant)
    if found is None:
        listed = ", ".join(constants) or "none"
        raise InvalidArguments(
            f"the program has no constant {constant!r:.60} to be the parameter {name!r}",
            hint="a constant is bound once, at the top level, to a literal of JSON's kinds;"
            f" this program has: {listed}",
        )
    return SavedParameter(
        name=name,
        constant=constant,
        default=found.value,
        schema=schema_of(found.value),
        description=found.comment,
    )


def _needs(calls: Iterable[JournalCall], reach: Reach, snapshot: Snapshot) -> set[QualifiedName]:
    """Tools that it called, or names and may call."""
    called = {call.tool for call in calls if call.tool is not None}
    return called | {name for name in reach.named if "programmatic" in snapshot.tools[name].callers}


def _was_denied(call: JournalCall) -> bool:
    failure = None if call.reply is None else call.reply.failure
    return failure is not None and failure.code == "denied"


def _severity(
    calls: Iterable[JournalCall], needs: Iterable[QualifiedName], reach: Reach, snapshot: Snapshot
) -> Severity:
    if reach.is_open:
        # It chooses while it runs, so nothing better can be promised.
        return "destructive"
    known = [call.severity for call in calls if call.severity is not None]
    known += [tool.severity for name in needs if (tool := snapshot.tools.get(name)) is not None]
    return max(known, key=SEVERITIES.index, default="read_only")
