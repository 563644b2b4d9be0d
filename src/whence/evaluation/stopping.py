"""Holds the rules that stop a run early, with intervals that stay valid however often one looks.

It knows nothing of rounds, nor of who asks for the masks: it is told how often it may be asked.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.evaluation.fidelity import Fidelity, constant_columns
from whence.samples import Samples
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]

#: The chance, over all looks of a run together, that an interval misses.
MISS = 0.05
#: Fewer held-out masks than this stop nothing: the interval would claim too much.
LEAST = 50
#: Masks of a kind not met yet that are allowed for; on them the function is taken to be no better
#: than the mean.
UNMET = 1.0


@dataclass(frozen=True)
class Goal:
    """What is enough; with both given either will do.

    Attributes:
        target_r2: held-out R² that the lower end of the interval must clear, below 1.
        separate: the number of strongest units that must be told apart from the rest.
    """

    target_r2: float | None = None
    separate: int | None = None

    def __bool__(self) -> bool:
        return self.target_r2 is not None or self.separate is not None


def goal(target_r2: float | None, separate: int | None, n: int) -> Goal:
    """The goal, checked, for a game of n units.

    Raises:
        InputError: an R² that cannot be cleared, or a number of units that leaves no rest.
    """
    if target_r2 is not None and not _below_one(target_r2):
        raise InputError(
            f"target_r2={target_r2!r} came; a number below 1 is needed, such as 0.9: an R² of 1 "
            "is never cleared by an interval. Lower it, or leave it out."
        )
    if separate is None:
        return Goal(None if target_r2 is None else float(target_r2))
    try:
        k = operator.index(separate)
    except TypeError:
        k = 0
    if not 1 <= k < n:
        raise InputError(
            f"separate={separate!r} came for {n} units; an integer from 1 to {n - 1} is needed: "
            "so many strongest units, told apart from the rest."
        )
    return Goal(None if target_r2 is None else float(target_r2), k)


def _below_one(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(float(value)) and float(value) < 1


def interval(f: SetFunction, judged: Samples, looks: int) -> tuple[Floats, Floats]:
    """Lower and upper end of the interval of R², at any of `looks` looks: two arrays `(q,)`.

    The masks that judge choose no function and are never fitted to, so at each look the interval
    misses with its own level, whatever the function; the run may stop at any look, so the levels
    add up. Their number is known before the first look, so each gets `MISS / looks` (Bonferroni):
    the chance that any of them misses is at most 5 %, half of it at the lower end.

    With rho = W / V, the mean squared error over the variance, R² is 1 - rho. Log rho is nearly
    normal for far fewer masks than R² is, and its delta-method error comes from the masks'
    influences `w_i / W - v_i / V`; the ends are `rho * exp(±t * error)` with Student's t. To the
    upper end of rho `UNMET / m` is added: one mask of a kind not met yet, on which the function is
    taken to be no better than the mean. So no R² above `1 - 1 / m` is cleared by m masks.

    A function that errs on fewer than one mask in about 30, and there by far more than the game
    varies, can still pass for better than it is when no such mask was held out; below `LEAST`
    masks that is likely, and no interval is given (nan). Distinct masks are treated as drawn with
    replacement, which widens the interval.

    Returns:
        nan for outputs that are constant over `judged`, or where masks are too few.

    Source:
        Delta method on the log of a ratio; the added mask is our own. In simulations of four
        looks at planted games (tests/evaluation/test_stopping.py) the lower end lay above the
        true R² in 1 % of the runs, at most 2 % for one game; without the added mask in 2 and 3 %.
    """
    from scipy.special import stdtrit

    y = judged.columns
    m, q = y.shape
    nothing = np.full(q, np.nan)
    if m < LEAST:
        return nothing, nothing
    w = (y - f(judged.masks).reshape(y.shape)) ** 2
    v = (y - y.mean(axis=0)) ** 2 * (m / (m - 1))
    known = ~constant_columns(y)
    variance = np.where(known, v.mean(axis=0), np.nan)
    wrong = w.mean(axis=0)
    # Without an error anywhere its share of the influence is nothing.
    share = w / np.where(wrong > 0, wrong, 1.0)
    error = np.std(share - v / variance, axis=0, ddof=1) / np.sqrt(m)
    wide = float(stdtrit(m - 1, 1.0 - MISS / (2 * looks))) * error
    rho = wrong / variance
    with np.errstate(over="ignore"):
        return 1.0 - rho * np.exp(wide) - UNMET / m, 1.0 - rho * np.exp(-wide)


def widened(fidelity: Fidelity, f: SetFunction, judged: Samples, looks: int) -> Fidelity:
    """The fit with the interval that holds at every look, in place of the one of a single look."""
    low, high = (end.reshape(f.out) for end in interval(f, judged, looks))
    told = f"{fidelity.distribution}; the interval holds at all {looks} looks"
    if f.out == ():
        return replace(fidelity, low=float(low), high=float(high), distribution=told)
    return replace(fidelity, low=low, high=high, distribution=told)


def fits(
    target: float, f: SetFunction, judged: Samples, varies: NDArray[np.bool_], looks: int
) -> bool:
    """Whether the interval of R² clears a target in every output that varies `(q,)`.

    All of them must, so several outputs need no wider intervals: a false claim takes a miss of
    the very output that falls short.
    """
    low, _ = interval(f, judged, looks)
    return bool(varies.any() and (low > target)[varies].all())


def told_apart(k: int, single: SetFunction, varies: NDArray[np.bool_], looks: int) -> bool:
    """Whether the k largest units by magnitude stand above all others, in every varying output.

    The intervals of all n units hold together at all looks: each misses with a chance of
    `MISS / (n * looks)`. They rest on the function's own standard errors, with Student's t of one
    degree of freedom less than it has replicates (ten groups, usually). Such errors measure how
    the fit would move with other masks, and not what the function cannot express: it is the
    ranking of the fit, not of the game, that is certain. False where the errors are not known.

    Args:
        k: how many stand apart, below the number of units.
        single: a value for every unit, with deviations.
        varies: which outputs are not constant, `(q,)`.
        looks: how many looks the run may take.
    """
    from scipy.special import stdtrit

    if single.deviations is None or not varies.any():
        return False
    n = single.n
    free = max(len(single.deviations) - 2, 1)
    reach = float(stdtrit(free, 1.0 - MISS / (2 * n * looks)))
    size = np.abs(single.columns)[:, varies]
    wide = reach * np.sqrt((single.deviations**2).sum(axis=0)).reshape(len(single), -1)[:, varies]
    for column, margin in zip(size.T, wide.T, strict=True):
        order = np.argsort(-column, kind="stable")
        top, rest = order[:k], order[k:]
        if not (column[top] - margin[top]).min() > (column[rest] + margin[rest]).max():
            return False
    return True
