"""What a person answered about tools whose servers do not say what they do. Data alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.tools import Severity

__all__ = ("Answer", "Answers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; it counts for that very definition and no other."""

    # As `CatalogTool.pin_hash`.
    pin_hash: str
    severity: Severity


Answers: TypeAlias = Mapping[SourceName, Mapping[ToolName, Answer]]
