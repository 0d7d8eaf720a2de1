"""The text of `toolweft.lock`: JSON in a stable order, in which nothing hides. Pure."""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.core.pins import Pin, PinnedServer, Pins

__all__ = ("parse_pins", "render_pins")

_ABOUT: Final = "Accepted definitions of tools, kept by toolweft: see `toolweft pin --help`."
_VERSION: Final = 1
_HASH: Final = re.compile(r"v\d+:[a-z0-9]+:[0-9a-f]+\Z")
_STRANGE: Final = re.compile(r"[^\n -~]")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def render_pins(pins: Pins) -> str:
    """The whole file."""
    servers = {
        str(name): {
            "reached": pins[name].reached,
            "tools": {
                str(tool): _render_pin(pin) for tool, pin in sorted(pins[name].tools.items())
            },
        }
        for name in sorted(pins)
    }
    text = json.dumps(
        {"about": _ABOUT, "version": _VERSION, "servers": servers}, indent=1, ensure_ascii=False
    )
    return _STRANGE.sub(_show, text) + "\n"


def parse_pins(text: str, *, place: str) -> dict[SourceName, PinnedServer]:
    """What a file holds.

    Args:
        text: of the file.
        place: names it in errors.

    Raises:
        ConfigError: it is not what `render_pins` writes; nothing of it is then to be trusted.
    """
    try:
        data: Json = json.loads(text, object_pairs_hook=_only_once)
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            found = data.get("version") if isinstance(data, dict) else data
            raise _broken(place, f"its version is {found!r:.60}, not {_VERSION}")
        return {
            SourceName(name): PinnedServer(
                reached=str(server.get("reached", "")),
                tools={
                    ToolName(tool): _parse_pin(pin, f"{place}: servers.{name}.tools.{tool}")
                    for tool, pin in server["tools"].items()
                },
            )
            for name, server in data["servers"].items()
        }
    except json.JSONDecodeError as error:
        raise _broken(f"{place}:{error.lineno}", f"it is not JSON: {error.msg}") from error
    except _Twice as error:
        raise _broken(place, f"it has the key {error.args[0]!r:.80} twice in one object") from error
    except ValueError as error:
        raise _broken(place, "a number in it has more digits than can be read") from error
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise _broken(place, "it does not hold servers with tools") from error


class _Twice(Exception):
    """A key that stands twice in one object; becomes a `ConfigError`."""


def _only_once(pairs: list[tuple[str, Json]]) -> JsonObject:
    # Which of the two counts is a matter of the reader: people see the first, JSON takes the last.
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in keys if keys.count(key) > 1))
    return found


def _parse_pin(pin: Mapping[str, Json], place: str) -> Pin:
    pin_hash, definition = pin.get("hash"), pin.get("definition", {})
    if not isinstance(pin_hash, str) or not _HASH.match(pin_hash):
        raise _broken(place, f"its hash is {pin_hash!r:.60}, not 'v1:sha256:...'")
    if not isinstance(definition, dict):
        raise _broken(place, "its definition is not an object")
    return Pin(hash=pin_hash, definition=definition, removed=pin.get("removed") is True)


def _render_pin(pin: Pin) -> JsonObject:
    definition = pin.definition
    try:
        json.dumps(definition)
    except (RecursionError, TypeError, ValueError):
        # The hash decides; that no difference can be shown later is the price of odd ones.
        definition = {}
    removed = {"removed": True} if pin.removed else {}
    return {"hash": pin.hash, **removed, "definition": definition}


def _broken(place: str, what: str) -> ConfigError:
    return ConfigError(
        f"{place}: {what}",
        hint="take it from version control again, or remove it to accept all definitions anew",
    )


def _show(match: re.Match[str]) -> str:
    """A character that nobody sees as JSON's escape of it, the others as they are."""
    character = match[0]
    if unicodedata.category(character) not in _HIDDEN and not _is_selector(character):
        return character
    return json.dumps(character)[1:-1]


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
