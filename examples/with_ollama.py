"""The agent with a small model on this machine, such as Phi, behind Ollama.

ollama pull phi4-mini; python examples/with_ollama.py

Shown against a test server that speaks as Ollama does; it was not run on a model. A small model may
well write programs that fail: what it reads then names the line and what to do.
"""

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent("ollama:phi4-mini", tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text if result.is_ok else result.error)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
