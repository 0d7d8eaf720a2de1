"""A request to the Messages API as its rules look at it, and what the server remembers for them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.scripts import VendorRefusal

__all__ = (
    "CODE_TOOLS",
    "TOOL_NAME",
    "Memory",
    "ParsedRequest",
    "Refusal",
    "is_caller",
    "is_programmatic_call",
)

_DIRECT: Final = {"type": "direct"}
# Those whose programs may call tools.
CODE_TOOLS: Final = frozenset({"code_execution_20260120", "code_execution_20260521"})
# Of a declared tool, and of one that a model called, whatever it called it.
TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")


class Refusal(VendorRefusal):
    """A request that breaks a rule of the vendor's."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        error_code: str | None = None,
    ) -> None:
        super().__init__(message, status=status)
        self.kind = kind
        self.error_code = error_code


@dataclass(slots=True)
class Memory:
    """What a server knows of its own answers."""

    # The id of a call -> the content of the answer that it stood in.
    answers: dict[str, list[JsonObject]] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """One request."""

    body: JsonObject
    # With names in lower case.
    headers: Mapping[str, str]
    models: frozenset[str]
    # Those that refuse to be forced to a tool.
    unforced_models: frozenset[str]
    memory: Memory

    @property
    def tools(self) -> list[JsonObject]:
        """Those declared."""
        return list(self.body.get("tools") or ())

    @property
    def messages(self) -> list[JsonObject]:
        """Those given, each with a list of blocks as its content."""
        messages = []
        for message in self.body.get("messages") or ():
            content = message.get("content")
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            messages.append({**message, "content": content or []})
        return messages

    @property
    def betas(self) -> frozenset[str]:
        """The values of the header."""
        given = self.headers.get("anthropic-beta", "")
        return frozenset(part.strip() for part in given.split(",") if part.strip())

    @property
    def has_code_tool(self) -> bool:
        """Whether programs may run."""
        return any(str(tool.get("type")).startswith("code_execution_") for tool in self.tools)

    def find_waiting(self) -> frozenset[str]:
        """Ids of a program's calls that the last turn has to answer; empty where none waits."""
        for message in reversed(self.messages):
            if message["role"] == "assistant":
                return frozenset(
                    block["id"] for block in message["content"] if is_programmatic_call(block)
                )
        return frozenset()

    def blocks(self, *roles: str) -> Iterator[tuple[str, JsonObject]]:
        """Each block of these roles, with its place as the vendor writes it."""
        for number, message in enumerate(self.messages):
            if message["role"] in roles:
                for index, block in enumerate(message["content"]):
                    yield f"messages.{number}.content.{index}", block


def is_programmatic_call(block: JsonObject) -> bool:
    """A call that a program at the vendor made."""
    caller = block.get("caller") or _DIRECT
    return block.get("type") == "tool_use" and caller != _DIRECT and is_caller(caller)


def is_caller(caller: Json) -> bool:
    """One that the API has: nobody, the model, or a program by its id."""
    if caller is None or caller == _DIRECT:
        return True
    kind = caller.get("type") if isinstance(caller, dict) else None
    return (
        isinstance(kind, str)
        and kind.startswith("code_execution_")
        and isinstance(caller.get("tool_id"), str)
        and caller["tool_id"] != ""
    )
