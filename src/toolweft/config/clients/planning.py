"""What `install`, `uninstall` and `import` would change, before anything is changed.

Reads the files of clients and of toolweft; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolweft.config.client_files import convert_client_file
from toolweft.config.clients.editing import edit_servers, json_root, merged, servers_in
from toolweft.config.clients.files import FileChange, parse_bytes, resolve
from toolweft.config.clients.moving import DECISIONS, Choice, Verdict, check_name, sort_servers
from toolweft.config.clients.places import CLIENTS, Client, Scope, Surroundings, client_path
from toolweft.config.clients.records import Record, Records, ServerRecord, Step, server_hash
from toolweft.config.clients.undoing import Undoing, View, is_own, undo
from toolweft.config.documents import Document
from toolweft.config.layers import merge_files, read_files
from toolweft.config.lookup import FILE_NAMES, clients_path, find_config, user_folder
from toolweft.config.own_entry import own_arguments, own_config
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject

__all__ = (
    "ENTRY",
    "Import",
    "Install",
    "Uninstall",
    "config_target",
    "plan_import",
    "plan_install",
    "plan_uninstall",
)

# The name of toolweft among a client's servers.
ENTRY = "toolweft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """An install that could be made."""

    client: Client
    # The client's file and toolweft's configuration.
    file: FileChange
    config: FileChange
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    record: Record
    # Servers out of the client's file, and what toolweft has for it now.
    removed: tuple[str, ...]
    servers: dict[str, ServerRecord]
    # Of an install that was cut off and is taken back first.
    cut_off: tuple[Step, ...]
    undone: Undoing | None
    undone_changes: tuple[FileChange, ...]

    @property
    def is_change(self) -> bool:
        """Whether anything is left to do."""
        return self.file.is_change or self.config.is_change


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstall:
    """An uninstall that could be made."""

    client: Client
    path: Path
    record: Record
    changes: tuple[FileChange, ...]
    undone: Undoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Servers that could be added to toolweft's configuration."""

    source: Path
    config: FileChange
    verdicts: tuple[Verdict, ...]


def plan_install(
    client: Client,
    scope: Scope,
    around: Surroundings,
    *,
    config: Path | None,
    command: Sequence[str],
    choice: Choice,
) -> Install:
    """What an install would do.

    Args:
        client: whose file is changed.
        scope: which of its files.
        around: the process's surroundings.
        config: toolweft's configuration; None for the usual one.
        command: how toolweft is started, without PATH.
        choice: what the user decided beforehand.

    Raises:
        ConfigError: a file cannot be used.
    """
    path = _client_file(client, scope, around)
    records = Records(folder=clients_path(environ=around.environ, home=around.home))
    record = records.load(client.id, path)
    view, undone = View(), None
    cut_off = record.steps[-1:] if record.is_cut_off else ()
    if cut_off:
        undone = undo(view, records, record, cut_off)
        record = replace(record, steps=record.steps[:-1])
    undone_changes = tuple(view.changes())
    before = view.read(path)
    document = parse_bytes(before, path)
    servers = servers_in(document, client.root)
    target = _target(config, servers, scope, around)
    _check_apart(target, path)
    config_before = view.read(target)
    verdicts = _sorted(
        document, client.root, servers, target=target, skip=path, view=view, around=around,
        choice=choice,
    )  # fmt: skip
    check_name(ENTRY, verdicts, place=document.place((client.root, ENTRY)))
    gone = {v.name: v.server for v in verdicts if v.server is not None}
    own = [verdict.name for verdict in verdicts if verdict.outcome == "own"]
    entry: JsonObject = {
        **({"type": client.entry_type} if client.entry_type else {}),
        "command": command[0],
        "args": [*command[1:], "serve", "--config", str(target)],
    }
    current = [name for name in own if _is_current(servers[name], entry)][:1]
    removed = {*gone, *(name for name in own if name not in current)}
    after = edit_servers(
        before, document, client.root, remove=removed, add={} if current else {ENTRY: entry}
    )
    moved = {v.name: v.server for v in verdicts if v.outcome == "moved"}
    config_after = _with_servers(config_before, target, moved)
    if config_after is None:
        # The entry names it, so it has to be there.
        config_after = b"" if target.suffix == ".toml" else b'{"mcpServers": {}}\n'
    return Install(
        client=client,
        file=FileChange(
            path=path, before=before, after=after if removed or not current else before
        ),
        config=FileChange(path=target, before=config_before, after=config_after),
        verdicts=tuple(verdicts),
        notes=_notes(document),
        record=record,
        removed=tuple(sorted(removed)),
        servers={
            name: ServerRecord(hash=server_hash(server), added=name in moved)
            for name, server in gone.items()
        },
        cut_off=cut_off,
        undone=undone,
        undone_changes=undone_changes,
    )


def plan_uninstall(client: Client, scope: Scope, around: Surroundings) -> Uninstall:
    """What an uninstall would do.

    Args:
        client: whose file is changed.
        scope: which of its files.
        around: the process's surroundings.

    Raises:
        ConfigError: a file cannot be used.
    """
    path = _client_file(client, scope, around)
    records = Records(folder=clients_path(environ=around.environ, home=around.home))
    record = records.load(client.id, path)
    view = View()
    if record.steps:
        undone = undo(view, records, record, record.steps)
    else:
        undone = _take_out(view, client, path)
    return Uninstall(
        client=client, path=path, record=record, changes=tuple(view.changes()), undone=undone
    )


def plan_import(
    source: str, scope: Scope, around: Surroundings, *, config: Path | None, choice: Choice
) -> Import:
    """What an import would add.

    Args:
        source: the name of a client, or a file of one.
        scope: which file of the client.
        around: the process's surroundings.
        config: toolweft's configuration; None for the usual one.
        choice: what the user decided beforehand.

    Raises:
        ConfigError: a file cannot be used.
    """
    client = CLIENTS.get(source)
    path = resolve(around.cwd / source) if client is None else _client_file(client, scope, around)
    view = View()
    content = view.read(path)
    if content is None:
        listed = ", ".join(CLIENTS)
        raise ConfigError(
            f"there is no file {str(path)!r} to import from",
            hint=f"name a file, or one of: {listed}"
            if client is None
            else f"{client.title} has no servers there; --scope project reads this folder's",
        )
    document = parse_bytes(content, path)
    root = _root(document) if client is None else client.root
    target = resolve(config_target(config, scope, around))
    _check_apart(target, path)
    verdicts = _sorted(
        document, root, servers_in(document, root), target=target, skip=path, view=view,
        around=around, choice=choice,
    )  # fmt: skip
    before = view.read(target)
    moved = {v.name: v.server for v in verdicts if v.outcome == "moved"}
    return Import(
        source=path,
        config=FileChange(path=target, before=before, after=_with_servers(before, target, moved)),
        verdicts=tuple(verdicts),
    )


def config_target(config: Path | None, scope: Scope, around: Surroundings) -> Path:
    """The configuration of toolweft that servers are moved to.

    Args:
        config: as the user named it: a file, which may be missing, or a folder.
        scope: of the client's file.
        around: the process's surroundings.
    """
    if config is None and (named := around.environ.get("TOOLWEFT_CONFIG")):
        config = Path(named)
    folder = around.cwd
    if config is not None:
        path = around.cwd / config
        if not path.is_dir():
            return path
        folder = path
    elif scope == "user":
        folder = user_folder(environ=around.environ, home=around.home)
        return find_config((folder / FILE_NAMES[0], folder / FILE_NAMES[1])) or (
            folder / FILE_NAMES[0]
        )
    return folder / FILE_NAMES[0]


def _client_file(client: Client, scope: Scope, around: Surroundings) -> Path:
    path = client_path(client, scope, around)
    return resolve(path, inside=around.cwd if scope == "project" else None)


def _target(config: Path | None, servers: JsonObject, scope: Scope, around: Surroundings) -> Path:
    """Where servers go: as the user said, as the client's entry says, or the usual place."""
    if config is not None or around.environ.get("TOOLWEFT_CONFIG"):
        return resolve(config_target(config, scope, around))
    path = config_target(_own_target(servers, around), scope, around)
    # Whoever wrote the project must not choose a file of its user's.
    return resolve(path, inside=around.cwd if scope == "project" else None)


def _own_target(servers: JsonObject, around: Surroundings) -> Path | None:
    """The configuration that an entry for toolweft names already, if it is there."""
    for server in servers.values():
        if not is_own(server):
            continue
        arguments = own_arguments(server.get("command"), server.get("args")) or ()
        if not any(argument.startswith(("-C", "--config")) for argument in arguments):
            continue
        found = own_config(arguments, environ={}, cwd=around.cwd, home=around.home)
        if found is not None and found.is_file():
            return found
    return None


def _check_apart(target: Path, path: Path) -> None:
    if target == path:
        raise ConfigError(
            f"{str(path)!r} is the client's file: toolweft would start itself",
            hint="name another file: --config toolweft.toml",
        )


def _sorted(  # noqa: PLR0913 - two files and what was decided
    document: Document,
    root: str,
    servers: JsonObject,
    *,
    target: Path,
    skip: Path,
    view: View,
    around: Surroundings,
    choice: Choice,
) -> list[Verdict]:
    there = _there(target, skip=skip, view=view, around=around)
    return sort_servers(document, (root,), servers, there=there, choice=choice)


def _there(target: Path, *, skip: Path, view: View, around: Surroundings) -> JsonObject:
    """The servers of a configuration and all it includes, but for those of one file."""
    content = view.read(target)
    if content is None:
        return {}
    can_include = target.suffix == ".toml" and target.exists()
    layers, files, _ = read_files(target, cwd=around.cwd) if can_include else ([], [], [])
    read = zip(layers, files, strict=True)
    layer, _ = merge_files([one for one, file in read if file not in {skip, target}])
    included = layer.data().get("servers", {})
    # The file itself as it would be, once an install that was cut off is taken back.
    written = _own_servers(parse_bytes(content, target))
    both = {
        **included,
        **{name: merged(included.get(name), server) for name, server in written.items()},
    }
    return {name: server for name, server in both.items() if isinstance(server, dict)}


def _own_servers(document: Document) -> JsonObject:
    if document.is_toml:
        return servers_in(document, "servers")
    if not servers_in(document, json_root(document)):
        return {}
    servers: JsonObject = convert_client_file(document).data["servers"]
    return servers


def _is_current(server: Json, entry: JsonObject) -> bool:
    """Whether an entry does what the new one would, apart from keys a client adds."""
    return isinstance(server, dict) and {**server, **entry} == server


def _with_servers(content: bytes | None, path: Path, servers: JsonObject) -> bytes | None:
    if not servers:
        return content
    document = parse_bytes(content, path)
    root = "servers" if document.is_toml else json_root(document)
    added = servers
    if not document.is_toml:
        added = {name: _as_client_writes(server) for name, server in servers.items()}
    return edit_servers(content, document, root, remove=(), add=added)


def _as_client_writes(server: Json) -> Json:
    """A server for an `mcp.json`: what only toolweft knows stands apart."""
    assert isinstance(server, dict)
    ours = {key: value for key, value in server.items() if key in DECISIONS}
    plain = {key: value for key, value in server.items() if key not in DECISIONS}
    return {**plain, "toolweft": ours} if ours else plain


def _root(document: Document) -> str:
    roots = {client.root for client in CLIENTS.values()}
    found = next((key for key in document.data if key in roots), None)
    if found is None:
        raise ConfigError(
            f"{document.label}: none of {', '.join(sorted(roots))} at the top",
            hint='a file looks like {"mcpServers": {"time": {"command": "mcp-server-time"}}}',
        )
    return found


def _notes(document: Document) -> tuple[str, ...]:
    """What else the client's model will see."""
    projects = document.data.get("projects")
    own = [
        project
        for project, settings in (projects.items() if isinstance(projects, dict) else ())
        if isinstance(settings, dict) and settings.get("mcpServers")
    ]
    if not own:
        return ()
    return (f"servers of single projects in this file stay where they are: {', '.join(own)}",)


def _take_out(view: View, client: Client, path: Path) -> Undoing:
    """Remove entries of toolweft where no install is recorded."""
    content = view.read(path)
    notes: tuple[str, ...] = ()
    if content is not None:
        document = parse_bytes(content, path)
        servers = servers_in(document, client.root)
        own = {name for name, server in servers.items() if is_own(server)}
        if own:
            view.write(path, edit_servers(content, document, client.root, remove=own, add={}))
            notes = (
                f"there is no record of an install into {path}: only the entry was taken out,"
                " and no server was put back",
            )
    return Undoing(exact=not notes, notes=notes, adopted=())
