"""An embedder through the library: configured by file, used by searches, never in their way."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from math import sqrt
from pathlib import Path
from string import ascii_lowercase
from struct import pack
from typing import Literal

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


async def wait_embedded(toolbox: Toolbox) -> None:
    """Search until nothing is missing: it gets there by itself, and says meanwhile what is."""
    while told := await degraded(toolbox, "weather"):
        assert "tools are not ready" in told
        await anyio.sleep(0.01)


class Counting:
    """An embedder of one's own: two texts are near where they share letters."""

    model = "letters"

    def __init__(self) -> None:
        self.kinds: set[str] = set()

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        self.kinds.add(kind)
        vectors = []
        for text in texts:
            counts = [1.0 + text.lower().count(letter) for letter in ascii_lowercase]
            length = sqrt(sum(count * count for count in counts))
            vectors.append(pack(f"<{len(counts)}f", *(count / length for count in counts)))
        return vectors


@pytest.mark.promise("search.embedder-given")
async def test_any_object_that_embeds_may_be_given(tmp_path: Path) -> None:
    embedder = Counting()
    overrides = {
        "ledger.url": "sqlite://",
        "search.embedder.store_url": f"sqlite:///{tmp_path}/vectors.db",
    }
    with anyio.fail_after(50):
        async with toolweft.open(
            tools=[send_mail, get_weather], embedder=embedder, overrides=overrides
        ) as toolbox:
            await wait_embedded(toolbox)
            answer = await toolbox.search("weather", explain=True)
    assert embedder.kinds == {"query", "tool"}
    hit = answer.queries[0].hits[0].hit
    assert hit is not None
    assert hit.parts["embedding"] > 0


@pytest.mark.slow
async def test_a_folder_named_in_the_configuration_is_used_and_its_vectors_stay(
    tmp_path: Path,
) -> None:
    write_bert(tmp_path / "model")
    with anyio.fail_after(50):
        async with opened(tmp_path, 'path = "model"') as toolbox:
            await wait_embedded(toolbox)
        # Not what the model would give: so it shows whether anything is embedded again.
        assert count_vectors(
            tmp_path, "UPDATE vectors SET vector = (SELECT MIN(vector) FROM vectors)"
        ) == (2, 1)
        async with opened(tmp_path, 'path = "model"') as toolbox:
            await wait_embedded(toolbox)
        assert count_vectors(tmp_path) == (2, 1)


def count_vectors(folder: Path, change: str = "") -> tuple[int, int]:
    """Vectors kept, and how many differ."""
    with closing(sqlite3.connect(folder / "cache" / "vectors.db")) as connection:
        if change:
            connection.execute(change)
            connection.commit()
        query = "SELECT COUNT(*), COUNT(DISTINCT vector) FROM vectors"
        kept, different = connection.execute(query).fetchone()
    return kept, different


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
            (answer,) = (await toolbox.search("weather forecast")).queries
            assert answer.hits
            assert reason in answer.degraded_reason
            # A model gets to read that it is so, and nothing that stands in the configuration.
            reply = await toolbox.invoke("search_tools", {"queries": ["weather forecast"]})
            assert "[degraded: the embedder" in reply.text
            assert reason not in reply.text
