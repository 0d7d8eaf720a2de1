"""Looks at a program before it runs: can it be parsed, does it use tools that exist, rightly?

Pure. Its refusals save side effects and its warnings save turns; it protects nothing. Called by
`toolweft.programs.runner`.
"""

import ast
import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from toolweft.core.names import lasting_namespace
from toolweft.core.ports import GuestNames
from toolweft.core.programs import LimitName, ProgramError, ProgramWarning
from toolweft.core.snapshot import Snapshot
from toolweft.programs.patterns import find_patterns
from toolweft.programs.program_names import ANY_NAME, BUILTIN_NAMES, collect_names
from toolweft.programs.tool_use import ToolFault, ToolUse, find_tool_faults
from toolweft.programs.worker_use import WORKER_NAMES

__all__ = ("CheckReport", "Namespaces", "check_program", "collect_namespaces")

# The namespace of what every program has.
TOOLS_NAMESPACE = "tools"
# Faults listed in one refusal; more would not be read.
_MAX_FAULTS = 5
# CPython's own words for source that its parser will not follow.
# A fence, or what JavaScript, shells and SQL begin lines with.
_FOREIGN = re.compile(r"^[ \t]*(?:```|(?:const|let|var|function|export|SELECT|\$)\s)", re.M)
_PYTHON_ALONE = "programs are Python: send the code alone, without a fence or another language"
_TOO_DEEP = ("too many nested", "too many levels of indentation", "too many statically nested")


# What programs write without a name in the functions of `tools`.
_POSITIONAL = {
    "tools.search": ("query", "limit"),
    "tools.describe": ("name",),
    "tools.call": ("name", "arguments"),
}

_NO_NAMES = GuestNames()
# Reads stored results; no tool takes its place, nor that of the workers.
LOAD_NAME = "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """What is bound as a namespace in every program over one snapshot."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What became of a program's check."""

    # Set: the program must not run.
    error: ProgramError | None = None
    limit: LimitName | None = None
    warnings: tuple[ProgramWarning, ...] = ()
    # What the guest binds for this program.
    names: GuestNames = _NO_NAMES
    # What the program itself may bind; later runs in the container know these. `ANY_NAME` where
    # it may be anything.
    bound: frozenset[str] = frozenset()


def collect_namespaces(snapshot: Snapshot) -> Namespaces:
    """The namespaces of a snapshot, each source under its lasting spelling too."""
    names = {tool.python_namespace for tool in snapshot.tools.values()}
    for source in snapshot.sources.values():
        names |= {source.python_name, lasting_namespace(source.name)}
    return Namespaces(names=(*sorted(names), TOOLS_NAMESPACE))


def check_program(  # noqa: PLR0913 -- everything a program is checked against
    code: str,
    *,
    snapshot: Snapshot,
    namespaces: Namespaces,
    known: Collection[str] = (),
    mode: Literal["standard", "strict"] = "standard",
    max_code_bytes: int = 256 * 1024,
    has_files: bool = True,
    has_workers: bool = False,
) -> CheckReport:
    """Check a program against the catalog.

    Args:
        code: source text, nothing known of it.
        snapshot: the catalog the program will meet.
        namespaces: those of the snapshot.
        known: names that earlier runs in the container bound; never blamed.
        mode: `strict` refuses forbidden patterns, `standard` warns of them.
        max_code_bytes: longer programs are refused unparsed.
        has_files: whether programs have a scratch folder.
        has_workers: whether a model answers `worker`.
    """
    tree = _parse(code, max_code_bytes)
    if isinstance(tree, CheckReport):
        return tree
    names = collect_names(tree)
    use = ToolUse(
        snapshot=snapshot,
        namespaces=namespaces.names,
        names=names,
        known=known,
        has_workers=has_workers,
    )
    try:
        faults = find_tool_faults(tree, use)
        patterns = find_patterns(
            tree, own=names.bound, namespaces=namespaces.names, has_files=has_files
        )
    except RecursionError:
        return _too_deep(None)
    certain = [fault for fault in faults if fault.is_certain]
    if certain:
        return CheckReport(error=_refusal(certain[0].type, [fault.found for fault in certain]))
    if patterns and mode == "strict":
        return CheckReport(error=_refusal("ForbiddenPattern", patterns))
    return CheckReport(
        warnings=_in_order(faults, patterns),
        names=_names_to_bind(use),
        bound=names.bound | ({ANY_NAME} if names.may_bind_more else frozenset()),
    )


def _parse(code: str, max_code_bytes: int) -> ast.Module | CheckReport:
    size_bytes = len(code.encode("utf-8", "surrogatepass"))
    if size_bytes > max_code_bytes:
        message = f"the program has {size_bytes:,} bytes; at most {max_code_bytes:,} are read"
        hint = (
            "move data out of the program: let a tool or an earlier run supply it;"
            " limits.max_code_bytes raises it"
        )
        return _unreadable("ProgramTooLong", message, hint=hint, limit="parser")
    # For good and for programs alone: threads that save and restore filters undo one another's.
    warnings.filterwarnings("ignore", module=r"<program>\Z")
    try:
        return ast.parse(code, "<program>")
    except SyntaxError as exc:
        if exc.msg.startswith(_TOO_DEEP):
            return _too_deep(exc.lineno)
        text = (exc.text or "").strip()[:120]
        message = f"{exc.msg}: {text!r}" if text else exc.msg
        told = _PYTHON_ALONE if _FOREIGN.search(code) else None
        return _unreadable("SyntaxError", message, line=exc.lineno, hint=told)
    except (RecursionError, MemoryError):
        return _too_deep(None)
    except ValueError as exc:
        return _unreadable("SyntaxError", str(exc), hint="send plain UTF-8 text")


def _too_deep(line: int | None) -> CheckReport:
    message = "the program is too deeply nested"
    hint = (
        "split long expressions and nested literals, or build data in a loop;"
        " Python's parser fixes this depth"
    )
    return _unreadable("ProgramTooDeep", message, line=line, hint=hint, limit="parser")


def _unreadable(
    kind: str,
    message: str,
    *,
    line: int | None = None,
    hint: str | None = None,
    limit: LimitName | None = None,
) -> CheckReport:
    error = ProgramError(type=kind, message=message, line=line, hint=hint)
    return CheckReport(error=error, limit=limit)


def _refusal(kind: str, found: Sequence[ProgramWarning]) -> ProgramError:
    """One error for all faults: each in its own line of the message, with its hint."""
    first, *others = found[:_MAX_FAULTS]
    if not others:
        return ProgramError(type=kind, message=first.message, line=first.line, hint=first.hint)
    listed = [f"line {fault.line}: {_with_hint(fault)}" for fault in (first, *others)]
    if len(found) > _MAX_FAULTS:
        listed.append(f"and {len(found) - _MAX_FAULTS} more")
    return ProgramError(type=kind, message="\n".join(listed), line=first.line)


def _with_hint(fault: ProgramWarning) -> str:
    return f"{fault.message} ({fault.hint})" if fault.hint else fault.message


def _in_order(
    faults: Sequence[ToolFault], patterns: Sequence[ProgramWarning]
) -> tuple[ProgramWarning, ...]:
    """Warnings about tools first: they are the likelier to matter."""
    return (*(fault.found for fault in faults), *patterns)


def _names_to_bind(use: ToolUse) -> GuestNames:
    """Namespaces, and bare names only where the text reads one that nothing else defines."""
    namespaces = tuple(name for name in use.namespaces if name not in use.known)
    taken = {*use.namespaces, *use.known, *use.names.bound, LOAD_NAME, *WORKER_NAMES}
    taken |= BUILTIN_NAMES
    functions = sorted(use.names.read - taken)
    return GuestNames(
        namespaces=namespaces,
        functions=tuple(name for name in functions if name in use.snapshot.aliases),
        positional=_POSITIONAL,
        has_handles=LOAD_NAME in use.names.read or use.names.may_bind_more,
        has_workers=not use.names.read.isdisjoint(WORKER_NAMES) or use.names.may_bind_more,
    )
