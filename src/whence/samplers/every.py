"""Holds the sampler that asks for every mask. It does not know what will be fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whence import masks
from whence.errors import BudgetError
from whence.masks import Masks
from whence.samples import Samples


@dataclass(frozen=True)
class Every:
    """All 2^n masks that were not seen yet.

    Attributes:
        max_units: the most units it accepts.
    """

    max_units: int = 20

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """The new masks `(b, n)`.

        Raises:
            BudgetError: too many units, or a budget below 2^n.
        """
        if n > self.max_units:
            raise BudgetError(
                f"{n} units have 2^{n} masks; every mask is asked for at most {self.max_units} "
                "units. Use another explainer (the default chooses), or cut coarser units."
            )
        known = len(masks.distinct(seen.masks)[0])
        if budget + known < 2**n:
            raise BudgetError(
                f"all masks of {n} units are {2**n}, and a budget of {budget + known} came. Raise "
                f"the budget to {2**n}, or use another explainer (the default chooses)."
            )
        wanted = masks.every(n)
        return wanted[~masks.among(wanted, seen.masks)]
