"""What is suspicious in prompts and resources, for people and as JSON."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from toolweft.catalog.pins.hidden import show_hidden
from toolweft.cli.describe import flag_to_dict
from toolweft.cli.output import note
from toolweft.core.json import JsonObject
from toolweft.core.pins import Flag

__all__ = ("FlagsByName", "flags_to_list", "note_flags")

_MAX_SHOWN: Final = 20

# By the name or the address that is shown.
FlagsByName: TypeAlias = Mapping[str, tuple[Flag, ...]]


def flags_to_list(flags: FlagsByName) -> list[JsonObject]:
    """All of it, each with the name or address that it is of."""
    return [{"name": name, **flag_to_dict(flag)} for name, found in flags.items() for flag in found]


def note_flags(flags: FlagsByName) -> None:
    """Say what is suspicious, hidden characters as escapes."""
    said = [f"{name}: {flag}" for name, found in flags.items() for flag in found]
    for one in said[:_MAX_SHOWN]:
        note(f"warning: suspicious: {show_hidden(one)}")
    if len(said) > _MAX_SHOWN:
        note(f"warning: {len(said) - _MAX_SHOWN} more that are suspicious; --json has all")
