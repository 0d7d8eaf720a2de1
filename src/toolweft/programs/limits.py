"""Limits of runs: what may be asked for, and what is said of one that was reached. Pure.

Backends stop a program and name the limit. Here its value and the key that raises it come to that,
in the same words for all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Final

from toolweft.core.errors import InvalidArguments
from toolweft.core.programs import (
    LIMIT_CEILINGS,
    LimitName,
    ProgramError,
    ProgramLimits,
    ProgramOutcome,
)

__all__ = ("KEYS", "check_limits", "explain_limit")

# The fields of `ProgramLimits` behind the names; Python's own depth of recursion is none of them.
KEYS: Final[Mapping[LimitName, str]] = {
    "memory": "memory_bytes",
    "cpu": "active_s",
    "wall": "wall_s",
    "output": "max_output_characters",
    "calls": "max_calls",
    "files": "max_files",
    "disk": "disk_bytes",
    "threads": "max_threads",
    "arguments": "max_argument_bytes",
    "result": "max_result_bytes",
}
# One name, two limits: told apart by the error.
_KEYS_BY_TYPE: Final = {"ValueTooLarge": "max_value_bytes", "ProgramTooLong": "max_code_bytes"}
# These hold for a container, from its first run on.
_OF_CONTAINER: Final = frozenset({"memory_bytes", "disk_bytes", "max_files", "max_threads"})
# Without any of these no program could end, or begin.
_ABOVE_ZERO: Final = frozenset({"memory_bytes", "active_s", "wall_s", "max_in_flight"})
_UNITS: Final = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def check_limits(limits: ProgramLimits) -> None:
    """Check the limits that somebody asks for one run.

    Raises:
        InvalidArguments: one is no number, below what makes sense, or above its ceiling.
    """
    for field in fields(limits):
        name, value = field.name, getattr(limits, field.name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise InvalidArguments(
                f"limits.{name} is {value!r:.80}, which is no number from 0 on",
                hint=f"leave {name} out for its default, or give ProgramLimits({name}=…) a number",
            )
        if value == 0 and name in _ABOVE_ZERO:
            raise InvalidArguments(
                f"limits.{name} is 0, and with that no program can run",
                hint=f"leave {name} out for its default",
            )
        ceiling = LIMIT_CEILINGS.get(name)
        if ceiling is not None and value > ceiling:
            shown, most = _render(name, value), _render(name, ceiling)
            raise InvalidArguments(
                f"limits.{name} is {shown}, above its ceiling of {most}",
                hint=f"give ProgramLimits({name}=…) {most} or less",
            )


def explain_limit(
    outcome: ProgramOutcome, *, run: ProgramLimits, container: ProgramLimits | None = None
) -> ProgramOutcome:
    """The outcome, where a limit ended it with its value and the key that raises it.

    Args:
        outcome: of any kind.
        run: the limits of the run.
        container: those it was opened with; None where there is no container.
    """
    error = outcome.error
    if outcome.limit is None or error is None:
        return outcome
    name = _KEYS_BY_TYPE.get(error.type) or KEYS.get(outcome.limit)
    # Whoever refused it may have named another key, of the road or of a tool.
    if name is None or "limits." in (error.hint or "") or "calls." in (error.hint or ""):
        return outcome
    source = container if container is not None and name in _OF_CONTAINER else run
    return replace(outcome, error=_with_key(error, name, getattr(source, name)))


def _with_key(error: ProgramError, name: str, value: float) -> ProgramError:
    ceiling = LIMIT_CEILINGS.get(name)
    how = "raise it for more"
    if ceiling is not None:
        how = f"raise it for more, up to {_render(name, ceiling)}"
        if value >= ceiling:
            how = "there may be no more"
    said = f"limits.{name} is {_render(name, value)}: {how}"
    return replace(error, hint=f"{error.hint}; {said}" if error.hint else said)


def _render(name: str, value: float) -> str:
    if name.endswith("_s"):
        return f"{value:g} s"
    if not name.endswith("_bytes"):
        return f"{value:,}"
    for unit, factor in _UNITS:
        if value and value % factor == 0:
            return f"{value // factor} {unit}"
    return f"{value:,} bytes"
