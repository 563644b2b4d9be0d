"""Holds shuffled labels, and the fits of a head to them.

It does not know what is compared, nor how it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from whence.errors import InputError
from whence.prospectors import kernels
from whence.prospectors._fitting import counted
from whence.prospectors.bags import Bag
from whence.prospectors.folds import Fold, as_targets, performance
from whence.prospectors.head import Prospector, ProspectorRegressor
from whence.prospectors.kernels import Kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Progress = Callable[[int, int], None]

#: Weights that a kernel is asked for at once: 32 MB.
NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class Refitted:
    """What a head's fits to several labellings make; the first is to the labels as they are.

    Attributes:
        name: of the performance.
        values: `(1 + R,)` performances of left-out bags.
        flat: `(1 + R, p, c)` weights of concepts and pairs.
        betas: `(1 + R, d, c)` linear terms; d is 0 without one.
    """

    name: str
    values: Floats
    flat: Floats
    betas: Floats


def refitted(
    head: Prospector | ProspectorRegressor,
    bags: Iterable[Bag],
    y: NDArray[Any],
    groups: ArrayLike | None,
    parts: Sequence[Fold],
    orders: Ints,
    progress: Progress | None,
) -> Refitted:
    """Fit to `y[row]` for every row of `orders (1 + R, b)`, with the head's concepts.

    Without a linear term the bags are counted once and all labellings are fitted together; with
    one, whose members are weighed by maps, everything but the concepts is fitted anew.
    """
    if len(head.beta_):
        return _one_by_one(head, bags, y, groups, orders, progress)
    found = _together(head, bags, y, groups, parts, orders)
    if progress is not None:
        progress(len(orders), len(orders))
    return found


def shuffles(
    y: NDArray[Any],
    parts: Sequence[Fold],
    groups: ArrayLike | None,
    rng: np.random.Generator,
    count: int,
) -> Ints:
    """Positions `(count, b)` such that `y[row]` are labels shuffled within test parts.

    Args:
        y: labels `(b,)`.
        parts: from `folds`.
        groups: `(b,)` or None; see `permutation_null`.
        rng: of the shuffles.
        count: how many.
    """
    rows = np.empty((count, len(y)), dtype=np.intp)
    member = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    agree = member is not None and all(
        len(np.unique(y[member == g])) == 1 for g in range(int(member.max()) + 1)
    )
    for _, test in parts:
        for row in rows:
            row[test] = _one(test, member, agree, rng)
    return rows


def _together(
    head: Prospector | ProspectorRegressor,
    bags: Iterable[Bag],
    y: NDArray[Any],
    groups: ArrayLike | None,
    parts: Sequence[Fold],
    orders: Ints,
) -> Refitted:
    numbers = isinstance(head, ProspectorRegressor)
    kernel = kernels.named(head.kernel_)
    x = counted(bags, head.quantizer_, head.r).frequencies
    if len(x) != len(y):
        raise InputError(f"{len(x)} bags came with {len(y)} labels; one each is needed")
    targets = as_targets(y, numbers=numbers)[1][orders]
    margins = np.empty(targets.shape)
    for train, test in parts:
        # Shuffles stay within test parts, so each training part exchanges labels with itself.
        margins[:, test] = x[test] @ _fits(kernel, x[train], targets[:, train])
    found = [
        performance(m, y[row], parts, groups=groups, numbers=numbers)
        for m, row in zip(margins, orders, strict=True)
    ]
    flat = _fits(kernel, x, targets)
    none = np.zeros((len(flat), 0, flat.shape[2]))
    return Refitted(found[0].name, np.array([p.value for p in found]), flat, none)


def _one_by_one(
    head: Prospector | ProspectorRegressor,
    bags: Iterable[Bag],
    y: NDArray[Any],
    groups: ArrayLike | None,
    orders: Ints,
    progress: Progress | None,
) -> Refitted:
    values, flats, betas, name = [], [], [], ""
    for done, row in enumerate(orders):
        fresh: Any = clone(head)
        fresh.set_params(quantizer=head.quantizer_, bootstrap=0).fit(bags, y[row], groups)
        values.append(fresh.performance_.value)
        name = fresh.performance_.name
        flats.append(fresh.weights_)
        betas.append(fresh.beta_)
        if progress is not None:
            progress(done + 1, len(orders))
    return Refitted(name, np.array(values), np.array(flats), np.array(betas))


def _one(test: Ints, member: Ints | None, agree: bool, rng: np.random.Generator) -> Ints:
    if member is None:
        return rng.permutation(test)
    own = member[test]
    if agree:
        # Each group takes the label of another one of its fold: that of its first bag.
        names, first = np.unique(own, return_index=True)
        given = dict(zip(names.tolist(), test[rng.permutation(first)].tolist(), strict=True))
        return np.array([given[g] for g in own.tolist()])
    order = np.lexsort((rng.random(len(test)), own))
    row = np.empty_like(test)
    row[np.argsort(own, kind="stable")] = test[order]
    return row


def _fits(kernel: Kernel, x: Floats, targets: Floats) -> Floats:
    """Weights `(R, p, c)` for targets `(R, b, c)`: columns of one call, as memory allows."""
    count, _, columns = targets.shape
    step = max(1, NUMBERS // (x.shape[1] * columns))
    found: list[Floats] = []
    for start in range(0, count, step):
        wide = np.moveaxis(targets[start : start + step], 0, 1).reshape(len(x), -1)
        values = kernel(x, wide).values
        found.append(np.moveaxis(values.reshape(len(values), -1, columns), 1, 0))
    return np.concatenate(found)
