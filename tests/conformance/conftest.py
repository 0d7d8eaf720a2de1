"""Every test of this folder runs over every backend of the registry."""

from collections.abc import AsyncIterator

import pytest
from tests.conformance.backends import ENTRIES, OpenBackend
from tests.conformance.needs import find_missing
from tests.sandbox.process.guests import Guest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(entry, id=entry.name, marks=pytest.mark.skipif(bool(why), reason=why or "-"))
        for entry in ENTRIES
        for why in [entry.missing]
    ],
)
async def entered(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[OpenBackend]:
    """A backend, entered once for all tests of a module."""
    async with request.param.enter() as opened:
        yield opened


@pytest.fixture
def opened(entered: OpenBackend, request: pytest.FixtureRequest) -> OpenBackend:
    """A backend that has what the test needs."""
    missing = find_missing(request.node, entered.capabilities)
    if missing:
        name = f"{entered.capabilities.backend}/{entered.capabilities.tier}"
        pytest.skip(f"{name} has not got the capability {', '.join(missing)}")
    return entered


@pytest.fixture
async def guest(opened: OpenBackend) -> AsyncIterator[Guest]:
    """A fresh session."""
    async with opened.guest() as guest:
        yield guest
