"""Models in a folder: what their files say is done, and what is wrong with them is told."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import numpy as np
import pytest
from tests.search.embedding.fakes import random_weights, write_bert, write_json, write_onnx

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.embedding.bert import BertModel, BertShape
from toolweft.search.embedding.local import FolderEmbedder
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.pooling import pool
from toolweft.search.vectors import Floats, unit

# "[CLS] get weather [SEP]"
GET_WEATHER = [2, 4, 8, 3]


def make(folder: Path, **more: object) -> FolderEmbedder:
    return FolderEmbedder(folder, options=EmbedderOptions(path=folder, **more))  # type: ignore[arg-type]


def rows(packed: Sequence[bytes]) -> Floats:
    return np.stack([np.frombuffer(data, "<f4") for data in packed])


def expected(tokens: list[int], pooling: str = "mean") -> Floats:
    model = BertModel(random_weights(), BertShape(heads=2, layer_norm_eps=1e-12))
    mask = np.ones((1, len(tokens)), np.int64)
    return unit(pool(model.states(np.array([tokens]), mask), mask, pooling))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
async def test_vectors_are_pooled_as_the_folder_says_and_of_length_one(
    tmp_path: Path, pooling: str
) -> None:
    key = f"pooling_mode_{pooling}_token" + ("" if pooling == "cls" else "s")
    found = rows(await make(write_bert(tmp_path, pooling=key)).embed(["get weather"], kind="tool"))
    np.testing.assert_allclose(found[0], expected(GET_WEATHER, pooling), atol=1e-5)
    assert np.linalg.norm(found[0]) == pytest.approx(1, abs=1e-5)


async def test_texts_come_back_in_their_order_whatever_their_length(tmp_path: Path) -> None:
    embedder = make(write_bert(tmp_path))
    texts = ["get", "send mail message to the city", "", "list order book", "hotel room"]
    together = rows(await embedder.embed(texts, kind="tool"))
    for text, row in zip(texts, together, strict=True):
        alone = rows(await embedder.embed([text], kind="tool"))[0]
        np.testing.assert_allclose(row, alone, atol=1e-5)


async def test_a_text_longer_than_the_model_reads_is_cut(tmp_path: Path) -> None:
    embedder = make(write_bert(tmp_path, max_tokens=4))
    long, short = rows(
        await embedder.embed(["get weather " + "mail " * 5_000, "get weather"], kind="tool")
    )
    np.testing.assert_allclose(long, short, atol=1e-6)


async def test_prefixes_of_the_folder_are_set_before_texts_of_their_kind(tmp_path: Path) -> None:
    folder = write_bert(tmp_path)
    prompts = {"query": "query ", "document": "passage "}
    write_json(folder / "config_sentence_transformers.json", {"prompts": prompts})
    embedder = make(folder)
    query = rows(await embedder.embed(["get"], kind="query"))[0]
    tool = rows(await embedder.embed(["get"], kind="tool"))[0]
    np.testing.assert_allclose(query, expected([2, 16, 4, 3]), atol=1e-5)
    np.testing.assert_allclose(tool, expected([2, 17, 4, 3]), atol=1e-5)


async def test_a_configured_prefix_replaces_the_one_of_the_folder(tmp_path: Path) -> None:
    folder = write_bert(tmp_path)
    write_json(folder / "config_sentence_transformers.json", {"prompts": {"query": "query "}})
    found = rows(await make(folder, query_prefix="get ").embed(["weather"], kind="query"))[0]
    np.testing.assert_allclose(found, expected(GET_WEATHER), atol=1e-5)


async def test_a_graph_without_pooling_is_pooled(tmp_path: Path) -> None:
    folder, table = write_onnx(tmp_path)
    found = rows(await make(folder).embed(["get weather", "get"], kind="tool"))
    np.testing.assert_allclose(found[0], unit(table[GET_WEATHER].mean(axis=0)), atol=1e-5)
    np.testing.assert_allclose(found[1], unit(table[[2, 4, 3]].mean(axis=0)), atol=1e-5)


async def test_a_graph_that_pools_is_taken_at_its_word(tmp_path: Path) -> None:
    folder, table = write_onnx(tmp_path, is_pooled=True)
    found = rows(await make(folder).embed(["get weather"], kind="tool"))[0]
    np.testing.assert_allclose(found, unit(table[GET_WEATHER].max(axis=0)), atol=1e-5)


def test_other_weights_or_settings_are_another_model(tmp_path: Path) -> None:
    names = {
        make(write_bert(tmp_path / "one" / "m")).model,
        make(write_bert(tmp_path / "two" / "m", seed=8)).model,
        make(write_bert(tmp_path / "three" / "m", max_tokens=9)).model,
        make(write_bert(tmp_path / "four" / "m", pooling="pooling_mode_cls_token")).model,
        make(write_bert(tmp_path / "five" / "m"), tool_prefix="passage: ").model,
    }
    assert len(names) == 5


def test_the_same_files_elsewhere_are_the_same_model(tmp_path: Path) -> None:
    one, two = write_bert(tmp_path / "one" / "m"), write_bert(tmp_path / "two" / "m")
    assert make(one).model == make(two).model


async def test_requests_at_once_load_the_model_once_and_agree(tmp_path: Path) -> None:
    embedder = make(write_bert(tmp_path))
    found: list[bytes] = []

    async def ask() -> None:
        found.extend(await embedder.embed(["get weather"], kind="query"))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)
    assert len(found) == 8
    assert len(set(found)) == 1


async def test_a_folder_that_is_not_there_is_told_and_used_once_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    embedder = make(folder)
    with pytest.raises(EmbedderUnavailable, match="is not there"):
        await embedder.embed(["get"], kind="query")
    write_bert(folder)
    assert len(await embedder.embed(["get"], kind="query")) == 1


async def test_another_architecture_says_what_to_install(tmp_path: Path) -> None:
    embedder = make(write_bert(tmp_path, model_type="mpnet"))
    with pytest.raises(EmbedderUnavailable, match="sentence_transformers") as caught:
        await embedder.embed(["get"], kind="query")
    assert "pip install sentence-transformers" in str(caught.value)
    assert "mpnet" in str(caught.value)


async def test_an_empty_folder_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"tokenizer\.json"):
        await make(tmp_path).embed(["get"], kind="query")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
async def test_a_broken_file_is_one_reason_and_not_a_crash(tmp_path: Path, name: str) -> None:
    folder = write_bert(tmp_path)
    (folder / name).write_bytes(b"\xff\x00 not what it was")
    with pytest.raises(EmbedderUnavailable) as caught:
        await make(folder).embed(["get"], kind="query")
    assert str(folder) in caught.value.message


async def test_a_broken_graph_is_one_reason_and_not_a_crash(tmp_path: Path) -> None:
    folder, _ = write_onnx(tmp_path)
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(EmbedderUnavailable, match="cannot be used"):
        await make(folder).embed(["get"], kind="query")


async def test_weights_that_are_no_numbers_give_no_vector(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    folder = write_bert(tmp_path)
    weights = random_weights()
    weights["embeddings.word_embeddings.weight"][:] = np.nan
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(EmbedderUnavailable, match="not finite"):
        await make(folder).embed(["get"], kind="query")
