"""Train static word vectors: texts that belong together find each other within a batch.

A text's vector is the sum of its words' vectors; a word's vector is its own row plus the mean of
the rows of its character n-grams, so that unknown words have one too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from torch.nn import functional

from toolweft.search.grams import hash_grams
from training.corpus import Corpus, Pair, split_document

__all__ = ("TrainingOptions", "WordTable", "train")

Floats = NDArray[np.float32]
Words = NDArray[np.int64]
# Words and how much each counts.
Side = tuple[Words, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """What a run is made with; the defaults make the shipped file."""

    seed: int = 0
    dimensions: int = 128
    steps: int = 2_000
    batch: int = 256
    rate: float = 6e-3
    temperature: float = 0.05
    # Share of a text's words, and of the words' own rows, left out at each step.
    dropout: float = 0.25
    row_dropout: float = 0.25
    grams: int = 4_096
    # Share of the steps on pairs whose wrong tools come from all catalogs, not from the same one.
    mixed: float = 0.4
    # How often each kind of step is taken.
    pairs: float = 2.0
    own: float = 2.0
    texts: float = 2.0
    meanings: float = 0.7


@dataclass(frozen=True, slots=True)
class WordTable:
    """What a run gives: one row per word, with its weight folded in, and one per n-gram."""

    words: list[str]
    rows: Floats
    grams: Floats


class _Batch:
    """Two sides of equal length; `masked` marks right answers that are not the row's own."""

    def __init__(
        self, left: list[Side], right: list[Side], masked: NDArray[np.bool_] | None
    ) -> None:
        self.left, self.right, self.masked = left, right, masked


class _Model(torch.nn.Module):
    def __init__(self, corpus: Corpus, options: TrainingOptions) -> None:
        super().__init__()
        count = len(corpus.words)
        self._options = options
        random = torch.Generator().manual_seed(options.seed)
        shape = (count, options.dimensions)
        scale = options.dimensions**-0.5
        self.own = torch.nn.Parameter(torch.randn(shape, generator=random) * scale)
        shape = (options.grams, options.dimensions)
        self.gram = torch.nn.Parameter(torch.randn(shape, generator=random) * scale * 0.3)
        share = corpus.uses / (len(corpus.tools) + len(corpus.pairs))
        start = np.log(np.clip(-np.log(share) / 8, 0.05, 1.5)).astype(np.float32)
        self.weight = torch.nn.Parameter(torch.from_numpy(start))
        self._gathering = _gram_matrix(corpus.words, options.grams)
        self._spreading = self._gathering.T.tocsr()

    def forward(self) -> torch.Tensor:
        """The vectors of all words, without weights."""
        own = self.own
        if self.training:
            own = own * (torch.rand(len(own), 1) > self._options.row_dropout)
        return own + 2 * _Gather.apply(self.gram, self._gathering, self._spreading)

    def encode(self, table: torch.Tensor, sides: Sequence[Side]) -> torch.Tensor:
        words = torch.from_numpy(np.concatenate([side[0] for side in sides]))
        weights = torch.from_numpy(np.concatenate([side[1] for side in sides]))
        starts = np.cumsum([0, *(len(side[0]) for side in sides[:-1])])
        bags = functional.embedding_bag(
            words,
            table,
            torch.from_numpy(starts),
            mode="sum",
            per_sample_weights=weights * torch.exp(self.weight[words]),
        )
        return functional.normalize(bags, dim=1)


class _Gather(torch.autograd.Function):
    """A sparse product, by scipy: several times quicker than torch's on one core."""

    @staticmethod
    def forward(ctx, grams, gathering, spreading):  # type: ignore[no-untyped-def, override]
        ctx.spreading = spreading
        return torch.from_numpy(gathering @ grams.detach().numpy())

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
        return torch.from_numpy(ctx.spreading @ gradient.numpy()), None, None


def _gram_matrix(words: Sequence[str], buckets: int) -> sparse.csr_matrix:
    hashed = [hash_grams(word, buckets) for word in words]
    rows = np.repeat(np.arange(len(words)), [len(grams) for grams in hashed])
    values = np.concatenate([np.full(len(grams), 1 / max(1, len(grams))) for grams in hashed])
    columns = np.concatenate([np.array(grams, np.int64) for grams in hashed])
    shape = (len(words), buckets)
    return sparse.csr_matrix((values.astype(np.float32), (rows, columns)), shape=shape)


class _Sampler:
    """Draws batches."""

    def __init__(self, corpus: Corpus, options: TrainingOptions) -> None:
        self._corpus, self._options = corpus, options
        self._random = np.random.default_rng(options.seed)
        self._by_catalog: dict[str, list[int]] = {}
        for row, name in enumerate(corpus.catalogs):
            if len(corpus.tools[row].words) > 1:
                self._by_catalog.setdefault(name, []).append(row)
        self._groups: dict[str, list[Pair]] = {}
        for pair in corpus.pairs:
            self._groups.setdefault(pair.group, []).append(pair)
        self._rivals = _find_rivals(corpus)

    def draw(self) -> _Batch:
        options = self._options
        own = [name for name in self._groups if name.startswith("own:")]
        others = [name for name in self._groups if name not in own]
        kinds: list[tuple[float, Callable[[], _Batch]]] = [
            (options.pairs * bool(others), lambda: self._pairs(others)),
            (options.own * bool(own), lambda: self._pairs(own)),
            (options.texts, self._texts),
            (options.meanings * bool(self._corpus.meanings), self._meanings),
        ]
        weights = np.array([weight for weight, _ in kinds])
        return kinds[self._random.choice(len(kinds), p=weights / weights.sum())][1]()

    def _group(self, sizes: dict[str, int]) -> str:
        names = list(sizes)
        weights = np.sqrt(np.array([sizes[name] for name in names], np.float64))
        return names[self._random.choice(len(names), p=weights / weights.sum())]

    def _some(self, count: int, most: int) -> NDArray[np.int64]:
        return self._random.choice(count, min(count, most), replace=False)

    def _pairs(self, groups: Sequence[str]) -> _Batch:
        if self._random.random() < self._options.mixed:
            rows = [pair for group in groups for pair in self._groups[group]]
        else:
            rows = self._groups[self._group({g: len(self._groups[g]) for g in groups})]
        pairs = [rows[i] for i in self._some(len(rows), self._options.batch)]
        tools = [pair.tools[self._random.integers(len(pair.tools))] for pair in pairs]
        for pair in pairs:
            rivals = self._rivals.get(id(pair), ())
            if len(rivals):
                tools.append(int(rivals[self._random.integers(len(rivals))]))
        masked = np.zeros((len(pairs), len(tools)), np.bool_)
        for row, pair in enumerate(pairs):
            masked[row] = np.isin(tools, pair.tools)
            masked[row, row] = False
        left = [self._thinned((pair.words, np.ones(len(pair.words), np.float32))) for pair in pairs]
        return _Batch(left, [self._tool(tool) for tool in tools], masked)

    def _tool(self, row: int) -> Side:
        bag = self._corpus.tools[row]
        return self._thinned((bag.words, bag.weights), share=0.7)

    def _thinned(self, side: Side, *, share: float = 1.0) -> Side:
        words, weights = side
        kept = self._random.random(len(words)) > self._options.dropout * share
        if kept.any():
            return words[kept], weights[kept]
        return (words, weights) if len(words) else (np.zeros(1, np.int64), np.ones(1, np.float32))

    def _texts(self) -> _Batch:
        if self._random.random() < 0.5:
            sizes = {name: len(rows) for name, rows in self._by_catalog.items()}
            pool: Sequence[int] = self._by_catalog[self._group(sizes)]
        else:
            pool = [row for rows in self._by_catalog.values() for row in rows]
        left, right = [], []
        for place in self._some(len(pool), self._options.batch):
            bag = self._corpus.tools[pool[place]]
            one, other = split_document(bag, self._random.random(), self._random)
            if one.any() and other.sum() > 1:
                left.append(self._thinned((bag.words[one], np.ones(int(one.sum()), np.float32))))
                right.append(self._thinned((bag.words[other], bag.weights[other]), share=0.7))
        return _Batch(left, right, None)

    def _meanings(self) -> _Batch:
        meanings = self._corpus.meanings
        left, right = [], []
        for place in self._some(len(meanings), self._options.batch):
            group = [meanings[place][i] for i in self._random.permutation(len(meanings[place]))]
            cut = 1 if len(group) < 4 or self._random.random() < 0.6 else 2
            end = cut + self._random.choice((1, 2, 4))
            for side, words in (left, group[:cut]), (right, group[cut:end]):
                joined = np.concatenate(words)
                side.append((joined, np.ones(len(joined), np.float32)))
        return _Batch(left, right, None)


def _find_rivals(corpus: Corpus, *, most: int = 20) -> dict[int, NDArray[np.int64]]:
    """For each pair, by identity, the wrong tools of its catalog that share most words with it."""
    rarity = np.log(len(corpus.tools) / corpus.uses).clip(0.1)
    count = len(corpus.words)
    by_catalog: dict[str, list[Pair]] = {}
    for pair in corpus.pairs:
        by_catalog.setdefault(corpus.catalogs[pair.tools[0]], []).append(pair)
    owners = np.array(corpus.catalogs)
    found = {}
    for name, pairs in by_catalog.items():
        rows = np.flatnonzero(owners == name)
        bags = [corpus.tools[row] for row in rows]
        indptr = np.cumsum([0, *(len(bag.words) for bag in bags)])
        data = np.concatenate([bag.weights / (5 + bag.weights.sum()) for bag in bags])
        held = sparse.csr_matrix(
            (data, np.concatenate([bag.words for bag in bags]), indptr), shape=(len(rows), count)
        )
        for start in range(0, len(pairs), 1_000):
            part = pairs[start : start + 1_000]
            indptr = np.cumsum([0, *(len(pair.words) for pair in part)])
            words = np.concatenate([pair.words for pair in part])
            asked = sparse.csr_matrix((rarity[words], words, indptr), shape=(len(part), count))
            scores = (asked @ held.T).toarray()
            kept = min(most, scores.shape[1])
            best = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
            for pair, places in zip(part, best, strict=True):
                candidates = rows[places]
                found[id(pair)] = candidates[~np.isin(candidates, pair.tools)]
    return found


def train(corpus: Corpus, options: TrainingOptions) -> WordTable:
    """Word vectors from a random start."""
    torch.manual_seed(options.seed)
    model = _Model(corpus, options)
    sampler = _Sampler(corpus, options)
    slow = [model.own, model.gram]
    optimiser = torch.optim.Adam(
        [{"params": slow, "lr": options.rate}, {"params": [model.weight], "lr": 1e-2}],
        betas=(0.9, 0.98),
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    for step in range(options.steps):
        share = max(0.03, 1 - step / options.steps) * min(1.0, (step + 1) / 30)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share
        batch = sampler.draw()
        if len(batch.left) < 8:
            continue
        table = model()
        left, right = model.encode(table, batch.left), model.encode(table, batch.right)
        likeness = left @ right.T / options.temperature
        if batch.masked is not None:
            likeness = likeness.masked_fill(torch.from_numpy(batch.masked), -1e4)
        own = torch.arange(len(left))
        loss = functional.cross_entropy(likeness, own)
        loss = loss + functional.cross_entropy(likeness[:, : len(left)].T, own)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        rows = model() * torch.exp(model.weight)[:, None]
        return WordTable(corpus.words, rows.numpy(), (2 * model.gram).numpy())
