"""Holds paths: solvers with a strength to choose, and the choice by cross-validation.

It does not know what a strength means, nor which solvers exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whence.errors import BudgetError
from whence.masks import folds
from whence.samples import Samples
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]


class Solver(Protocol):
    """Fits a set function to samples; one file in `solvers/` each."""

    def needs(self, n: int) -> int:
        """The fewest samples it can work with for n units; raises BudgetError if none suffice."""
        ...

    def fit(self, samples: Samples) -> SetFunction:
        """The fitted function; with `deviations` if the solver knows its own errors."""
        ...


class Path(Protocol):
    """A solver that fits the same samples at several strengths for little more than one."""

    def needs(self, n: int) -> int:
        """As `Solver.needs`."""
        ...

    def path(self, samples: Samples) -> SetFunction:
        """All fits as one function with outputs `(*out, strengths)`.

        The number of strengths, and what each means, must not depend on the samples.
        """
        ...

    def told(self, at: NDArray[np.intp]) -> str:
        """The solver at the strengths chosen for each output, for people."""
        ...


@dataclass(frozen=True)
class Alone:
    """A plain solver as a path of one strength.

    Attributes:
        solver: the solver.
    """

    solver: Solver

    def needs(self, n: int) -> int:
        """As the solver."""
        return self.solver.needs(n)

    def path(self, samples: Samples) -> SetFunction:
        """The solver's fit, with outputs `(*out, 1)`."""
        f = self.solver.fit(samples)
        return replace(f, values=f.values[..., None], deviations=None)

    def told(self, at: NDArray[np.intp]) -> str:
        """The solver as it prints itself."""
        return repr(self.solver)


def fed(solver: Solver | Path, samples: Samples, told: str, otherwise: str = "") -> Samples:
    """The distinct samples, if they are as many as the solver needs, or all there are.

    Args:
        solver: who is to be fed.
        samples: what came.
        told: the solver's name for people.
        otherwise: what to do if the budget cannot be raised, such as ", or lower the degree".

    Raises:
        BudgetError: too few samples.
    """
    samples = samples.distinct()
    needed = solver.needs(samples.n)
    if len(samples) < min(needed, 2**samples.n):
        raise BudgetError(
            f"{told} was given {len(samples)} samples and needs at least {needed}. Raise the "
            f"budget{otherwise}."
        )
    return samples


def setting(path: SetFunction, at: NDArray[np.intp]) -> SetFunction:
    """One fit of a path: outputs `(*out)`, terms that are zero left out.

    Args:
        path: fits at every strength, outputs `(*out, strengths)`.
        at: `(q,)`, the strength of each flattened output.
    """
    every = path.values.reshape(len(path), len(at), -1)
    values = every[:, np.arange(len(at)), at].reshape(len(path), *path.out[:-1])
    f = replace(path, values=values)
    return f.take((f.columns != 0).any(axis=1) | (f.sizes == 0))


def judge(
    path: Path, samples: Samples, group: NDArray[np.int64], varies: NDArray[np.bool_]
) -> tuple[Floats, Sequence[SetFunction]]:
    """Cross-validated loss of every strength, and the refits it came from.

    Args:
        path: the solver.
        samples: distinct samples.
        group: fold of every row, `(m,)`; rows of fold -1 are never left out.
        varies: which flattened outputs count, `(q,)`, at least one.

    Returns:
        `(q, strengths)`: the unexplained share of each output's variance, zero for outputs that
        do not count; and for each fold the path fitted without it.
    """
    mean = samples.columns[group >= 0].mean(axis=0)
    wrong, total, refits = np.zeros((1, 1)), np.zeros(len(mean)), []
    for g in range(int(group.max()) + 1):
        f = path.path(samples.take(group != g))
        refits.append(f)
        test = samples.take(group == g)
        truth = test.columns[:, :, None]
        guess = f(test.masks).reshape(*test.columns.shape, -1)
        wrong = wrong + ((truth - guess) ** 2).sum(axis=0)
        total += ((test.columns - mean) ** 2).sum(axis=0)
    share = wrong / np.maximum(total, np.finfo(float).tiny)[:, None]
    return np.where(varies[:, None], share, 0.0), refits


def tuned(path: Path, samples: Samples, groups: int) -> SetFunction:
    """The fit at the strength with the least cross-validated loss, for each output its own.

    With fewer than two folds (hardly any samples) it is the first, the strongest.
    """
    samples = samples.distinct()
    group = folds(samples.masks, groups)
    varies = np.ptp(samples.columns, axis=0) > 0
    at = np.zeros(len(varies), dtype=np.intp)
    if group.max() >= 1:
        at = judge(path, samples, group, varies)[0].argmin(axis=1)
    return replace(setting(path.path(samples), at), fitted_by=path.told(at))
