"""The agent with a small model on this machine: `ollama pull phi4-mini`, then this.

Shown against a test server that speaks as Ollama does; it was not run on a model. A small model may
write programs that do not run: the errors it reads name the line and what to do.
"""

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent("ollama:phi4-mini", tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
