"""An embedder and a store that do as told, and tiny models made on the spot."""

import json
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import anyio
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.vectors import Floats, unit

WORDS = [
    "get",
    "send",
    "list",
    "mail",
    "weather",
    "city",
    "forecast",
    "message",
    "order",
    "book",
    "hotel",
    "room",
    "query",
    "passage",
]
HIDDEN, HEADS, LAYERS, INNER, POSITIONS = 8, 2, 2, 16, 24


def vector_of(text: str, *, dimensions: int = 16) -> Floats:
    """Some vector that depends on the text."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:4], "little")
    row = np.random.default_rng(seed).normal(size=dimensions).astype(np.float32)
    return unit(row)


class FakeEmbedder:
    """Gives a vector of its own to each text; `failure` and `hold` break it or let it hang."""

    def __init__(self, *, dimensions: int = 16) -> None:
        self.dimensions = dimensions
        self.failure = ""
        self.poison = ""
        self.vectors: dict[str, Floats] = {}
        self.held: anyio.Event | None = None
        self.asked = anyio.Event()
        self.queries: list[list[str]] = []
        self.tools: list[list[str]] = []

    @property
    def model(self) -> str:
        return "fake"

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        (self.queries if kind == "query" else self.tools).append(list(texts))
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        if self.failure:
            raise EmbedderUnavailable(self.failure)
        if self.poison and any(self.poison in text for text in texts):
            raise EmbedderUnavailable("one text cannot be read")
        rows = [self.vectors.get(t, vector_of(t, dimensions=self.dimensions)) for t in texts]
        return [row.astype("<f4").tobytes() for row in rows]


class MemoryVectorStore:
    """Keeps vectors as long as it lives."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def load(self, model: str, keys: Collection[str]) -> Mapping[str, bytes]:
        return {key: self.kept[model, key] for key in keys if (model, key) in self.kept}

    async def save(self, model: str, vectors: Mapping[str, bytes]) -> None:
        self.kept |= {(model, key): data for key, data in vectors.items()}


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_tokenizer(folder: Path) -> None:
    """Words by number; what is unknown is [UNK]; [CLS] and [SEP] around each text."""
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def random_weights(seed: int = 7) -> dict[str, Floats]:
    """The weights of a tiny BERT, by their names."""
    random = np.random.default_rng(seed)

    def some(*shape: int) -> Floats:
        return (random.normal(size=shape) * 0.4).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": some(len(WORDS) + 4, HIDDEN),
        "embeddings.position_embeddings.weight": some(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": some(2, HIDDEN),
        "embeddings.LayerNorm.weight": 1 + some(HIDDEN),
        "embeddings.LayerNorm.bias": some(HIDDEN),
    }
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        shapes = {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (INNER, HIDDEN),
            "output.dense": (HIDDEN, INNER),
        }
        for name, shape in shapes.items():
            weights[f"{prefix}{name}.weight"] = some(*shape)
            weights[f"{prefix}{name}.bias"] = some(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{prefix}{name}.weight"] = 1 + some(HIDDEN)
            weights[f"{prefix}{name}.bias"] = some(HIDDEN)
    return weights


def write_bert(
    folder: Path,
    *,
    seed: int = 7,
    pooling: str = "pooling_mode_mean_tokens",
    max_tokens: int = 12,
    model_type: str = "bert",
) -> Path:
    """A sentence-transformers folder with random weights."""
    write_tokenizer(folder)
    save_file(random_weights(seed), folder / "model.safetensors")
    config = {"model_type": model_type, "num_attention_heads": HEADS, "layer_norm_eps": 1e-12}
    write_json(folder / "config.json", {**config, "max_position_embeddings": POSITIONS})
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {"path": f"{n}_{kind}" if n else "", "type": f"sentence_transformers.models.{kind}"}
        for n, kind in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", {pooling: True, "word_embedding_dimension": 8})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens})
    return folder


def write_onnx(folder: Path, *, is_pooled: bool = False) -> tuple[Path, Floats]:
    """A folder whose graph looks each token up in a table, and that table."""
    write_tokenizer(folder)
    table = np.random.default_rng(3).normal(size=(len(WORDS) + 4, 6)).astype(np.float32)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["states"])]
    output = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["texts", "tokens", 6])
    if is_pooled:
        nodes.append(
            helper.make_node("ReduceMax", ["states"], ["sentence_embedding"], axes=[1], keepdims=0)
        )
        output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, None)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    graph = helper.make_graph(
        nodes, "tiny", inputs, [output], [numpy_helper.from_array(table, "table")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    return folder, table
