"""Whether an argument that a user passed is what it has to be: pure functions.

For the edges of the library, where Python itself would tell of a wrong type late, elsewhere and in
other words.
"""

from collections.abc import Sequence
from math import isfinite
from types import UnionType

from toolweft.core.errors import InvalidValue, ToolweftError

__all__ = ("check_given", "check_number", "check_sequence")


class _Nothing:
    """What no value is."""


def check_given(
    value: object,
    kind: type | UnionType,
    *,
    name: str,
    hint: str,
    error: type[ToolweftError] = InvalidValue,
    is_secret: bool = False,
) -> None:
    """Hold an argument against its type.

    Args:
        value: what was passed.
        kind: what it has to be.
        name: of the argument, for the message.
        hint: what to pass instead.
        error: what is raised.
        is_secret: the message does not show the value.

    Raises:
        ToolweftError: `error`; it is of another type.

    >>> check_given("no", bool, name="enable_ptc", hint="True or False")
    Traceback (most recent call last):
        ...
    toolweft.core.errors.InvalidValue: enable_ptc is 'no', of type str
    """
    if isinstance(value, kind):
        return
    shown = "" if is_secret else f"{value!r:.80}, "
    raise error(f"{name} is {shown}of type {type(value).__name__}", hint=hint)


def check_sequence(
    value: object, *, name: str, hint: str, error: type[ToolweftError] = InvalidValue
) -> None:
    """Hold an argument against being a list or a tuple, or something like them but no text.

    Raises:
        ToolweftError: `error`; it is none.
    """
    kind = _Nothing if isinstance(value, str | bytes) else Sequence
    check_given(value, kind, name=name, hint=hint, error=error)


def check_number(
    value: object,
    *,
    name: str,
    hint: str,
    is_whole: bool = False,
    least: float = 0.0,
    error: type[ToolweftError] = InvalidValue,
) -> None:
    """Hold an argument against being a number of some size.

    Args:
        value: what was passed; True and False are no numbers.
        name: of the argument, for the message.
        hint: what to pass instead.
        is_whole: it has to be an integer.
        least: it may not be below.
        error: what is raised.

    Raises:
        ToolweftError: `error`; it is none, or below, or endless.
    """
    is_number = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
    check_given(value, object if is_number else _Nothing, name=name, hint=hint, error=error)
    assert isinstance(value, int | float), "it was checked"
    if not least <= value or not isfinite(value):
        raise error(f"{name} is {value!r:.80}", hint=hint)
