"""Holds indices read from uniform masks: the weight that an index gives to the value at a mask.

An index that is linear in the game is the mean over all 2^n masks of weight times value. It does
not know what the values are, nor how many masks there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import comb

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence._kernels.least_squares import parities
from whence.errors import InputError
from whence.indices import canonical, interactions
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]
Set = tuple[int, ...]

#: The indices that uniform masks can estimate.
SUPPORTED = ("fourier", "banzhaf_interaction", "faith_banzhaf")


def asked(
    n: int, sets: Iterable[Iterable[int]], index: str, order: int
) -> tuple[str, tuple[Set, ...]]:
    """The index's full name and the sets, sorted; or a refusal that says why."""
    wanted = tuple(tuple(sorted(int(i) for i in s)) for s in sets)
    for s in wanted:
        if len(set(s)) < len(s) or any(not 0 <= i < n for i in s):
            raise InputError(f"the set {s} came; units are numbered 0 to {n - 1}, each once.")
    name = {"fourier": "fourier", "banzhaf": "banzhaf_interaction"}.get(index)
    name = name or ("influence" if index == "influence" else _canonical(index))
    if name not in SUPPORTED:
        raise InputError(_why_not(name))
    if name == "faith_banzhaf" and any(len(s) > order for s in wanted):
        raise InputError(
            f"a set of more than order={order} units came; Faith-Banzhaf values of order {order} "
            "are of sets up to that size. Raise order, or use index='banzhaf'."
        )
    return name, wanted


def _canonical(index: str) -> str:
    return "shapley_interaction" if index == "shapley" else canonical(index)


def _why_not(name: str) -> str:
    reasons = {
        "influence": "it is a square, and squared estimates are biased by their own variance",
        "mobius": "it rests on the 2^size masks without any other unit, which uniform masks "
        "hardly ever are: value those masks themselves",
        "co_mobius": "it rests on the 2^size masks with all other units, which uniform masks "
        "hardly ever are: value those masks themselves",
    }
    usual = (
        "it weighs very small and very large masks most, which uniform masks hardly ever are, so "
        "its variance doubles with each unit: `Explanation.attributions` has jackknife errors"
    )
    return (
        f"index {name!r} has no honest interval from uniform masks: {reasons.get(name, usual)}. "
        f"Those that have one: {', '.join(SUPPORTED)}."
    )


def weights(masks: NDArray[np.bool_], wanted: Sequence[Set], name: str, order: int) -> Floats:
    """What the index of each set makes of a value at each mask: `(m, k)`.

    The index is the mean over all 2^n masks of weight times value.
    """
    found = parities(masks, *csr.from_sets(wanted))
    if name == "fourier":
        return found
    size = np.array([len(s) for s in wanted])
    found = found * np.power(-2.0, size)
    if name == "banzhaf_interaction":
        return found
    present = masks.sum(axis=1)
    for j, s in enumerate(wanted):
        others = present - masks[:, list(s)].sum(axis=1)
        found[:, j] *= _elementary(masks.shape[1] - len(s), order - len(s))[others]
    return found


def _elementary(n: int, degree: int) -> Floats:
    """Sum of all parities of at most `degree` of n units at a mask with q present, for each q."""
    return np.array(
        [
            float(sum((-1) ** i * comb(q, i) * comb(n - q, d - i)
                      for d in range(min(degree, n) + 1) for i in range(d + 1)))
            for q in range(n + 1)
        ]
    )  # fmt: skip


def read(f: SetFunction, wanted: Sequence[Set], name: str, order: int) -> Floats:
    """The index of a function at the wanted sets: `(k, q)`."""
    found = _every(f, name, order, max((len(s) for s in wanted), default=1))
    row = {s: j for j, s in enumerate(found.sets)}
    values = np.zeros((len(wanted), f.columns.shape[1]))
    for j, s in enumerate(wanted):
        if s in row:
            values[j] = found.columns[row[s]]
    return values


def strongest(f: SetFunction, name: str, order: int, top: int) -> list[Set]:
    """The sets of one unit or more that the function holds to be largest, largest first."""
    if top < 1:
        raise InputError(f"top={top} came; it is how many sets are tested, at least 1.")
    found = _every(f, name, order, f.degree)
    strength = np.where(found.sizes > 0, np.abs(found.columns).max(axis=1), 0.0)
    rank = np.argsort(-strength, kind="stable")[:top]
    sets = found.sets
    return [sets[j] for j in rank if strength[j] > 0]


def _every(f: SetFunction, name: str, order: int, largest: int) -> SetFunction:
    """The index at every set that the function holds, up to a size, as terms."""
    if name == "faith_banzhaf":
        return interactions(f, name, max(order, 1)).f
    # A Banzhaf interaction is a Fourier coefficient times (-2)^size: no closure is needed.
    known = f if f.basis == "fourier" else interactions(f, "bii", max(largest, 1)).f
    power = (name != "fourier") - (f.basis != "fourier")
    scale = np.power(-2.0, power * known.sizes).reshape(-1, *[1] * len(f.out))
    return replace(known, values=known.values * scale, deviations=None)
