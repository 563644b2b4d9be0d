"""Holds told_from_zero: which units of an explanation surely matter, alone or in a pair.

It does not know what becomes of them (refine).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from whence.errors import WhenceError
from whence.evaluation.inference import ROUNDING, discoveries, intervals
from whence.explanation import Explanation
from whence.solvers.walsh_process import WalshProcess

Floats = NDArray[np.float64]
Set = tuple[int, ...]

#: All pairs are tested while they are so many at most, else none.
MOST_PAIRS = 2000


def told_from_zero(
    e: Explanation, level: float = 0.95, least: float = 0.0, *, uniform: bool = False
) -> dict[int, float]:
    """Units that are told from zero, alone or in a pair, with the size of their strongest value.

    Banzhaf values of single units are one family of tests, Banzhaf interactions of pairs another,
    each at a false discovery rate of half of `1 - level` (with several outputs divided by their
    number), so the intervals of those told from zero, at the rate of false coverage that is left,
    exclude it. Shapley values have no honest interval from uniform masks.

    Args:
        e: an explanation.
        level: 1 less the share of false ones that is tolerated.
        least: units weaker than this share of the strongest are left out.
        uniform: whether the masks that were fitted are uniform too. Then all of them count: a
            Walsh process is fitted without each fifth and corrected by its errors there
            (`whence.evaluation.inference.intervals`), and every pair is tested. Otherwise the
            function is corrected by the held-out masks alone, and the pairs it holds to be
            strongest are tested.

    Source:
        Benjamini and Hochberg (1995); intervals of the selected, Benjamini and Yekutieli (2005).
    """
    outputs = [e.output(q) for q in range(e.f.columns.shape[1])] if e.f.out else [e]
    found: dict[int, float] = {}
    for one in outputs:
        if one.fidelity.constant:
            continue
        for units, value in _confirmed(one, (1 - level) / (2 * len(outputs)), uniform):
            for unit in units:
                found[unit] = max(found.get(unit, 0.0), abs(value))
    most = max(found.values(), default=0.0)
    return {unit: size for unit, size in found.items() if size >= least * most}


def _confirmed(e: Explanation, rate: float, uniform: bool) -> Iterator[tuple[Set, float]]:
    """Single units and pairs told from zero: two families of tests."""
    single = [(unit,) for unit in range(e.n)]
    try:
        if uniform:
            pairs = list(combinations(range(e.n), 2)) if e.n**2 <= 2 * MOST_PAIRS else []
            yield from [*_crossed(e, single, rate), *_crossed(e, pairs, rate)]
            return
    except WhenceError:
        # Too few masks for folds, or, of few units, all in pairs: the held-out ones remain.
        pass
    pairs = e.interactions("bii", 2).top(e.n, smallest=2).sets
    for sets in (single, pairs):
        if sets:
            yield from _held_out(e, sets, rate)


def _held_out(e: Explanation, sets: Sequence[Set], rate: float) -> Iterator[tuple[Set, float]]:
    noise = float(np.asarray(e.fidelity.noise))
    told = discoveries(e.f, e.judged, e.fitted, index="banzhaf", sets=sets, fdr=rate, noise=noise)
    for which in np.flatnonzero(told.confirmed).tolist():
        yield told.sets[which], float(told.values[which])


def _crossed(e: Explanation, sets: Sequence[Set], rate: float) -> Iterator[tuple[Set, float]]:
    """By all masks, each judging a fit that has not seen it."""
    if not sets:
        return
    from scipy.special import stdtr

    samples = e.fitted.join(e.judged).distinct()
    groups = max(2, min(5, (len(samples) - 2) // 2))
    noise = float(np.asarray(e.fidelity.noise))
    asked = partial(intervals, WalshProcess().fit, samples, sets, "banzhaf")
    told = asked(groups=groups, noise=noise)
    size = float(np.abs(samples.values).max(initial=0.0))
    floor = np.maximum(told.errors, ROUNDING * size + np.finfo(float).tiny)
    p = 2.0 * np.asarray(stdtr(len(samples) - 2 - groups, -np.abs(told.values) / floor))
    rank = np.arange(1, len(p) + 1)
    passed = np.flatnonzero(np.sort(p) <= rate * rank / len(p))
    limit = np.sort(p)[passed[-1]] if len(passed) else -1.0
    for which in np.flatnonzero(p <= limit).tolist():
        yield told.sets[which], float(told.values[which])
