"""The agent with a model of Anthropic.

ANTHROPIC_API_KEY=... python examples/with_anthropic.py
"""

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent("anthropic:claude-opus-5-5", tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text if result.is_ok else result.error)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
