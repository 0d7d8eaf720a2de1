"""What the interpreter can do; told before it is started, so nothing of it is imported here."""

from toolweft.core.ports import SandboxCapabilities

__all__ = ("MONTY_CAPABILITIES",)

MONTY_CAPABILITIES = SandboxCapabilities(
    backend="monty",
    tier="interpreter",
    language="a part of Python 3 (Monty)",
    full_asyncio=False,
    standard_library=False,
    files=False,
    handles=False,
    survives_stops=False,
    rich_results=False,
    lacks=(
        "no yield, inheritance, properties, del or async with;"
        " of asyncio only gather, run and sleep;"
        " modules: json, re, math, datetime, collections, itertools, functools, bisect, decimal,"
        " csv, random, base64, hashlib, copy, time"
    ),
)
