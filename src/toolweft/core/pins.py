"""Pins: which definition of each tool was accepted, and what is suspicious in a text.

Data alone. The catalog decides with it, `toolweft.stores.pins` keeps it, the command line shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonObject

__all__ = (
    "Flag",
    "FlagKind",
    "FlaggedChoice",
    "Pin",
    "PinHashes",
    "PinMode",
    "PinOptions",
    "PinState",
    "PinnedServer",
    "Pins",
)

# tofu: what is seen first is accepted, and said. strict: nothing is, until a person does.
PinMode = Literal["tofu", "strict", "off"]
FlaggedChoice = Literal["warn", "suspend"]
# same: as accepted. changed: not as accepted. new: never accepted.
PinState = Literal["same", "changed", "new"]
# hidden: characters nobody sees. look_alike: a name that passes for another. instruction: words
# aimed at the model or at other tools.
FlagKind = Literal["hidden", "look_alike", "instruction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something suspicious in a text of a server; a guess, never proof."""

    kind: FlagKind
    # "$.description", "$.input_schema.properties.q.enum[0]", "$.name".
    path: str
    reason: str

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The accepted definition of one tool."""

    # "v1:sha256:" and 64 hexadecimal digits.
    hash: str
    # What was accepted, to show later what changed.
    definition: JsonObject
    # Its server does not offer it any more, and a person said that this is well.
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedServer:
    """The accepted tools of one server."""

    # Its command or address when they were accepted, without secrets.
    reached: str = ""
    tools: Mapping[ToolName, Pin] = field(default_factory=dict)


Pins: TypeAlias = Mapping[SourceName, PinnedServer]
# What decides: the accepted hash of each tool of each server.
PinHashes: TypeAlias = Mapping[SourceName, Mapping[ToolName, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinOptions:
    """How definitions are accepted."""

    mode: PinMode = "tofu"
    flagged: FlaggedChoice = "warn"
    # None keeps what is accepted in memory alone.
    path: Path | None = None
    # The configured servers and described services, and how each is reached, without secrets.
    servers: Mapping[SourceName, str] = field(default_factory=dict)
