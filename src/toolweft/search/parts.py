"""The documents of tools, taken over from an earlier start where their definitions are the same.

A part is one document as bytes: how many words, how long they are together, then four columns.
Called where an index is made; knows nothing of where parts are kept.
"""

import struct
from array import array
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from toolweft.core.derived import Derived
from toolweft.core.packed import held_text
from toolweft.core.tools import ToolDefinition
from toolweft.search.documents import Document, build_document
from toolweft.search.words import Tokenizer

__all__ = ("document_key", "pack_document", "read_documents", "unpack_document")

_HEAD: Final = struct.Struct("<II")
# No word holds one.
_SEPARATOR: Final = "\n"
_FLOAT: Final = 4
# Far above what one word of a tool can count.
_MAX_WEIGHT: Final = 1e6


def read_documents(
    definitions: Sequence[ToolDefinition], derived: Derived | None
) -> Sequence[Document]:
    """The documents of definitions, in their order.

    Args:
        definitions: as the catalog completed them.
        derived: asked for each, and told all of them; None where nothing is kept.
    """
    tokenizer = Tokenizer()
    if derived is None or not derived.is_kept:
        return [build_document(definition, tokenizer) for definition in definitions]
    documents = []
    parts: dict[str, bytes] = {}
    for definition in definitions:
        key = document_key(definition)
        part = derived.part(key)
        document = None if part is None else unpack_document(part)
        if part is None or document is None:
            document = build_document(definition, tokenizer)
            part = pack_document(document)
        documents.append(document)
        parts[key] = part
    derived.note_parts(parts)
    return documents


def document_key(definition: ToolDefinition) -> str:
    """The hash of all that a document is made of."""
    told = (
        definition.name,
        definition.namespace,
        definition.category or "",
        definition.description,
        *(example.scenario for example in definition.input_examples),
    )
    # Lengths, so that what ends one and begins the next counts.
    text = "".join(f"{len(text)}:{text}" for text in told).encode("utf-8", "surrogatepass")
    # In the order of its keys: of very many parameters the first ones count.
    return sha256(text + held_text(definition, "input_schema")).hexdigest()


def pack_document(document: Document) -> bytes:
    """A document as a part."""
    words = _SEPARATOR.join(document.words).encode("utf-8", "surrogatepass")
    impacts, emphases = array("f", document.impacts), array("f", document.emphases)
    head = _HEAD.pack(len(document.words), len(words))
    return b"".join((head, words, impacts, emphases, document.fields))


def unpack_document(part: bytes) -> Document | None:
    """The document of a part; None where it is none."""
    if len(part) < _HEAD.size:
        return None
    count, words_end = _HEAD.unpack_from(part)
    words_end += _HEAD.size
    impacts_end = words_end + _FLOAT * count
    emphases_end = impacts_end + _FLOAT * count
    text = part[_HEAD.size : words_end].decode("utf-8", "replace")
    words = tuple(text.split(_SEPARATOR)) if count else ()
    if len(part) != emphases_end + count or len(set(words)) != count:
        return None
    impacts = array("f", part[words_end:impacts_end])
    emphases = array("f", part[impacts_end:emphases_end])
    if not all(0 <= weight <= _MAX_WEIGHT for weight in (*impacts, *emphases)):
        return None
    return Document(
        words=words,
        impacts=impacts,
        fields=part[emphases_end:],
        emphases=emphases,
        is_borrowed=True,
    )
