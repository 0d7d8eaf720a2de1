"""The model that servers may ask, where the configuration names one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from toolweft.bootstrap.app import App
from toolweft.bootstrap.models import open_model
from toolweft.core.calls import LOCAL
from toolweft.core.clock import SystemClock

if TYPE_CHECKING:
    # Most gateways have none, and start without it.
    from toolweft.agent.sampling import Sampler

__all__ = ("open_sampler",)


@asynccontextmanager
async def open_sampler(app: App) -> "AsyncIterator[Sampler | None]":
    """What answers servers that ask for a model; None where `asks.sampling_model` names none.

    Raises:
        ConfigError: that model cannot be had.
    """
    settings = app.settings
    if settings.sampling_model is None:
        yield None
        return
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
