"""Changes servers in a file of any format, and proves that nothing else changed. Pure."""

from collections.abc import Collection, Mapping

from toolweft.config.clients.files import decode
from toolweft.config.clients.json_edit import edit_json, written_members
from toolweft.config.clients.toml_edit import add_rules, edit_toml, written_tables
from toolweft.config.documents import Document, parse_document
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject

__all__ = (
    "decide_tools",
    "edit_servers",
    "json_root",
    "merged",
    "servers_in",
    "written_servers",
)


def servers_in(document: Document, root: str) -> JsonObject:
    """The servers under `root`; none where the key is missing.

    Raises:
        ConfigError: what stands there is no object.
    """
    servers = document.data.get(root, {})
    if isinstance(servers, dict):
        return servers
    raise ConfigError(
        f"{document.place((root,))}: {root!r} is {type(servers).__name__}, not an object",
        hint="write one entry a server: {name: {...}}",
    )


def edit_servers(
    content: bytes | None,
    document: Document,
    root: str,
    *,
    remove: Collection[str],
    add: Mapping[str, Json],
    written: Mapping[str, str] | None = None,
) -> bytes:
    """The file's content with servers removed and others added.

    Args:
        content: as it is; None for a file to be made.
        document: the same, parsed.
        root: the key of the servers.
        remove: names.
        add: servers by name.
        written: how some of them are to be written.

    Raises:
        ConfigError: the file is written in a way that cannot be changed safely.
    """
    text, mark = decode(content, label=document.label)
    edit = edit_toml if document.is_toml else edit_json
    edited = edit(text, root, remove=remove, add=add, written=written)
    kept = {n: value for n, value in servers_in(document, root).items() if n not in remove}
    added = {name: merged(kept.get(name), value) for name, value in add.items()}
    return _proven(edited, mark, document, {**document.data, root: {**kept, **added}}, root)


def written_servers(content: bytes | None, document: Document, root: str) -> dict[str, str]:
    """How each server is written, comments included, where it can be told apart."""
    text, _ = decode(content, label=document.label)
    return written_tables(text, root) if document.is_toml else written_members(text, root)


def decide_tools(
    content: bytes | None, document: Document, rules: Mapping[str, Mapping[str, Mapping[str, Json]]]
) -> bytes:
    """The configuration's content with decisions about tools.

    Args:
        content: as it is; None for a file to be made.
        document: the same, parsed.
        rules: what is decided, by server and tool.

    Raises:
        ConfigError: the file is written in a way that cannot be changed safely.
    """
    text, mark = decode(content, label=document.label)
    root = "servers" if document.is_toml else json_root(document)
    servers = dict(servers_in(document, root))
    for name, decided in rules.items():
        server = servers.get(name, {})
        assert isinstance(server, dict)
        holder = server if document.is_toml else {**server.get("toolweft", {})}
        configs = dict(holder.get("configs", {}))
        for tool, rule in decided.items():
            configs[tool] = {**configs.get(tool, {}), **rule}
        holder = {**holder, "configs": configs}
        servers[name] = holder if document.is_toml else {**server, "toolweft": holder}
        if document.is_toml:
            text = add_rules(text, name, decided)
        else:
            text = edit_json(text, root, remove={name}, add={name: servers[name]})
    return _proven(text, mark, document, {**document.data, root: servers}, root)


def json_root(document: Document) -> str:
    """The key that holds the servers of a client's file."""
    return "servers" if "servers" in document.data else "mcpServers"


def merged(below: Json, above: Json) -> Json:
    """The values of both where both are objects, those above winning; else the one above."""
    both = isinstance(below, dict) and isinstance(above, dict)
    return {**below, **above} if both else above


def _proven(text: str, mark: bytes, document: Document, expected: JsonObject, root: str) -> bytes:
    """The text as bytes, if it means what it should."""
    try:
        found = parse_document(text, path=document.path, label=document.label).data
    except ConfigError:
        found = {}
    # A table that became empty is as good as none.
    if {root: {}, **found} != {root: {}, **expected}:
        raise ConfigError(
            f"{document.place((root,))}: {root!r} is written in a way that cannot be"
            " changed without changing more",
            hint=f"write each server as a section of its own: [{root}.NAME]"
            if document.is_toml
            else "write each server as a member of its own",
        )
    return mark + text.encode("utf-8")
