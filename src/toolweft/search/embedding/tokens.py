"""Texts to batches of token numbers, by the `tokenizer.json` of a model's folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from toolweft.search.embedding.pooling import Numbers

__all__ = ("TokenBatch", "TokenReader")

# Attention is quadratic: a batch holds few long texts or many short ones.
_MAX_TOKENS = 4_096
# Room for every token that a text of that many could have; what is behind says nothing new.
_CHARACTERS_A_TOKEN = 40


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Some of the texts, filled up to the longest of them; each array is (texts, tokens)."""

    # Where the texts stood.
    places: Sequence[int]
    ids: Numbers
    mask: Numbers
    kinds: Numbers


class TokenReader:
    """Splits texts as a model was trained to read them; may be shared by threads.

    Args:
        path: a `tokenizer.json`.
        max_tokens: longer texts are cut.
        lower_case: before anything else.
    """

    def __init__(self, path: Path, *, max_tokens: int, lower_case: bool) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        # The file's own settings fill every text up to one length.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._max_characters = max_tokens * _CHARACTERS_A_TOKEN
        self._lower_case = lower_case

    def batches(self, texts: Sequence[str]) -> Iterator[TokenBatch]:
        """All texts, those of like length together."""
        cut = [text[: self._max_characters] for text in texts]
        read = [text.lower() for text in cut] if self._lower_case else cut
        # One by one: the library's own threads do not outlive a fork of this process.
        found = [self._tokenizer.encode(text) for text in read]
        order = sorted(range(len(found)), key=lambda place: len(found[place].ids))
        while order:
            longest = max(1, len(found[order[-1]].ids))
            places = order[-max(1, _MAX_TOKENS // longest) :]
            del order[-len(places) :]
            arrays = [np.zeros((len(places), longest), np.int64) for _ in range(3)]
            for row, place in enumerate(places):
                length = len(found[place].ids)
                arrays[0][row, :length] = found[place].ids
                arrays[1][row, :length] = found[place].attention_mask
                arrays[2][row, :length] = found[place].type_ids
            yield TokenBatch(places, *arrays)
