"""The shape of `toolweft.toml`: what each key may hold, and its default.

Each section mirrors the options class of one component and takes its defaults from there, so
there is one place for each. Nothing here reads anything.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from toolweft.calls.options import CallOptions
from toolweft.catalog.options import CatalogOptions, Profile
from toolweft.config.ask_models import AsksModel
from toolweft.config.auth import AuthModel
from toolweft.config.callers import Callers
from toolweft.config.model_models import ModelsModel
from toolweft.config.openapi_keys import OpenApiKeys
from toolweft.config.quantities import (
    Bytes,
    Count,
    CountOrZero,
    Name,
    Seconds,
    SecondsOrZero,
    Section,
    Texts,
    not_bool,
)
from toolweft.config.search_models import SearchModel
from toolweft.config.store_models import (
    DiscoveryModel,
    HandlesModel,
    JournalModel,
    LedgerModel,
    SavedModel,
)
from toolweft.core.pins import FlaggedChoice, PinMode, PinOptions
from toolweft.core.programs import LIMIT_CEILINGS, LIMIT_FLOORS, ProgramLimits
from toolweft.core.tools import Severity
from toolweft.gateway.options import GatewayOptions, HttpOptions
from toolweft.programs.options import ContainerOptions, ProgramOptions
from toolweft.sandbox.options import EngineOptions, SandboxOptions
from toolweft.toolbox.options import ToolboxOptions

__all__ = (
    "CallsModel",
    "CatalogModel",
    "ConfigModel",
    "ContainersModel",
    "EngineModel",
    "ExampleModel",
    "GatewayModel",
    "HttpModel",
    "KeyModel",
    "LimitsModel",
    "OpenApiModel",
    "PinsModel",
    "ProgramsModel",
    "PythonModel",
    "RuleModel",
    "SandboxModel",
    "ServerModel",
    "ToolboxModel",
)

_LIMITS = ProgramLimits()
_PINS = PinOptions()
_CATALOG = CatalogOptions()
_SANDBOX = SandboxOptions()
_ENGINE = EngineOptions()
_PROGRAMS = ProgramOptions()
_CONTAINERS = ContainerOptions()
_CALLS = CallOptions()
_TOOLBOX = ToolboxOptions()
_GATEWAY = GatewayOptions()
_HTTP = HttpOptions()


def _enough_memory(value: int) -> int:
    if value < LIMIT_FLOORS["memory_bytes"]:
        raise ValueError("write at least '64 MiB': less, and no program starts")
    return value


class ExampleModel(Section):
    """One worked use of a tool."""

    scenario: str = Field(min_length=1, description="What someone wants who would call it so.")
    input: dict[str, Any] = Field(description="The arguments under their original names.")
    output: Any = None
    notes: str | None = None


class RuleModel(Section):
    """A decision about one tool or several; what is left out stays as it was."""

    severity: Severity | None = None
    defer_loading: bool | None = None
    always_listed: bool | None = None
    allowed_callers: Callers | None = None
    timeout_s: Seconds | None = None
    enabled: bool | None = None
    input_examples: tuple[ExampleModel, ...] | None = None


class _Configured(Section):
    default_config: RuleModel = Field(
        default=RuleModel(), description="Decisions about every tool of this source."
    )
    configs: dict[str, RuleModel] = Field(
        default={}, description="Decisions by tool name; globs such as 'git_*' are allowed."
    )


class ServerModel(_Configured):
    """An MCP server: `command` starts it, `url` reaches it over HTTP, `recorded` only lists it."""

    command: str | None = Field(default=None, min_length=1)
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default={}, description="'env:NAME' takes a secret from NAME.")
    cwd: str | None = None
    url: str | None = Field(default=None, min_length=1)
    headers: dict[str, str] = Field(default={}, description="'env:NAME' takes a secret from NAME.")
    auth: AuthModel = AuthModel()
    recorded: str | None = Field(
        default=None,
        min_length=1,
        description="A file with the server's tools; it is listed and searched, never started.",
    )
    type: Literal["stdio", "http", "streamable-http", "streamableHttp", "sse"] | None = None
    disabled: bool = False
    start_timeout_s: Seconds | None = None
    max_message_bytes: Bytes | None = None
    eager: bool | None = Field(
        default=None, description="Started at once and kept, instead of by the first call."
    )
    idle_stop_s: Seconds | None = Field(
        default=None, description="Stopped after so long without a call; 15 minutes unset."
    )
    resources: bool | None = Field(
        default=None, description="'false' leaves the server's resources out."
    )
    prompts: bool | None = Field(
        default=None, description="'false' leaves the server's prompts out."
    )
    mode: Literal["parallel", "serial"] | None = Field(
        default=None,
        description="How its calls run; unset: side by side until it needs one at a time.",
    )
    isolation: Literal["shared", "principal"] | None = Field(
        default=None, description='"principal": a process or session for each, not one for all.'
    )
    max_principals: int | None = Field(
        default=None, ge=1, le=1000, description="How many of those there are at most; 16 unset."
    )


class PythonModel(_Configured):
    """Python functions in a module or a file, or those that an installed package offers."""

    target: str | None = Field(
        default=None,
        min_length=1,
        description="'package.module' or 'path/to/file.py', either perhaps with ':object'.",
    )
    entry_point: str | None = Field(
        default=None,
        min_length=1,
        description="'name' or 'package:name', of the group 'toolweft.tools'.",
    )


class OpenApiModel(OpenApiKeys, _Configured):
    """A service by its OpenAPI description, which is at `url` or in the file `path`."""


class CatalogModel(_Configured):
    """Defaults for all tools of all sources."""

    trust_hints: bool = _CATALOG.trust_hints
    defer_above_tokens: CountOrZero = _CATALOG.defer_above_tokens
    max_examples: CountOrZero = _CATALOG.max_examples
    default_timeout_s: Seconds = _CATALOG.default_timeout_s


class PinsModel(Section):
    """Accepted definitions of tools: one that changes is suspended until it is accepted."""

    mode: PinMode = Field(
        default=_PINS.mode, description='"tofu" accepts what it sees first, "strict" nothing.'
    )
    flagged: FlaggedChoice = Field(
        default=_PINS.flagged, description="What to do about tools with suspicious text."
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        description="Without it, toolweft.lock beside the configuration file.",
    )


class EngineModel(Section):
    """The engine that runs containers, and what they are, for `backend = "container"`."""

    engine: str = Field(default=_ENGINE.engine, pattern=r"^(unix:///|tcp://)[^ ]+$")
    image: str = Field(default=_ENGINE.image, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$")
    runtime: str = Field(default=_ENGINE.runtime, pattern=r"^[A-Za-z0-9._-]*$")
    pool_size: CountOrZero = Field(default=_ENGINE.pool_size, le=64)
    cpus: float = Field(default=_ENGINE.cpus, ge=0.05, le=256)
    tls_folder: str = _ENGINE.tls_folder
    allow_unencrypted: bool = _ENGINE.allow_unencrypted


class SandboxModel(Section):
    """Isolation of programs."""

    backend: Literal["auto", "process", "monty", "container"] = _SANDBOX.backend
    tier: Literal["auto", "ns", "landlock", "noopen", "unsafe"] = Field(
        default=_SANDBOX.tier,
        description='"unsafe" runs programs without isolation, as the user toolweft runs as.',
    )
    environments: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Folder of `toolweft env`; without it, toolweft/environments under $XDG_DATA_HOME."
        ),
    )
    probe_timeout_s: Seconds = _SANDBOX.probe_timeout_s
    container: EngineModel = EngineModel()


class LimitsModel(Section):
    """What one run may use."""

    memory_bytes: Annotated[Bytes, AfterValidator(_enough_memory)] = Field(
        default=_LIMITS.memory_bytes, le=LIMIT_CEILINGS["memory_bytes"]
    )
    active_s: Seconds = _LIMITS.active_s
    wall_s: Seconds = _LIMITS.wall_s
    max_calls: Count = _LIMITS.max_calls
    max_in_flight: Count = Field(default=_LIMITS.max_in_flight, le=LIMIT_CEILINGS["max_in_flight"])
    kept_characters: Count = _LIMITS.kept_characters
    max_output_characters: Count = _LIMITS.max_output_characters
    max_argument_bytes: Bytes = _LIMITS.max_argument_bytes
    max_result_bytes: Bytes = Field(
        default=_LIMITS.max_result_bytes, le=LIMIT_CEILINGS["max_result_bytes"]
    )
    max_value_bytes: Bytes = _LIMITS.max_value_bytes
    max_code_bytes: Bytes = _LIMITS.max_code_bytes
    disk_bytes: Bytes = _LIMITS.disk_bytes
    max_files: Count = Field(default=_LIMITS.max_files, ge=LIMIT_FLOORS["max_files"])
    max_threads: Count = _LIMITS.max_threads


class ProgramsModel(Section):
    """Checks of programs and how long finished runs are kept."""

    static_check: Literal["standard", "strict"] = _PROGRAMS.static_check
    keep_finished_s: SecondsOrZero = _PROGRAMS.keep_finished_s


class ContainersModel(Section):
    """How long containers live and how many there may be."""

    idle_s: Seconds = _CONTAINERS.idle_s
    max_age_s: Seconds = _CONTAINERS.max_age_s
    max_live: Count = _CONTAINERS.max_live
    memory_bytes: Bytes | None = Field(
        default=None,
        description="All containers together, beside what they share; half of the machine unset.",
    )
    queue_s: SecondsOrZero = _CONTAINERS.queue_s
    max_queued: CountOrZero = _CONTAINERS.max_queued


class CallsModel(Section):
    """Bounds of every call."""

    max_result_bytes: Bytes = Field(
        default=_CALLS.max_result_bytes, le=LIMIT_CEILINGS["max_result_bytes"]
    )
    max_kept_bytes: Bytes = _CALLS.max_kept_bytes
    max_argument_bytes: Bytes = _CALLS.max_argument_bytes
    max_depth: Count = _CALLS.max_depth
    max_faults: Count = _CALLS.max_faults


class ToolboxModel(Section):
    """Defaults of the four tools a model sees."""

    search_limit: Count = _TOOLBOX.search_limit
    max_search_limit: Count = _TOOLBOX.max_search_limit
    wait_s: SecondsOrZero = _TOOLBOX.wait_s
    shown_characters: Count = _TOOLBOX.shown_characters
    max_result_tokens: Count = _TOOLBOX.max_result_tokens
    max_resource_bytes: Bytes = _TOOLBOX.max_resource_bytes
    shown_result_characters: Count = _TOOLBOX.shown_result_characters
    max_named_sources: CountOrZero = _TOOLBOX.max_named_sources


class GatewayModel(Section):
    """What `toolweft serve` shows its clients."""

    pass_through: bool = Field(
        default=_GATEWAY.pass_through,
        description="Every tool as it is, in the place of the four; as --pass-through does it.",
    )


class KeyModel(Section):
    """Who a bearer key stands for; the key itself is never written down."""

    id: Name = Field(description="Shown in the ledger instead of the key.")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)] = Field(
        description="printf %s KEY | sha256sum"
    )
    user: Name
    tenant: Name = "local"


class HttpModel(Section):
    """The gateway over HTTP; keys are required where `host` is not a loopback address."""

    host: str = Field(default=_HTTP.host, min_length=1)
    port: Annotated[int, BeforeValidator(not_bool)] = Field(default=_HTTP.port, ge=0, le=65535)
    path: str = Field(default=_HTTP.path, pattern=r"^/[A-Za-z0-9._~/-]*$")
    keys: tuple[KeyModel, ...] = ()
    allowed_hosts: Texts = _HTTP.allowed_hosts
    allowed_origins: Texts = _HTTP.allowed_origins


class ConfigModel(Section):
    """The whole of `toolweft.toml`."""

    profile: Profile = _CATALOG.profile
    include: Texts = Field(
        default=(), description="More files, read first; paths count from this file's folder."
    )
    servers: dict[Name, ServerModel] = Field(default={})
    python: dict[Name, PythonModel] = Field(default={})
    openapi: dict[Name, OpenApiModel] = Field(default={})
    catalog: CatalogModel = CatalogModel()
    pins: PinsModel = PinsModel()
    sandbox: SandboxModel = SandboxModel()
    limits: LimitsModel = LimitsModel()
    programs: ProgramsModel = ProgramsModel()
    containers: ContainersModel = ContainersModel()
    calls: CallsModel = CallsModel()
    toolbox: ToolboxModel = ToolboxModel()
    search: SearchModel = SearchModel()
    ledger: LedgerModel = LedgerModel()
    handles: HandlesModel = HandlesModel()
    models: ModelsModel = ModelsModel()
    discovery: DiscoveryModel = DiscoveryModel()
    journal: JournalModel = JournalModel()
    saved: SavedModel = SavedModel()
    gateway: GatewayModel = GatewayModel()
    http: HttpModel = HttpModel()
    asks: AsksModel = AsksModel()
