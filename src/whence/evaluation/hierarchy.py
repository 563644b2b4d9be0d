"""Holds the hierarchy of a function's largest terms: are the parts of a large set large too?

It reads a SetFunction and never a model. It does not know how the function was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence._kernels.terms import tables
from whence.errors import InputError
from whence.masks import keys
from whence.setfunction import SetFunction


@dataclass(frozen=True)
class Hierarchy:
    """Three rates of the top-k sets; the empty set counts as being among them.

    Attributes:
        direct: mean share of a set's one-smaller subsets that are among the top k.
        chain: share of sets that can be built up unit by unit, every step among the top k.
        strong: share of sets all of whose subsets are among the top k.
        terms: number of sets looked at.
    """

    direct: float
    chain: float
    strong: float
    terms: int


def hierarchy(f: SetFunction, top: int = 200) -> Hierarchy:
    """Hierarchy of the `top` largest terms of a function, in its own basis.

    Magnitude is the root sum of squares over outputs. Single units satisfy all three by
    definition, so read the rates beside the number of sets above one unit.

    Args:
        f: the function.
        top: how many terms, the empty set not counted.

    Returns:
        The direct subset rate (DSR), staircase rate (SCR) and strong hierarchy rate (SHR).

    Raises:
        InputError: no term but the constant, or `top` below 1.

    Source:
        The direct subset, staircase and strong hierarchy rates of Butler et al. (2025). Each is
        checked against its definition by enumeration in tests/evaluation/test_hierarchy.py.
    """
    kept = f.truncate(top=top)
    kept = kept.take((kept.sizes > 0) & (kept.columns != 0).any(axis=1))
    if top < 1 or not len(kept):
        raise InputError(
            f"top={top} of a function with {len(f)} terms came; a hierarchy needs at least one "
            "term above the constant. Raise top, or fit a function that is not constant."
        )
    share = np.ones(len(kept))
    chain = np.ones(len(kept), dtype=np.bool_)
    strong = np.ones(len(kept), dtype=np.bool_)
    for size, rows, below in _below(kept):
        if size == 1:
            continue
        there = below >= 0
        share[rows] = there.mean(axis=1)
        chain[rows] = (there & chain[below]).any(axis=1)
        strong[rows] = (there & strong[below]).all(axis=1)
    return Hierarchy(float(share.mean()), float(chain.mean()), float(strong.mean()), len(kept))


def _below(f: SetFunction) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """By size: the rows, and where each of their one-smaller subsets is: `(k, size)`, -1 for no.

    Sets are compared as masks, bit for bit, size by size.
    """
    found: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]] = []
    smaller = (0, np.zeros(0, dtype=np.int64), np.zeros((0, f.n), dtype=np.bool_))
    for size, rows, units in tables(f.indptr, f.indices):
        members = np.zeros((len(rows), f.n), dtype=np.bool_)
        members[np.arange(len(rows))[:, None], units] = True
        below = np.full((len(rows), size), -1, dtype=np.int64)
        if smaller[0] == size - 1 and size > 1:
            for d in range(size):
                less = members.copy()
                less[np.arange(len(rows)), units[:, d]] = False
                below[:, d] = _where(less, smaller[1], smaller[2])
        found.append((size, rows, below))
        smaller = (size, rows, members)
    return found


def _where(
    wanted: NDArray[np.bool_], rows: NDArray[np.int64], members: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """For each wanted mask the row whose members it equals, or -1."""
    have, want = keys(members), keys(wanted)
    order = np.argsort(have)
    at = np.minimum(np.searchsorted(have[order], want), len(have) - 1)
    hit = order[at]
    return np.where(have[hit] == want, rows[hit], -1)
