"""What a search leaves in the events, from Python and from a program."""

from tests.programs.fakes import ANN, make_tool, open_world
from tests.toolbox.test_toolbox import make_toolbox

from toolweft.core.events import AskedQuery, SearchDone

ADD = make_tool("math.add", description="Add numbers")


async def test_an_event_tells_what_was_asked_and_found() -> None:
    async with open_world(ADD) as world:
        await make_toolbox(world).search(["add numbers", "zzz", "add " * 1_000])

    (event,) = [one for one in world.ledger.events if isinstance(one, SearchDone)]
    assert event.asked == (
        AskedQuery(text="add numbers", found=("math.add",)),
        AskedQuery(text="zzz", found=()),
        AskedQuery(text=("add " * 1_000)[:1_000], found=("math.add",)),
    )


async def test_a_program_that_searches_leaves_the_same() -> None:
    async with open_world(ADD) as world:
        await world.runner.run("await tools.search(query='add numbers')", principal=ANN)

    (event,) = [one for one in world.ledger.events if isinstance(one, SearchDone)]
    assert event.asked == (AskedQuery(text="add numbers", found=("math.add",)),)
    assert event.run_id == "run_1"
