"""Changes of files as a person reads them, secrets hidden. Pure."""

from collections.abc import Iterable
from difflib import unified_diff

from toolweft.config.clients.files import FileChange, decode, parse_bytes
from toolweft.config.clients.places import CLIENTS
from toolweft.config.clients.secrets import hidden_texts, mask_texts
from toolweft.core.errors import ConfigError

__all__ = ("render_changes",)


def render_changes(changes: Iterable[FileChange]) -> str:
    """The lines that differ, without any around them: those may hold what must not be shown."""
    made = [change for change in changes if change.is_change]
    hidden = {text for change in made for text in _hidden(change)}
    return "".join(mask_texts(_diff(change), hidden) for change in made)


def _diff(change: FileChange) -> str:
    before, after = (
        decode(content, label=str(change.path))[0].splitlines()
        for content in (change.before, change.after)
    )
    name = str(change.path)
    lines = unified_diff(
        before,
        after,
        "(none)" if change.before is None else name,
        "(removed)" if change.after is None else name,
        lineterm="",
        n=0,
    )
    return "".join(f"{line}\n" for line in lines)


def _hidden(change: FileChange) -> set[str]:
    hidden: set[str] = set()
    for content in (change.before, change.after):
        try:
            data = parse_bytes(content, change.path).data
        except ConfigError:
            continue
        for root in {client.root for client in CLIENTS.values()}:
            servers = data.get(root, {})
            for server in servers.values() if isinstance(servers, dict) else ():
                if isinstance(server, dict):
                    hidden |= hidden_texts(server)
    return hidden
