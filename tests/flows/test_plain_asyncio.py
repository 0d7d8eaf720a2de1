"""Programs run under `asyncio.run` as they do under `anyio.run`, in the same isolation."""

import asyncio
from pathlib import Path

import anyio
import pytest

import toolweft

pytestmark = pytest.mark.process


@toolweft.tool(severity="read_only")
async def double(number: int) -> int:
    """Double a number."""
    return 2 * number


def test_plain_asyncio_gets_the_same_sandbox(tmp_path: Path) -> None:
    overrides = {"ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}"}

    async def main() -> tuple[str, str, str]:
        async with toolweft.open(tools=[double], overrides=overrides) as box:
            outcome = await box.run("print(await double(number=21))")
        assert outcome.container is not None
        return outcome.status, outcome.stdout, outcome.container.backend

    under_anyio = anyio.run(main)
    assert under_anyio[:2] == ("ok", "42\n")
    assert asyncio.run(main()) == under_anyio
