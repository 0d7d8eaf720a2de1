"""Checked server sections to the options of `toolweft.sources`, and rules for their tools.

A server whose variables are missing or whose address cannot be used becomes a `BrokenServer`;
a section that makes no sense in itself is an error. Reads nothing but whether a recording is there.
"""

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolweft.catalog.options import ToolRule
from toolweft.config.auth import build_bearer, build_oauth, check_auth
from toolweft.config.documents import KeyPath
from toolweft.config.expand import secret_arguments, secret_variables
from toolweft.config.filling import (
    Filler,
    UnusableSource,
    check_url,
    known_variables,
    under_home,
)
from toolweft.config.layers import Entry, Layer
from toolweft.config.lookup import tokens_path
from toolweft.config.models import ConfigModel, PythonModel, RuleModel, ServerModel
from toolweft.config.settings import BrokenServer, PythonSourceOptions, ServerOptions
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName
from toolweft.core.saved import SAVED_SOURCE
from toolweft.core.tools import ToolExample
from toolweft.sources.options import HttpServerOptions, RecordedServerOptions, StdioServerOptions
from toolweft.sources.python.targets import split_target

__all__ = (
    "ServerBuilder",
    "build_python_sources",
    "build_rules",
    "check_source_names",
    "check_transport",
    "recorded_server",
)

# Of servers over any transport.
_SHARED = (
    "start_timeout_s",
    "max_message_bytes",
    "eager",
    "idle_stop_s",
    "mode",
    "isolation",
    "max_principals",
    "resources",
    "prompts",
)
# As `glob.escape` writes them.
_ESCAPED = re.compile(r"\[[*?[]\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBuilder:
    """Turns server sections into options, with variables from the environment filled in."""

    layer: Layer
    environ: Mapping[str, str]
    cwd: Path
    home: Path

    def build(self, name: str, server: ServerModel) -> ServerOptions | BrokenServer:
        """The options of one server, or why it cannot be started.

        Raises:
            ConfigError: the section has both a command and an address, or neither.
        """
        check_transport(name, server, place=self.layer.place(("servers", name)))
        source = SourceName(name)
        if server.type == "sse":
            return BrokenServer(
                name=source,
                reason=f"servers.{name}.type is 'sse', a transport that servers no longer offer",
                hint="use the server's streamable HTTP address and type 'http'",
            )
        try:
            if server.recorded:
                return self._recorded(source, server.recorded)
            return self._http(source, server) if server.url else self._stdio(source, server)
        except UnusableSource as exc:
            return BrokenServer(name=source, reason=exc.reason, hint=exc.hint)

    def _stdio(self, name: SourceName, server: ServerModel) -> StdioServerOptions:
        fill = Filler(section=f"servers.{name}", variables=self._variables())
        return StdioServerOptions(
            name=name,
            command=under_home(fill.text("command", server.command or ""), self.home),
            args=tuple(fill.text(f"args[{i}]", text) for i, text in enumerate(server.args)),
            secrets=(
                *secret_variables(server.command or "", *server.args, variables=self.environ),
                *secret_arguments(server.args),
            ),
            env=fill.secrets("env", server.env),
            cwd=self._working_folder(name, fill, server.cwd),
            **_given(server, *_SHARED),
        )

    def _http(self, name: SourceName, server: ServerModel) -> HttpServerOptions:
        fill = Filler(section=f"servers.{name}", variables=self._variables())
        url = fill.text("url", server.url or "")
        check_url(url, key=f"servers.{name}.url", example="https://example.com/mcp")
        headers, auth = fill.secrets("headers", server.headers), server.auth
        oauth = None
        if auth.type is not None and "authorization" in map(str.lower, headers):
            raise UnusableSource(
                f"servers.{name} has both auth and headers.Authorization", hint="remove one of them"
            )
        if auth.type == "bearer":
            headers["Authorization"] = build_bearer(auth, fill)
        elif auth.type == "oauth":
            folder = tokens_path(environ=self.environ, home=self.home)
            oauth = build_oauth(auth, fill, url=url, folder=folder)
        return HttpServerOptions(
            name=name,
            url=url,
            secrets=secret_variables(server.url or "", variables=self.environ),
            headers=headers,
            oauth=oauth,
            **_given(server, *_SHARED),
        )

    def _recorded(self, name: SourceName, recorded: str) -> RecordedServerOptions:
        folder = self.layer.entries["servers", name, "recorded"].folder
        text = Filler(section=f"servers.{name}", variables=self._variables()).text(
            "recorded", recorded
        )
        return RecordedServerOptions(name=name, path=folder / under_home(text, self.home))

    def _working_folder(self, name: SourceName, fill: Filler, cwd: str | None) -> Path | None:
        if cwd is None:
            return None
        folder = self.layer.entries["servers", name, "cwd"].folder
        return folder / under_home(fill.text("cwd", cwd), self.home)

    def _variables(self) -> Mapping[str, str]:
        return known_variables(self.environ, cwd=self.cwd, home=self.home)


def check_transport(name: str, server: ServerModel, *, place: str) -> None:
    """Refuse a section that names no way to reach the server, or two.

    Raises:
        ConfigError: it does.
    """
    hint = "'command' starts a server as a child process, 'url' reaches one over HTTP"
    given = [key for key in ("command", "url", "recorded") if getattr(server, key)]
    if len(given) > 1:
        listed = " and ".join(map(repr, given))
        raise ConfigError(f"{place}: server {name!r} has both {listed}", hint=hint)
    if not given:
        if server.model_fields_set and server.model_fields_set <= {"default_config", "configs"}:
            raise ConfigError(
                f"{place}: nothing says how to reach server {name!r}: "
                "it has decisions about its tools only",
                hint='include the file that defines it: include = ["mcp.json"], or add a command',
            )
        raise ConfigError(f"{place}: server {name!r} has neither 'command' nor 'url'", hint=hint)
    check_auth(name, server.auth, place=place)
    if server.auth.type is not None and not server.url:
        raise ConfigError(
            f"{place}: server {name!r} has 'auth', but no 'url'",
            hint="a server that is started gets its key by env",
        )
    if server.type is not None and (server.type == "stdio") == bool(server.url):
        key = "url" if server.url else "command"
        raise ConfigError(
            f"{place}: server {name!r} has the type {server.type!r}, but a {key!r}",
            hint="remove 'type', or use 'stdio' with a command and 'http' with a url",
        )


def recorded_server(name: str, *, folder: Path) -> RecordedServerOptions:
    """A server's recorded definitions in place of the server.

    Raises:
        ConfigError: there is no recording of that name.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        raise ConfigError(
            f"server {name!r} has no recording {str(path)!r}",
            hint="record it there, disable the server, or leave out --recorded",
        )
    return RecordedServerOptions(name=SourceName(name), path=path)


def check_source_names(config: ConfigModel, layer: Layer) -> None:
    """Refuse a source with the name under which saved programs are.

    Raises:
        ConfigError: one has it.
    """
    servers = {name for name, server in config.servers.items() if not server.disabled}
    sections = (("servers", servers), ("python", config.python), ("openapi", config.openapi))
    for section, names in sections:
        if SAVED_SOURCE in names:
            raise ConfigError(
                f"{layer.place((section, SAVED_SOURCE))}: a source is named {SAVED_SOURCE!r},"
                " which saved programs are called by",
                hint="rename it: the name is the namespace of its tools",
            )


def build_python_sources(config: ConfigModel, layer: Layer) -> tuple[PythonSourceOptions, ...]:
    """The Python sources, files as absolute paths.

    Raises:
        ConfigError: a target is neither a module nor a file, or a server has the same name.
    """
    return tuple(
        _python_source(name, source, config=config, layer=layer)
        for name, source in config.python.items()
    )


def build_rules(config: ConfigModel, layer: Layer) -> tuple[ToolRule, ...]:
    """The rules for tools, general ones first: for all sources, then source by source."""
    sections: list[tuple[KeyPath, Any]] = [(("catalog",), config.catalog)]
    sections += [(("servers", name), server) for name, server in config.servers.items()]
    sections += [(("python", name), source) for name, source in config.python.items()]
    sections += [(("openapi", name), source) for name, source in config.openapi.items()]
    return tuple(rule for path, section in sections for rule in _rules(path, section, layer))


def _rules(path: KeyPath, section: Any, layer: Layer) -> Iterator[ToolRule]:
    # A name is taken as it is; only tools are matched by glob.
    source = glob.escape(str(path[1])) if len(path) > 1 else "*"
    rules: dict[KeyPath, RuleModel] = {(*path, "default_config"): section.default_config}
    # One tool's own decisions come after those for many, wherever they stand.
    for tool in sorted(section.configs, key=_names_one_tool):
        rules[(*path, "configs", tool)] = section.configs[tool]
    for place, rule in rules.items():
        given = _decided(rule)
        if given:
            is_default = place[-1] == "default_config" and len(place) == len(path) + 1
            dotted = ".".join(map(str, place[:-1]))
            shown = f"{dotted}.default_config" if is_default else f'{dotted}."{place[-1]}"'
            yield ToolRule(
                server=source,
                tool="*" if is_default else str(place[-1]),
                origin=f"{layer.place(place)}, {shown}",
                **given,
            )


def _names_one_tool(tool: str) -> bool:
    return not glob.has_magic(_ESCAPED.sub("", tool))


def _decided(rule: RuleModel) -> dict[str, Any]:
    given = {key: value for key, value in rule if value is not None}
    if rule.input_examples is not None:
        given["input_examples"] = tuple(ToolExample(**dict(e)) for e in rule.input_examples)
    return given


def _python_source(
    name: str, source: PythonModel, *, config: ConfigModel, layer: Layer
) -> PythonSourceOptions:
    key = "target" if source.target is not None else "entry_point"
    origin = layer.place(("python", name, key))
    if name in config.servers:
        raise ConfigError(
            f"{origin}: {name!r} is a server and a Python source",
            hint="rename one of the two: the name is the namespace of its tools",
        )
    if (source.target is None) == (source.entry_point is None):
        given = "neither" if source.target is None else "both"
        raise ConfigError(
            f"{origin}: the Python source {name!r} has {given} of 'target' and 'entry_point'",
            hint="'target' is your own code, 'entry_point' what an installed package offers",
        )
    if source.target is None:
        assert source.entry_point is not None
        return PythonSourceOptions(
            name=SourceName(name), entry_point=source.entry_point, origin=origin
        )
    entry = layer.entries["python", name, "target"]
    return PythonSourceOptions(
        name=SourceName(name), target=_python_target(name, source.target, entry), origin=origin
    )


def _python_target(name: str, target: str, entry: Entry) -> str:
    """The target, a file as an absolute path."""
    place, attribute = split_target(target)
    if place.endswith(".py"):
        place = str(entry.folder / place)
    elif not all(part.isidentifier() for part in place.split(".")):
        raise ConfigError(
            f"{entry.origin}: python.{name}.target is {target!r}, neither a module nor a file",
            hint="write 'package.module' or 'path/to/file.py', either perhaps with ':object'",
        )
    return f"{place}:{attribute}" if attribute else place


def _given(server: ServerModel, *keys: str) -> dict[str, Any]:
    values = {key: getattr(server, key) for key in keys}
    return {key: value for key, value in values.items() if value is not None}
