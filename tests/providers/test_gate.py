"""Requests before a model that fails: refused at once, or waiting where they had begun."""

import anyio
import pytest

from toolweft.core.breaker import Breaker, BreakerOptions
from toolweft.core.errors import ProviderError, ProviderUnavailable
from toolweft.providers.gate import Gate
from toolweft.providers.retry import with_retries
from toolweft.testing import FakeClock

DOWN = ProviderError("m: down", retryable=True, status=503)


class Model:
    """Raises what it is given, in order, and then answers."""

    def __init__(self, clock: FakeClock, *errors: ProviderError) -> None:
        self.asked = 0
        self._errors = list(errors)
        self._clock = clock
        breaker = Breaker(BreakerOptions(successes=1), clock=clock, random=lambda: 0.0)
        self.gate = Gate(breaker, name="m")

    async def answer(self) -> str:
        self.asked += 1
        if self._errors:
            raise self._errors.pop(0)
        return "answer"

    async def ask(self) -> str:
        self.gate.check()
        return await with_retries(
            lambda: self.gate.run(self.answer),
            clock=self._clock,
            random=lambda: 0.0,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)
        await anyio.lowlevel.checkpoint()


async def test_after_the_failure_that_opens_it_no_try_is_made(clock: FakeClock) -> None:
    model = Model(clock, *[DOWN] * 5)
    with pytest.raises(ProviderError, match="m: down"):
        await model.ask()

    # Its first two tries are the fourth and fifth failure.
    with pytest.raises(ProviderUnavailable) as caught:
        await model.ask()
    assert model.asked == 5
    assert caught.value.message.endswith("the last failure: down")
    started_s = clock.monotonic_s()
    with pytest.raises(ProviderUnavailable):
        await model.ask()
    assert clock.monotonic_s() == started_s

    clock.advance(caught.value.retry_after_s or 0)
    assert await model.ask() == "answer"


async def test_whoever_waits_asks_again_once_the_model_may_be_back(clock: FakeClock) -> None:
    model = Model(clock, DOWN)
    for _ in range(4):
        with pytest.raises(ProviderError):
            await model.gate.run(raise_down)
    model.gate.check()

    # The fifth failure opens; the second try is refused and told how long to wait; the third asks.
    assert await model.ask() == "answer"
    assert model.asked == 2


async def test_a_cancelled_probe_makes_room(clock: FakeClock) -> None:
    model = Model(clock)
    for _ in range(5):
        with pytest.raises(ProviderError):
            await model.gate.run(raise_down)
    clock.advance(5)
    for _ in range(3):
        with anyio.move_on_after(0):
            await model.gate.run(anyio.sleep_forever)

    assert await model.ask() == "answer"


async def raise_down() -> None:
    raise DOWN
