"""No model at all: search tools, run a program over them, go on in its container."""

import anyio
from team import TOOLS

import toolweft

PROGRAM = """
import asyncio
team = await list_team()
lines = await asyncio.gather(*(get_expenses(person=p) for p in team))
spent = {p: sum(x["cents"] for x in own) for p, own in zip(team, lines)}
print(len(spent), "people")
"""


async def main() -> None:
    """Search, run, and run again where the first program left its variables."""
    async with toolweft.open(tools=TOOLS) as box:
        found = await box.search("what did somebody spend?")
        for hit in found.queries[0].hits:
            print(hit.qualified)
        first = await box.run(PROGRAM)
        assert first.container is not None, first.error
        print(first.stdout, end="")
        again = await box.run("print(max(spent, key=spent.get))", container_id=first.container.id)
        print(again.stdout, end="")


anyio.run(main)
