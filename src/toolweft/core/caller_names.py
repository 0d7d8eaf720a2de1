"""Callers as people and vendors write them, in the project's own two words. Pure."""

import re
from collections.abc import Collection

from toolweft.core.calls import CallerType
from toolweft.core.errors import InvalidValue

__all__ = ("CALLER_PATTERN", "parse_callers")

# What programs are called: here, by OpenAI, and by Anthropic in each of its versions.
CALLER_PATTERN = r"^(direct|programmatic|program|code_execution(_[0-9]{8})?)$"
_CALLER = re.compile(CALLER_PATTERN)


def parse_callers(given: Collection[str], *, place: str) -> frozenset[CallerType]:
    """Who may call a tool; empty where nobody may.

    Args:
        given: "direct", "programmatic" and what vendors write for the latter: "program",
            "code_execution_20260120".
        place: where it stands, for the message.

    Raises:
        InvalidValue: one of them is no caller, or it is one text or no list.
    """
    if isinstance(given, str):
        raise InvalidValue(f"{place} is {given!r:.80}, one text", hint=f"write [{given!r:.80}]")
    if not isinstance(given, Collection):
        raise InvalidValue(f"{place} is {given!r:.80}, which is no list", hint='write ["direct"]')
    return frozenset(_parse(caller, place) for caller in given)


def _parse(caller: object, place: str) -> CallerType:
    if isinstance(caller, str) and _CALLER.fullmatch(caller):
        return "direct" if caller == "direct" else "programmatic"
    raise InvalidValue(
        f"{place} has {caller!r:.80}, which is no caller",
        hint='write "direct", "programmatic", or a version of "code_execution"',
    )
