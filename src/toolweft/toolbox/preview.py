"""A stored result as a few lines for a model: what it is, how it begins, and how to go on. Pure."""

import json
from collections.abc import Sequence
from datetime import timedelta

from toolweft.core.handles import Handle
from toolweft.core.json import Json

__all__ = ("render_bytes_kept", "render_kept", "render_start", "render_start_of_text")

# Of the beginning that is shown; enough to see the fields, far less than what was kept back.
MAX_PREVIEW_CHARACTERS = 1_000
_MAX_ROWS = 3
_MAX_KEYS = 20
_MAX_SCALAR_CHARACTERS = 80


def render_kept(handle: Handle, start: str) -> str:
    """The text in the place of a result.

    Args:
        handle: the result.
        start: from `render_start` or `render_start_of_text`.
    """
    unused = (handle.expires_at - handle.created_at) / timedelta(minutes=1)
    lines = [f"[{_what(handle)}: kept, gone when unused for {unused:.0f} min]", start]
    lines.append(f"In run_code: {_how(handle)}")
    return "\n".join(line for line in lines if line)


def render_bytes_kept(handle: Handle) -> str:
    """One line for bytes that are no image."""
    return f'[{handle.media_type}, {handle.size_bytes:,} bytes: await load("{handle.id}")]'


def render_start(value: Json) -> str:
    """How a value begins: the first rows of a list, the keys of an object."""
    if isinstance(value, str):
        return render_start_of_text(value)
    if isinstance(value, list):
        return _clip(_first_rows(value, MAX_PREVIEW_CHARACTERS))
    if not isinstance(value, dict):
        return _clip(_compact(value))
    lines = [f"{_clip(key, 60)}: {_sketch(item)}" for key, item in list(value.items())[:_MAX_KEYS]]
    if len(value) > _MAX_KEYS:
        lines.append(f"and {len(value) - _MAX_KEYS:,} more keys")
    longest = max((item for item in value.values() if isinstance(item, list)), key=len, default=[])
    if longest:
        lines.append(f"its longest list begins: {_compact(longest[0])}")
    return _clip("\n".join(lines))


def render_start_of_text(text: str) -> str:
    """How a text begins."""
    return _clip(text)


def _how(handle: Handle) -> str:
    load = f'load("{handle.id}")'
    if handle.kind == "binary":
        return f"data = await {load}"
    if handle.rows is None:
        return f"value = await {load}"
    name = "text" if handle.kind == "text" else "rows"
    return f"{name} = await {load}, or async for {_noun(handle)} in {load}.chunks(1000)"


def _noun(handle: Handle) -> str:
    return "lines" if handle.kind == "text" else "rows"


def _what(handle: Handle) -> str:
    rows = "" if handle.rows is None else f", {handle.rows:,} {_noun(handle)}"
    kind = handle.media_type if handle.kind == "binary" else handle.kind.replace("_", " ")
    return f"{kind}{rows}, {handle.size_bytes:,} bytes"


def _first_rows(rows: Sequence[Json], room: int) -> str:
    shown: list[str] = []
    for row in rows[:_MAX_ROWS]:
        text = _compact(row)
        if shown and len(text) > room:
            break
        shown.append(text)
        room -= len(text)
    return "\n".join(shown)


def _sketch(value: Json) -> str:
    if isinstance(value, list):
        return f"list of {len(value):,}"
    if isinstance(value, dict):
        return f"object with {len(value):,} keys"
    if isinstance(value, str) and len(value) > _MAX_SCALAR_CHARACTERS:
        return f"text of {len(value):,} characters"
    return _compact(value)


def _clip(text: str, room: int = MAX_PREVIEW_CHARACTERS) -> str:
    return text if len(text) <= room else f"{text[:room]}…"


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
