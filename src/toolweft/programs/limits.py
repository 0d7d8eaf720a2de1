"""What limits may be asked for one run. Pure."""

import math
from dataclasses import fields
from typing import Final

from toolweft.core.errors import InvalidArguments
from toolweft.core.programs import LIMIT_CEILINGS, LIMIT_FLOORS, ProgramLimits

__all__ = ("check_limits",)

# Without any of these no program could end, or begin.
_ABOVE_ZERO: Final = frozenset({"active_s", "wall_s", "max_in_flight"})
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
        _check_range(name, value)


def _check_range(name: str, value: float) -> None:
    floor, ceiling = LIMIT_FLOORS.get(name, 0), LIMIT_CEILINGS.get(name)
    shown, least = _render(name, value), _render(name, floor)
    most = None if ceiling is None else _render(name, ceiling)
    if value < floor:
        fitting = f"{least} or more" if most is None else f"{least} to {most}"
        raise InvalidArguments(
            f"limits.{name} is {shown}, and with less than {least} no program can run",
            hint=f"give ProgramLimits({name}=…) {fitting}",
        )
    if ceiling is not None and value > ceiling:
        raise InvalidArguments(
            f"limits.{name} is {shown}, above its ceiling of {most}",
            hint=f"give ProgramLimits({name}=…) {most} or less",
        )


def _render(name: str, value: float) -> str:
    if name.endswith("_s"):
        return f"{value:g} s"
    if not name.endswith("_bytes"):
        return f"{value:,}"
    for unit, factor in _UNITS:
        if value and value % factor == 0:
            return f"{value // factor} {unit}"
    return f"{value:,} bytes"
