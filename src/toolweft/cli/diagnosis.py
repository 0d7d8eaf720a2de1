"""What `toolweft doctor` found, as data and as text; pure."""

from dataclasses import asdict, dataclass

from toolweft.core.json import JsonObject
from toolweft.core.ports import IsolationReport
from toolweft.core.snapshot import SourceStatus

__all__ = ("Diagnosis", "LookedUp", "render_diagnosis", "render_looked_up")

_MAX_EXAMPLE_FAULTS = 5
_MARKS = {True: "ok  ", False: "FAIL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """One place where a configuration may be."""

    path: str
    exists: bool
    is_read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The state of everything a program needs."""

    looked_up: tuple[LookedUp, ...]
    problems: tuple[str, ...]
    sources: tuple[SourceStatus, ...]
    tool_count: int
    # Tools whose own definition is unusable, with the reason.
    disabled: tuple[tuple[str, str], ...]
    # Tools that are not as they were accepted, with the reason.
    suspended: tuple[tuple[str, str], ...] = ()
    # What is suspicious: the tool, or the server that says so of itself, and why.
    flagged: tuple[tuple[str, str], ...] = ()
    # Where what is accepted is kept, and why it cannot be; both empty where nothing is pinned.
    pins_path: str = ""
    pins_problem: str = ""
    # Decisions of the configuration that fit no tool.
    idle_rules: tuple[str, ...] = ()
    # Examples that are left out: the tool, and why.
    example_faults: tuple[tuple[str, str], ...] = ()
    # The strongest tier that holds, as "process/ns"; "" where none does.
    sandbox: str
    # Whether it keeps programs from the machine; not so where "unsafe" was spelled out.
    is_isolated: bool
    tiers: tuple[IsolationReport, ...]
    sandbox_failure: str
    # What to do where none holds.
    sandbox_hint: str
    ledger_url: str
    # What a committed event survives; "" where the ledger cannot be opened.
    durability: str
    ledger_failure: str
    versions: tuple[tuple[str, str], ...]

    @property
    def is_healthy(self) -> bool:
        """Whether every source, the sandbox and the ledger can be used."""
        ready = all(source.is_usable for source in self.sources)
        return ready and bool(self.sandbox) and bool(self.durability)

    def to_dict(self) -> JsonObject:
        """All of it as plain JSON."""
        return {"ok": self.is_healthy, **asdict(self), "versions": dict(self.versions)}


def render_diagnosis(found: Diagnosis) -> str:
    """The findings, one block a part; what is broken is marked FAIL."""
    parts = [
        render_looked_up(found.looked_up, found.problems),
        _render_sources(found),
        _render_sandbox(found),
        _render_ledger(found),
        "versions\n  " + ", ".join(f"{name} {version}" for name, version in found.versions),
    ]
    return "\n".join(parts)


def render_looked_up(looked_up: tuple[LookedUp, ...], problems: tuple[str, ...]) -> str:
    """Every place that was tried, in order, and what is odd about what was found."""
    lines = ["configuration"]
    for place in looked_up:
        state = "read" if place.is_read else "there" if place.exists else "-"
        lines.append(f"  {state:<5} {place.path}")
    lines += [f"  note: {problem}" for problem in problems]
    return "\n".join(lines)


def _render_sources(found: Diagnosis) -> str:
    lines = [f"sources ({found.tool_count} tools)"]
    for source in found.sources:
        is_ready = source.is_usable
        time = "" if source.start_s is None else f", {source.start_s * 1000:.0f} ms"
        lines.append(
            f"  {_MARKS[is_ready]} {source.name}: {source.state}, {source.kind},"
            f" {source.tool_count} tools{time}"
        )
        if not is_ready:
            lines += [f"       {line}" for line in source.reason.splitlines()]
        lines += [f"       note: {text}" for text in source.notes]
    if not found.sources:
        lines.append("  none configured; `toolweft init` writes a first file")
    lines += [f"  note: {name} is disabled: {reason}" for name, reason in found.disabled]
    lines += [f"  note: {name} is suspended: {reason}" for name, reason in found.suspended]
    lines += [f"  note: {name} is suspicious: {reason}" for name, reason in found.flagged]
    lines += [f"  note: {rule}" for rule in found.idle_rules]
    if found.pins_path:
        lines.append(f"  accepted definitions: {found.pins_path}")
    if found.pins_problem:
        lines.append(f"  note: {found.pins_problem}")
    for name, reason in found.example_faults[:_MAX_EXAMPLE_FAULTS]:
        lines.append(f"  note: {name} lacks an example: {reason}")
    if len(found.example_faults) > _MAX_EXAMPLE_FAULTS:
        count = len(found.example_faults) - _MAX_EXAMPLE_FAULTS
        lines.append(f"  note: {count} more such; `toolweft tools --lint-examples` has all")
    return "\n".join(lines)


def _render_sandbox(found: Diagnosis) -> str:
    used = found.sandbox or "none; programs are refused"
    lines = ["sandbox", f"  {_MARKS[bool(found.sandbox)]} {used}"]
    if not found.is_isolated:
        lines += [
            "  !!!! UNSAFE: nothing confines programs. They can read and change every file of this",
            "       user, reach every network, and start processes that outlive them.",
            '       sandbox.tier = "unsafe" says so; remove it to be safe again.',
        ]
    for tier in found.tiers:
        verdict = "holds" if tier.holds else "does not hold"
        lines.append(f"       {tier.tier}: {verdict}" + (f": {tier.reason}" if tier.reason else ""))
        # All tiers may lack the same.
        advice = f"         next: {tier.hint}"
        if tier.hint and advice not in lines:
            lines.append(advice)
    if found.sandbox_failure and not found.tiers:
        lines.append(f"       {found.sandbox_failure}")
    if found.sandbox_hint:
        lines.append(f"       next: {found.sandbox_hint}")
    return "\n".join(lines)


def _render_ledger(found: Diagnosis) -> str:
    if not found.durability:
        return f"ledger\n  FAIL {found.ledger_url}\n       {found.ledger_failure}"
    return f"ledger\n  ok   {found.ledger_url}, survives a {found.durability}"
