"""What an embedder reads of a tool, and the key under which its vector is kept. Pure.

The key is made of the text alone: the same tool on another server, after a restart or in another
process finds the same vector, and a changed text never finds the old one.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice

from toolweft.core.tools import ToolDefinition

__all__ = ("build_text", "split_batches", "text_key")

# Beyond this models read little, and long schemas would hide what a tool is for.
_MAX_CHARACTERS = 2_000
_MAX_PARAMETERS = 40
_PART = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")


def build_text(definition: ToolDefinition) -> str:
    """The text of a tool: its name as words, where it comes from, what it does, what it takes."""
    lines = [_say(definition.name)]
    if definition.namespace:
        lines.append(_say(definition.namespace))
    description = " ".join(definition.description[:_MAX_CHARACTERS].split())
    if description:
        lines.append(description)
    properties = definition.input_schema.get("properties")
    if isinstance(properties, dict) and properties:
        names = ", ".join(_say(name) for name in islice(properties, _MAX_PARAMETERS))
        lines.append(f"parameters: {names}")
    return "\n".join(lines)[:_MAX_CHARACTERS]


def text_key(text: str) -> str:
    """The key of a text's vector: 64 hexadecimal digits."""
    # A lone surrogate cannot be encoded, and must not stop anything.
    return sha256(text.encode("utf-8", "replace")).hexdigest()


def split_batches(texts: list[str], *, most: int, characters: int) -> Iterator[list[str]]:
    """The texts in order, in lists bounded by number and by characters; none is empty."""
    batch: list[str] = []
    held = 0
    for text in texts:
        if batch and (len(batch) >= most or held + len(text) > characters):
            yield batch
            batch, held = [], 0
        batch.append(text)
        held += len(text)
    if batch:
        yield batch


def _say(name: str) -> str:
    """A name as words: "listOpenIssues" is "list open issues"."""
    parts = _PART.findall(name[:200])
    return " ".join(p if p.isupper() and len(p) > 1 else p.lower() for p in parts) or name[:200]
