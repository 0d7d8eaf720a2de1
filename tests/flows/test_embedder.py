"""An embedder through the library: configured by file, used by searches, never in their way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from tests.search.embedding.fakes import write_bert

import toolweft
from toolweft import Toolbox


def send_mail(to: str) -> str:
    """Send a mail."""
    return to


def get_weather(city: str) -> str:
    """Get the weather forecast of a city."""
    return city


@asynccontextmanager
async def opened(folder: Path, embedder: str) -> AsyncIterator[Toolbox]:
    config = folder / "toolweft.toml"
    config.write_text(
        f'[ledger]\nurl = "sqlite://"\n[search.embedder]\nquery_timeout = "20 s"\n'
        f'store_url = "sqlite:///{folder}/cache/vectors.db"\n{embedder}\n',
        encoding="utf-8",
    )
    async with toolweft.open(config, tools=[send_mail, get_weather]) as toolbox:
        yield toolbox


async def degraded(toolbox: Toolbox, query: str) -> str:
    answer = await toolbox.search(query)
    assert answer.queries[0].hits
    return answer.queries[0].degraded


@pytest.mark.slow
async def test_a_folder_named_in_the_configuration_is_used_and_its_vectors_stay(
    tmp_path: Path,
) -> None:
    write_bert(tmp_path / "model")
    with anyio.fail_after(50):
        async with opened(tmp_path, 'path = "model"') as toolbox:
            while told := await degraded(toolbox, "weather"):
                # It gets there by itself; searches meanwhile say what is missing.
                assert "tools are not ready" in told
                await anyio.sleep(0.01)
        async with opened(tmp_path, 'path = "model"') as toolbox:
            assert await degraded(toolbox, "weather") == ""


@pytest.mark.parametrize(
    ("embedder", "reason"),
    [
        ('path = "nowhere"', "is not there"),
        ('url = "http://127.0.0.1:1/v1"\nmodel = "m"', "embedder 'm' at http://127.0.0.1:1/v1"),
        ('url = "http://h/v1"\nmodel = "m"\nkey = "env:NO_SUCH_KEY"', "NO_SUCH_KEY"),
    ],
)
async def test_an_embedder_that_cannot_be_used_is_named_and_tools_are_found_all_the_same(
    tmp_path: Path, embedder: str, reason: str
) -> None:
    with anyio.fail_after(50):
        async with opened(tmp_path, embedder) as toolbox:
            assert reason in await degraded(toolbox, "weather forecast")
