"""Holds baselines: the maps that a head must beat, and the table that sets them beside it.

All but `TokenSupervised` learn from bag labels alone. They do not know concepts, nor pairs of
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from whence.dictionaries.categories import Categories
from whence.errors import InputError
from whence.evaluation.localisation import Comparison, compare
from whence.prospectors._fitting import first_of
from whence.prospectors.bags import Bag, as_bags
from whence.prospectors.folds import as_targets
from whence.prospectors.maps import Map
from whence.prospectors.smoothing import smoothed

Floats = NDArray[np.float64]


class Mapper(Protocol):
    """What makes a map of a bag: a fitted head or baseline."""

    def attribute(self, bag: Bag, output: Any = None) -> Map | Floats:
        """A Map, or the values `(N,)` of one."""
        ...


@dataclass(frozen=True)
class Smoothed:
    """The maps of another, averaged over hops of the bag's layout.

    Attributes:
        of: a fitted head or baseline.
        hops: see `smoothing.smoothed`.
    """

    of: Mapper
    hops: int = 1

    def attribute(self, bag: Bag, output: Any = None) -> Floats:
        """The smoothed map `(N,)` of a bag."""
        return smoothed(values_of(self.of.attribute(bag, output)), bag.layout, self.hops)


def values_of(found: Map | Floats) -> Floats:
    """The values `(N,)` of a map, whether it is a Map or the values already."""
    return found.values if isinstance(found, Map) else found


def random(bags: Iterable[Any], rng: np.random.Generator) -> list[Floats]:
    """A map of uniform noise for every bag."""
    return [rng.random(len(bag)) for bag in as_bags(bags)]


def constant(bags: Iterable[Any]) -> list[Floats]:
    """A map of zeros for every bag: all tokens tie."""
    return [np.zeros(len(bag)) for bag in as_bags(bags)]


@dataclass(frozen=True, eq=False)
class Scorer:
    """Linear log-odds of tokens: what every fitted baseline holds, as `scorer_`.

    Attributes:
        classes: in sorted order.
        codes: tokens to rows `(N, d)`.
        slopes: `(d, c)`; one column for two classes (the second), else one per class.
        offsets: `(c,)`.
    """

    classes: NDArray[Any]
    codes: Callable[[NDArray[Any]], Floats]
    slopes: Floats
    offsets: Floats

    def __call__(self, bag: Bag, output: Any = None) -> Floats:
        """Log-odds `(N,)` of one class; None is the second of two."""
        odds = self.codes(bag.tokens) @ self.slopes + self.offsets
        place = self._place(output)
        if odds.shape[1] > 1:
            return odds[:, place]
        return odds[:, 0] if place == 1 else -odds[:, 0]

    def _place(self, output: Any) -> int:
        if output is None and len(self.classes) == 2:
            return 1
        found = np.flatnonzero(self.classes == output)
        if len(found) != 1:
            known = ", ".join(repr(c) for c in self.classes.tolist())
            raise InputError(f"output={output!r} came; say which class to map: {known}")
        return int(found[0])


class CoarseClassifier(BaseEstimator):
    """A linear classifier of tokens that inherit their bag's label; the map is its log-odds.

    L2 logistic regression on standardised embeddings with balanced classes; names are one-hot.
    Smoothed, it is a strong baseline.

    Args:
        C: inverse strength of the L2 penalty.
        most: tokens that are fitted to; of more, every bag gives an equal number, drawn.
        seed: of that draw.
    """

    def __init__(self, C: float = 1.0, *, most: int = 100_000, seed: int = 0) -> None:
        self.C = C
        self.most = most
        self.seed = seed

    def fit(self, bags: Iterable[Any], y: ArrayLike) -> Self:
        """Learn from bags and one label each.

        Raises:
            InputError: bags and labels of different lengths, or one class only.
        """
        rows, classes = _matched(bags, y)
        own = [np.full(len(bag), c) for bag, c in zip(rows, np.asarray(y), strict=True)]
        self.scorer_ = _of_tokens(rows, own, classes, (self.C, self.most, self.seed))
        return self

    def attribute(self, bag: Any, output: Any = None) -> Floats:
        """Log-odds `(N,)` of the second of two classes, or of `output` among more."""
        check_is_fitted(self)
        return self.scorer_(first_of(as_bags([bag])), output)

    def smoothed(self, hops: int = 1) -> Smoothed:
        """The same with its maps averaged over hops."""
        return Smoothed(self, hops)


class ClassActivation(BaseEstimator):
    """A linear classifier of each bag's mean embedding; the map is its weights on every token.

    L2 logistic regression on standardised means with balanced classes: a class-activation map.

    Args:
        C: inverse strength of the L2 penalty.

    Source:
        Zhou et al., Learning deep features for discriminative localization (2016), with fixed
        embeddings in place of a trained network.
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, bags: Iterable[Any], y: ArrayLike) -> Self:
        """Learn from bags and one label each; raises as `CoarseClassifier.fit`."""
        rows, classes = _matched(bags, y)
        codes = _coder(rows)
        means = np.stack([codes(bag.tokens).mean(axis=0) for bag in rows])
        self.scorer_ = Scorer(classes, codes, *_linear(means, np.asarray(y), self.C))
        return self

    def attribute(self, bag: Any, output: Any = None) -> Floats:
        """The classifier's log-odds `(N,)` of every token taken as a bag of its own."""
        check_is_fitted(self)
        return self.scorer_(first_of(as_bags([bag])), output)

    def smoothed(self, hops: int = 1) -> Smoothed:
        """The same with its maps averaged over hops."""
        return Smoothed(self, hops)


class TokenSupervised(BaseEstimator):
    """A linear classifier of tokens that was told which tokens are true: a mark, not a rival.

    As `CoarseClassifier`, with the tokens' own labels in place of their bag's.

    Args:
        C: inverse strength of the L2 penalty.
        most: tokens that are fitted to; of more, every bag gives an equal number, drawn.
        seed: of that draw.
    """

    def __init__(self, C: float = 1.0, *, most: int = 100_000, seed: int = 0) -> None:
        self.C = C
        self.most = most
        self.seed = seed

    def fit(self, bags: Iterable[Any], token_labels: Iterable[ArrayLike]) -> Self:
        """Learn from bags and the truths `(N,)` of their tokens.

        Raises:
            InputError: lengths that differ, or truths of one kind only.
        """
        rows, truths = list(as_bags(bags)), [np.asarray(t, dtype=np.bool_) for t in token_labels]
        if [len(b) for b in rows] != [len(t) for t in truths]:
            raise InputError("one truth per token of every bag is needed; their lengths differ")
        classes, _ = as_targets(np.concatenate(truths))
        self.scorer_ = _of_tokens(rows, truths, classes, (self.C, self.most, self.seed))
        return self

    def attribute(self, bag: Any, output: Any = None) -> Floats:
        """Log-odds `(N,)` of a token to be true."""
        check_is_fitted(self)
        return self.scorer_(first_of(as_bags([bag])), output)

    def smoothed(self, hops: int = 1) -> Smoothed:
        """The same with its maps averaged over hops."""
        return Smoothed(self, hops)


def beside(
    head: Mapper,
    bags: Iterable[Any],
    y: ArrayLike,
    test_bags: Iterable[Any],
    truths: Iterable[ArrayLike],
    rng: np.random.Generator,
    *,
    output: Any = None,
    hops: int = 1,
    token_labels: Iterable[ArrayLike] | None = None,
    groups: ArrayLike | None = None,
) -> Comparison:
    """A fitted head's maps beside every baseline, plain and smoothed; the head comes first.

    The truths only judge: nothing is fitted to them, and nothing chosen by them.

    Args:
        head: fitted to the same bags and labels; whatever has its `attribute`.
        bags: that the baselines are fitted to.
        y: one label each.
        test_bags: that are mapped.
        truths: `(N,)` booleans of each, True where a token is of the class that is mapped.
        rng: of the random maps.
        output: the class that is mapped; needed where there are more than two.
        hops: over which every smoothed form is averaged.
        token_labels: truths of the training bags: adds `TokenSupervised`, under its name.
        groups: of the test bags, see `localisation`.

    Raises:
        InputError: as the baselines and `localisation` do; or hops below 1.
    """
    if hops < 1:
        raise InputError(f"hops={hops} came; the smoothed forms need at least 1")
    train, tested = list(as_bags(bags)), list(as_bags(test_bags))
    mappers: dict[str, Mapper] = {
        "head": head,
        "coarse classifier": CoarseClassifier().fit(train, y),
        "class activation": ClassActivation().fit(train, y),
    }
    if token_labels is not None:
        mappers["token-supervised (was told)"] = TokenSupervised().fit(train, token_labels)
    maps: dict[str, Iterable[Floats]] = {}
    for name, mapper in mappers.items():
        maps[name] = [values_of(mapper.attribute(bag, output)) for bag in tested]
        pairs = zip(maps[name], tested, strict=True)
        maps[f"{name}, smoothed"] = [smoothed(v, bag.layout, hops) for v, bag in pairs]
    maps |= {"random": random(tested, rng), "constant": constant(tested)}
    return compare(maps, truths, groups)


def _linear(rows: Floats, y: NDArray[Any], C: float) -> tuple[Floats, Floats]:
    """Slopes `(d, c)` and offsets `(c,)` of the log-odds of rows `(n, d)` as they came."""
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    # What is the same everywhere has a deviation of rounding, which must not be divided by.
    scale = np.where(scale > 1e-9 * np.abs(rows).max(axis=0), scale, np.inf)
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=2000)
    model.fit((rows - centre) / scale, y)
    slopes = np.asarray((model.coef_ / scale).T)
    return slopes, model.intercept_ - centre @ slopes


def _of_tokens(
    bags: list[Bag],
    labels: list[NDArray[Any]],
    classes: NDArray[Any],
    options: tuple[float, int, int],
) -> Scorer:
    C, most, seed = options
    keep = _shares(bags, most, np.random.default_rng(seed))
    codes = _coder(bags)
    rows = np.concatenate([codes(b.tokens[k]) for b, k in zip(bags, keep, strict=True)])
    chosen = np.concatenate([c[k] for c, k in zip(labels, keep, strict=True)])
    return Scorer(classes, codes, *_linear(rows, chosen, C))


def _shares(bags: list[Bag], most: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Positions of the tokens of every bag that are fitted to."""
    sizes = [len(bag) for bag in bags]
    each = max(sizes) if sum(sizes) <= most else max(most // len(bags), 1)
    return [
        np.arange(n) if n <= each else np.sort(rng.choice(n, each, replace=False)) for n in sizes
    ]


def _coder(bags: list[Bag]) -> Callable[[NDArray[Any]], Floats]:
    """Embeddings as they are, or one-hot codes of names."""
    if bags[0].tokens.ndim > 1:
        return _as_floats
    return Categories().fit(np.concatenate([bag.tokens for bag in bags])).transform


def _as_floats(tokens: NDArray[Any]) -> Floats:
    return np.asarray(tokens, dtype=np.float64)


def _matched(bags: Iterable[Any], y: ArrayLike) -> tuple[list[Bag], NDArray[Any]]:
    rows, labels = list(as_bags(bags)), np.asarray(y)
    if len(rows) != len(labels):
        raise InputError(f"{len(rows)} bags came with {len(labels)} labels; one each is needed")
    return rows, as_targets(labels)[0]
