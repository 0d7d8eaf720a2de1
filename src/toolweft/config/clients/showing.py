"""Changes of files as a person reads them, secrets hidden. Pure."""

import json
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path

from toolweft.config.clients.files import FileChange, decode, parse_bytes
from toolweft.config.clients.places import CLIENTS
from toolweft.config.clients.secrets import hidden_texts, mask_texts
from toolweft.core.errors import ConfigError

__all__ = ("render_changes",)

_ROOTS = frozenset(client.root for client in CLIENTS.values())


def render_changes(changes: Iterable[FileChange]) -> str:
    """What differs among the servers, without anything around: that may be secret."""
    made = [change for change in changes if change.is_change]
    hidden = {text for change in made for text in _hidden(change)}
    return "".join(mask_texts(_diff(change), hidden) for change in made)


def _diff(change: FileChange) -> str:
    name = str(change.path)
    lines = unified_diff(
        _shown(change.before, change.path),
        _shown(change.after, change.path),
        "(none)" if change.before is None else name,
        "(removed)" if change.after is None else name,
        lineterm="",
        n=0,
    )
    return "".join(f"{line}\n" for line in lines)


def _shown(content: bytes | None, path: Path) -> list[str]:
    """The lines of a file that may be shown; in JSON one line may hold everything."""
    text, _ = decode(content, label=str(path))
    if path.suffix == ".toml":
        return text.splitlines()
    data = parse_bytes(content, path).data
    servers = {key: value for key, value in data.items() if key in _ROOTS}
    return json.dumps(servers, indent=2, ensure_ascii=False).splitlines()


def _hidden(change: FileChange) -> set[str]:
    hidden: set[str] = set()
    for content in (change.before, change.after):
        try:
            data = parse_bytes(content, change.path).data
        except ConfigError:
            continue
        for root in _ROOTS:
            servers = data.get(root, {})
            for server in servers.values() if isinstance(servers, dict) else ():
                if isinstance(server, dict):
                    hidden |= hidden_texts(server)
    return hidden
