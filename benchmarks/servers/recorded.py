"""An MCP server over stdio that lists what was recorded: `python recorded.py FILE GATE`.

FILE is a recording with `tools`. While GATE exists the server hangs: it reads nothing and says
nothing, as servers do that wait for a network. Without any SDK, so that starting it costs little.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ("answer",)


def answer(message: dict[str, Any], tools: list[Any]) -> dict[str, Any] | None:
    """What is answered to a message; None for a notification."""
    if "id" not in message:
        return None
    head: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
    match message.get("method"):
        case "initialize":
            about = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "recorded", "version": "1"},
            }
            return head | {"result": about}
        case "tools/list":
            return head | {"result": {"tools": tools}}
        case method:
            return head | {"error": {"code": -32601, "message": f"no method {method}"}}


def _main(recording: Path, gate: Path) -> None:
    while gate.exists():
        time.sleep(600)
    tools = json.loads(recording.read_text("utf-8"))["tools"]
    for line in sys.stdin:
        answered = answer(json.loads(line), tools)
        if answered is not None:
            print(json.dumps(answered), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
