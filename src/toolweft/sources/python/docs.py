"""What a docstring says: its first paragraph, and its parameters one by one. Pure."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import docstring_parser

__all__ = ("FunctionDocs", "read_docs")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDocs:
    """The documented side of a function."""

    description: str
    # Parameter -> one line; only those documented.
    parameters: Mapping[str, str]


def read_docs(function: Callable[..., Any]) -> FunctionDocs:
    """Read a Google, NumPy or reST docstring; empty where there is none.

    Of the text, the first paragraph is the description: what follows is for people who read code.
    """
    text = inspect.getdoc(function) or ""
    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return FunctionDocs(description=_first_paragraph(text), parameters={})
    return FunctionDocs(
        description=_first_paragraph(parsed.description or ""),
        parameters={
            parameter.arg_name: " ".join(parameter.description.split())
            for parameter in parsed.params
            if parameter.description
        },
    )


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n", 1)[0].split())
