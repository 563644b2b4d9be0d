"""Holds the two passes over bags: learn the concepts, then count them; one bag in memory at once.

Only the counts are kept, `(bags, p)`, so bags may be a re-iterable that reads files. It does not
know labels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from whence.dictionaries.categories import Categories
from whence.dictionaries.kmeans import KMeans
from whence.dictionaries.quantizer import Quantizer
from whence.errors import InputError
from whence.prospectors.bags import Bag
from whence.prospectors.counting import tally
from whence.prospectors.layouts import Graph, Layout

Floats = NDArray[np.float64]
#: Called as `progress(done, total)` after every batch of bags; both passes are counted.
Progress = Callable[[int, int], None]

#: Numbers of consecutive bags that are put together for one call of a quantizer.
NUMBERS = 2**22
#: Names and short embeddings count as so many numbers, for their codes take memory too.
LEAST = 40


@dataclass(frozen=True, eq=False)
class Counted:
    """What a kernel sees of the bags, and nothing else is kept of them.

    Attributes:
        frequencies: `(b, p)` counts over Z.
        totals: `(b,)` Z.
        sizes: `(b,)` tokens.
        means: `(b, d)` mean embeddings, for a linear term; None unless asked for.
        sample: `(m, d)` some tokens of every bag, and
        member: `(m,)` the bag of each; None unless asked for.
    """

    frequencies: Floats
    totals: Floats
    sizes: Floats
    means: Floats | None = None
    sample: Floats | None = None
    member: NDArray[np.intp] | None = None


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of bags as batches `(n, d)` or `(n,)`, which can be read again and again.

    Attributes:
        bags: what is read.
        seen: called with the number of bags after every batch, or None.
    """

    bags: Iterable[Bag]
    seen: Callable[[int], None] | None = None

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Batches, in the bags' order."""
        for batch in batched(self.bags):
            yield joined(batch)
            if self.seen is not None:
                self.seen(len(batch))


@dataclass(frozen=True, eq=False)
class _Summed:
    """A layout whose neighbourhood sums are known already: those of one bag among many."""

    around: Floats

    @property
    def size(self) -> int | None:
        return len(self.around)

    def neighbourhood(self, codes: Floats, r: int) -> Floats:
        return self.around

    def reach(self, size: int, r: int) -> Any:
        raise AssertionError("only sums are known")

    def edges_of(self, size: int) -> NDArray[np.int64]:
        raise AssertionError("only sums are known")


def is_fitted(quantizer: Any) -> bool:
    """Whether a quantizer has learned its concepts, by scikit-learn's convention."""
    try:
        check_is_fitted(quantizer)
    except NotFittedError:
        return False
    return True


def learned(
    bags: Iterable[Bag],
    quantizer: Quantizer | None,
    default: tuple[int, float, int],
    seen: Callable[[int], None] | None = None,
) -> Quantizer:
    """A fitted quantizer; the one that came is never changed.

    Args:
        quantizer: as it is where fitted, else a clone that learns here; None takes `Categories`
            where the tokens are names and `KMeans` where they are embeddings.
        default: k, softness and seed of that `KMeans`.
        seen: called with the number of bags read.
    """
    # Scikit-learn has it from 1.6 on; who froze a quantizer has imported it.
    frozen = sys.modules.get("sklearn.frozen")
    came: Any = quantizer
    if frozen is not None and isinstance(came, frozen.FrozenEstimator):
        return came.estimator
    if quantizer is not None and is_fitted(quantizer):
        # A copy, so that fitting it again elsewhere does not change the head.
        return deepcopy(quantizer)
    if quantizer is not None:
        fresh: Any = clone(quantizer)
    elif first_of(bags).tokens.ndim == 1:
        fresh = Categories()
    else:
        k, softness, seed = default
        fresh = KMeans(k, softness=softness, seed=seed)
    return fresh.fit(Tokens(bags, seen))


def first_of(bags: Iterable[Bag]) -> Bag:
    """The first bag.

    Raises:
        InputError: there is none.
    """
    for bag in bags:
        return bag
    raise InputError("no bags came; at least two are needed, of two classes.")


def counted(
    bags: Iterable[Bag],
    quantizer: Quantizer,
    r: int,
    *,
    means: bool = False,
    per_bag: int = 0,
    seed: int = 0,
    seen: Callable[[int], None] | None = None,
) -> Counted:
    """Frequencies of concepts and pairs in every bag; consecutive bags are read together.

    Args:
        means: also keep the mean embedding of every bag, and
        per_bag: at most so many of its tokens, drawn by the
        seed: and the bag's position alone.
        seen: called with the number of bags read.
    """
    rows: list[Floats] = []
    sizes: list[tuple[int, float]] = []
    pooled: list[Floats] = []
    drawn: list[Floats] = []
    for batch in batched(bags):
        for bag, codes, layout in coded(batch, quantizer, r):
            features, total = tally(codes, layout, r)
            if per_bag:
                drawn.append(_some(bag.tokens, per_bag, (seed, len(rows))))
            if means:
                pooled.append(np.asarray(bag.tokens.mean(axis=0, dtype=np.float64)))
            rows.append(features / total)
            sizes.append((len(bag), total))
        if seen is not None:
            seen(len(batch))
    if not rows:
        raise InputError("no bags came; at least one is needed.")
    many, totals = np.array(sizes, dtype=np.float64).T
    made = Counted(np.array(rows), totals, many, np.array(pooled) if means else None)
    if not per_bag:
        return made
    member = np.repeat(np.arange(len(rows)), [len(some) for some in drawn])
    return replace(made, sample=np.concatenate(drawn), member=member)


def _some(tokens: NDArray[Any], most: int, seed: tuple[int, int]) -> Floats:
    """At most so many of a bag's tokens, in their order."""
    if len(tokens) <= most:
        return np.asarray(tokens, dtype=np.float64)
    rows = np.random.default_rng([*seed, 2]).choice(len(tokens), most, replace=False)
    return np.asarray(tokens[np.sort(rows)], dtype=np.float64)


def batched(bags: Iterable[Bag]) -> Iterator[list[Bag]]:
    """Consecutive bags, few enough that their tokens take some tens of megabytes together."""
    held: list[Bag] = []
    numbers = 0
    for bag in bags:
        held.append(bag)
        numbers += max(bag.tokens.size, LEAST * len(bag))
        if numbers >= NUMBERS:
            yield held
            held, numbers = [], 0
    if held:
        yield held


def joined(batch: list[Bag]) -> NDArray[Any]:
    """The tokens of a batch, one bag after the other; of a single bag without a copy."""
    return batch[0].tokens if len(batch) == 1 else np.concatenate([bag.tokens for bag in batch])


def coded(batch: list[Bag], quantizer: Quantizer, r: int) -> Iterator[tuple[Bag, Floats, Layout]]:
    """Every bag with its codes `(N, k)` and a layout that gives its neighbourhood sums."""
    codes = quantizer.transform(joined(batch))
    bounds = np.cumsum([0, *map(len, batch)])
    around = _around(batch, codes, bounds, r)
    for i, bag in enumerate(batch):
        own = slice(bounds[i], bounds[i + 1])
        yield bag, codes[own], bag.layout if around is None else _Summed(around[own])


def _around(batch: list[Bag], codes: Floats, bounds: NDArray[np.int64], r: int) -> Floats | None:
    """`N_r [C, 1]` of many graphs at once, as that of one graph in pieces; None for others."""
    graphs = [bag.layout for bag in batch if isinstance(bag.layout, Graph)]
    if r == 0 or len(graphs) < max(len(batch), 2) or len({g.directed for g in graphs}) > 1:
        return None
    edges = [np.reshape(g.edges, (-1, 2)) + start for g, start in zip(graphs, bounds, strict=False)]
    weights = None
    if any(g.weights is not None for g in graphs):
        weights = np.concatenate(
            [
                np.ones(len(e)) if g.weights is None else g.weights
                for g, e in zip(graphs, edges, strict=True)
            ]
        )
    whole = Graph(np.concatenate(edges), int(bounds[-1]), weights, graphs[0].directed)
    return whole.neighbourhood(np.concatenate([codes, np.ones((len(codes), 1))], axis=1), r)
