"""From what a source says of its tools to what the catalog says of them.

Pure but for the log: a tool that cannot be used is disabled with a reason, and the others of its
source are not touched. Deferral and the state of the source come later, in `catalog.catalog`,
because they change without the tool.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from toolweft.catalog.classification import classify, decide_callers
from toolweft.catalog.definitions import (
    SHOWN_NAME_CHARACTERS,
    Fingerprint,
    complete_definition,
    fingerprint,
    name_problem,
    strip_definition,
)
from toolweft.catalog.examples import check_examples
from toolweft.catalog.options import CatalogOptions, ToolRule
from toolweft.catalog.pins import hash_definition
from toolweft.catalog.pins.texts import NOTHING_FOUND, CheckedTexts, Mention, check_texts
from toolweft.catalog.rules import SourceRules
from toolweft.core.budgets import estimate_tokens
from toolweft.core.derived import Derived
from toolweft.core.errors import InvalidDefinition
from toolweft.core.examples import render_examples
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.json import JsonSchema
from toolweft.core.names import lasting_namespace, python_names, wire_name
from toolweft.core.packed import replace_packed
from toolweft.core.pins import Flag
from toolweft.core.snapshot import CatalogTool, ToolStatus
from toolweft.core.tools import ExampleFault, ToolDefinition

__all__ = ("Preparation", "PreparedTool", "explain_deferral", "prepare_tools")

log = logging.getLogger(__name__)

_NO_RENAMED: Mapping[str, str] = {}


# Compared by identity: what a source sent may be too deep to compare.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedTool:
    """A tool with every decision that depends on it and the configuration alone."""

    # As the source gave it, to see whether it changed.
    source_definition: ToolDefinition
    # `tool.qualified`, once.
    qualified: QualifiedName
    # As if automatic deferral deferred everything, as it does where tools are many, and the source
    # could be called.
    tool: CatalogTool
    # Other spellings of its name.
    aliases: tuple[str, ...]
    # Names its texts tell what to do with.
    mentions: tuple[Mention, ...] = ()
    # Estimated size in a model's context; None where it takes no part in automatic deferral.
    automatic_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was found out about a definition."""

    # Why it cannot be used; empty where it can.
    reason: str
    # Why it cannot be called, though it is shown; empty where it can.
    unavailable: str
    pin_hash: str
    flags: tuple[Flag, ...]
    faults: tuple[ExampleFault, ...]

    @property
    def status(self) -> ToolStatus:
        """What the tool can be used for."""
        if self.reason:
            return "disabled"
        return "unavailable" if self.unavailable else "available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How the tools of one source are prepared."""

    source: SourceName
    python_namespace: str
    # Where toolweft.toml has the source: "servers", "python", "openapi", or "catalog" with others.
    section: str
    # Whether its tools are the user's own code, whose texts are not suspected.
    is_own: bool
    options: CatalogOptions
    rules: SourceRules
    # What an earlier start found out of the same definitions.
    derived: Derived


def prepare_tools(
    definitions: Sequence[ToolDefinition],
    preparation: Preparation,
    *,
    known: Sequence[PreparedTool] = (),
) -> tuple[PreparedTool, ...]:
    """The tools of one source, in its order.

    Args:
        definitions: as the source lists them.
        preparation: names, rules and options.
        known: results of an earlier preparation with the same options; those whose definition
            and name are the same are taken over as they are.
    """
    keys, problems = _name_keys(definitions)
    names = python_names(keys)
    earlier = {item.qualified: item for item in known}
    namespace = preparation.python_namespace
    prepared = []
    for key, problem, definition in zip(keys, problems, definitions, strict=True):
        name = names[key]
        before = earlier.get(QualifiedName(f"{namespace}.{name}"))
        if before is not None and _is_unchanged(definition, before):
            prepared.append(before)
        else:
            prepared.append(_prepare(definition, preparation, python_name=name, problem=problem))
    return tuple(prepared)


def _is_unchanged(definition: ToolDefinition, before: PreparedTool) -> bool:
    # A definition that was refused may be too deep to compare.
    if before.tool.status == "disabled":
        return False
    try:
        if definition != before.source_definition:
            return False
        # Equal for Python is not the same JSON: 1 == True.
        pin_hash = hash_definition(definition, fingerprint(definition)[0])
    except (RecursionError, InvalidDefinition):
        # What stands beside the schemas may be too deep as well.
        return False
    return pin_hash == before.tool.pin_hash


def _name_keys(definitions: Sequence[ToolDefinition]) -> tuple[list[str], list[str]]:
    """One distinct key per definition, its name where that can be used, and what is wrong."""
    keys: list[str] = []
    problems: list[str] = []
    seen: set[str] = set()
    repeats: Counter[str] = Counter()
    for definition in definitions:
        key, problem = str(definition.name), name_problem(definition.name)
        if not problem and key in seen:
            problem = "its source lists another tool of the same name before it"
        if problem:
            # No usable name holds a NUL, so these never take one's place.
            key = f"{key[:SHOWN_NAME_CHARACTERS]}\0disabled\0"
            repeats[key] += 1
            key = f"{key}{repeats[key]}"
        seen.add(key)
        keys.append(key)
        problems.append(problem)
    return keys, problems


def _prepare(
    definition: ToolDefinition, preparation: Preparation, *, python_name: str, problem: str
) -> PreparedTool:
    """One tool; `problem` is what is wrong with its name."""
    rules: Sequence[ToolRule] = () if problem else preparation.rules.of(definition.name)
    usable, size_bytes = definition, 0
    pin_hash, checked = "", NOTHING_FOUND
    faults: tuple[ExampleFault, ...] = ()
    reason = problem or _turned_off(rules) or definition.problem
    if not reason:
        try:
            sound, pin_hash = _recall(definition, preparation)
            usable, size_bytes = complete_definition(definition, sound=sound)
            if sound is None:
                pin_hash = hash_definition(definition, usable.definition_hash)
                if not preparation.is_own:
                    checked = _check_texts(definition)
            if checked is NOTHING_FOUND and not preparation.is_own:
                preparation.derived.note_sound(pin_hash)
            usable, faults = _with_examples(usable, rules, preparation.options)
            if usable.input_examples:
                size_bytes += len(render_examples(usable.input_examples).encode())
        except InvalidDefinition as error:
            reason = error.message
            log.warning("catalog.definition_refused", extra=_fields(definition, reason))
    elif problem:
        log.warning("catalog.name_refused", extra=_fields(definition, reason))
    if reason:
        usable = strip_definition(definition)
        pin_hash, checked, faults = "", NOTHING_FOUND, ()
    rules = [rule for rule in rules if rule.pin_hash in ("", pin_hash)]
    found = _Found(
        reason=reason,
        unavailable=definition.unavailable,
        pin_hash=pin_hash,
        flags=checked.flags,
        faults=faults,
    )
    usable = _listed(usable, rules)
    tool, automatic = _decide(usable, preparation, rules, python_name=python_name, found=found)
    counts = automatic and tool.status == "available"
    return PreparedTool(
        source_definition=definition,
        qualified=tool.qualified,
        tool=tool,
        aliases=() if problem else _aliases(tool),
        mentions=checked.mentions,
        automatic_tokens=estimate_tokens(size_bytes) if counts else None,
    )


def _recall(definition: ToolDefinition, preparation: Preparation) -> tuple[Fingerprint | None, str]:
    """Fingerprint and pin hash of a definition in which an earlier start found nothing."""
    if preparation.is_own or not preparation.derived.knows_sound:
        return None, ""
    try:
        found = fingerprint(definition)
        pin_hash = hash_definition(definition, found[0])
    except (InvalidDefinition, RecursionError):
        # What is wrong with it comes out where it is checked.
        return None, ""
    return (found, pin_hash) if preparation.derived.is_sound(pin_hash) else (None, "")


def _with_examples(
    definition: ToolDefinition, rules: Sequence[ToolRule], options: CatalogOptions
) -> tuple[ToolDefinition, tuple[ExampleFault, ...]]:
    """The definition with the examples that can be shown, and why others are left out."""
    origin = ""
    for rule in rules:
        if rule.input_examples is not None:
            definition = replace_packed(definition, input_examples=rule.input_examples)
            origin = rule.origin
            break
    kept, faults = check_examples(definition, max_examples=options.max_examples, origin=origin)
    for fault in faults:
        log.warning("catalog.example_dropped", extra=_fields(definition, str(fault)))
    if not kept and not definition.input_examples:
        return definition, faults
    return replace_packed(definition, input_examples=kept), faults


def _check_texts(definition: ToolDefinition) -> CheckedTexts:
    try:
        checked = check_texts(definition)
    except RecursionError:
        deep = Flag(kind="hidden", path="$", reason="it is nested too deeply to be looked through")
        checked = CheckedTexts(flags=(deep,))
    for flag in checked.flags:
        log.warning("catalog.tool_flagged", extra=_fields(definition, str(flag)))
    return checked


def _turned_off(rules: Sequence[ToolRule]) -> str:
    enabled, reason = _decision(rules, "enabled", None) or (True, "")
    return "" if enabled else f"turned off: {reason}"


def _fields(definition: ToolDefinition, reason: str) -> dict[str, str]:
    return {
        "source": definition.namespace,
        "tool": definition.name[:SHOWN_NAME_CHARACTERS],
        "reason": reason,
    }


def _decide(
    definition: ToolDefinition,
    preparation: Preparation,
    rules: Sequence[ToolRule],
    *,
    python_name: str,
    found: _Found,
) -> tuple[CatalogTool, bool]:
    """The tool, and whether its deferral is left to the size of all definitions together."""
    options = preparation.options
    severity, severity_reason = classify(definition, rules, options, section=preparation.section)
    callers, callers_reason = decide_callers(
        definition, severity, rules, options, section=preparation.section
    )
    decided, deferred_reason = _explicit_deferral(definition, rules)
    if decided is None and not found.reason:
        deferred_reason = explain_deferral(options.defer_above_tokens, is_deferred=True)
    timeout_s, timeout_reason = _decision(rules, "timeout_s", definition.timeout_s) or (
        options.default_timeout_s,
        "catalog.default_timeout_s",
    )
    tool = CatalogTool(
        definition=definition,
        python_namespace=preparation.python_namespace,
        python_name=python_name,
        wire_name=wire_name(preparation.python_namespace, python_name),
        parameters=_renamed_parameters(definition.input_schema),
        severity=severity,
        severity_reason=severity_reason,
        callers=callers,
        callers_reason=callers_reason,
        deferred=bool(found.reason or found.unavailable) or decided is not False,
        deferred_reason=deferred_reason,
        status=found.status,
        status_reason=found.reason or found.unavailable,
        timeout_s=timeout_s,
        timeout_reason=timeout_reason,
        example_faults=found.faults,
        pin_hash=found.pin_hash,
        flags=found.flags,
    )
    return tool, decided is None


@cache
def explain_deferral(defer_above_tokens: int, *, is_deferred: bool) -> str:
    """Why tools of which nobody decided are deferred or not; one text for all of them."""
    # The total itself is left out: it changes with each source, the choice seldom.
    how = "exceed" if is_deferred else "fit in"
    return f"automatic: all definitions {how} defer_above_tokens = {defer_above_tokens}"


def _explicit_deferral(
    definition: ToolDefinition, rules: Sequence[ToolRule]
) -> tuple[bool | None, str]:
    listed = _decision(rules, "always_listed", definition.always_listed)
    if listed is not None and listed[0]:
        return False, f"always listed: {listed[1]}"
    return _decision(rules, "defer_loading", definition.defer_loading) or (None, "")


def _listed(definition: ToolDefinition, rules: Sequence[ToolRule]) -> ToolDefinition:
    decided = _decision(rules, "always_listed", None)
    if decided is None:
        return definition
    return replace_packed(definition, always_listed=decided[0])


def _decision(rules: Sequence[ToolRule], field: str, declared: Any) -> tuple[Any, str] | None:
    """What the strongest rule says that says anything, or else the tool; None where nobody does."""
    for rule in rules:
        value = getattr(rule, field)
        if value is not None:
            return value, f"set by {rule.origin}"
    return None if declared is None else (declared, "declared with the tool")


def _renamed_parameters(schema: JsonSchema) -> Mapping[str, str]:
    properties = schema.get("properties")
    if not properties:
        return _NO_RENAMED
    renamed = {s: o for o, s in python_names(properties).items() if s != o}
    return renamed or _NO_RENAMED


def _aliases(tool: CatalogTool) -> tuple[str, ...]:
    """Other spellings of a tool's name."""
    definition = tool.definition
    original, source = definition.name, definition.namespace
    namespaces = dict.fromkeys((tool.python_namespace, source, lasting_namespace(source)))
    spellings = dict.fromkeys(f"{n}.{t}" for n in namespaces for t in (tool.python_name, original))
    if tool.status != "disabled":
        # A tool that cannot be used makes no other's bare name ambiguous.
        spellings |= dict.fromkeys((tool.python_name, tool.wire_name))
        # What stands before a dot is a source, and a server may name its tools as it likes.
        if "." not in original:
            spellings[original] = None
    spellings.pop(tool.qualified, None)
    return tuple(spellings)
