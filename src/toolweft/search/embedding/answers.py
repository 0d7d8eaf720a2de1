"""What an embedding endpoint answers, to vectors. Pure; needs numpy."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.json import Json
from toolweft.search.embedding.checks import pack_vectors

__all__ = ("parse_answer", "parse_reason")


def parse_answer(body: bytes, *, count: int) -> list[bytes]:
    """The vectors of `count` texts, in the order of the texts.

    Raises:
        EmbedderUnavailable: the body is not such an answer; the message says in what.
    """
    try:
        answer: Json = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise EmbedderUnavailable("the answer is not JSON") from exc
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise EmbedderUnavailable("the answer has no list 'data'")
    if len(data) != count:
        raise EmbedderUnavailable(f"the answer has {len(data)} vectors for {count} texts")
    vectors: list[Json] = [None] * count
    for place, item in enumerate(data):
        if not isinstance(item, dict):
            raise EmbedderUnavailable(f"$.data[{place}] is not an object")
        index = item.get("index", place)
        # A bool is an int to Python.
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
            raise EmbedderUnavailable(f"$.data[{place}].index is {str(index)[:20]!r}")
        if vectors[index] is not None:
            raise EmbedderUnavailable(f"the answer has two vectors with index {index}")
        vectors[index] = item.get("embedding")
    return pack_vectors(_to_rows(vectors), count=count)


def parse_reason(body: bytes) -> str:
    """What an error answer says of itself, on one line, whole; "" where it says nothing."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        answer = body.decode("utf-8", "replace")
    for key in ("error", "message", "detail"):
        if isinstance(answer, dict) and key in answer:
            answer = answer[key]
    text = answer if isinstance(answer, str) else ""
    if text.lstrip().startswith("<"):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in text)
    # Cut by whoever shows it, once nothing secret is left in it.
    return " ".join(printable.split())


def _to_rows(vectors: Sequence[Json]) -> Any:
    lengths = {len(vector) if isinstance(vector, list) else -1 for vector in vectors}
    if len(lengths) != 1 or lengths <= {0, -1}:
        raise EmbedderUnavailable("the vectors of the answer are not lists of one length")
    numbers = (type(number) for vector in vectors for number in vector)
    if not {int, float}.issuperset(numbers):
        raise EmbedderUnavailable("a vector of the answer holds something that is not a number")
    try:
        # What float32 cannot hold becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            return np.array(vectors, np.float64).astype(np.float32)
    except (ValueError, OverflowError) as exc:
        raise EmbedderUnavailable("a vector of the answer cannot be read") from exc
