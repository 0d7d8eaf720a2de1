"""Files of MCP clients: what they hold, how toolweft gets into them and out again.

Plans are made without changing anything; `apply_install`, `apply_uninstall` and `apply_import`
make the changes. Called by the command line alone.
"""

from toolweft.config.clients.applying import apply_import, apply_install, apply_uninstall
from toolweft.config.clients.editing import decide_tools
from toolweft.config.clients.files import FileChange, parse_bytes, read_bytes, write_change
from toolweft.config.clients.moving import Choice, Verdict
from toolweft.config.clients.places import (
    CLIENTS,
    Client,
    Scope,
    Surroundings,
    client_path,
    find_client,
)
from toolweft.config.clients.planning import (
    ENTRY,
    Import,
    Install,
    Uninstall,
    config_target,
    plan_import,
    plan_install,
    plan_uninstall,
)
from toolweft.config.clients.showing import render_changes

__all__ = (
    "CLIENTS",
    "ENTRY",
    "Choice",
    "Client",
    "FileChange",
    "Import",
    "Install",
    "Scope",
    "Surroundings",
    "Uninstall",
    "Verdict",
    "apply_import",
    "apply_install",
    "apply_uninstall",
    "client_path",
    "config_target",
    "decide_tools",
    "find_client",
    "parse_bytes",
    "plan_import",
    "plan_install",
    "plan_uninstall",
    "read_bytes",
    "render_changes",
    "write_change",
)
