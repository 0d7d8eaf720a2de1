"""The recipe of the shipped vectors: which data, in which folds, with which settings."""

import argparse
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from toolweft.search.vectors import WordVectors
from training.corpus import build_corpus
from training.data_sets import (
    Catalog,
    Request,
    load_catalogs,
    load_meanings,
    load_recorded,
    load_requests,
)
from training.trainer import TrainingOptions, train

__all__ = ("FOLDS", "Data", "load_data", "make_vectors", "parser")

# Catalogs left out together; those of one kind stand in different folds.
FOLDS = (
    ("metatool", "restbench_spotify"),
    ("sealtools", "nestful"),
    ("bfcl", "livemcpbench"),
    ("stabletoolbench", "toollinkos"),
)

# The same run from so many random starts, put side by side: a cosine is then their mean, and what
# one start has by chance weighs less. The leading axes keep nearly all of it.
RUNS = 3
DIMENSIONS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Everything a run may learn from."""

    catalogs: Mapping[str, Catalog]
    requests: Mapping[str, Sequence[Request]]
    meanings: Sequence[Sequence[str]]


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the options that name the data."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--data", type=Path, required=True, help="folder of query sets")
    options.add_argument("--recorded", type=Path, required=True, help="folder of tool listings")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--share", type=float, default=1.0, help="of our own requests")
    options.add_argument("--no-meanings", action="store_true")
    return options


def load_data(arguments: argparse.Namespace) -> Data:
    """The data the options name."""
    catalogs = load_catalogs(arguments.data)
    catalogs["recorded"] = load_recorded(arguments.recorded)
    requests = {
        name: [request for request in rows if _in_share(request, arguments.share)]
        for name, rows in load_requests().items()
    }
    meanings = [] if arguments.no_meanings else load_meanings()
    return Data(catalogs=catalogs, requests=requests, meanings=meanings)


def make_vectors(
    data: Data, *, without: Collection[str] = (), seed: int = 0
) -> tuple[WordVectors, int]:
    """Train on all data but that of some catalogs; also the number of pairs learned from."""
    # One thread: sums are then made in one order, and a run can be repeated.
    torch.set_num_threads(1)
    catalogs = {name: c for name, c in data.catalogs.items() if name not in without}
    corpus = build_corpus(catalogs, data.requests, data.meanings)
    runs = [train(corpus, TrainingOptions(seed=seed + run)) for run in range(RUNS)]
    vectors = WordVectors.build(
        corpus.words,
        np.concatenate([table.rows for table in runs], axis=1) * RUNS**-0.5,
        np.concatenate([table.grams for table in runs], axis=1) * RUNS**-0.5,
        dimensions=DIMENSIONS,
    )
    # Rounded as in the file, so that what is judged is what ships.
    return WordVectors.unpack(vectors.pack()), len(corpus.pairs)


def _in_share(request: Request, share: float) -> bool:
    """Whether the requests for a tool stay; a smaller share is part of a larger."""
    return zlib.crc32(request.tools[0].encode()) % 1000 < share * 1000
