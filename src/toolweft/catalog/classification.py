"""How dangerous a tool is, who may call it, and why: pure decisions with a reason each.

The reasons are shown to people and models; where programs are refused they end with the lines of
configuration that would allow the call. Enforcing is the road's business, not the catalog's.
"""

import re
from collections.abc import Sequence
from functools import cache
from glob import escape

from toolweft.catalog.options import LIBRARY_SOURCE, CatalogOptions, Profile, ToolRule
from toolweft.core.calls import CallerType
from toolweft.core.tools import Severity, ToolDefinition

__all__ = ("classify", "decide_callers")

_BOTH: frozenset[CallerType] = frozenset({"direct", "programmatic"})
_DIRECT: frozenset[CallerType] = frozenset({"direct"})

# What programs may call where nothing is said of a tool.
_PROGRAMMATIC: dict[Profile, frozenset[Severity]] = {
    "open": frozenset({"read_only", "write", "destructive"}),
    "standard": frozenset({"read_only", "write"}),
    "strict": frozenset({"read_only"}),
}
_OPEN = '["direct", "programmatic"]'
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def classify(
    definition: ToolDefinition,
    rules: Sequence[ToolRule],
    options: CatalogOptions,
    *,
    section: str = "servers",
) -> tuple[Severity, str]:
    """The severity of a tool and the reason for it.

    The configuration decides, else the definition, else the source's hints where they count; a
    tool of which nothing is known counts as destructive.

    Args:
        definition: as its source gave it.
        rules: those that speak of it, the strongest first.
        options: whether hints count.
        section: where toolweft.toml has the tool's source.
    """
    for rule in rules:
        if rule.severity is not None:
            return rule.severity, f"set by {rule.origin}"
    if definition.severity is not None:
        if section == "python" and definition.severity == "write":
            # Said or not, it looks the same.
            return "write", "as a Python function that does not declare another"
        return definition.severity, "declared with the tool"
    hints = definition.hints
    if not options.trust_hints:
        return "destructive", "hints of servers are not trusted (trust_hints = false)"
    if hints.read_only is True:
        return "read_only", "the server hints readOnlyHint = true"
    if hints.read_only is False and hints.destructive is False:
        return "write", "the server hints readOnlyHint = false and destructiveHint = false"
    if hints.destructive is True:
        return "destructive", "the server hints destructiveHint = true"
    if hints.read_only is None and hints.destructive is None:
        return "destructive", "the server gives no hints, so the worst is assumed"
    return "destructive", "the server's hints do not say that it destroys nothing"


def decide_callers(
    definition: ToolDefinition,
    severity: Severity,
    rules: Sequence[ToolRule],
    options: CatalogOptions,
    *,
    section: str = "servers",
) -> tuple[frozenset[CallerType], str]:
    """Who may call a tool and the reason for it.

    Args:
        definition: the tool.
        severity: as decided.
        rules: those that match it, the strongest first.
        options: the profile.
        section: where toolweft.toml has the tool's source, for the reason.
    """
    opt_in = _opt_in(definition, rules, options, section)
    for rule in rules:
        if rule.allowed_callers is not None:
            return _explicit(rule.allowed_callers, f"set by {rule.origin}", opt_in)
    if definition.allowed_callers is not None:
        return _explicit(definition.allowed_callers, "declared with the tool", opt_in)
    profile = options.profile
    if severity in _PROGRAMMATIC[profile]:
        return _BOTH, _open_reason(severity, profile)
    reason = f"{severity} tools are closed to programs in the profile {profile!r}"
    return _DIRECT, f"{reason}; {opt_in}"


@cache
def _open_reason(severity: Severity, profile: Profile) -> str:
    # One text for all tools: a catalog has thousands.
    return f"{severity} tools are open to programs in the profile {profile!r}"


def _explicit(
    callers: frozenset[CallerType], reason: str, opt_in: str
) -> tuple[frozenset[CallerType], str]:
    listed = ", ".join(f'"{caller}"' for caller in sorted(callers))
    said = f"allowed_callers = [{listed}] {reason}"
    return callers, said if "programmatic" in callers else f"{said}; {opt_in}"


def _opt_in(
    definition: ToolDefinition, rules: Sequence[ToolRule], options: CatalogOptions, section: str
) -> str:
    """What to write, and where, to open one tool to programs."""
    origin = _origin_to_change(definition, rules)
    if origin:
        return f"to allow it, change allowed_callers at {origin} to {_OPEN}"
    tool = _key(escape(definition.name))
    before = ""
    if section == "python" and definition.namespace == LIBRARY_SOURCE:
        # Functions that a program handed over have no section of their own.
        before = 'declare it with @toolweft.tool(allowed_callers={"direct", "programmatic"}), or '
        table = f"catalog.configs.{tool}"
    elif section == "catalog":
        table = f"catalog.configs.{tool}"
    else:
        table = f"{section}.{_key(definition.namespace)}.configs.{tool}"
    return (
        f"to allow it, {before}write in {options.advised_file}:\n[{table}]\n"
        f"allowed_callers = {_OPEN}"
    )


def _origin_to_change(definition: ToolDefinition, rules: Sequence[ToolRule]) -> str:
    """Where a rule stands that is to be changed; empty where a new one is needed and would win."""
    names = {definition.name, escape(definition.name)}
    exact = next((i for i, rule in enumerate(rules) if rule.tool in names), None)
    if exact is None:
        return ""
    decisive = (i for i, rule in enumerate(rules) if rule.allowed_callers is not None)
    return rules[min(exact, next(decisive, exact))].origin


def _key(name: str) -> str:
    if _BARE_KEY.match(name):
        return name
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
