"""What `load_settings` returns: the options of every component, and where each value came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from toolweft.calls.options import CallOptions
from toolweft.catalog.options import CatalogOptions
from toolweft.core.agent_options import AgentOptions
from toolweft.core.ids import SourceName
from toolweft.core.pins import PinOptions
from toolweft.gateway.options import AskOptions, GatewayOptions, HttpOptions
from toolweft.programs.options import ProgramOptions
from toolweft.providers.options import ModelsOptions
from toolweft.sandbox.options import SandboxOptions
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.options import SearchOptions
from toolweft.sources.options import (
    HttpServerOptions,
    OpenApiOptions,
    RecordedServerOptions,
    StdioServerOptions,
)
from toolweft.sources.python.targets import split_target
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.handles import HandleOptions
from toolweft.stores.journal import JournalOptions
from toolweft.stores.options import LedgerOptions
from toolweft.stores.saved import SavedOptions
from toolweft.stores.vector_options import VectorStoreOptions
from toolweft.toolbox.options import ToolboxOptions

__all__ = ("BrokenServer", "PythonSourceOptions", "ServerOptions", "SettingValue", "Settings")

# A server that ran out of time still has to be ended and its stderr read.
_REPORT_S = 5.0

ServerOptions: TypeAlias = StdioServerOptions | HttpServerOptions | RecordedServerOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonSourceOptions:
    """Python functions as a source."""

    name: SourceName
    # "package.module" or the absolute path of a `.py` file, either perhaps with ":object"; empty
    # where an installed package says it.
    target: str = ""
    # "weather", or "acme-weather:weather"; empty where there is a target.
    entry_point: str = ""
    # File and line.
    origin: str

    @property
    def file(self) -> Path | None:
        """The file of the target; None where it is a module."""
        place, _ = split_target(self.target)
        return Path(place) if place.endswith(".py") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenServer:
    """A server that cannot be started as configured; it is shown as failed, the rest go on."""

    name: SourceName
    # Names the key and the value.
    reason: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingValue:
    """One key as `config explain` shows it."""

    # Dotted: "catalog.defer_above_tokens", "servers.git.args".
    key: str
    # As written, variables unexpanded; secrets are "***".
    value: str
    # "default", "FILE:LINE", "environment NAME" or "flag".
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one process, checked and complete."""

    # In the order read; the later wins.
    files: tuple[Path, ...]
    servers: tuple[ServerOptions, ...]
    broken_servers: tuple[BrokenServer, ...]
    python_sources: tuple[PythonSourceOptions, ...]
    openapi_sources: tuple[OpenApiOptions, ...]
    catalog: CatalogOptions
    pins: PinOptions
    # What is answered of tools whose servers say nothing.
    answers_path: Path
    sandbox: SandboxOptions
    programs: ProgramOptions
    calls: CallOptions
    toolbox: ToolboxOptions
    search: SearchOptions
    # None where no embedder is configured.
    embedder: EmbedderOptions | None
    vectors: VectorStoreOptions
    ledger: LedgerOptions
    handles: HandleOptions
    discovery: DiscoveryOptions
    models: ModelsOptions
    agent: AgentOptions
    journal: JournalOptions
    saved: SavedOptions
    gateway: GatewayOptions
    http: HttpOptions
    asks: AskOptions
    # Folders that whoever asks a command of ours for its roots is told, as file: addresses.
    roots: tuple[str, ...]
    # "vendor:model", for whoever asks a command of ours for a model; None for nobody.
    sampling_model: str | None
    # In the order of the sections; what `origins` and `explain` are read from.
    values: tuple[SettingValue, ...]
    # Not fatal, one sentence each: keys of other clients that are not used, ...
    problems: tuple[str, ...]

    @property
    def start_wait_s(self) -> float:
        """Seconds after which every server is ready or has failed, with time to say so."""
        waits = (
            server.start_timeout_s
            for server in self.servers
            if not isinstance(server, RecordedServerOptions)
        )
        descriptions = (source.start_timeout_s for source in self.openapi_sources)
        return max((*waits, *descriptions), default=0.0) + _REPORT_S

    @property
    def origins(self) -> Mapping[str, str]:
        """Dotted key -> where its value came from."""
        return {value.key: value.origin for value in self.values}
