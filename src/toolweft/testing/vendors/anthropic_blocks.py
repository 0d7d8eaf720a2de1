"""Blocks for scripts of the Messages API's server.

The server fills in what is opaque to everybody but the vendor.
"""

from collections.abc import Sequence

from toolweft.core.json import Json, JsonObject

__all__ = ("code", "code_result", "say", "think", "use")

_CALLER = "code_execution_20260120"


def say(text: str) -> JsonObject:
    """Text of the model."""
    return {"type": "text", "text": text, "citations": None}


def think(text: str = "") -> JsonObject:
    """Thoughts; the server signs them."""
    return {"type": "thinking", "thinking": text, "signature": ""}


def use(name: str, arguments: Json, *, call_id: str, program: str | None = None) -> JsonObject:
    """A call of a tool.

    Args:
        name: of the tool.
        arguments: an object; in a stream also a text, which goes out as it is.
        call_id: of the call.
        program: the id of the program that calls; None where the model does.
    """
    caller = {"type": "direct"} if program is None else {"type": _CALLER, "tool_id": program}
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments, "caller": caller}


def code(text: str, *, program: str) -> JsonObject:
    """A program of the model, to run at the vendor; the id begins with "srvtoolu_"."""
    return {
        "type": "server_tool_use",
        "id": program,
        "name": "code_execution",
        "input": {"code": text},
        "caller": {"type": "direct"},
    }


def code_result(
    stdout: str, *, program: str, return_code: int = 0, files: Sequence[str] = ()
) -> JsonObject:
    """How a program ended."""
    content = {
        "type": "code_execution_result",
        "stdout": stdout,
        "stderr": "",
        "return_code": return_code,
        "content": [{"type": "code_execution_output", "file_id": file_id} for file_id in files],
    }
    return {"type": "code_execution_tool_result", "tool_use_id": program, "content": content}
