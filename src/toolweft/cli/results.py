"""Results of calls and programs as people read them; pure."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

from toolweft.core.calls import Blob, LinkContent, TextContent, ToolResult
from toolweft.core.json import Json, JsonObject
from toolweft.core.programs import ProgramOutcome
from toolweft.programs.replay import ReplayReport

__all__ = (
    "list_blobs",
    "name_files",
    "render_outcome_error",
    "render_replay",
    "render_result",
    "render_savings",
    "render_stats",
    "result_to_dict",
)

_MIB = 1024 * 1024
# Larger bytes go to a file: as text they would drown everything else.
_MAX_ENCODED_BYTES = _MIB


def render_result(result: ToolResult, *, files: Sequence[Path] = ()) -> str:
    """A call's value: text as it is, structure as indented JSON, bytes by type and size.

    Args:
        result: what came back.
        files: where its blobs were written, in order.
    """
    if result.handle is not None:
        handle = result.handle
        return (
            f"[{handle.media_type}, {handle.size_bytes:,} bytes: too large to print;"
            f' a program reads it with await load("{handle.id}")]'
        )
    left = iter(files)
    if isinstance(result.value, Blob) or _holds_blobs(result.value):
        return "\n".join(_render_block(block, left) for block in result.content)
    text = result.value
    if not isinstance(text, str):
        text = json.dumps(text, indent=2, ensure_ascii=False)
    # A tool may give a value and, beside it, a picture of it.
    return "\n".join([text, *(_render_blob(blob, left) for blob in list_blobs(result))])


def list_blobs(result: ToolResult) -> list[Blob]:
    """The bytes in a call's result, in order."""
    return [block for block in result.content if isinstance(block, Blob)]


def name_files(path: Path, count: int) -> list[Path]:
    """Where so many blobs go: one as asked, `chart.png`, more as `chart-1.png`, `chart-2.png`."""
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1)]


def result_to_dict(result: ToolResult, *, files: Sequence[Path] = ()) -> JsonObject:
    """A call's result as `--json` prints it.

    Args:
        result: its small blobs are given in base64, unless they are in files.
        files: where its blobs were written, in order.
    """
    answer: JsonObject = {**result.to_dict()}
    if isinstance(result.value, Blob):
        answer["value"] = _describe_blob(result.value, is_written=bool(files))
    elif _holds_blobs(result.value):
        answer["value"] = [
            _describe_blob(item, is_written=bool(files)) if isinstance(item, Blob) else item
            for item in result.value
        ]
    if files:
        answer["files"] = [str(path) for path in files]
    return {
        **answer,
        "call_id": result.call_id,
        "usage": {
            "duration_ms": round(result.usage.duration_ms, 3),
            "bytes_in": result.usage.bytes_in,
            "bytes_out": result.usage.bytes_out,
            "tokens_out": result.usage.tokens_out,
        },
    }


def _describe_blob(blob: Blob, *, is_written: bool) -> JsonObject:
    described: JsonObject = {"media_type": blob.media_type, "size_bytes": len(blob.data)}
    if not is_written and len(blob.data) <= _MAX_ENCODED_BYTES:
        described["base64"] = base64.b64encode(blob.data).decode("ascii")
    return described


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


def _holds_blobs(value: Json) -> TypeGuard[list[Json]]:
    return isinstance(value, list) and any(isinstance(item, Blob) for item in value)


def _render_block(block: TextContent | Blob | LinkContent, files: Iterator[Path]) -> str:
    match block:
        case TextContent():
            return block.text
        case Blob():
            return _render_blob(block, files)
        case LinkContent():
            return f"[link {block.uri}]"


def _render_blob(blob: Blob, files: Iterator[Path]) -> str:
    path = next(files, None)
    where = "; --output FILE writes them" if path is None else f", in {path}"
    return f"[{blob.media_type}, {len(blob.data)} bytes{where}]"


def render_replay(report: ReplayReport) -> str:
    """Whether a replay went as the run did, where it did not, and what no replay holds still."""
    lines = ["same output, same value, same calls"] if report.is_same else []
    lines += [f"differs: {difference}" for difference in report.differences]
    if report.not_fixed:
        lines.append(f"not fixed by a replay: {', '.join(report.not_fixed)}")
    return "\n".join(lines)
