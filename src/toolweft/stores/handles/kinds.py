"""What a content is: JSON, JSON lines, text or neither. Pure.

The declared type comes first, then the beginning of an image, then the suffix; without them the
first bytes decide. A wrong guess does no harm: whoever loads it is told, and can read it as text or
bytes.
"""

import json
from pathlib import PurePath
from typing import Final

from toolweft.core.handles import Draft, HandleKind
from toolweft.core.signatures import find_media_type

__all__ = ("SNIFF_BYTES", "guess_kind")

# Enough to see past a heading; parsed in less than a millisecond.
SNIFF_BYTES: Final = 64 * 1024

_BY_SUFFIX: Final[dict[str, tuple[HandleKind, str]]] = {
    ".csv": ("text", "text/csv"),
    ".gif": ("binary", "image/gif"),
    ".geojson": ("json", "application/json"),
    ".html": ("text", "text/html"),
    ".jpeg": ("binary", "image/jpeg"),
    ".jpg": ("binary", "image/jpeg"),
    ".json": ("json", "application/json"),
    ".jsonl": ("json_lines", "application/x-ndjson"),
    ".log": ("text", "text/plain"),
    ".md": ("text", "text/markdown"),
    ".mp3": ("binary", "audio/mpeg"),
    ".ndjson": ("json_lines", "application/x-ndjson"),
    ".pdf": ("binary", "application/pdf"),
    ".png": ("binary", "image/png"),
    ".tsv": ("text", "text/tab-separated-values"),
    ".txt": ("text", "text/plain"),
    ".wav": ("binary", "audio/wav"),
    ".webp": ("binary", "image/webp"),
    ".xml": ("text", "text/xml"),
}
_MEDIA_TYPES: Final[dict[HandleKind, str]] = {
    "json": "application/json",
    "json_lines": "application/x-ndjson",
    "text": "text/plain",
    "binary": "application/octet-stream",
}
_LINE_TYPES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
    }
)
# An error this close to the end of the sample may be the cut alone.
_CUT_CHARACTERS = 16


def guess_kind(draft: Draft, *, path: PurePath | None, sample: bytes) -> tuple[HandleKind, str]:
    """Kind and media type of a content.

    Args:
        draft: what is known already.
        path: where it comes from, for its suffix.
        sample: its first `SNIFF_BYTES` bytes, or all of it.
    """
    if draft.media_type is not None:
        return draft.kind or _kind_of_type(draft.media_type, sample), draft.media_type
    known = find_media_type(sample)
    if draft.kind is not None:
        return draft.kind, (known if draft.kind == "binary" else None) or _MEDIA_TYPES[draft.kind]
    if known is not None:
        return "binary", known
    kind = _sniff(sample)
    by_suffix = _of_suffix(draft, path, kind)
    return by_suffix or (kind, _MEDIA_TYPES[kind])


def _of_suffix(
    draft: Draft, path: PurePath | None, kind: HandleKind
) -> tuple[HandleKind, str] | None:
    """What the file's suffix says, else that of the name; None where it says nothing."""
    found = _BY_SUFFIX.get(path.suffix.lower()) if path is not None else None
    if found is None and draft.name is not None:
        found = _BY_SUFFIX.get(PurePath(draft.name).suffix.lower())
        # A name is anybody's: it makes no text of bytes, and no image of a text.
        if found is not None and (found[0] == "binary") != (kind == "binary"):
            return None
    # Many tools write JSON lines into what they call .json.
    return None if found == _BY_SUFFIX[".json"] and kind == "json_lines" else found


def _kind_of_type(media_type: str, sample: bytes) -> HandleKind:
    essence = media_type.partition(";")[0].strip().lower()
    if essence in _LINE_TYPES:
        return "json_lines"
    if essence == "application/json" or essence.endswith("+json"):
        return "json"
    if essence.startswith("text/") and _decode(sample) is not None:
        return "text"
    return "binary"


def _sniff(sample: bytes) -> HandleKind:
    text = _decode(sample)
    if text is None:
        return "binary"
    text = text.removeprefix("\ufeff").lstrip()
    if text[:1] not in {"{", "["}:
        return "text"
    line, _, rest = text.partition("\n")
    if rest.lstrip()[:1] in {"{", "["} and _is_whole_json(line):
        return "json_lines"
    return "json" if _may_begin_json(text, is_cut=len(sample) >= SNIFF_BYTES) else "text"


def _decode(sample: bytes) -> str | None:
    """The sample as text, its last character perhaps cut off; None where it is none."""
    if b"\0" in sample:
        return None
    try:
        return sample.decode()
    except UnicodeDecodeError as fault:
        # A character has at most four bytes.
        is_cut = len(sample) >= SNIFF_BYTES and fault.start >= len(sample) - 3
        return sample[: fault.start].decode() if is_cut else None


def _is_whole_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _may_begin_json(text: str, *, is_cut: bool) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        is_open_string = fault.msg.startswith("Unterminated string")
        return is_cut and (is_open_string or fault.pos >= len(text) - _CUT_CHARACTERS)
    except (ValueError, RecursionError):
        return False
    return True
