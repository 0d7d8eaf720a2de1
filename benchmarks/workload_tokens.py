"""How many tokens a task puts into a model's context, by way of working.

Nothing is modelled but the turns: every text counted here crossed the wire of a running gateway,
as a request of the client or as its answer. No model is called; the calls are the gold ones.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcp import Client

from benchmarks.harness import Tokenizer
from benchmarks.workload_sets import Task

__all__ = ("Turn", "Wire", "billed_input", "context", "list_tokens", "search_arguments")

# A model turn: tokens that enter before it, tokens the model writes in it.
Turn = tuple[int, int]

# Tools that a client which defers but runs no programs needs.
_DIRECT_SURFACE = ("search_tools", "describe_tools", "call_tool")


def context(turns: Sequence[Turn]) -> int:
    """Tokens that entered or were written by the end."""
    return sum(entered + written for entered, written in turns)


def billed_input(turns: Sequence[Turn]) -> int:
    """Input tokens over all turns, without a prompt cache."""
    total = held = 0
    for entered, written in turns:
        held += entered
        total += held
        held += written
    return total


def list_tokens(tools: Sequence[dict[str, Any]], tokens: Tokenizer) -> int:
    """Tokens of definitions as a model is shown them: name, description, input schema."""
    faces = [
        {key: tool[key] for key in ("name", "description", "inputSchema") if tool.get(key)}
        for tool in tools
    ]
    return tokens.count(_compact(faces))


@dataclass
class Wire:
    """A client on the running gateway that counts what passes."""

    client: Client
    tokens: Tokenizer
    # Tokens of the surface: with programs, and for a client that only searches and calls.
    program_surface: int
    direct_surface: int

    @classmethod
    async def open(cls, client: Client, tokens: Tokenizer) -> "Wire":
        """List the gateway's tools once, as a conversation does."""
        listed = (await client.list_tools()).tools
        tools = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed]
        instructions = tokens.count(client.instructions or "")
        direct = [tool for tool in tools if tool["name"] in _DIRECT_SURFACE]
        return cls(
            client=client,
            tokens=tokens,
            program_surface=instructions + list_tokens(tools, tokens),
            direct_surface=instructions + list_tokens(direct, tokens),
        )

    async def use(self, tool: str, arguments: dict[str, Any]) -> tuple[int, int, str]:
        """Tokens asked, tokens answered, and the answer's text."""
        result = await self.client.call_tool(tool, arguments)
        text = "\n".join(getattr(block, "text", "") for block in result.content)
        asked = self.tokens.count(_compact({"name": tool, "arguments": arguments}))
        return asked, self.tokens.count(text), text

    async def program_turns(self, task: Task) -> tuple[list[Turn], str]:
        """Search, one program, the answer; and the program's own output."""
        question, answer = self._ends(task)
        search_out, search_in, _ = await self.use("search_tools", search_arguments(task))
        run_out, run_in, text = await self.use("run_code", {"code": task.program})
        turns = [
            (self.program_surface + question, search_out),
            (search_in, run_out),
            (run_in, answer),
        ]
        return turns, text

    async def direct_turns(self, task: Task) -> list[Turn]:
        """Search, then one turn for each stage of independent calls, then the answer."""
        question, answer = self._ends(task)
        search_out, entering, _ = await self.use("search_tools", search_arguments(task))
        turns = [(self.direct_surface + question, search_out)]
        for stage in task.stages:
            asked = answered = 0
            for call in stage:
                out, back, _ = await self.use("call_tool", call)
                asked += out
                answered += back
            turns.append((entering, asked))
            entering = answered
        return [*turns, (entering, answer)]

    def _ends(self, task: Task) -> tuple[int, int]:
        return self.tokens.count(task.question), self.tokens.count(_compact(task.answer))


def search_arguments(task: Task) -> dict[str, Any]:
    """What a model that knows its next steps asks for: one query a kind of step."""
    names = dict.fromkeys(call["name"] for stage in task.stages for call in stage)
    queries = [name.replace("_", " ") for name in names]
    return {"queries": queries, "limit": max(1, 5 // max(1, len(queries)))}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
