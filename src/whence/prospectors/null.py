"""Holds the permutation null: is a head, its weights, its map better than with shuffled labels?

It does not know how a head is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from whence.errors import InputError
from whence.evaluation.localisation import average_precision
from whence.prospectors._fitting import batched, coded
from whence.prospectors._shuffling import Progress, Refitted, refitted, shuffles
from whence.prospectors.bags import Bag, as_bags
from whence.prospectors.counting import token_map
from whence.prospectors.folds import as_targets, folds
from whence.prospectors.head import Prospector, ProspectorRegressor
from whence.prospectors.linear import spoken

Floats = NDArray[np.float64]

#: Below this p-value a finding is called one.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Compared:
    """A statistic beside what it is with shuffled labels.

    Attributes:
        name: of the statistic.
        observed: with the labels as they are.
        shuffled: `(R,)` with shuffled ones.
    """

    name: str
    observed: float
    shuffled: Floats

    @property
    def p_value(self) -> float:
        """Share of statistics at least as large, the observed one counted among them."""
        return float((1 + (self.shuffled >= self.observed).sum()) / (1 + len(self.shuffled)))


@dataclass(frozen=True)
class Standing:
    """A concept, or a pair of concepts, whose weight stands out of all shuffled ones.

    Attributes:
        names: of the concept, or of both.
        output: the class, where there are more than two; else None.
        weight: in count units.
        p_value: family-wise: share of shuffles in which any weight stands out as far.
    """

    names: tuple[str, ...]
    output: Any
    weight: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Null:
    """What a head finds beside what it would find with shuffled labels.

    Attributes:
        performance: of left-out bags: area under the ROC curve, or rank correlation.
        thresholds: `(p, c)` what 95 of 100 shuffles stay below in every one of the weights at
            once. Weights are measured in their own spread over shuffles, so that rare and common
            features are held to the same mark.
        p_values: `(p, c)` family-wise p-value of every weight.
        standing: concepts and pairs with a p-value up to 0.05, the largest first, in units of
            their spread.
        precision: mean average precision of maps, or None without truths.
        distinct: how many of the shuffles differ; few groups have few.
        words: all of it in words.
    """

    performance: Compared
    thresholds: Floats
    p_values: Floats
    standing: tuple[Standing, ...]
    precision: Compared | None
    distinct: int
    words: str


def permutation_null(
    head: Prospector | ProspectorRegressor,
    bags: Iterable[Any],
    y: ArrayLike,
    rng: np.random.Generator,
    *,
    permutations: int = 200,
    groups: ArrayLike | None = None,
    mapped: Iterable[Any] | None = None,
    truths: Iterable[ArrayLike] | None = None,
    output: Any = None,
    progress: Progress | None = None,
) -> Null:
    """Fit the head anew to shuffled labels, with its concepts, and compare.

    Labels are shuffled within folds, so that every fold keeps its classes and every left-out
    margin its fold; where the labels of each group agree, whole groups exchange theirs, else
    labels are exchanged within groups. Under "labels have nothing to do with bags" each such
    shuffle is as likely as what was seen, so p-values are exact, whatever was chosen without
    labels. What was chosen with them (k, r, the kernel) is not chosen anew: a head picked as the
    best of many looks better here than it is.

    Args:
        head: fitted to these bags; its concepts, radius, kernel, folds and seed are used.
        bags: the training bags; read once, with a linear term as often as they are fitted.
        y: their labels.
        rng: of the shuffles.
        permutations: R, how many; the smallest p-value is 1 / (R + 1).
        groups: as in `fit`.
        mapped: bags that `truths` are of; None with truths takes the training bags. The latter
            flatters both sides alike.
        truths: `(N,)` booleans per bag: also judge maps. Costs R maps per bag.
        output: the class that is mapped, where there are more than two.
        progress: called as `progress(done, total)` after every fit. Without a linear term all
            are fitted together in seconds; with one each takes as long as `fit`.

    Raises:
        InputError: fewer than 19 permutations, fewer than 2 folds, or as `fit` does.
        NotFittedError: before `fit`.

    Source:
        Family-wise p-values by the largest statistic: Westfall and Young (1993).
    """
    check_is_fitted(head)
    _check(permutations, head.cv, truths, mapped)
    numbers = isinstance(head, ProspectorRegressor)
    y = np.asarray(y)
    classes, _ = as_targets(y, numbers=numbers)
    column = (0, 1.0) if truths is None else _column(classes, output)
    parts = folds(y, groups, head.cv, head.seed, numbers=numbers)
    made = as_bags(bags)
    drawn = shuffles(y, parts, groups, rng, permutations)
    orders = np.concatenate([np.arange(len(y))[None], drawn])
    fits = refitted(head, made, y, groups, parts, orders, progress)
    tested = Compared(f"bag {fits.name}", float(fits.values[0]), fits.values[1:])
    found = _families(fits.flat)
    seen = None
    if truths is not None:
        maps = _maps(head, made if mapped is None else as_bags(mapped), fits, column)
        seen = _precision(maps, truths)
    standing = _standing(fits.flat[0], found, head.quantizer_.names, classes)
    distinct = len(np.unique(y[drawn], axis=0))
    words = _words(tested, seen, (len(standing), fits.flat[0].size), (distinct, permutations))
    return Null(tested, found.thresholds, found.p_values, standing, seen, distinct, words)


@dataclass(frozen=True, eq=False)
class _Families:
    """Family-wise p-values and thresholds `(p, c)`, and weights in units of their spread."""

    p_values: Floats
    thresholds: Floats
    sizes: Floats


def _families(full: Floats) -> _Families:
    """From weights `(1 + R, p, c)`, the observed ones first.

    The spread is taken over all of them, the observed included, so that none is special.
    """
    spread = np.sqrt((full**2).mean(axis=0))
    moves = spread > 0
    sizes = np.abs(full) / np.where(moves, spread, 1.0)
    largest = np.sort(sizes.max(axis=(1, 2)))
    below = np.searchsorted(largest, sizes[0])
    p_values = np.where(moves, (len(largest) - below) / len(largest), 1.0)
    mark = largest[-1 - int(LEVEL * len(largest))]
    return _Families(p_values, mark * spread, sizes[0])


def _standing(
    weights: Floats, found: _Families, names: Sequence[str], classes: NDArray[Any]
) -> tuple[Standing, ...]:
    rows, columns = np.nonzero(found.p_values <= LEVEL)
    order = np.argsort(-found.sizes[rows, columns], kind="stable")
    pairs = np.stack(np.triu_indices(len(names)), axis=1).tolist()
    labels = [(n,) for n in names] + [(names[a], names[b]) for a, b in pairs]
    outputs = classes.tolist() if weights.shape[1] > 1 else [None]
    return tuple(
        Standing(labels[f], outputs[c], float(weights[f, c]), float(found.p_values[f, c]))
        for f, c in zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    )


def _column(classes: NDArray[Any], output: Any) -> tuple[int, float]:
    """Where the weights of one output are, and their sign."""
    known = classes.tolist()
    if output is not None and output not in known:
        raise InputError(f"output={output!r} came; the classes are {known}")
    if output is None and len(known) > 2:
        raise InputError(f"more than two classes; say which one is mapped: output=, of {known}")
    if len(known) > 2:
        return known.index(output), 1.0
    return 0, -1.0 if output is not None and output == known[0] else 1.0


def _maps(
    head: Prospector | ProspectorRegressor,
    bags: Iterable[Bag],
    fits: Refitted,
    column: tuple[int, float],
) -> Iterator[Floats]:
    """Maps `(N, 1 + R)` of every bag."""
    place, sign = column
    flat, beta = sign * fits.flat[:, :, place].T, sign * fits.betas[:, :, place].T
    for batch in batched(bags):
        for bag, codes, _ in coded(batch, head.quantizer_, 0):
            maps = token_map(codes, bag.layout, head.r, flat)
            yield maps + spoken(bag.tokens, head.centre_, beta) if len(beta) else maps


def _precision(maps: Iterator[Floats], truths: Iterable[ArrayLike]) -> Compared:
    found: list[list[float]] = []
    for place, (truth, values) in enumerate(zip_longest(truths, maps)):
        if truth is None or values is None or len(values) != np.size(truth):
            raise InputError(f"bag {place}: one truth per token is needed, for every bag")
        known = np.asarray(truth).astype(np.bool_)
        if known.any() and not known.all():
            found.append([average_precision(column, known) for column in values.T])
    if not found:
        raise InputError("no bag has both true and false tokens, so no map can be judged")
    values = np.mean(found, axis=0)
    return Compared("average precision", float(values[0]), values[1:])


def _words(
    tested: Compared, seen: Compared | None, standing: tuple[int, int], shuffles: tuple[int, int]
) -> str:
    lines = [_line(tested), *([] if seen is None else [_line(seen)])]
    lines.append(
        f"{standing[0]} of {standing[1]} weights of concepts and pairs stand out of all shuffles "
        f"together (family-wise p <= {LEVEL})"
    )
    if 2 * shuffles[0] < shuffles[1]:
        lines.append(
            f"only {shuffles[0]} of {shuffles[1]} shuffles differ, because groups are few: no "
            f"p-value below about {1 / shuffles[0]:.2g} means anything"
        )
    return "\n".join(lines)


def _line(found: Compared) -> str:
    verdict = (
        "better than with shuffled labels"
        if found.p_value <= LEVEL
        else "no better than with shuffled labels, so the map must not be trusted"
    )
    low, high = found.shuffled.min(), found.shuffled.max()
    return (
        f"{found.name} {found.observed:.3f}, of {len(found.shuffled)} shuffles {low:.3f} to "
        f"{high:.3f} (p = {found.p_value:.3g}): {verdict}"
    )


def _check(permutations: int, cv: int, truths: Any, mapped: Any) -> None:
    if permutations < 19:
        raise InputError(f"permutations={permutations} came; below 19 no p-value can reach {LEVEL}")
    if mapped is not None and truths is None:
        raise InputError("mapped bags came without truths, which are what judges their maps")
    if cv < 2:
        raise InputError(f"the head has cv={cv}; left-out margins need at least 2 folds")
