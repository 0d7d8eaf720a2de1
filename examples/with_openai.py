"""The agent with a model of OpenAI.

OPENAI_API_KEY=... python examples/with_openai.py
"""

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent("openai:gpt-5.6-sol", tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text if result.is_ok else result.error)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
