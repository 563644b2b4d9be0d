"""Holds the self-check of an explanation: completeness, and controls that must fail.

It never calls the model: everything is measured on values that were paid for already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whence.evaluation.fidelity import Fidelity, constant_columns
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """What a self-check found; per output where there are several.

    Attributes:
        fidelity: the measured fit.
        completeness: `|(f(all) - f(none)) - (v(all) - v(none))| / |v(all) - v(none)|`: the part of
            the model's own difference that the function misses at the two ends; nan when the
            model's difference is zero.
        random: R² of the function with its units shuffled, the mean over shuffles. A finding that
            does no better than this has found nothing.
        reverse: R² of the function with present and absent exchanged.
        spread: standard deviation of each unit's attribution over runs with other seeds,
            `(n, *out)`, or None when that was not asked for.
        seeds: number of such runs.
    """

    fidelity: Fidelity
    completeness: float | Floats
    random: float | Floats
    reverse: float | Floats
    spread: Floats | None = None
    seeds: int = 0

    @property
    def passed(self) -> bool:
        """Whether the fit beats both controls and its interval excludes zero.

        In every output that is not constant; False when all of them are, for nothing was found.
        """
        known = ~np.atleast_1d(np.asarray(self.fidelity.constant))
        low = np.atleast_1d(self.fidelity.low)
        best = np.maximum(np.atleast_1d(self.random), np.atleast_1d(self.reverse))
        return bool(known.any() and (low > np.maximum(best, 0.0))[known].all())


def check(
    f: SetFunction,
    fidelity: Fidelity,
    ends: Samples,
    judged: Samples,
    rng: np.random.Generator,
    shuffles: int = 20,
) -> Check:
    """Completeness and both controls.

    Args:
        f: the fitted function.
        fidelity: its measured fit.
        ends: the full and the empty mask, in that order, with the model's values.
        judged: the masks that `fidelity` was measured on, with their values.
        rng: for the shuffles.
        shuffles: how many.
    """
    own = ends.columns[0] - ends.columns[1]
    said = f(ends.masks).reshape(2, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.abs(said[0] - said[1] - own) / np.where(own == 0, np.nan, np.abs(own))
    order = [rng.permutation(f.n) for _ in range(shuffles)]
    random = np.mean([_r2(_renamed(f, p), judged) for p in order], axis=0)
    turned = replace(judged, masks=~judged.masks)
    return Check(fidelity, _scalar(gap, f), _scalar(random, f), _scalar(_r2(f, turned), f))


def _renamed(f: SetFunction, order: NDArray[np.intp]) -> SetFunction:
    sets = [tuple(order[list(s)]) for s in f.sets]
    return set_function(f.n, (sets, f.values), f.basis)


def _r2(f: SetFunction, samples: Samples) -> Floats:
    y = samples.columns
    wrong = ((y - f(samples.masks).reshape(y.shape)) ** 2).sum(axis=0)
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    constant = constant_columns(y)
    return np.where(constant, np.nan, 1.0 - wrong / np.where(constant, 1.0, total))


def _scalar(values: Floats, f: SetFunction) -> float | Floats:
    return float(values[0]) if f.out == () else values.reshape(f.out)
