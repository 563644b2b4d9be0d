"""Holds the sampler of coded designs, and the numbers of masks that such designs have.

It does not know how the design is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from whence._kernels.bch import parity_bits
from whence._kernels.peeling_design import (
    LEAST_B,
    MOST_B,
    MOST_GROUPS,
    MOST_T,
    NUMBERS,
    Design,
)
from whence.errors import BudgetError, InputError
from whence.masks import Masks, distinct, pack, unpack
from whence.samples import Samples


class Budget(NamedTuple):
    """One coded design's size.

    Attributes:
        b: subspace dimension; the design can tell about 2^b terms.
        t: largest set it finds, less wrong parity bits.
        masks: the most masks it asks, beside the two ends: all of them distinct, but for few units.
    """

    b: int
    t: int
    masks: int


@dataclass(frozen=True)
class Coded:
    """The masks of a coded design: random subspaces, moved by the parity rows of a BCH code.

    With `b` given the design is that of (b, t) or none. Without, it is the largest b of `t`, and
    only where no b of `t` fits a smaller t. What is left of the budget stays unspent.

    Attributes:
        b: subspace dimension, 3 to 12, or None for what the budget allows.
        t: errors the code corrects, 1 to 6.
        groups: subspaces, 1 to 4.
    """

    b: int | None = None
    t: int = 5
    groups: int = 3

    def __post_init__(self) -> None:
        if (
            not 1 <= self.t <= MOST_T
            or not 1 <= self.groups <= MOST_GROUPS
            or (self.b is not None and not LEAST_B <= self.b <= MOST_B)
        ):
            raise InputError(
                f"b={self.b}, t={self.t}, groups={self.groups} came; b is None or {LEAST_B} to "
                f"{MOST_B}, t 1 to {MOST_T}, groups 1 to {MOST_GROUPS}."
            )

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """The design's distinct masks `(m, n)`, less those seen.

        Raises:
            BudgetError: no design fits; the message lists those of these settings.
            InputError: b is more than n.
        """
        held = pack(seen.masks[distinct(seen.masks)[0]])
        b, t = self.chosen(n, budget, len(held))
        design = Design(int(rng.integers(NUMBERS)), n, b, t, self.groups)
        rows = design.packed()
        where = {row.tobytes(): j for j, row in enumerate(held)}
        known = len(where)
        for j, row in enumerate(rows):
            where.setdefault(row.tobytes(), j)
        fresh = np.fromiter(where.values(), dtype=np.intp, count=len(where))[known:]
        return unpack(rows[fresh], n)

    def chosen(self, n: int, budget: int, seen: int = 2) -> tuple[int, int]:
        """The (b, t) of the design for a budget, with `seen` distinct masks seen before.

        Raises:
            BudgetError, InputError: as a call.
        """
        if self.b is not None and self.b > n:
            raise InputError(
                f"b={self.b} came for {n} units; there are no subspaces of more dimensions than "
                "units. Lower b, or leave it out."
            )
        able = self._able(n)
        for size in able:
            if min(size.masks, 2**n - seen) <= budget:
                return size.b, size.t
        error = BudgetError(self._refusal(n, budget))
        error.needed = min(size.masks for size in able) + 2
        raise error

    def _able(self, n: int) -> list[Budget]:
        """Designs of these settings, the most wanted first."""
        sizes = _sizes(n, self.groups, self.t)
        if self.b is not None:
            sizes = [s for s in sizes if s.b == self.b][:1]
        return sorted(sizes, key=lambda s: (-s.t, -s.b))

    def _refusal(self, n: int, budget: int) -> str:
        every = sorted(budgets(n, self.groups), key=lambda s: (s.masks, -s.t))
        told = ", ".join(f"{s.masks:,} (b={s.b}, t={s.t})" for s in every[:12])
        asked = f" and b={self.b}" if self.b is not None else ""
        return (
            f"Spex with t={self.t}{asked} asks a fixed number of coded masks, and {budget:,} are "
            f"left for it. For {n} units in {self.groups} groups the numbers are {told}, and so "
            "on, doubling with b. Raise the budget, lower b or t, or use an explainer that takes "
            "any number of masks (default, lasso)."
        )


def budgets(n: int, groups: int = 3) -> tuple[Budget, ...]:
    """Every coded design for n units, largest t first, then by b.

    Where two t have the same code, only the larger is listed. Nothing is drawn or built.

    Example:
        >>> [size.masks for size in budgets(64) if size.t == 5]
        [864, 1728, 3456, 6912, 13824, 27648, 55296, 110592, 221184, 442368]
    """
    return _sizes(n, groups, MOST_T)


def _sizes(n: int, groups: int, most_t: int) -> tuple[Budget, ...]:
    found: list[Budget] = []
    parities: set[int] = set()
    for t in range(most_t, 0, -1):
        p = parity_bits(n, t)
        if p in parities:
            continue
        parities.add(p)
        found += [
            Budget(b, t, min(groups * 2**b * (p + 1), max(2**n - 2, 0)))
            for b in range(min(LEAST_B, n), min(MOST_B, n) + 1)
        ]
    return tuple(found)
