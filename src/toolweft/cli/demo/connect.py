"""How other programs are told of toolweft."""

import json

__all__ = ("render_connections",)


def render_connections(command: str, config: str) -> str:
    """The lines that connect the usual clients.

    Args:
        command: the program, as a client would start it.
        config: the configuration file it should serve.
    """
    arguments = ["serve", "--config", config]
    entry = {"mcpServers": {"toolweft": {"command": command, "args": arguments}}}
    return f"""\
Claude Code   claude mcp add toolweft -- {command} {" ".join(arguments)}
Cursor        ~/.cursor/mcp.json, or .cursor/mcp.json in a project:
              {json.dumps(entry)}
any client    stdio: {command} {" ".join(arguments)}
              HTTP:  {command} serve --http --config {config}
Python        async with toolweft.open({config!r}) as box: ...
"""
