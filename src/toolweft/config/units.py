"""Sizes and durations as people write them: `"1 GiB"`, `"90 s"`, `"5 min"`.

Pure; knows nothing of keys or files. Called by the models, which add the place to an error.
"""

import re
from collections.abc import Mapping

__all__ = ("parse_bytes", "parse_seconds", "render_bytes")

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_BYTES: Mapping[str, int] = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SECONDS: Mapping[str, float] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


def parse_bytes(value: object) -> int:
    """A number of bytes from a whole number or a text with a unit.

    Args:
        value: 1024, "1024", "1 KiB", "1.5 GiB", "16 MB"; units in any case.

    Raises:
        ValueError: neither; the message lists the units.
    """
    size = _parse_quantity(value, _BYTES, example="1 GiB")
    if size != int(size):
        raise ValueError(f"{value!r} is not a whole number of bytes")
    return int(size)


def parse_seconds(value: object) -> float:
    """A number of seconds from a number or a text with a unit.

    Args:
        value: 30, 0.5, "30", "30 s", "250 ms", "5 min", "1 h", "2 d".

    Raises:
        ValueError: neither; the message lists the units.
    """
    return float(_parse_quantity(value, _SECONDS, example="30 s"))


def render_bytes(size_bytes: int) -> str:
    """A size in the largest unit that divides it, as `parse_bytes` reads it back exactly."""
    for unit in ("GiB", "MiB", "KiB"):
        factor = _BYTES[unit.lower()]
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} B"


def _parse_quantity(value: object, units: Mapping[str, float], *, example: str) -> float:
    # bool is an int in Python; `memory = true` is a mistake.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, unit = match.groups()
        factor = units.get(unit.lower())
        if factor is not None:
            # Whole numbers stay exact above 2**53.
            return (int(number) if number.isdigit() else float(number)) * factor
    listed = ", ".join(unit for unit in units if unit)
    raise ValueError(f"write a number or a text such as {example!r} (units: {listed})")
