"""Holds folds of bags, and what margins of bags that were left out are worth.

It does not know what is fitted on a fold, nor where margins come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from whence.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Fold = tuple[Ints, Ints]

#: Two-sided 95 %.
Z = 1.959963984540054


@dataclass(frozen=True)
class Performance:
    """How well margins tell bags apart that they were not fitted to.

    Attributes:
        value: area under the ROC curve for two classes, its mean over one class against the rest
            for more, Spearman's rank correlation for numbers. Only bags of one fold are compared
            with each other: the margins of two folds come from two fits.
        low: lower and
        high: upper end of its 95 % interval over bags. It does not allow for the other fits that
            other training bags would give.
        chance: what margins without any information are worth: 0.5, or 0 for numbers.
        name: "AUC", "mean AUC" or "rank correlation".
        words: all of it in words; they warn when the interval does not clear chance.
    """

    value: float
    low: float
    high: float
    chance: float
    name: str
    words: str

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above chance."""
        return self.low > self.chance


def as_targets(y: ArrayLike, *, numbers: bool = False) -> tuple[NDArray[Any], Floats]:
    """The classes in sorted order, and the targets `(b, c)` that kernels take.

    Two classes make one column, 1 for the second; more make one column each, 1 for that class.
    Numbers make one column, and no classes.

    Raises:
        InputError: labels that are not `(b,)`, nan or inf among numbers, or one value only.
    """
    y = np.asarray(y)
    if y.ndim != 1:
        raise InputError(f"labels of shape {y.shape} came; one label per bag is needed, (bags,)")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        where = int(np.flatnonzero(~np.isfinite(y))[0])
        raise InputError(f"the label of bag {where} is {y[where]}; drop that bag, or label it")
    classes = _distinct(y)
    if len(classes) < 2:
        said = _said(classes[0]) if len(classes) else "none"
        raise InputError(
            f"labels of one value only came ({said}, {len(y)} bags); bags of at least two are "
            "needed to learn what sets them apart"
        )
    if numbers:
        return classes[:0], _as_numbers(y)[:, None]
    columns = classes[1:] if len(classes) == 2 else classes
    return classes, (y[:, None] == columns).astype(np.float64)


def checked_groups(groups: ArrayLike | None, bags: int) -> NDArray[Any] | None:
    """The name of the group of every bag `(b,)`, or None where none came.

    Raises:
        InputError: groups that are not one name per bag, a missing name, or names of several types.
    """
    if groups is None:
        return None
    try:
        names = np.asarray(groups)
    except ValueError:
        raise InputError("groups of unequal lengths came; one name per bag is needed") from None
    if names.shape != (bags,):
        raise InputError(
            f"groups of shape {names.shape} came for {bags} bags; one name per bag is needed, "
            f"({bags},)"
        )
    missing = [i for i, name in enumerate(names.tolist()) if name is None or name != name]
    if missing:
        raise InputError(f"the group of bag {missing[0]} is missing; name it, or drop that bag")
    _distinct(names, "groups")
    return names


def folds(
    y: ArrayLike, groups: ArrayLike | None, cv: int, seed: int, *, numbers: bool = False
) -> list[Fold]:
    """Training and test positions of every fold; classes in equal shares, groups kept whole.

    Raises:
        InputError: see `checked_groups`; fewer than 2 folds, fewer bags of a class (or groups) than
            folds, or groups that leave a training set without one of the classes.
    """
    y = np.asarray(y)
    if cv < 2:
        raise InputError(f"cv={cv} came; at least 2 folds are needed to leave bags out")
    groups = checked_groups(groups, len(y))
    if groups is None:
        return _plain(y, cv, seed, numbers)
    found = len(np.unique(groups))
    if found < cv:
        raise InputError(f"{found} groups came for cv={cv} folds; lower cv to at most {found}")
    made = _grouped_numbers(groups, cv, seed) if numbers else _grouped(y, groups, cv, seed)
    return made if numbers else _with_every_class(made, y)


def performance(
    margins: Floats,
    y: ArrayLike,
    folds: Sequence[Fold] | None = None,
    *,
    groups: ArrayLike | None = None,
    numbers: bool = False,
) -> Performance:
    """What margins `(b,)` or `(b, c)` are worth, with a 95 % interval over bags, or over groups.

    Args:
        margins: one column for two classes (the second against the first) and for numbers, one
            per class in sorted order for more.
        y: labels `(b,)`.
        folds: only bags in one test part are compared; None compares all.
        groups: `(b,)` the group of every bag, whose bags are alike; None takes each bag for itself.
        numbers: y are numbers, not classes.

    Raises:
        InputError: see `as_targets` and `checked_groups`; one group only; or no fold in which a
            class can be compared with another.

    Source:
        The interval of an area is DeLong, DeLong and Clarke-Pearson (1988) on the logit scale; for
        a mean of areas, the same variance of the mean of each bag's influence. Where all bags are
        in the right order it is exact binomial for the smaller class, an approximation of ours
        (DeLong's variance is then zero). Spearman's: Bonett and Wright (2000). With groups, the
        influence is summed within each before it is squared, Obuchowski (1997); the binomial counts
        groups, and Spearman's variance is multiplied by how much such sums raise the variance of
        the mean influence (the last two are ours).
    """
    margins = margins.reshape(len(margins), -1)
    classes, targets = as_targets(y, numbers=numbers)
    member = _member(groups, len(margins))
    parts = [np.arange(len(margins))] if folds is None else [test for _, test in folds]
    if numbers:
        value, low, high = _correlation(margins[:, 0], targets[:, 0], parts, member)
        name, chance = "rank correlation", 0.0
    else:
        value, low, high = _area(margins, targets, parts, member)
        name, chance = ("AUC" if len(classes) == 2 else "mean AUC"), 0.5
    how = "" if folds is None else f", {len(parts)}-fold"
    said = f"bag {name} {value:.2f} [{low:.2f}, {high:.2f}]{how}, {len(margins)} bags"
    if member.max() + 1 < len(member):
        said += f" in {member.max() + 1} groups"
    if low <= chance:
        said += ": no better than chance, so the map must not be trusted"
    return Performance(value, low, high, chance, name, said)


def _member(groups: ArrayLike | None, bags: int) -> Ints:
    """The number of every bag's group, from 0."""
    names = checked_groups(groups, bags)
    if names is None:
        return np.arange(bags)
    member = np.unique(names, return_inverse=True)[1]
    if member.max() == 0:
        raise InputError("one group only came; an interval over groups needs at least 2")
    return member


def _distinct(y: NDArray[Any], what: str = "labels") -> NDArray[Any]:
    try:
        return np.unique(y)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in y})
        raise InputError(f"{what} of several types came ({', '.join(kinds)}); give one") from None


def _said(label: Any) -> str:
    return repr(label.item() if isinstance(label, np.generic) else label)


def _as_numbers(y: NDArray[Any]) -> Floats:
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"labels like {_said(y[0])} came where numbers are needed; a Prospector takes classes"
        ) from None


def _plain(y: NDArray[Any], cv: int, seed: int, numbers: bool) -> list[Fold]:
    classes, sizes = np.unique(y, return_counts=True)
    smallest = len(y) if numbers else int(sizes.min())
    if smallest < cv:
        what = "labels" if numbers else f"bags of class {_said(classes[sizes.argmin()])}"
        raise InputError(f"{smallest} {what} came for cv={cv} folds; lower cv, or add bags")
    kind = KFold if numbers else StratifiedKFold
    # scikit-learn takes labels that are objects or fractions for no classes.
    labels = y if numbers else np.unique(y, return_inverse=True)[1]
    return list(kind(cv, shuffle=True, random_state=seed).split(labels, labels))


def _grouped(y: NDArray[Any], groups: NDArray[Any], cv: int, seed: int) -> list[Fold]:
    maker = StratifiedGroupKFold(cv, shuffle=True, random_state=seed)
    # It would warn of a class with fewer bags than folds; what matters is checked afterwards.
    labels = np.unique(y, return_inverse=True)[1]
    if np.bincount(labels).min() < cv:
        return _grouped_numbers(groups, cv, seed)
    return list(maker.split(labels, labels, groups))


def _grouped_numbers(groups: NDArray[Any], cv: int, seed: int) -> list[Fold]:
    names, member = np.unique(groups, return_inverse=True)
    halves = KFold(cv, shuffle=True, random_state=seed).split(names)
    tests = [np.isin(member, test) for _, test in halves]
    return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]


def _with_every_class(made: list[Fold], y: NDArray[Any]) -> list[Fold]:
    made = [fold for fold in made if len(fold[1])]
    for train, _ in made:
        missing = np.setdiff1d(y, y[train])
        if len(missing):
            raise InputError(
                f"every bag of class {_said(missing[0])} falls into one fold, because its bags "
                "share too few groups; add groups of that class, or lower cv"
            )
    return made


def _area(
    margins: Floats, targets: Floats, parts: list[Ints], member: Ints
) -> tuple[float, float, float]:
    found = [_one_area(m, t > 0, parts) for m, t in zip(margins.T, targets.T, strict=True)]
    value = float(np.mean([area for area, _ in found]))
    influence = np.mean([own for _, own in found], axis=0)
    if value in (0.0, 1.0):
        fewest = min(len(np.unique(member[t == side])) for t in targets.T for side in (0, 1))
        edge = 0.025 ** (1 / fewest)
        return (value, edge, 1.0) if value else (value, 0.0, 1 - edge)
    error = float(np.sqrt(_squared(influence, member))) / (value * (1 - value))
    centre = np.log(value / (1 - value))
    low, high = 1 / (1 + np.exp(-(centre + Z * error * np.array([-1, 1]))))
    return value, float(low), float(high)


def _squared(influence: Floats, member: Ints) -> float:
    """The sum over groups of their squared influence; with a correction for few of them."""
    own = np.bincount(member, influence)
    grouped = len(own) < len(member)
    return float((own**2).sum()) * (len(own) / (len(own) - 1) if grouped else 1.0)


def _one_area(
    margin: Floats, positive: NDArray[np.bool_], parts: list[Ints]
) -> tuple[float, Floats]:
    """The area over pairs of bags in one part, and every bag's influence on it `(b,)`."""
    wins, rivals = np.zeros(len(margin)), np.zeros(len(margin))
    for part in parts:
        wins[part], rivals[part] = _placements(margin[part], positive[part])
    pairs = rivals[positive].sum()
    if pairs == 0:
        raise InputError(
            "no fold holds bags of two classes, so none can be compared; lower cv, or give groups "
            "that hold fewer bags"
        )
    area = float(wins[positive].sum() / pairs)
    return area, (wins - area * rivals) / pairs


def _placements(margin: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Rivals of the other class that every bag is on the right side of, and how many there are."""
    ranks, m = rankdata(margin), int(positive.sum())
    n = len(margin) - m
    wins = np.empty(len(margin))
    wins[positive] = ranks[positive] - rankdata(margin[positive])
    wins[~positive] = m - (ranks[~positive] - rankdata(margin[~positive]))
    return wins, np.where(positive, n, m).astype(np.float64)


def _correlation(
    margin: Floats, y: Floats, parts: list[Ints], member: Ints
) -> tuple[float, float, float]:
    parts = [part for part in parts if len(part) > 2]
    if not parts:
        raise InputError("no fold holds 3 bags, too few for a rank correlation; lower cv")
    found = [_spearman(margin[part], y[part]) for part in parts]
    value = float(np.average([own for own, _ in found], weights=[len(part) for part in parts]))
    names, within = np.unique(member[np.concatenate(parts)], return_inverse=True)
    raised = _raised(np.concatenate([own for _, own in found]), within)
    free = max(len(names) - 3 * len(found), 1) * len(within) / len(names)
    error = np.sqrt((1 + value**2 / 2) / free * raised)
    centre = np.arctanh(np.clip(value, -0.999999, 0.999999))
    low, high = np.tanh(centre + Z * error * np.array([-1, 1]))
    return value, float(low), float(high)


def _spearman(a: Floats, b: Floats) -> tuple[float, Floats]:
    """The rank correlation, and every bag's influence on it `(b,)`."""
    a, b = rankdata(a), rankdata(b)
    if not a.std() * b.std() > 0:
        return 0.0, np.zeros(len(a))
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    value = float((a * b).mean())
    return value, a * b - value * (a**2 + b**2) / 2


def _raised(influence: Floats, member: Ints) -> float:
    """How many times the variance over bags that over groups is; 1 for groups of one bag."""
    alone = float((influence**2).sum())
    if alone < 1e-12 * len(member):  # all in one order: groups are all that is counted
        return len(member) / (int(member.max()) + 1)
    return _squared(influence, member) / alone
