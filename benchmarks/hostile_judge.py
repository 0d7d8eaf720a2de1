"""Judges what a hostile program did, from outside: its own words count for nothing."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ("Seen", "escapes", "verdict")

# A limit's name in the collection -> names in an outcome.
_LIMITS = {
    "time": {"cpu", "wall"},
    "fds": {"files"},
    "arg_size": {"arguments"},
    "result_size": {"result"},
}
_ENDED_AS = {
    "crash": {"crashed"},
    "conversion": {"error", "invalid"},
    "error": {"error", "invalid"},
}
_MAX_GROWTH_BYTES = 64 * 1024 * 1024
_MAX_LATE_S = 1.0


@dataclass
class Seen:
    """What the host saw of one program."""

    status: str
    limit: str | None
    stdout: str
    value: str
    error: str
    line: int | None
    wall_s: float
    rss_growth_bytes: int
    arguments: list[str]
    # Others ran beside it, so its time may be over before it meets the limit it goes for.
    shares_time: bool = False
    # Escapes the host itself noticed: contacts, signals, changed canaries, processes, ...
    probes: list[str] = field(default_factory=list)


def escapes(seen: Seen, secret: str) -> list[str]:
    """Everything that got out, by name; empty when nothing did."""
    found = list(seen.probes)
    text = "".join([seen.stdout, seen.value, seen.error, *seen.arguments])
    packed = re.sub(r"\s+", "", text)
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
    forms = (secret, secret[::-1], secret.encode().hex(), encoded)
    if any(form in packed for form in forms):
        found.append("secret")
    if "PWNED" in seen.stdout or "PWNED" in seen.value:
        found.append("PWNED")
    if _lists_accounts(seen.stdout):
        found.append("accounts")
    return found


def _lists_accounts(text: str) -> bool:
    """Whether a host account other than root or nobody stands in a listing of accounts."""
    if "PASSWD" not in text and "USERS" not in text:
        return False
    accounts = re.findall(r"([a-z_][a-z0-9_-]*):[^:\n]*:\d+:\d+:", text)
    return bool(set(accounts) - {"root", "nobody"}) or ("USERS" in text and bool(accounts))


def verdict(program: dict[str, Any], seen: Seen, *, deadline_s: float) -> str | None:
    """Why the outcome is not what the collection demands; None when it is."""
    if "BADVALUE" in seen.stdout:
        return "a wrong value was accepted"
    accepted = {program["must"], program.get("also_ok")}
    if "completes" in accepted and seen.status == "ok":
        return None
    reasons = [_CHECKS[kind](program, seen, deadline_s) for kind in accepted if kind in _CHECKS]
    return None if None in reasons else "; ".join(reason for reason in reasons if reason)


def _allowed(program: dict[str, Any], seen: Seen, _: float) -> str | None:
    if seen.status != "ok":
        return f"must run, ended {seen.status}: {seen.error[:200]}"
    expected = program.get("expect")
    return None if expected is None or seen.stdout == expected else "printed something else"


def _blocked(_: dict[str, Any], seen: Seen, deadline_s: float) -> str | None:
    if seen.status == "ok":
        return "must end in an error, ended ok"
    if not seen.error:
        return "ended without a clear error"
    return _late(seen, deadline_s)


def _limited(program: dict[str, Any], seen: Seen, deadline_s: float) -> str | None:
    names = [name for name in (program.get("limit") or "").split("|") if name]
    limits = set[str]().union(*(_LIMITS.get(name, {name}) for name in names))
    limits |= _LIMITS["time"] if limits and seen.shares_time else set()
    statuses = set[str]().union(*(_ENDED_AS.get(name, set()) for name in names))
    named = seen.status == "limit" and (not limits or seen.limit in limits)
    if not named and seen.status not in statuses:
        return f"must stop at {'|'.join(names)}, ended {seen.status} {seen.limit or ''}"
    if seen.rss_growth_bytes > _MAX_GROWTH_BYTES:
        return f"the host grew by {seen.rss_growth_bytes} bytes"
    return _late(seen, deadline_s)


def _late(seen: Seen, deadline_s: float) -> str | None:
    return f"took {seen.wall_s:.1f} s" if seen.wall_s > deadline_s + _MAX_LATE_S else None


_CHECKS = {"allowed": _allowed, "blocked": _blocked, "limited": _limited}
