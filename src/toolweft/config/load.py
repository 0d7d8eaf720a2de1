"""Files, environment and flags to `Settings`: the entrance of this package."""

from collections.abc import Mapping
from pathlib import Path

from toolweft.calls.options import CallOptions
from toolweft.catalog.options import CatalogOptions
from toolweft.config.asks import build_asks, build_roots
from toolweft.config.documents import KeyPath
from toolweft.config.embedder import build_embedder, build_vector_store
from toolweft.config.explain import setting_values
from toolweft.config.faults import build_config
from toolweft.config.layers import (
    Layer,
    environment_layer,
    flag_layer,
    merge_files,
    merge_layers,
    read_files,
    unused_variables,
)
from toolweft.config.lookup import (
    FILE_NAMES,
    answers_path,
    discovery_path,
    environments_path,
    find_config,
    handles_path,
    journal_path,
    ledger_path,
    lookup_paths,
    saved_path,
)
from toolweft.config.model_options import build_agent, build_models
from toolweft.config.models import ConfigModel
from toolweft.config.openapi import build_openapi_sources
from toolweft.config.own_entry import drop_own_entries
from toolweft.config.pins import build_pins
from toolweft.config.servers import (
    ServerBuilder,
    build_python_sources,
    build_rules,
    check_source_names,
    recorded_server,
)
from toolweft.config.settings import BrokenServer, ServerOptions, Settings
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json
from toolweft.core.programs import ProgramLimits
from toolweft.gateway.options import ApiKey, GatewayOptions, HttpOptions
from toolweft.programs.options import ContainerOptions, ProgramOptions
from toolweft.sandbox.options import EngineOptions, SandboxOptions
from toolweft.search.options import SearchOptions
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.handles import HandleOptions
from toolweft.stores.journal import JournalOptions
from toolweft.stores.options import LedgerOptions
from toolweft.stores.saved import SavedOptions
from toolweft.toolbox.options import ToolboxOptions

__all__ = ("load_settings",)

_NO_OVERRIDES: Mapping[str, Json] = {}


def load_settings(  # noqa: PLR0913 - three of them are the process's surroundings
    *,
    config: Path | None,
    look_up: bool = True,
    recorded: Path | None = None,
    overrides: Mapping[str, Json] = _NO_OVERRIDES,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
) -> Settings:
    """Read and check the whole configuration.

    Args:
        config: a `toolweft.toml`, an `mcp.json` or a folder with one.
        look_up: where `config` is None, look at the paths of `lookup_paths`; without any file the
            settings are the defaults.
        recorded: a folder; every server becomes its recording `<server>.json` there.
        overrides: values of flags by dotted key: {"http.port": 8080}, or as text.
        environ: the environment's variables; `TOOLWEFT_SECTION__KEY` sets a value,
            `TOOLWEFT_CONFIG` names the file where `config` is None.
        cwd: where relative paths count from.
        home: the user's home folder.

    Raises:
        ConfigError: with file, line, key, value and what to do.
    """
    written = Layer()
    files: list[Path] = []
    problems: list[str] = []
    start = None
    if config is not None or look_up:
        start = _chosen(config, environ=environ, cwd=cwd, home=home)
    if start is None and look_up:
        listed = ", ".join(map(str, lookup_paths(environ=environ, cwd=cwd, home=home)))
        problems.append(f"no configuration file was found; looked for {listed}")
    if start is not None:
        layers, files, problems = read_files(start, cwd=cwd)
        written, notes = merge_files(layers)
        problems += [*notes, *_passed_over(files, cwd=cwd)]
    problems += unused_variables(environ)
    layer = merge_layers(
        [written, environment_layer(environ, cwd=cwd), flag_layer(overrides, cwd=cwd)]
    )
    checked, notes = drop_own_entries(
        build_config(layer), layer, files, environ=environ, cwd=cwd, home=home
    )
    problems += notes
    builder = ServerBuilder(layer=layer, environ=environ, cwd=cwd, home=home)
    servers, broken = _servers(
        checked, builder, recorded=None if recorded is None else cwd / recorded
    )
    problems += [
        f"server {name!r} is disabled" for name, s in checked.servers.items() if s.disabled
    ]
    described, unusable = build_openapi_sources(checked, layer, environ=environ, cwd=cwd, home=home)
    embedder = build_embedder(checked, layer, environ=environ, home=home)
    if embedder is not None and embedder.problem:
        problems.append(embedder.problem)
    ledger_url = checked.ledger.url or f"sqlite:///{ledger_path(environ=environ, home=home)}"
    folders = _store_folders(checked, layer, environ=environ, home=home)
    pins = build_pins(checked, layer, files, environ=environ, home=home)
    paths: dict[KeyPath, str] = {(name, "folder"): str(path) for name, path in folders.items()}
    paths["pins", "path"] = str(pins.path)
    return Settings(
        files=tuple(files),
        servers=servers,
        broken_servers=(*broken, *unusable),
        python_sources=build_python_sources(checked, layer),
        openapi_sources=described,
        catalog=_catalog(checked, layer, files),
        sandbox=_sandbox(checked, layer, environ=environ, home=home),
        programs=_programs(checked),
        calls=CallOptions(**dict(checked.calls)),
        toolbox=ToolboxOptions(**dict(checked.toolbox)),
        discovery=_discovery(checked, layer, environ=environ, home=home),
        handles=HandleOptions(**{**dict(checked.handles), "folder": folders["handles"]}),
        journal=JournalOptions(**{**dict(checked.journal), "folder": folders["journal"]}),
        saved=SavedOptions(**{**dict(checked.saved), "folder": folders["saved"]}),
        search=SearchOptions(**checked.search.model_dump(exclude={"embedder"})),
        embedder=embedder,
        vectors=build_vector_store(checked, environ=environ, home=home),
        ledger=_ledger(checked, ledger_url),
        models=build_models(checked, layer, environ=environ),
        agent=build_agent(checked),
        gateway=GatewayOptions(**dict(checked.gateway)),
        http=_http(checked, layer),
        asks=build_asks(checked, layer, environ=environ),
        roots=build_roots(checked, layer, home=home),
        sampling_model=checked.asks.sampling_model,
        pins=pins,
        answers_path=answers_path(environ=environ, home=home),
        values=setting_values(checked, layer, ledger_url=ledger_url, paths=paths),
        problems=tuple(problems),
    )


def _chosen(
    config: Path | None, *, environ: Mapping[str, str], cwd: Path, home: Path
) -> Path | None:
    if config is None and (named := environ.get("TOOLWEFT_CONFIG")):
        config = Path(named)
    if config is None:
        return find_config(lookup_paths(environ=environ, cwd=cwd, home=home))
    path = cwd / config
    if not path.is_dir():
        return path
    found = find_config(tuple(path / name for name in FILE_NAMES))
    if found is None:
        raise ConfigError(
            f"the folder {str(path)!r} has no configuration; looked for {', '.join(FILE_NAMES)}",
            hint="name the file itself, or write one with `toolweft init`",
        )
    return found


def _passed_over(files: list[Path], *, cwd: Path) -> list[str]:
    """Files beside the chosen one that a person may believe to be read."""
    folder = files[-1].parent
    if folder != cwd.resolve() or files[-1].name not in FILE_NAMES:
        return []
    read = {path.name for path in files if path.parent == folder}
    return [
        f"{name} is there too but not read: {files[-1].name} comes first"
        for name in FILE_NAMES
        if name not in read and (folder / name).is_file()
    ]


def _servers(
    checked: ConfigModel, builder: ServerBuilder, *, recorded: Path | None
) -> tuple[tuple[ServerOptions, ...], tuple[BrokenServer, ...]]:
    check_source_names(checked, builder.layer)
    servers: list[ServerOptions] = []
    broken: list[BrokenServer] = []
    for name, server in checked.servers.items():
        if server.disabled:
            continue
        if recorded is not None:
            servers.append(recorded_server(name, folder=recorded))
            continue
        built = builder.build(name, server)
        if isinstance(built, BrokenServer):
            broken.append(built)
        else:
            servers.append(built)
    return tuple(servers), tuple(broken)


def _catalog(checked: ConfigModel, layer: Layer, files: list[Path]) -> CatalogOptions:
    section = checked.catalog
    return CatalogOptions(
        profile=checked.profile,
        trust_hints=section.trust_hints,
        defer_above_tokens=section.defer_above_tokens,
        max_examples=section.max_examples,
        default_timeout_s=section.default_timeout_s,
        rules=build_rules(checked, layer),
        advised_file=_advised_file(files),
    )


def _advised_file(files: list[Path]) -> str:
    """The TOML file that was read, or else the one to write beside a client's file."""
    if not files:
        return "toolweft.toml"
    name = files[-1].name
    return name if name.endswith(".toml") else f'toolweft.toml (with include = ["{name}"])'


def _store_folders(
    checked: ConfigModel, layer: Layer, *, environ: Mapping[str, str], home: Path
) -> dict[str, Path]:
    """The folder of each section that has one, where nothing is configured the usual one."""
    usual = {"handles": handles_path, "journal": journal_path, "saved": saved_path}
    folders = {}
    for section, path in usual.items():
        written = getattr(checked, section).folder
        if written is None:
            folders[section] = path(environ=environ, home=home)
        else:
            folders[section] = _place(written, layer, (section, "folder"), home=home)
    return folders


def _discovery(
    checked: ConfigModel, layer: Layer, *, environ: Mapping[str, str], home: Path
) -> DiscoveryOptions:
    section = checked.discovery
    folder: Path | None = discovery_path(environ=environ, home=home)
    if section.folder == "":
        folder = None
    elif section.folder is not None:
        folder = _place(section.folder, layer, ("discovery", "folder"), home=home)
    return DiscoveryOptions(**{**dict(section), "folder": folder})


def _place(written: str, layer: Layer, path: KeyPath, *, home: Path) -> Path:
    """A folder as it was written: below the home folder, or the one of its file."""
    if written.startswith("~/"):
        return home / written[2:]
    return layer.entries[path].folder / written


def _sandbox(
    checked: ConfigModel, layer: Layer, *, environ: Mapping[str, str], home: Path
) -> SandboxOptions:
    section = checked.sandbox
    if section.tier == "unsafe" and section.backend in ("monty", "container"):
        raise ConfigError(
            f"{layer.place(('sandbox', 'tier'))}: 'unsafe' is a tier of processes, and"
            f" sandbox.backend is {section.backend!r}",
            hint='leave sandbox.tier out, or set sandbox.backend = "process"',
        )
    folder = environments_path(environ=environ, home=home)
    if section.environments is not None:
        folder = _place(section.environments, layer, ("sandbox", "environments"), home=home)
    engine = EngineOptions(**dict(section.container))
    return SandboxOptions(**{**dict(section), "container": engine, "environments": folder})


def _programs(checked: ConfigModel) -> ProgramOptions:
    return ProgramOptions(
        limits=ProgramLimits(**dict(checked.limits)),
        containers=ContainerOptions(**dict(checked.containers)),
        park_s=checked.asks.park_s,
        **dict(checked.programs),
    )


def _ledger(checked: ConfigModel, url: str) -> LedgerOptions:
    return LedgerOptions(
        **{**dict(checked.ledger), "url": url},
        keep_search_text=checked.search.learn,
        keep_search_days=checked.search.keep_search_days,
    )


def _http(checked: ConfigModel, layer: Layer) -> HttpOptions:
    section = checked.http
    seen: set[str] = set()
    for index, key in enumerate(section.keys):
        for value in (key.id, key.sha256):
            if value in seen:
                raise ConfigError(
                    f"{layer.place(('http', 'keys', index))}: the key {key.id!r} is given twice",
                    hint="each of [[http.keys]] needs an id and a hash of its own",
                )
            seen.add(value)
    keys = tuple(ApiKey(**dict(key)) for key in section.keys)
    return HttpOptions(
        host=section.host,
        port=section.port,
        path=section.path,
        keys=keys,
        allowed_hosts=section.allowed_hosts,
        allowed_origins=section.allowed_origins,
    )
