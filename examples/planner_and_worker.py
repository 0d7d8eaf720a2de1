"""A large model plans and writes one program; a cheap one answers inside it, once a record.

ANTHROPIC_API_KEY=... OPENAI_API_KEY=... python examples/planner_and_worker.py
"""

import anyio
from team import TOOLS

import toolweft
from toolweft.agent import ProgramFinished, ProgramPrinted, TaskFinished

TASK = "Sort every expense of the team into travel, food or other, and add up each kind."


async def main() -> None:
    """Ask, print what happens meanwhile, the answer, and what each model did."""
    agent = toolweft.Agent("anthropic:claude-opus-5-5", "openai:gpt-5.6-luna", tools=TOOLS)
    async for event in agent.stream(TASK):
        match event:
            case ProgramPrinted(text=text):
                print("|", text, end="")
            case ProgramFinished(status=status, calls=calls):
                print(f"program {status}: {len(calls)} calls")
            case TaskFinished(result=result):
                print(result.text)
                for bill in result.bills:
                    print(f"{bill.role} {bill.model}: {bill.requests} requests")
            case _:
                pass


anyio.run(main)
