"""The agent with a deployment on Azure, which `azure.toml` names.

AZURE_OPENAI_API_KEY=... AZURE_OPENAI_BASE_URL=https://NAME.openai.azure.com/openai/v1/ python
examples/with_azure.py
"""

from pathlib import Path

import anyio
from team import TOOLS

import toolweft

TASK = "Who spent more than 500 euros, and how much?"
CONFIG = Path(__file__).with_name("azure.toml")


async def main() -> None:
    """Ask, and print the answer."""
    agent = toolweft.Agent(config=CONFIG, tools=TOOLS)
    result = await agent.run(TASK)
    print(result.text if result.is_ok else result.error)
    print(f"{result.status}: {result.turns} turns, {result.usage.output_tokens} tokens written")


anyio.run(main)
