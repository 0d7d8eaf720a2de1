"""Files of the six clients as people write them, in the home of a `Shell`."""

import json
import tomllib
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.cli.shell import Shell

CONFIG = "home/.config/toolweft/toolweft.toml"

_JSONC = """{
  // servers of mine
  "%s": {
    // files
    "git": {
      "command": "git-mcp", // on the path
      "args": ["--repository", "/src"],
      "disabled": false
    },\t
    "docs": {"url": "https://docs.example/mcp"},
    /* asks the client */
    "wait": {"command": "x", "env": {"TOKEN": "${input:token}"}, },
    "time": {"command": "time-mcp"}
  },
  "inputs": [],
}
"""
_PLAIN = (
    '{"numStartups": 12, "mcpServers": {"git": {"type": "stdio", "command": "git-mcp", "args": []'
    '}, "time": {"command": "time-mcp"}}, "projects": {"/a": {"mcpServers": {"git": {}}}}}'
)
_TABBED = (
    '{\r\n\t"globalShortcut": "",\r\n\t"mcpServers": {\r\n\t\t"git": {\r\n\t\t\t"command": '
    '"git-mcp"\r\n\t\t},\r\n\t\t"time": {\r\n\t\t\t"command": "time-mcp"\r\n\t\t}\r\n\t}\r\n}'
)
_TOML = """# mine
model = "o"   # the best

[mcp_servers.git]  # files
command = "git-mcp"
args = [
  "--repository", # where
  "/src",
]
[mcp_servers.git.env]
LOG = 'debug'

# not a server
[profiles.fast]
model = "small"

[mcp_servers.time]
command = "time-mcp"
startup_timeout_sec = 20
"""

# What each client's file holds; `git` and `time` can move in all of them.
WRITTEN = MappingProxyType({
    "claude-code": _PLAIN,
    "claude-desktop": _TABBED,
    "cursor": _JSONC % "mcpServers",
    "vscode": _JSONC % "servers",
    "codex": _TOML,
    "windsurf": "\ufeff" + _PLAIN.replace("command", "command", 1),
})  # fmt: skip
PLACES = MappingProxyType({
    "claude-code": ".claude.json",
    "claude-desktop": ".config/Claude/claude_desktop_config.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".config/Code/User/mcp.json",
    "codex": ".codex/config.toml",
    "windsurf": ".codeium/windsurf/mcp_config.json",
})  # fmt: skip
PROJECTS = MappingProxyType({
    "claude-code": ".mcp.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".vscode/mcp.json",
    "codex": ".codex/config.toml",
})  # fmt: skip


def write(shell: Shell, client: str, text: str | bytes | None = None) -> Path:
    """The client's file, written as people do or as given."""
    path = shell.folder / "home" / PLACES[client]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = WRITTEN[client] if text is None else text
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for what toolweft keeps for itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".local/state" not in str(path)
    }


RECORDED = {
    "tools": [
        {"name": "list_items", "inputSchema": {"type": "object"}},
        {"name": "drop[all]", "inputSchema": {"type": "object"}},
        {
            "name": "get_item",
            "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True},
        },
    ]
}


def write_shop(shell: Shell) -> None:
    """A client's file of one server, whose tools are recorded."""
    servers = {"mcpServers": {"shop": {"command": "shop-mcp"}}}
    shell.write("client.json", json.dumps(servers))
    (shell.folder / "recorded").mkdir()
    shell.write("recorded/shop.json", json.dumps(RECORDED))


def rules(shell: Shell) -> Any:
    """What toolweft's configuration says of the tools of that server."""
    config = tomllib.loads((shell.folder / CONFIG).read_text("utf-8"))
    return config["servers"]["shop"].get("configs", {})
