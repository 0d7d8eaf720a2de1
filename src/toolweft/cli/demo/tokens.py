"""Counts tokens with o200k_base where its file is on this machine, else by UTF-8 bytes / 4.

Nothing is ever downloaded. One comparison uses one counter, and says which.
"""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolweft.core.budgets import estimate_tokens

__all__ = ("TokenCounter", "choose_counter", "find_encoding_file")

# The name tiktoken gives the file in its cache (SHA-1 of its address), and its SHA-256. A file of
# another content would make tiktoken download the right one.
_FILE_NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"
_FILE_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounter:
    """A way to count, and its name for the reader."""

    name: str
    count: Callable[[str], int]


def choose_counter(environ: Mapping[str, str]) -> TokenCounter:
    """The best counter that needs no network."""
    if find_spec("tiktoken") is None or find_encoding_file(environ) is None:
        return TokenCounter(
            name="UTF-8 bytes / 4 (an estimate)",
            count=lambda text: estimate_tokens(len(text.encode("utf-8"))),
        )
    encoding: Any = import_module("tiktoken").get_encoding("o200k_base")
    return TokenCounter(
        name="tiktoken o200k_base",
        count=lambda text: len(encoding.encode(text, disallowed_special=())),
    )


def find_encoding_file(environ: Mapping[str, str]) -> Path | None:
    """The encoding's file where tiktoken looks for it; None where it is not there or damaged."""
    folder = environ.get("TIKTOKEN_CACHE_DIR", environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = str(Path(tempfile.gettempdir()) / "data-gym-cache")
    path = Path(folder) / _FILE_NAME
    if not folder or not path.is_file():
        return None
    matches = hashlib.sha256(path.read_bytes()).hexdigest() == _FILE_SHA256
    return path if matches else None
