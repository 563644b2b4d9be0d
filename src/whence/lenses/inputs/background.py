"""Holds Policy, whose values an absent column of a table takes, and the two that ask no question.

A policy is bound to one row and its background, and then says for every mask which rows the model
is asked, the explained row mixed with the background's; the value is their mean. Nothing is drawn
while masks are valued: the same mask has the same rows in any batch. This file does not know the
model, the units, nor what library holds the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whence.lenses.inputs.frames import Column

Present = NDArray[np.bool_]
#: Present columns `(columns,)` -> `(r, columns)` integers, the pool's row that each cell is of; or
#: `(r, columns)` floats, the cells themselves.
Fill = Callable[[Present], NDArray[Any]]


@dataclass(frozen=True)
class Pool:
    """The explained row and its background.

    Attributes:
        columns: what each column holds; row 0 is the explained row, the others the background.
        sample: the rows of the background, from 1, that stand for all of it.
        total: rows of the background that came; a policy that is not `whole` is given the sample
            only.
        size: how many rows a policy that draws them draws.
        seed: of those draws.
    """

    columns: tuple[Column, ...]
    sample: NDArray[np.intp]
    total: int
    size: int
    seed: int

    @property
    def rows(self) -> int:
        """Rows of the background that are here."""
        return len(self.columns[0].values) - 1


class Policy(Protocol):
    """Whose values an absent column takes."""

    @property
    def whole(self) -> bool:
        """Whether it looks at the whole background, or at a sample only."""
        ...

    def bind(self, pool: Pool) -> Fill:
        """The rows that masks ask for.

        Raises:
            InputError: a background that this policy cannot use.
        """
        ...

    def describe(self) -> str:
        """A stable string: equal for two policies only if they fill alike."""
        ...

    def says(self, pool: Pool) -> str:
        """In words, what an absent column takes."""
        ...


@dataclass(frozen=True)
class Marginal:
    """Background rows, one after the other, as if columns were independent of each other.

    The game of "interventional" Shapley values: v(S) = mean over rows b of f(x_S, b_-S).

    Source:
        Strumbelj & Kononenko (2014); Janzing, Minorics & Bloebaum (2020).
    """

    @property
    def whole(self) -> bool:
        """No: its sample."""
        return False

    def bind(self, pool: Pool) -> Fill:
        """See `Policy`."""
        return Mixing(pool.sample)

    def describe(self) -> str:
        """`marginal`."""
        return "marginal"

    def says(self, pool: Pool) -> str:
        """See `Policy`."""
        used = len(pool.sample)
        drawn = f" (of {pool.total:,}, drawn with seed {pool.seed})" if used < pool.total else ""
        return f"its value from {_each(used)}{drawn}"


def _each(rows: int) -> str:
    return "the background's one row" if rows == 1 else f"each of {rows:,} background rows"


@dataclass(frozen=True)
class Mixing:
    """Absent columns from each row of a sample in turn; one row when nothing is absent.

    Attributes:
        sample: `(r,)` rows of the pool.
    """

    sample: NDArray[np.intp]

    def __call__(self, present: Present) -> NDArray[np.intp]:
        """Places `(r, columns)`."""
        if present.all():
            return np.zeros((1, len(present)), dtype=np.intp)
        return np.where(present, 0, self.sample[:, None])


@dataclass(frozen=True)
class Baseline:
    """One row in the place of all that is absent: one row of the model to each mask.

    Attributes:
        row: its values, as a row is given to `table_game`; None takes the background's middle
            value of each column: the (lower) median of numbers, the most frequent of other values.
    """

    row: Any = None

    @property
    def whole(self) -> bool:
        """Yes."""
        return True

    def bind(self, pool: Pool) -> Fill:
        """See `Policy`. A row that was given is here the only one of the background."""
        middle = np.array([_middle(column) for column in pool.columns], dtype=np.intp)
        return Fixed(middle)

    def describe(self) -> str:
        """`baseline`; the row itself is the game's background."""
        return "baseline"

    def says(self, pool: Pool) -> str:
        """See `Policy`."""
        if self.row is not None:
            return "the baseline row's value"
        return f"the middle value of {pool.rows:,} background rows"


@dataclass(frozen=True)
class Fixed:
    """Absent columns from the same rows always.

    Attributes:
        places: `(columns,)` the row of the pool for each.
    """

    places: NDArray[np.intp]

    def __call__(self, present: Present) -> NDArray[np.intp]:
        """Places `(1, columns)`."""
        return np.where(present, 0, self.places)[None, :]


def _middle(column: Column) -> int:
    held = 1 + np.flatnonzero(~np.isnan(column.values[1:]))
    if len(held) == 0:
        return 1
    values = column.values[held]
    if column.numeric:
        return int(held[np.argsort(values, kind="stable")[(len(held) - 1) // 2]])
    kinds, first, counts = np.unique(values, return_index=True, return_counts=True)
    # Of equally frequent values the one that came first, whatever library sorted them.
    best = min(range(len(kinds)), key=lambda i: (-counts[i], first[i]))
    return int(held[first[best]])
