"""The agent with a model of Google.

GEMINI_API_KEY=... python examples/with_gemini.py
"""

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent("gemini:gemini-3.8-flash", tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text if result.is_ok else result.error)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
