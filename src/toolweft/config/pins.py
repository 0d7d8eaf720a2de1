"""The section `[pins]` to options: where accepted definitions are kept, and of which servers."""

from collections.abc import Mapping
from pathlib import Path

from toolweft.config.explain import render_openapi, render_server
from toolweft.config.layers import Layer
from toolweft.config.lookup import ledger_path
from toolweft.config.models import ConfigModel
from toolweft.core.ids import SourceName
from toolweft.core.pins import PinOptions

__all__ = ("build_pins",)

_FILE_NAME = "toolweft.lock"


def build_pins(
    checked: ConfigModel,
    layer: Layer,
    files: list[Path],
    *,
    environ: Mapping[str, str],
    home: Path,
) -> PinOptions:
    """The options; without a configuration file the lock is kept with the ledger."""
    section = checked.pins
    if section.path is None and files:
        path = files[-1].with_name(_FILE_NAME)
    elif section.path is None:
        path = ledger_path(environ=environ, home=home).with_name(_FILE_NAME)
    elif section.path.startswith("~/"):
        path = home / section.path[2:]
    else:
        path = layer.entries["pins", "path"].folder / section.path
    servers = {
        SourceName(name): render_server(server)
        for name, server in checked.servers.items()
        if not server.disabled
    }
    described = {
        SourceName(name): render_openapi(source)
        for name, source in checked.openapi.items()
        if not source.disabled
    }
    return PinOptions(
        mode=section.mode, flagged=section.flagged, path=path, servers=servers | described
    )
