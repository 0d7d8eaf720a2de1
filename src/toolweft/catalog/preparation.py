"""From what a source says of its tools to what the catalog says of them.

Pure but for the log: a tool that cannot be used is disabled with a reason, and the others of its
source are not touched. Deferral and the state of the source come later, in `catalog.catalog`,
because they change without the tool.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from json import JSONEncoder

from toolweft.catalog.classification import classify, decide_callers
from toolweft.catalog.options import CatalogOptions, ToolRule
from toolweft.catalog.rules import SourceRules
from toolweft.catalog.schemas import (
    MAX_SCHEMA_BYTES,
    check_input_schema,
    check_schema_bounds,
    check_schema_meaning,
)
from toolweft.catalog.text import clean_text, shorten
from toolweft.core.budgets import estimate_tokens
from toolweft.core.errors import InvalidDefinition
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.json import Json, JsonSchema
from toolweft.core.names import lasting_namespace, python_names, wire_name
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolDefinition, ToolExample

__all__ = ("Preparation", "PreparedTool", "prepare_tools")

log = logging.getLogger(__name__)

MAX_NAME_BYTES = 1024
# Of a name that cannot be used, enough to recognise it.
_SHOWN_NAME_CHARACTERS = 64

_encode = JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_NO_PARAMETERS: JsonSchema = {"type": "object"}
_NO_RENAMED: Mapping[str, str] = {}


# Compared by identity: what a source sent may be too deep to compare.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedTool:
    """A tool with every decision that depends on it and the configuration alone."""

    # As the source gave it, to see whether it changed.
    source_definition: ToolDefinition
    # `tool.qualified`, once.
    qualified: QualifiedName
    # As if automatic deferral deferred nothing and the source could be called.
    tool: CatalogTool
    # Other spellings of its name.
    aliases: tuple[str, ...]
    # Estimated size in a model's context; None where it takes no part in automatic deferral.
    automatic_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How the tools of one source are prepared."""

    source: SourceName
    python_namespace: str
    options: CatalogOptions
    rules: SourceRules


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
    if before.tool.status == "disabled" or definition != before.source_definition:
        return False
    # Equal for Python is not the same JSON: 1 == True.
    return _fingerprint(definition)[0] == before.tool.definition.definition_hash


def _name_keys(definitions: Sequence[ToolDefinition]) -> tuple[list[str], list[str]]:
    """One distinct key per definition, its name where that can be used, and what is wrong."""
    keys: list[str] = []
    problems: list[str] = []
    seen: set[str] = set()
    repeats: Counter[str] = Counter()
    for definition in definitions:
        key, problem = str(definition.name), _name_problem(definition.name)
        if not problem and key in seen:
            problem = "its source lists another tool of the same name before it"
        if problem:
            # No usable name holds a NUL, so these never take one's place.
            key = f"{key[:_SHOWN_NAME_CHARACTERS]}\0disabled\0"
            repeats[key] += 1
            key = f"{key}{repeats[key]}"
        seen.add(key)
        keys.append(key)
        problems.append(problem)
    return keys, problems


def _name_problem(name: str) -> str:
    if not name:
        return "its name is empty"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        return f"its name is longer than {MAX_NAME_BYTES} bytes"
    if not name.isprintable():
        return f"its name holds unprintable characters: {name[:_SHOWN_NAME_CHARACTERS]!r}"
    return ""


def _prepare(
    definition: ToolDefinition, preparation: Preparation, *, python_name: str, problem: str
) -> PreparedTool:
    rules = preparation.rules.of(definition.name) if not problem else ()
    enabled = next((rule for rule in rules if rule.enabled is not None), None)
    if not problem and enabled is not None and not enabled.enabled:
        problem = f"turned off by {enabled.origin}"
    usable, size_bytes = definition, 0
    if not problem:
        try:
            usable, size_bytes = _usable(definition, preparation.options)
        except InvalidDefinition as error:
            problem = error.message
    if problem:
        usable = _unusable(definition)
        log.warning(
            "catalog.tool_disabled",
            extra={"source": preparation.source, "tool": usable.name, "reason": problem},
        )
    usable = _listed(usable, rules)
    tool, automatic = _decide(usable, preparation, rules, python_name=python_name)
    if problem:
        tool = replace(tool, status="disabled", status_reason=problem, deferred=True)
        aliases: tuple[str, ...] = ()
        automatic = False
    else:
        aliases = _aliases(tool)
    return PreparedTool(
        source_definition=definition,
        qualified=tool.qualified,
        tool=tool,
        aliases=aliases,
        automatic_tokens=estimate_tokens(size_bytes) if automatic else None,
    )


def _decide(
    definition: ToolDefinition,
    preparation: Preparation,
    rules: Sequence[ToolRule],
    *,
    python_name: str,
) -> tuple[CatalogTool, bool]:
    """The tool, and whether its deferral is left to the size of all definitions together."""
    options = preparation.options
    severity, severity_reason = classify(definition, rules, options)
    callers, callers_reason = decide_callers(definition, severity, rules, options)
    deferred, deferred_reason = _explicit_deferral(definition, rules)
    timeouts = [rule.timeout_s for rule in rules if rule.timeout_s is not None]
    declared = [] if definition.timeout_s is None else [definition.timeout_s]
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
        deferred=bool(deferred),
        deferred_reason=deferred_reason,
        timeout_s=(timeouts + declared + [options.default_timeout_s])[0],
    )
    return tool, deferred is None


def _explicit_deferral(
    definition: ToolDefinition, rules: Sequence[ToolRule]
) -> tuple[bool | None, str]:
    if definition.always_listed:
        return False, "always listed"
    for rule in rules:
        if rule.defer_loading is not None:
            return rule.defer_loading, f"set by {rule.origin}"
    if definition.defer_loading is not None:
        return definition.defer_loading, "declared with the tool"
    return None, ""


def _listed(definition: ToolDefinition, rules: Sequence[ToolRule]) -> ToolDefinition:
    for rule in rules:
        if rule.always_listed is not None:
            return replace(definition, always_listed=rule.always_listed)
    return definition


def _usable(definition: ToolDefinition, options: CatalogOptions) -> tuple[ToolDefinition, int]:
    """The definition, checked and completed, and its size in UTF-8 bytes for a model."""
    place = f"the input schema of {definition.name!r}"
    input_schema = check_schema_bounds(
        check_input_schema(definition.input_schema, place=place), place=place
    )
    validator = check_schema_meaning(input_schema, place=place)
    output_schema = definition.output_schema
    if output_schema is not None:
        place = f"the output schema of {definition.name!r}"
        output_schema = check_schema_bounds(output_schema, place=place)
        check_schema_meaning(output_schema, place=place)
    definition_hash, size_bytes = _fingerprint(definition)
    description = clean_text(definition.description)
    usable = replace(
        definition,
        description=description,
        short_description=shorten(clean_text(definition.short_description) or description),
        input_schema=input_schema,
        output_schema=output_schema,
        input_examples=_valid_examples(definition, validator.is_valid, options.max_examples),
        definition_hash=definition_hash,
    )
    return usable, size_bytes


def _fingerprint(definition: ToolDefinition) -> tuple[str, int]:
    """The hash of a definition and its size in UTF-8 bytes for a model, both as the source gave it.

    Both are taken from canonical JSON: the first of name, description and schemas, the second
    without the output schema.
    """
    texts = {
        "description": _encode(definition.description),
        "input_schema": _canonical(definition.input_schema, "input", definition.name),
        "name": _encode(definition.name),
        "output_schema": _canonical(definition.output_schema, "output", definition.name),
    }
    hashed = ",".join(f'"{key}":{text}' for key, text in texts.items())
    size_bytes = _size_bytes(f"{{{hashed}}}") - _size_bytes(',"output_schema":')
    size_bytes -= _size_bytes(texts["output_schema"])
    digest = sha256(f"{{{hashed}}}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest(), size_bytes


def _unusable(definition: ToolDefinition) -> ToolDefinition:
    """What may still be shown of a definition that cannot be used: no schema, a short name."""
    name = definition.name
    if _name_problem(name):
        name = ToolName("".join(filter(str.isprintable, name))[:_SHOWN_NAME_CHARACTERS])
    description = clean_text(definition.description)
    return replace(
        definition,
        name=name,
        description=description,
        short_description=shorten(description),
        input_schema=_NO_PARAMETERS,
        output_schema=None,
        input_examples=(),
    )


def _canonical(schema: Json, side: str, name: str) -> str:
    try:
        text = _encode(schema)
    except (TypeError, ValueError) as error:
        raise InvalidDefinition(
            f"the {side} schema of {name!r} is not plain JSON: {error!s:.200}"
        ) from error
    if _size_bytes(text) > MAX_SCHEMA_BYTES:
        raise InvalidDefinition(
            f"the {side} schema of {name!r} is larger than {MAX_SCHEMA_BYTES} bytes"
        )
    return text


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _valid_examples(
    definition: ToolDefinition, is_valid: Callable[[Json], bool], max_examples: int
) -> tuple[ToolExample, ...]:
    kept: list[ToolExample] = []
    for position, example in enumerate(definition.input_examples):
        reason = ""
        if len(kept) == max_examples:
            reason = f"more than max_examples = {max_examples}"
        else:
            try:
                reason = "" if is_valid(example.input) else "its input does not fit the schema"
            except (TypeError, ValueError):
                reason = "its input is not plain JSON"
        if not reason:
            kept.append(example)
            continue
        log.warning(
            "catalog.example_dropped",
            extra={
                "source": definition.namespace,
                "tool": definition.name,
                "position": position,
                "reason": reason,
            },
        )
    return tuple(kept)


def _renamed_parameters(schema: JsonSchema) -> Mapping[str, str]:
    properties = schema.get("properties")
    if not properties:
        return _NO_RENAMED
    renamed = {s: o for o, s in python_names(properties).items() if s != o}
    return renamed or _NO_RENAMED


def _aliases(tool: CatalogTool) -> tuple[str, ...]:
    definition = tool.definition
    original, source = definition.name, definition.namespace
    namespaces = dict.fromkeys((tool.python_namespace, source, lasting_namespace(source)))
    full = (f"{n}.{t}" for n in namespaces for t in (tool.python_name, original))
    spellings = dict.fromkeys((tool.python_name, original, *full, tool.wire_name))
    spellings.pop(tool.qualified, None)
    return tuple(spellings)
