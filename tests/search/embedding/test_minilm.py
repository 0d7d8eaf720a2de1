"""The real all-MiniLM-L6-v2, where TOOLWEFT_TEST_MINILM names its folder."""

import os
from pathlib import Path

import anyio
import numpy as np
import pytest
from tests.search.embedding.fakes import MemoryVectorStore

from toolweft.search import CatalogSearcher
from toolweft.search.embedding.embeddings import Embeddings
from toolweft.search.embedding.local import FolderEmbedder
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.testing import FakeClock, build_definition, build_snapshot

FOLDER = os.environ.get("TOOLWEFT_TEST_MINILM", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="TOOLWEFT_TEST_MINILM names no folder"),
]


def make() -> FolderEmbedder:
    return FolderEmbedder(Path(FOLDER), options=EmbedderOptions(path=Path(FOLDER)))


async def test_likeness_is_what_the_model_is_known_for() -> None:
    texts = [
        "send an email to my boss",
        "Sends a message by e-mail",
        "Get the weather forecast",
        "That is a happy person",
        "That is a very happy person",
    ]
    packed = await make().embed(texts, kind="query")
    rows = np.stack([np.frombuffer(data, "<f4") for data in packed])
    likeness = rows @ rows.T
    assert rows.shape == (5, 384)
    # The last pair stands on the model's own page with 0.9429.
    assert likeness[3, 4] == pytest.approx(0.9429, abs=0.001)
    assert likeness[0, 1] == pytest.approx(0.5525, abs=0.001)
    assert likeness[0, 2] < 0.2


async def test_a_need_that_no_text_names_finds_its_tool() -> None:
    snapshot = build_snapshot(
        [
            build_definition(
                "phone.battery_report", description="Battery health and charge cycles"
            ),
            build_definition("phone.list_calls", description="Calls of the last days"),
            build_definition("mail.send_message", description="Send an e-mail message"),
            build_definition("sky.get_forecast", description="Weather forecast of a city"),
        ]
    )
    options = EmbedderOptions(path=Path(FOLDER), query_timeout_s=30)
    embeddings = Embeddings(make(), MemoryVectorStore(), options=options, clock=FakeClock())
    with anyio.fail_after(50):
        async with embeddings:
            embeddings.watch(snapshot)
            await embeddings.settle()
            searcher = CatalogSearcher(hints=embeddings)
            (found,) = await searcher.search(
                ["my phone keeps dying"], snapshot=snapshot, limit=2, visible=None, tenant="local"
            )
    assert found.degraded == ""
    assert found.hits[0].qualified == "phone.battery_report"
