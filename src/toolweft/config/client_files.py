"""`mcp.json` files as MCP clients write them, turned into the shape of `toolweft.toml`.

Pure. Accepts `{"mcpServers": ...}` and VS Code's `{"servers": ...}`. Keys that only another
client understands are dropped with a note; a key that looks like a mistyped one is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from glob import escape

from toolweft.config.documents import Document, KeyPath
from toolweft.config.models import ServerModel
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject

__all__ = ("ClientFile", "convert_client_file", "convert_server")

_ROOTS = ("mcpServers", "servers")
_KNOWN = frozenset(ServerModel.model_fields)
# Where several clients write the same thing under another name.
_SYNONYMS: Mapping[str, str] = {"httpUrl": "url", "serverUrl": "url", "transport": "type"}
# Keys of other clients that are not used here.
_FOREIGN = frozenset({
    "alwaysAllow", "auth", "authorization", "autoApprove", "description", "dev", "envFile",
    "gallery", "icon", "icons", "id",
    "name", "oauth", "note", "notes", "timeout", "tools", "trust", "version",
})  # fmt: skip
# Names of tools that another client would not offer: they are turned off here too.
_TURNED_OFF = frozenset({"disabledTools", "excludeTools"})
# Names of the only tools that another client would offer.
_OFFERED = frozenset({"enabledTools", "includeTools"})
# What a key that is not used would have changed.
_LOST: Mapping[str, str] = {
    "envFile": ": variables from that file are not read; write them in 'env', as 'env:NAME'",
}
# Below this likeness an unknown key is taken for one of a client not listed above.
_MISTYPED = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFile:
    """A client's file in the shape of `toolweft.toml`."""

    data: JsonObject
    lines: Mapping[KeyPath, int]
    notes: tuple[str, ...]


def convert_client_file(document: Document) -> ClientFile:
    """The servers of a client's file.

    Raises:
        ConfigError: it has no servers, or a server has a mistyped key.
    """
    root = next((name for name in _ROOTS if name in document.data), None)
    if root is None:
        listed = ", ".join(map(repr, document.data)) or "nothing"
        raise ConfigError(
            f"{document.label}: no 'mcpServers' at the top, only {listed}",
            hint='a file looks like {"mcpServers": {"time": {"command": "mcp-server-time"}}}',
        )
    servers = document.data[root]
    if not isinstance(servers, dict):
        raise ConfigError(
            f"{document.place((root,))}: {root!r} is {type(servers).__name__}, not an object",
            hint="write one entry a server: {name: {...}}",
        )
    notes = [
        f"{document.place((key,))}: {key!r} is not used"
        for key in document.data
        if key != root and key != "$schema"
    ]
    converted: JsonObject = {}
    for name, server in servers.items():
        if not isinstance(server, dict):
            raise ConfigError(
                f"{document.place((root, name))}: server {name!r} is {server!r}, not an object",
                hint='a server looks like {"command": "mcp-server-time", "args": []}',
            )
        converted[name] = convert_server(document, (root, name), server, notes)
    return ClientFile(
        data={"servers": converted}, lines=_moved(document.lines, root), notes=tuple(notes)
    )


def convert_server(
    document: Document, place: KeyPath, server: JsonObject, notes: list[str]
) -> JsonObject:
    """One server with the keys that are used here.

    Args:
        document: the file it stands in.
        place: its path there.
        server: as the client wrote it.
        notes: receives a sentence for each key that is not used.

    Raises:
        ConfigError: a key is mistyped.
    """
    own: Json = server.get("toolweft", {})
    turned_off: list[str] = []
    offered: list[str] | None = None
    kept: JsonObject = dict(own) if isinstance(own, dict) else {"toolweft": own}
    for written, value in server.items():
        key = _SYNONYMS.get(written, written)
        if key in _KNOWN and not (key == "auth" and not _is_own_auth(value)):
            kept[key] = value
        elif written in _TURNED_OFF:
            turned_off += _tool_names(document, (*place, written), value)
        elif written in _OFFERED:
            offered = _tool_names(document, (*place, written), value)
        elif written != "toolweft":
            _check_foreign(document, (*place, written))
            lost = _LOST.get(written, "")
            notes.append(f"{document.place((*place, written))}: {written!r} is not used{lost}")
    if offered is not None:
        kept = _offer_only(kept, offered)
    return _turn_off(kept, turned_off)


def _is_own_auth(value: Json) -> bool:
    """Whether it is ours: another client has a key of that name for itself."""
    return not isinstance(value, dict) or "type" in value


def _tool_names(document: Document, place: KeyPath, value: Json) -> list[str]:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return [str(name) for name in value]
    raise ConfigError(
        f"{document.place(place)}: {place[-1]!r} is {value!r:.80}, not a list of names",
        hint='write the names of tools: ["delete_repo"]',
    )


def _offer_only(server: JsonObject, tools: list[str]) -> JsonObject:
    configs, default = server.get("configs", {}), server.get("default_config", {})
    if not isinstance(configs, dict) or not isinstance(default, dict):
        return server
    offered = {escape(tool): {"enabled": True} for tool in tools}
    return {
        **server,
        "default_config": {"enabled": False, **default},
        "configs": {**offered, **configs},
    }


def _turn_off(server: JsonObject, tools: list[str]) -> JsonObject:
    configs = server.get("configs", {})
    # Anything else is refused with its place when the whole is checked.
    if not tools or not isinstance(configs, dict):
        return server
    turned_off: JsonObject = dict(configs)
    for tool in map(escape, tools):
        # Written anew, so that it comes after every glob of the file.
        decided = turned_off.pop(tool, {})
        turned_off[tool] = {**decided, "enabled": False} if isinstance(decided, dict) else decided
    return {**server, "configs": turned_off}


def _check_foreign(document: Document, place: KeyPath) -> None:
    key = str(place[-1])
    near = get_close_matches(key, _KNOWN, n=1, cutoff=_MISTYPED)
    if key not in _FOREIGN and near:
        raise ConfigError(
            f"{document.place(place)}: unknown key {key!r} of server {place[-2]!r}",
            hint=f"did you mean {near[0]!r}?",
        )


def _moved(lines: Mapping[KeyPath, int], root: str) -> dict[KeyPath, int]:
    moved: dict[KeyPath, int] = {}
    for path, line in lines.items():
        if path[0] != root:
            continue
        tail = path[1:]
        if len(tail) > 1:
            if tail[1] == "toolweft":
                tail = (tail[0], *tail[2:])
            else:
                tail = (tail[0], _SYNONYMS.get(str(tail[1]), tail[1]), *tail[2:])
        moved["servers", *tail] = line
    return moved
