"""What the files of a model's folder say: kind of model, pooling, longest text, prefixes.

Reads sentence-transformers folders and folders with an ONNX file. Loads no weights.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.json import Json, JsonObject
from toolweft.search.embedding.pooling import Pooling

__all__ = ("ModelFolder", "read_folder")

_ONNX_FILES = ("model.onnx", "onnx/model.onnx")
_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
# Of settings, which are small; a hostile one must not fill the memory.
_MAX_SETTINGS_BYTES = 4 * 1024**2
# So much of the beginning and the end of a large file tells it from every other.
_TOLD_BYTES = 1024**2
# What models without a word of their own can read.
_USUAL_TOKENS = 512
_POOLINGS: Mapping[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
_SIMPLE_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_ACTIVATIONS = frozenset({"gelu"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A folder that can be used, and how."""

    path: Path
    # onnx: by onnxruntime. bert: by numpy. other: by the sentence-transformers library.
    kind: Literal["onnx", "bert", "other"]
    # The weights; the folder itself for "other".
    weights: Path
    pooling: Pooling
    max_tokens: int
    lower_case: bool
    # Of config.json.
    config: Mapping[str, Json] = field(default_factory=dict)
    # What the folder wants set before texts, by kind: "query", "tool".
    prefixes: Mapping[str, str] = field(default_factory=dict)
    # Changes with the weights and with every setting.
    fingerprint: str = ""

    @property
    def tokenizer(self) -> Path:
        """The file that says how texts are split."""
        return self.path / _TOKENIZER


def read_folder(path: Path) -> ModelFolder:
    """Read what the files of a folder say.

    Raises:
        EmbedderUnavailable: the folder is not there, or holds no model of a known kind.
    """
    if not path.is_dir():
        raise EmbedderUnavailable(
            f"the embedder's folder {str(path)!r} is not there",
            hint="correct search.embedder.path",
        )
    config = _read_object(path / "config.json")
    modules = _read_modules(path)
    module_names = [_module_name(module) for module in modules]
    pooling = _read_pooling(path, modules)
    onnx = next((path / name for name in _ONNX_FILES if (path / name).is_file()), None)
    has_tokenizer = (path / _TOKENIZER).is_file()
    is_simple = has_tokenizer and pooling is not None and _SIMPLE_MODULES.issuperset(module_names)
    kind: Literal["onnx", "bert", "other"] = "other"
    weights = path
    if is_simple and onnx is not None:
        kind, weights = "onnx", onnx
    elif is_simple and (path / _WEIGHTS).is_file() and _is_bert(config):
        kind, weights = "bert", path / _WEIGHTS
    elif not modules and not config:
        raise EmbedderUnavailable(
            f"the folder {str(path)!r} holds no model that is known",
            hint="it needs tokenizer.json with model.onnx, onnx/model.onnx or model.safetensors",
        )
    sentence = _read_object(path / "sentence_bert_config.json")
    return ModelFolder(
        path=path,
        kind=kind,
        weights=weights,
        pooling=pooling or "mean",
        max_tokens=_max_tokens(path, config, sentence),
        lower_case=sentence.get("do_lower_case") is True,
        config=config,
        prefixes=_read_prefixes(path),
        fingerprint=_fingerprint(path),
    )


def _is_bert(config: Mapping[str, Json]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act", "gelu") in _ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def _read_modules(path: Path) -> Sequence[JsonObject]:
    modules = _read_json(path / "modules.json")
    if not isinstance(modules, list):
        return ()
    return [module for module in modules if isinstance(module, dict)]


def _module_name(module: JsonObject) -> str:
    return str(module.get("type")).rpartition(".")[2]


def _read_pooling(path: Path, modules: Sequence[JsonObject]) -> Pooling | None:
    """How tokens become a vector; None where it is a way that only the library knows."""
    places = [str(m.get("path")) for m in modules if _module_name(m) == "Pooling"]
    settings = _read_object(path / (places[0] if places else "1_Pooling") / "config.json")
    chosen = [name for name in settings if name.startswith("pooling_mode_") and settings[name]]
    if not chosen:
        return "mean"
    return _POOLINGS.get(chosen[0]) if len(chosen) == 1 else None


def _max_tokens(path: Path, config: Mapping[str, Json], sentence: Mapping[str, Json]) -> int:
    said = sentence.get("max_seq_length")
    if said is None:
        said = _read_object(path / "tokenizer_config.json").get("model_max_length")
    limits = [
        limit
        for limit in (said, config.get("max_position_embeddings"), _USUAL_TOKENS)
        if isinstance(limit, int) and limit > 1
    ]
    return min(limits)


def _read_prefixes(path: Path) -> Mapping[str, str]:
    prompts = _read_object(path / "config_sentence_transformers.json").get("prompts")
    if not isinstance(prompts, dict):
        return {}
    named = {"query": prompts.get("query"), "tool": prompts.get("document", prompts.get("passage"))}
    return {kind: text for kind, text in named.items() if isinstance(text, str)}


def _fingerprint(path: Path) -> str:
    """A hash of every file a vector depends on; of large ones of their size and both ends."""
    told = sha256()
    patterns = ("*.json", "*/config.json", "*.safetensors", "*.onnx", "onnx/model.onnx*")
    for file in sorted({found for pattern in patterns for found in path.glob(pattern)}):
        size = file.stat().st_size
        told.update(f"{file.relative_to(path)} {size}\n".encode())
        with file.open("rb") as opened:
            told.update(opened.read(_TOLD_BYTES))
            if size > 2 * _TOLD_BYTES:
                opened.seek(-_TOLD_BYTES, 2)
            told.update(opened.read(_TOLD_BYTES))
    return told.hexdigest()[:16]


def _read_object(path: Path) -> JsonObject:
    found = _read_json(path)
    return found if isinstance(found, dict) else {}


def _read_json(path: Path) -> Json:
    """What a file of settings holds; None where there is none."""
    if not path.is_file():
        return None
    if path.stat().st_size > _MAX_SETTINGS_BYTES:
        raise EmbedderUnavailable(f"{str(path)!r} is too large for a file of settings")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise EmbedderUnavailable(f"{str(path)!r} cannot be read: {exc}") from exc
