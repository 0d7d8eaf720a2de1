"""Answers as short text for a model. Pure: data to text.

What was printed comes first and untouched; round it stands only what the reader can act on.
"""

import json
from collections.abc import Sequence

from toolweft.calls.parse import parse_structure
from toolweft.core.calls import (
    Blob,
    Content,
    LinkContent,
    TextContent,
    ToolResult,
    is_shown,
)
from toolweft.core.errors import ToolweftError
from toolweft.core.json import Json
from toolweft.core.programs import GOING, Container, ProgramError, ProgramOutcome
from toolweft.toolbox.answers import DescribeAnswer, DescribedSource, SearchAnswer
from toolweft.toolbox.render_placement import render_hit

__all__ = (
    "arrange_outcome",
    "arrange_result",
    "cut_middle",
    "render_description",
    "render_error",
    "render_outcome",
    "render_result",
    "render_search",
)

_MAX_WARNINGS = 3
_MAX_HANDLES = 3
_MAX_TRACEBACK_CHARACTERS = 1_000
# A traceback of this many lines names one place, which the error's own line says already.
_PLAIN_TRACEBACK_LINES = 4


def cut_middle(text: str, max_characters: int, *, dropped: int = 0, limit: str = "") -> str:
    """The head and the tail of a text, with a note of what is missing between.

    Args:
        text: any text.
        max_characters: of the text shown; the note comes on top.
        dropped: characters of the original that `text` lacks at its end already.
        limit: which keys would show more, for the note.
    """
    if len(text) <= max_characters and not dropped:
        return text
    half = max_characters // 2
    head, tail = text[: max_characters - half], text[len(text) - half :] if half else ""
    if len(text) <= max_characters:
        head, tail = text, ""
    missing = len(text) - len(head) - len(tail) + dropped
    limit = f" ({limit})" if limit else ""
    note = f"[… {missing:,} characters not shown{limit}; print less or aggregate in the program …]"
    return "\n".join(part for part in (head.rstrip("\n"), note, tail.lstrip("\n")) if part)


# -------------------------------------------------------------------------------------- run_code


def render_outcome(outcome: ProgramOutcome, *, shown_characters: int) -> str:
    """What came of a run: its output, its error, and how to go on."""
    shown = _shown_key(shown_characters)
    parts = [_render_printed(outcome, shown_characters)]
    if outcome.value is not None:
        parts.append(f"=> {cut_middle(_value_text(outcome), shown_characters, limit=shown)}")
    parts.append(_render_end(outcome))
    is_ok = outcome.status == "ok"
    for warning in outcome.warnings[:_MAX_WARNINGS]:
        hint = f"; {warning.hint}" if warning.hint else ""
        parts.append(f"[warning, line {warning.line}: {warning.message}{hint}]")
    if len(outcome.warnings) > _MAX_WARNINGS:
        parts.append(f"[and {len(outcome.warnings) - _MAX_WARNINGS} more warnings]")
    parts.append(_render_handles(outcome))
    parts.append(_render_calls(outcome))
    parts.append(_render_container(outcome.container))
    if is_ok and not outcome.stdout and outcome.value is None:
        parts.insert(0, "(nothing printed)")
    return "\n".join(part for part in parts if part)


def arrange_outcome(
    outcome: ProgramOutcome, *, shown_characters: int
) -> tuple[str, tuple[Content, ...]]:
    """A run as text, and after it the images of its value; links to those too large for one."""
    links = [
        LinkContent(uri=h["uri"], name=h["name"] or h["id"], media_type=h["media_type"])
        for h in outcome.handles
        if is_shown(h["media_type"])
    ]
    text = render_outcome(outcome, shown_characters=shown_characters)
    return text, (*outcome.media, *links[:_MAX_HANDLES])


def _render_printed(outcome: ProgramOutcome, shown_characters: int) -> str:
    """What was printed, and where something of it is missing which limit that was."""
    kept = len(outcome.stdout)
    dropped = max(0, outcome.stdout_characters - kept)
    keys = [_shown_key(shown_characters)] if kept > shown_characters else []
    if dropped:
        keys.append(f"limits.kept_characters is {kept:,}")
    limit = ", ".join(keys)
    text = cut_middle(outcome.stdout, shown_characters, dropped=dropped, limit=limit)
    return text.rstrip("\n")


def _shown_key(shown_characters: int) -> str:
    return f"toolbox.shown_characters is {shown_characters:,}"


def _value_text(outcome: ProgramOutcome) -> str:
    if outcome.value_is_repr:
        return str(outcome.value)
    return _compact(outcome.value)


def _render_end(outcome: ProgramOutcome) -> str:
    error = outcome.error
    match outcome.status:
        case "ok":
            return ""
        case "running":
            return f"[still running: run_code(run_id={outcome.run_id!r}) waits on]"
        case "awaiting_input":
            return f"[asks something: run_code(run_id={outcome.run_id!r}) lets it be answered]"
        case "invalid":
            return _render_error("Not run", error)
        case "limit":
            return _render_error(f"Stopped at the {outcome.limit} limit", error)
        case "cancelled":
            text = f"Cancelled: {error.message}" if error else "Cancelled"
            return f"{text}\nhint: {error.hint}" if error and error.hint else text
        case "error":
            return _render_error("Error", error)
        case status:
            return _render_error(status.replace("_", " ").capitalize(), error)


def _render_error(what: str, error: ProgramError | None) -> str:
    if error is None:
        return what
    place = f", line {error.line}" if error.line is not None else ""
    separator = "\n" if "\n" in error.message else " "
    text = f"{what}{place}: {error.type}:{separator}{error.message}"
    if error.traceback.count("\n") > _PLAIN_TRACEBACK_LINES:
        text += f"\n{error.traceback[-_MAX_TRACEBACK_CHARACTERS:].strip()}"
    return f"{text}\nhint: {error.hint}" if error.hint else text


def _render_calls(outcome: ProgramOutcome) -> str:
    """What the program had done before it ended otherwise than well."""
    if outcome.status == "ok" or outcome.status in GOING or not outcome.calls:
        return ""
    counts: dict[str, int] = {}
    for call in outcome.calls:
        counts[call.status] = counts.get(call.status, 0) + 1
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return f"[calls made: {listed}]"


def _render_handles(outcome: ProgramOutcome) -> str:
    """Results of calls that were too large to be values."""
    ids = [f"{h['id']} ({h['size_bytes']:,} bytes)" for h in outcome.handles[:_MAX_HANDLES]]
    if len(outcome.handles) > _MAX_HANDLES:
        ids.append(f"{len(outcome.handles) - _MAX_HANDLES} more")
    return f"[kept for load(): {', '.join(ids)}]" if ids else ""


def _render_container(container: Container | None) -> str:
    if container is None:
        return ""
    if container.status in {"closed", "expired"}:
        return "[the container ended; its variables are gone]"
    if container.status == "busy":
        return f"[container_id {container.id}]"
    kept_s = container.time_remaining_s(container.last_active_at)
    return f"[container_id {container.id}, kept {kept_s:.0f} s]"


# -------------------------------------------------------------------------- search and description


def render_search(answer: SearchAnswer) -> str:
    """Stubs under their queries; a tool that stands above already is only named.

    Under them one line where the answer is weak; the first of these names the sources.
    """
    shown: set[str] = set()
    parts = []
    sources = f"; sources: {answer.sources}" if answer.sources else ""
    for found in answer.queries:
        stubs = []
        for hit in found.hits:
            stub = f"# {hit.qualified}: above" if hit.qualified in shown else hit.stub
            stubs.append(stub if hit.hit is None else f"{render_hit(hit.hit)}\n{stub}")
            shown.add(hit.qualified)
        lines = [_join_stubs(stubs)]
        if found.note:
            note = f"{found.note}{sources}"
            lines.append(f"[{note}]" if stubs else note)
            sources = ""
        if found.degraded:
            lines.append(f"[degraded: {found.degraded}]")
        title = f"## {found.query[:200]}" if len(answer.queries) > 1 else ""
        parts.append("\n".join(line for line in (title, *lines) if line))
    return "\n\n".join(parts)


def render_description(answer: DescribeAnswer) -> str:
    """Full stubs, then what sources say of themselves, then what is wrong with the other names."""
    parts = [tool.stub for tool in answer.tools]
    parts += [_render_source(source) for source in answer.sources]
    for unknown in answer.unknown:
        hint = f"; {unknown.hint}" if unknown.hint else ""
        parts.append(f"# {unknown.message}{hint}")
    return _join_stubs(parts)


def _render_source(source: DescribedSource) -> str:
    """A source in comment lines, so that the whole still reads as Python."""
    title = f"# {source.name}: {source.tool_count} tools"
    if source.withheld:
        return f"{title}; what its server says of itself is held back: {source.withheld}"
    if not source.instructions.strip():
        return f"{title}; its server says nothing of itself"
    lines = source.instructions.splitlines()
    title = f"{title}; its server says of itself:"
    return "\n".join([title, *(f"#   {_printable(line)}".rstrip() for line in lines)])


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _join_stubs(stubs: Sequence[str]) -> str:
    """Stubs of one line stand close; longer ones have an empty line between."""
    separator = "\n\n" if any("\n" in stub for stub in stubs) else "\n"
    return separator.join(stubs)


# ------------------------------------------------------------------------------------- call_tool


def render_result(result: ToolResult, *, shown_characters: int) -> str:
    """A call's value as text, or its failure."""
    failure = result.failure
    if failure is not None:
        text = f"{failure.code}: {failure.message}"
        if failure.retry_after_s is not None:
            text += f"\nretry after {failure.retry_after_s:g} s"
        return f"{text}\nhint: {failure.hint}" if failure.hint else text
    value = result.value
    if isinstance(value, str):
        text = value
    elif result.encoded:
        text = result.encoded.decode("utf-8", "replace")
    else:
        text = _compact(_without_blobs(value))
    if len(text) <= shown_characters:
        return text
    return cut_middle(text, shown_characters)


def arrange_result(result: ToolResult, *, shown_characters: int) -> tuple[str, tuple[Content, ...]]:
    """A call's result as text and the blocks after it.

    Blocks of a source that sent images or links stand as they came, after its value where they do
    not repeat it; everything else is text alone. All text together keeps to `shown_characters`.
    """
    text = render_result(result, shown_characters=shown_characters)
    if result.failure is not None:
        return text, ()
    if any(isinstance(block, Blob | LinkContent) for block in result.content):
        if _is_repeated(result.value, result.content):
            text = ""
        return text, _shorten_texts(result.content, max(0, shown_characters - len(text)))
    values = result.value if isinstance(result.value, list) else [result.value]
    blobs = tuple(value for value in values if isinstance(value, Blob))
    return "" if blobs and len(blobs) == len(values) else text, blobs


def _is_repeated(value: Json, content: Sequence[Content]) -> bool:
    """Whether the blocks say all that the value says."""
    if value is None or any(_says(block, value) for block in content):
        return True
    if not isinstance(value, list) or len(value) != len(content):
        return False
    return all(_says(block, item) for block, item in zip(content, value, strict=True))


def _says(block: Content, value: Json) -> bool:
    match block:
        case TextContent(text=text):
            parsed = parse_structure(text)
            return value == text or (parsed is not None and parsed.value == value)
        case LinkContent(uri=uri):
            return isinstance(value, dict) and value.get("uri") == uri
        case _:
            return bool(block == value)


def _shorten_texts(content: Sequence[Content], room: int) -> tuple[Content, ...]:
    """The blocks, with texts that have `room` characters together."""
    shown: list[Content] = []
    hidden = 0
    for block in content:
        if not isinstance(block, TextContent):
            shown.append(block)
        elif room > 0:
            shown.append(TextContent(cut_middle(block.text, room)))
            room -= len(block.text)
        else:
            hidden += len(block.text)
    if hidden:
        shown.append(TextContent(f"[… {hidden:,} characters of further texts not shown …]"))
    return tuple(shown)


def _without_blobs(value: Json) -> Json:
    if isinstance(value, Blob):
        return f"[{value.media_type}, {len(value.data):,} bytes]"
    if isinstance(value, list):
        return [_without_blobs(item) if isinstance(item, Blob) else item for item in value]
    return value


def render_error(error: ToolweftError) -> str:
    """An error with its code and what to do next."""
    text = f"{error.code}: {error.message}"
    return f"{text}\nhint: {error.hint}" if error.hint else text


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
