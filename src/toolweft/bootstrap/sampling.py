"""The model that servers may ask, where the configuration names one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from toolweft.bootstrap.app import App
from toolweft.bootstrap.models import open_model
from toolweft.core.calls import LOCAL
from toolweft.core.client import Ask
from toolweft.core.clock import SystemClock
from toolweft.core.json import JsonObject

__all__ = ("open_sampler",)


@asynccontextmanager
async def open_sampler(
    app: App,
) -> AsyncIterator[Callable[[Ask], Awaitable[JsonObject]] | None]:
    """What answers servers that ask for a model; None where `asks.sampling_model` names none.

    Raises:
        ConfigError: that model cannot be had.
    """
    settings = app.settings
    if settings.sampling_model is None:
        yield None
        return
    # A gateway starts without the agent.
    from toolweft.agent.sampling import Sampler
    from toolweft.agent.spending import Spending

    async with open_model(settings.sampling_model, settings) as model:
        yield Sampler(
            model,
            spending=Spending(max_cost_usd=settings.agent.max_cost_usd),
            ledger=app.ledger,
            clock=SystemClock(),
            principal=LOCAL,
        )
