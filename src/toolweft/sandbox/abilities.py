"""What the interpreter can do; told before it is started, so nothing of it is imported here."""

from toolweft.core.ports import SandboxCapabilities
from toolweft.core.programs import SESSION_LIMITS, LimitName

__all__ = ("FEW_MODULES", "MONTY_CAPABILITIES", "guest_limits")

# What a guest that can open no file has to do without.
FEW_MODULES = "of the standard library only modules most programs use"


def guest_limits(*, has_files: bool) -> frozenset[LimitName]:
    """The limits of a guest that is a process; without a scratch folder there is none to fill."""
    names = SESSION_LIMITS
    return names if has_files else names - {"disk"}


MONTY_CAPABILITIES = SandboxCapabilities(
    backend="monty",
    tier="interpreter",
    language="a part of Python 3 (Monty)",
    full_language=False,
    full_asyncio=False,
    standard_library=False,
    every_module=False,
    files=False,
    counted_files=False,
    handles=False,
    limits=SESSION_LIMITS - {"files", "disk", "threads"},
    ended_by=frozenset({"memory", "cpu", "wall", "output", "calls"}),
    survives_cancelling=False,
    rich_results=False,
    lacks=(
        "no yield, inheritance, properties, del or async with;"
        " of asyncio only gather, run and sleep;"
        " modules: json, re, math, datetime, collections, itertools, functools, bisect, decimal,"
        " csv, random, base64, hashlib, copy, time"
    ),
)
