"""A toolbox over the real searcher, for tests of what a search answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.programs.fakes import ANN, World, open_world

from toolweft.core.snapshot import CatalogTool
from toolweft.search import CatalogSearcher
from toolweft.toolbox import Toolbox, ToolboxOptions
from toolweft.toolbox.surfaces import Surfaces
from toolweft.toolbox.visible import VisibleTools

__all__ = ("open_searching",)


@asynccontextmanager
async def open_searching(*tools: CatalogTool) -> AsyncIterator[tuple[Toolbox, World]]:
    """The toolbox, and the world of fakes round it."""
    async with open_world(*tools) as world:
        yield (
            Toolbox(
                principal=ANN,
                holder=world.holder,
                searcher=CatalogSearcher(),
                visible=VisibleTools(),
                surfaces=Surfaces(world.runner, options=ToolboxOptions()),
                road=world.road,
                runner=world.runner,
                ledger=world.ledger,
                clock=world.clock,
                ids=world.ids,
                handles=world.handles,
                options=ToolboxOptions(),
            ),
            world,
        )
