"""Checks what a tool was declared with, before it is copied into a definition. Pure.

Whoever declares a tool is a person with an editor: each refusal says where, what, and what instead.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from numbers import Real
from typing import Any, TypeAlias, get_args

from toolweft.core.errors import InvalidValue
from toolweft.core.tools import Severity, ToolExample, ToolSpec
from toolweft.sources.python.declare import Declaration

__all__ = ("check_declared",)

_Check: TypeAlias = Callable[[object], bool]

_SEVERITIES: tuple[str, ...] = get_args(Severity)


def check_declared(declared: ToolSpec | Declaration, *, tool: object) -> None:
    """Refuse a value that its field cannot have.

    Args:
        declared: by `ToolSpec(...)` or `@tool(...)`; who may call is checked where it is read.
        tool: its name, for the message.

    Raises:
        InvalidValue: of the first such value.
    """
    for field in fields(declared):
        value = getattr(declared, field.name)
        if field.name not in _CHECKS or (value is None and field.default is not MISSING):
            continue
        is_fit, what, hint = _CHECKS[field.name]
        if not is_fit(value):
            raise InvalidValue(f"{field.name} of {tool!r:.80} is {value!r:.80}, {what}", hint=hint)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_severity(value: object) -> bool:
    return isinstance(value, str) and value in _SEVERITIES


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    seconds: Any = value
    return bool(seconds == math.inf or 0 < seconds <= sys.float_info.max)


def _are_examples(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, ToolExample) for one in value)


_SWITCH = "write True or False, or leave it out"
_CHECKS: Mapping[str, tuple[_Check, str, str]] = {
    "name": (
        lambda value: _is_text(value) and value != "",
        "not a name",
        'write name="get_report"',
    ),
    "description": (_is_text, "not a text", "say in a sentence what the tool does"),
    "category": (_is_text, "not a text", 'write category="travel", or leave it out'),
    "version": (_is_text, "not a text", 'write version="2", or leave it out'),
    "severity": (
        _is_severity,
        "which is no severity",
        f"write {', '.join(f'{word!r}' for word in _SEVERITIES[:-1])} or {_SEVERITIES[-1]!r}",
    ),
    "timeout_s": (
        _is_time,
        "not a number of seconds above 0",
        "write timeout_s=30, or leave it out for the usual limit",
    ),
    "defer_loading": (_is_switch, "neither True nor False", _SWITCH),
    "always_listed": (_is_switch, "neither True nor False", _SWITCH),
    "parameters": (
        lambda value: isinstance(value, dict),
        "not a JSON Schema of type object",
        'write {"type": "object", "properties": {...}}, or leave it out',
    ),
    "handler": (callable, "not a function", "give the function itself, without calling it"),
    "handler_path": (_is_text, "not a text", 'write handler_path="package.module:function"'),
    "input_examples": (
        _are_examples,
        "not a list of examples",
        'write [toolweft.ToolExample(scenario="...", input={...})]',
    ),
}
