"""Holds Neighbours, Gaussian and Copula: absent policies that heed what is present.

It also knows every policy's name. It does not know the model, the units, nor what library holds
the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.lenses.inputs.background import (
    Baseline,
    Fill,
    Marginal,
    Mixing,
    Policy,
    Pool,
    Present,
)
from whence.lenses.inputs.frames import Column, listed

#: Added to every variance of a fitted correlation, so that columns that say the same still solve.
RIDGE = 1e-6


@dataclass(frozen=True)
class Neighbours:
    """The background rows nearest to the row on the columns that are present.

    A distance is the sum over present columns of the squared difference in standard deviations of
    the background; 1 where values that are not numbers differ, or one of two is missing. Rows
    equally near are taken in their order. The whole background is searched; with nothing present
    all rows are equally near, and its sample stands for it.

    Attributes:
        k: how many rows.

    Source:
        The nearest-neighbour estimate of E[f(x) | x_S], as in Aas, Jullum & Loland (2021) with
        uniform weights in place of kernel ones (a departure: no bandwidth to choose).
    """

    k: int

    def __post_init__(self) -> None:
        """Refuses fewer than one neighbour."""
        if self.k < 1:
            raise InputError(f"neighbours:{self.k} came; at least 1 is needed.")

    @property
    def whole(self) -> bool:
        """Yes."""
        return True

    def bind(self, pool: Pool) -> Fill:
        """See `Policy`."""
        if self.k > pool.rows:
            raise InputError(
                f"neighbours:{self.k} came, and the background has {pool.rows} rows; ask for at "
                "most as many, or give a larger background."
            )
        apart = np.column_stack([_apart(column) for column in pool.columns])
        return Nearest(np.asfortranarray(apart), self.k, Mixing(pool.sample))

    def describe(self) -> str:
        """`neighbours:` and how many."""
        return f"neighbours:{self.k}"

    def says(self, pool: Pool) -> str:
        """See `Policy`."""
        near = (
            f"the {self.k} background rows (of {pool.rows:,})"
            if self.k > 1
            else (f"the background row (of {pool.rows:,})")
        )
        return f"its value from {near} nearest on the present columns"


@dataclass(frozen=True)
class Nearest:
    """See `Neighbours`.

    Attributes:
        apart: `(background rows, columns)` distance from the explained row in each column.
        k: rows taken.
        otherwise: when nothing is present.
    """

    apart: NDArray[np.float64]
    k: int
    otherwise: Mixing

    def __call__(self, present: Present) -> NDArray[np.intp]:
        """Places `(r, columns)`."""
        if present.all() or not present.any():
            return self.otherwise(present)
        total = np.zeros(len(self.apart))
        # Column by column, not as one product: a sum's last digits, and so the ties that one-hot
        # and whole numbers make, must not depend on how many masks come at once.
        for j in np.flatnonzero(present):
            total += self.apart[:, j]
        edge = np.partition(total, self.k - 1)[self.k - 1]
        nearer = np.flatnonzero(total < edge)
        level = np.flatnonzero(total == edge)[: self.k - len(nearer)]
        return np.where(present, 0, np.concatenate([nearer, level])[:, None] + 1)


def _apart(column: Column) -> NDArray[np.float64]:
    own, others = column.values[0], column.values[1:]
    gone = np.isnan(others)
    if np.isnan(own):
        return (~gone).astype(np.float64)
    if not column.numeric:
        return (others != own).astype(np.float64)
    spread = float(np.std(others[~gone])) if not gone.all() else 0.0
    return np.where(gone, 1.0, ((others - own) / (spread or 1.0)) ** 2)


@dataclass(frozen=True)
class Gaussian:
    """Draws from the normal distribution of the background, given the present columns.

    Joint draws are made once, in pairs mirrored at the mean, and moved to what is present:
    x_A + Cov_AP Cov_PP^-1 (x_P - X_P) has the conditional distribution exactly. So masks share
    their draws, and what is linear in the columns has no sampling error (with an even size).

    Source:
        Aas, Jullum & Loland (2021), "Explaining individual predictions when features are
        dependent"; the shared draws (Matheron's rule) are ours.
    """

    @property
    def whole(self) -> bool:
        """Yes."""
        return True

    def bind(self, pool: Pool) -> Fill:
        """See `Policy`."""
        numbers = _numbers(pool, "gaussian")
        row, others = numbers[0], numbers[1:]
        centre, spread = others.mean(axis=0), others.std(axis=0)
        spread[spread == 0] = 1.0
        scaled = (others - centre) / spread
        given = _given(scaled, (row - centre) / spread, pool)
        return NormalCells(given, row, centre, spread)

    def describe(self) -> str:
        """`gaussian`."""
        return "gaussian"

    def says(self, pool: Pool) -> str:
        """See `Policy`."""
        return (
            f"its value from {pool.size:,} draws of the normal distribution of {pool.rows:,} "
            f"background rows, given the present columns (seed {pool.seed})"
        )


@dataclass(frozen=True)
class Copula:
    """As `Gaussian`, between ranks: each column keeps the values the background has of it.

    Every column is turned into normal scores of its ranks (ties share theirs), absent scores are
    drawn given the present ones, and a score is turned back into the background's value of that
    rank.

    Source:
        Aas, Jullum & Loland (2021), the Gaussian copula with empirical margins.
    """

    @property
    def whole(self) -> bool:
        """Yes."""
        return True

    def bind(self, pool: Pool) -> Fill:
        """See `Policy`."""
        from scipy.special import ndtri

        numbers = _numbers(pool, "copula")
        order = np.argsort(numbers[1:], axis=0, kind="stable")
        ranked = np.take_along_axis(numbers[1:], order, axis=0)
        scores: NDArray[np.float64] = ndtri(_levels(numbers, ranked))
        return CopulaPlaces(_given(scores[1:], scores[0], pool), order)

    def describe(self) -> str:
        """`copula`."""
        return "copula"

    def says(self, pool: Pool) -> str:
        """See `Policy`."""
        return (
            f"its value from {pool.size:,} draws of the normal copula of {pool.rows:,} background "
            f"rows, given the present columns (seed {pool.seed})"
        )


@dataclass(frozen=True)
class GivenPresent:
    """Standard normal draws with the background's correlations, given some of the columns.

    Attributes:
        joint: `(size, columns)` joint draws.
        correlation: `(columns, columns)`, ridge included.
        row: `(columns,)` the explained row, in the same scale.
    """

    joint: NDArray[np.float64]
    correlation: NDArray[np.float64]
    row: NDArray[np.float64]

    def __call__(self, present: Present) -> NDArray[np.float64]:
        """Draws `(size, columns)`; those of present columns are meant to be ignored."""
        if not present.any():
            return self.joint
        known = self.correlation[np.ix_(present, present)]
        weights = np.linalg.solve(known, self.correlation[present])
        return self.joint + (self.row[present] - self.joint[:, present]) @ weights


def _given(scaled: NDArray[np.float64], row: NDArray[np.float64], pool: Pool) -> GivenPresent:
    correlation = np.atleast_2d(np.cov(scaled, rowvar=False, bias=True))
    correlation = correlation + RIDGE * np.eye(len(row))
    rng = np.random.default_rng(pool.seed)
    half = rng.standard_normal((-(-pool.size // 2), len(row)))
    draws = np.concatenate([half, -half])[: pool.size]
    return GivenPresent(draws @ np.linalg.cholesky(correlation).T, correlation, row)


@dataclass(frozen=True)
class NormalCells:
    """See `Gaussian`.

    Attributes:
        given: draws in standard deviations.
        row: `(columns,)` the explained row.
        centre, spread: `(columns,)` mean and standard deviation of the background.
    """

    given: GivenPresent
    row: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def __call__(self, present: Present) -> NDArray[np.float64]:
        """Cells `(r, columns)`."""
        if present.all():
            return self.row[None, :].copy()
        return np.where(present, self.row, self.given(present) * self.spread + self.centre)


@dataclass(frozen=True)
class CopulaPlaces:
    """See `Copula`.

    Attributes:
        given: draws of normal scores.
        order: `(background rows, columns)` the rows from the lowest value of a column up.
    """

    given: GivenPresent
    order: NDArray[np.intp]

    def __call__(self, present: Present) -> NDArray[np.intp]:
        """Places `(r, columns)`."""
        from scipy.special import ndtr

        if present.all():
            return np.zeros((1, len(present)), dtype=np.intp)
        rows = len(self.order)
        level = ndtr(self.given(present))
        rank = np.clip(np.ceil(level * rows).astype(np.intp) - 1, 0, rows - 1)
        return np.where(present, 0, np.take_along_axis(self.order, rank, axis=0) + 1)


def _levels(numbers: NDArray[np.float64], ranked: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far up the background each number is: `(rows, columns)` strictly between 0 and 1."""
    rows = len(ranked)
    levels = np.empty_like(numbers)
    for j in range(numbers.shape[1]):
        below = np.searchsorted(ranked[:, j], numbers[:, j], side="left")
        upto = np.searchsorted(ranked[:, j], numbers[:, j], side="right")
        levels[:, j] = (below + upto) / (2 * rows)
    return np.clip(levels, 0.5 / rows, 1 - 0.5 / rows)


def _numbers(pool: Pool, who: str) -> NDArray[np.float64]:
    """`(1 + background rows, columns)`, the explained row first.

    Raises:
        InputError: columns that hold no numbers or miss some, or too few rows.
    """
    words = [column.name for column in pool.columns if not column.numeric]
    holes = [column.name for column in pool.columns if np.isnan(column.values).any()]
    for names, fault in ((words, "no numbers"), (holes, "missing values")):
        if names:
            raise InputError(
                f"absent={who!r} came, and {listed(names)} hold{'s' if len(names) == 1 else ''} "
                f"{fault}; it draws numbers from numbers. Use absent='neighbours:20' or "
                "'marginal', which take any columns."
            )
    if pool.rows < 2:
        raise InputError(
            f"absent={who!r} came with a background of {pool.rows} row; a distribution needs at "
            "least 2, and better 10 to each column."
        )
    return np.column_stack([column.values for column in pool.columns])


def as_policy(policy: Policy | str) -> Policy:
    """A policy from its name, as the command line writes it.

    Raises:
        InputError: another word, or no number of neighbours.
    """
    if not isinstance(policy, str):
        return policy
    plain: dict[str, Policy] = {
        "marginal": Marginal(), "gaussian": Gaussian(), "copula": Copula(), "baseline": Baseline(),
    }  # fmt: skip
    if policy in plain:
        return plain[policy]
    name, _, rest = policy.partition(":")
    if name == "neighbours" and rest.isdecimal() and rest.isascii():
        return Neighbours(int(rest))
    raise InputError(
        f"absent={policy!r} came; for a table it must be 'marginal', 'neighbours:20' (how many), "
        "'gaussian', 'copula', 'baseline', or Baseline(row)."
    )
