"""The agent with any server that speaks Chat Completions: vLLM, llama.cpp, a gateway of your own.

CHAT_BASE_URL=http://127.0.0.1:8000/v1 python examples/with_compatible_server.py
"""

from pathlib import Path

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"
CONFIG = Path(__file__).with_name("compatible_server.toml")


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent(config=CONFIG, tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text if result.is_ok else result.error)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
