import pytest

from toolweft.core.errors import ProviderError
from toolweft.providers.retry import with_retries
from toolweft.testing import FakeClock

PASSING = ProviderError("busy", retryable=True, status=529)


class Attempts:
    def __init__(self, *errors: ProviderError, clock: FakeClock) -> None:
        self.waited_s: list[float] = []
        self.made = 0
        self._errors = errors
        self._clock = clock

    async def attempt(self) -> str:
        self.made += 1
        if self.made <= len(self._errors):
            raise self._errors[self.made - 1]
        return "answer"

    async def sleep(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        self._clock.advance(seconds)

    async def run(self, *, is_allowed: bool = True, random: float = 1.0) -> str:
        return await with_retries(
            self.attempt,
            clock=self._clock,
            random=lambda: random,
            is_allowed=is_allowed,
            sleep=self.sleep,
        )


async def test_what_may_pass_is_tried_three_times_with_longer_waits(clock: FakeClock) -> None:
    attempts = Attempts(PASSING, PASSING, clock=clock)

    assert await attempts.run() == "answer"
    assert attempts.waited_s == [0.5, 1.0]


async def test_the_third_failure_is_the_last(clock: FakeClock) -> None:
    attempts = Attempts(PASSING, PASSING, PASSING, clock=clock)

    with pytest.raises(ProviderError, match="busy"):
        await attempts.run()
    assert attempts.made == 3


@pytest.mark.parametrize("random", [0.0, 0.5, 0.99])
async def test_waits_are_jittered_between_half_and_whole(clock: FakeClock, random: float) -> None:
    attempts = Attempts(PASSING, clock=clock)

    await attempts.run(random=random)
    assert attempts.waited_s == [0.5 * (0.5 + random / 2)]


async def test_what_the_vendor_asks_to_wait_is_waited(clock: FakeClock) -> None:
    asked = ProviderError("limit", retryable=True, retry_after_s=12.0, status=429)
    attempts = Attempts(asked, clock=clock)

    await attempts.run()
    assert attempts.waited_s == [12.0]


async def test_nobody_waits_beyond_the_deadline(clock: FakeClock) -> None:
    asked = ProviderError("limit", retryable=True, retry_after_s=61.0, status=429)
    attempts = Attempts(asked, clock=clock)

    with pytest.raises(ProviderError, match="limit; it asks to wait 61 s, and no request waits"):
        await attempts.run()
    assert attempts.waited_s == []


@pytest.mark.parametrize(("asked_s", "shown"), [(86_400.0, "86,400 s"), (1e300, "1e[+]300 s")])
async def test_a_long_wait_is_told_of_the_last_try_too(
    clock: FakeClock, asked_s: float, shown: str
) -> None:
    asked = ProviderError("limit", retryable=True, retry_after_s=asked_s, status=429)
    attempts = Attempts(PASSING, PASSING, asked, clock=clock)

    with pytest.raises(ProviderError, match=f"it asks to wait {shown}") as caught:
        await attempts.run()
    assert (attempts.made, caught.value.retry_after_s) == (3, asked_s)


async def test_a_wait_that_helps_nothing_is_not_told(clock: FakeClock) -> None:
    attempts = Attempts(ProviderError("no", status=401, retry_after_s=3600.0), clock=clock)

    with pytest.raises(ProviderError, match=r"^no$"):
        await attempts.run()


@pytest.mark.parametrize(
    ("error", "is_allowed"), [(ProviderError("no", status=400), True), (PASSING, False)]
)
async def test_nothing_else_is_tried_again(
    clock: FakeClock, error: ProviderError, is_allowed: bool
) -> None:
    attempts = Attempts(error, clock=clock)

    with pytest.raises(ProviderError):
        await attempts.run(is_allowed=is_allowed)
    assert attempts.made == 1
