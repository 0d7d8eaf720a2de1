"""Results of calls and programs as people read them; pure."""

import json

from toolweft.core.calls import Blob, LinkContent, TextContent, ToolResult
from toolweft.core.json import Json
from toolweft.core.programs import ProgramOutcome

__all__ = ("render_outcome_error", "render_result", "render_savings", "render_stats")

_MIB = 1024 * 1024


def render_result(result: ToolResult) -> str:
    """A call's value: text as it is, structure as indented JSON, bytes by type and size."""
    if isinstance(result.value, str):
        return result.value
    if isinstance(result.value, Blob) or _holds_blobs(result.value):
        return "\n".join(_render_block(block) for block in result.content)
    return json.dumps(result.value, indent=2, ensure_ascii=False)


def render_outcome_error(outcome: ProgramOutcome) -> str:
    """Why a program did not end well: the status, what it raised, where, and what to do."""
    head = f"program {outcome.status}"
    if outcome.limit is not None:
        head += f": {outcome.limit}"
    error = outcome.error
    if error is None:
        return head
    where = "" if error.line is None else f" (line {error.line})"
    lines = [f"{head}{where}: {error.type}: {error.message}"]
    if error.traceback:
        lines.append(error.traceback.rstrip())
    if error.hint:
        lines.append(f"  next: {error.hint}")
    return "\n".join(lines)


def render_stats(outcome: ProgramOutcome) -> str:
    """One line: status, place, time, memory, calls and the run's id."""
    stats = outcome.stats
    where = "" if outcome.container is None else f" in {outcome.container.backend}"
    return (
        f"{outcome.status}{where}: {stats.wall_s * 1000:.0f} ms"
        f" ({stats.cpu_s * 1000:.0f} ms CPU), {stats.peak_mem_bytes / _MIB:.0f} MiB,"
        f" {stats.calls} calls; {outcome.run_id}"
    )


def render_savings(outcome: ProgramOutcome) -> str:
    """What stayed out of the context, and how that is counted."""
    return f"about {outcome.stats.tokens_withheld} tokens kept out of context (UTF-8 bytes / 4)"


def _holds_blobs(value: Json) -> bool:
    return isinstance(value, list) and any(isinstance(item, Blob) for item in value)


def _render_block(block: TextContent | Blob | LinkContent) -> str:
    match block:
        case TextContent():
            return block.text
        case Blob():
            return f"[{block.media_type}, {len(block.data)} bytes]"
        case LinkContent():
            return f"[link {block.uri}]"
