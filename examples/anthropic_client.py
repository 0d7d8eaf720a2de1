"""The vendor's own programs, in its own shape: a loop over `AnthropicClient`, written out.

ANTHROPIC_API_KEY=... python examples/anthropic_client.py
"""

import os
from collections.abc import Callable
from typing import Any

import anyio
from team import get_expenses, list_team

from toolweft import AnthropicClient, ToolSpec

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "list_team": list_team,
    "get_expenses": get_expenses,
}
TOOLS = [
    ToolSpec(name=name, severity="read_only", handler=function)
    for name, function in FUNCTIONS.items()
]
TASK = "Who spent more than 500 euros, and how much?"


async def main() -> None:
    """Ask, make the calls of the model and of its programs, until there is an answer."""
    messages: list[Any] = [{"role": "user", "content": TASK}]
    container_id = None
    # Another address is for tests and for proxies.
    async with AnthropicClient(base_url=os.environ.get("ANTHROPIC_BASE_URL")) as client:
        while True:
            response = await client.complete(messages, TOOLS, container_id=container_id)
            if not response.tool_calls:
                break
            results = {}
            for call in response.tool_calls:
                if not call.fault:
                    print(call.caller.type.value, call.name, call.arguments)
                    results[call.id] = FUNCTIONS[call.name](**call.arguments)
            messages = [*response.messages, response.tool_results(results)]
            container_id = response.container.id if response.container else None
        print(response.text)


anyio.run(main)
