"""Holds the Explainer protocol, a sampler and a solver paired, and the choice among solvers.

It does not know which explainers have names (recipes) nor who values the masks (explain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence.errors import BudgetError
from whence.evaluation.fidelity import constant_columns
from whence.masks import Masks, among, every, pack
from whence.samples import Samples
from whence.setfunction import SetFunction, constant

Floats = NDArray[np.float64]

#: Beyond this many samples half the folds judge as well, in half the time.
MANY = 2000


class Explainer(Protocol):
    """What `explain` needs: which masks to value, and a SetFunction from their values."""

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """New masks to value.

        Args:
            n: number of units.
            budget: the most masks to return; distinct, and none of those in `seen`.
            rng: the only source of randomness.
            seen: what is valued already and will be part of `fit`: at least the two ends.

        Returns:
            `(b, n)` booleans, b at most `budget`.

        Raises:
            BudgetError: the budget is too small for this explainer.
        """
        ...

    def fit(self, samples: Samples) -> SetFunction:
        """The set function, from `seen` and the asked masks with their values.

        The result depends only on the samples: equal samples give the equal function.
        """
        ...


class Sampler(Protocol):
    """Chooses masks; see `Explainer.ask`. One file in `samplers/` each."""

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`."""
        ...


class Solver(Protocol):
    """Fits a set function to samples; one file in `solvers/` each."""

    def needs(self, n: int) -> int:
        """The fewest samples it can work with for n units; raises BudgetError if none suffice."""
        ...

    def fit(self, samples: Samples) -> SetFunction:
        """The fitted function; with `deviations` if the solver knows its own errors."""
        ...


@dataclass(frozen=True)
class Paired:
    """A sampler and a solver: the usual Explainer.

    Attributes:
        sampler: chooses the masks.
        solver: fits the function.
        groups: jackknife groups for standard errors, when the solver gives none.
    """

    sampler: Sampler
    solver: Solver
    groups: int = 10

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """See `Explainer.ask`; refuses a budget that the solver cannot work with."""
        masks = self.sampler(n, budget, rng, seen)
        require(self.solver, n, len(seen) + len(masks))
        return masks

    def fit(self, samples: Samples) -> SetFunction:
        """The solver's function, with jackknife errors unless it has its own or all masks."""
        samples = samples.distinct()
        f = self.solver.fit(samples)
        if len(samples) == 2**samples.n:
            return replace(f, deviations=np.zeros((1, *f.values.shape)))
        if f.deviations is not None:
            return f
        group = folds(samples.masks, self.groups)
        used = range(int(group.max(initial=-1)) + 1)
        try:
            parts = [self.solver.fit(samples.take(group != g)) for g in used]
        except BudgetError:
            return f
        return f if len(parts) < 2 else jackknife(f, parts, len(samples))


@dataclass(frozen=True)
class Choice:
    """Uniform masks, and of several solvers the one that predicts best, by cross-validation.

    With a budget that covers every mask the first solver, `exact`, is used. Otherwise each
    candidate that the samples can feed is refitted on all folds but one and judged on that one;
    the held-out masks of `explain` play no part. The winner's refits double as jackknife
    replicates for standard errors. On a tie the earlier candidate wins: list the simpler first.

    Attributes:
        sampler: chooses the masks.
        exact: the Explainer for budgets that cover all masks.
        candidates: solvers, simplest first.
        groups: number of folds.
    """

    sampler: Sampler
    exact: Explainer
    candidates: tuple[Solver, ...]
    groups: int = 10

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """Every mask if the budget covers them, else what the sampler draws."""
        if n <= 20 and budget + len(seen) >= 2**n:
            left = every(n)
            return left[~among(left, seen.masks)]
        masks = self.sampler(n, budget, rng, seen)
        self._some_able(n, len(seen) + len(masks))
        return masks

    def fit(self, samples: Samples) -> SetFunction:
        """The function of the solver with the least cross-validated error.

        Raises:
            BudgetError: too few samples for every candidate.
        """
        samples = samples.distinct()
        if samples.n <= 20 and len(samples) == 2**samples.n:
            return self.exact.fit(samples)
        varies = ~constant_columns(samples.columns)
        if not varies.any():
            return replace(constant(samples.n, samples.values[0]), fitted_by="constant")
        group = folds(samples.masks, self.groups if len(samples) <= MANY else self.groups // 2)
        smallest = len(samples) - int(np.bincount(group + 1)[1:].max(initial=0))
        able = self._able(samples.n, smallest) or self._some_able(samples.n, len(samples))[:1]
        if group.max() < 1 or len(able) == 1:
            return Paired(self.sampler, able[0], self.groups).fit(samples)
        tried = [_cross_validate(s, samples, group, varies) for s in able]
        best = int(np.argmin([loss for loss, _ in tried]))
        f = able[best].fit(samples)
        told = f"{f.fitted_by}, best of {len(able)} by {group.max() + 1}-fold cross-validation"
        return replace(jackknife(f, tried[best][1], len(samples)), fitted_by=told)

    def _able(self, n: int, m: int) -> list[Solver]:
        return [s for s in self.candidates if _needs(s, n) <= m]

    def _some_able(self, n: int, m: int) -> list[Solver]:
        able = self._able(n, m)
        if not able:
            least = min(_needs(s, n) for s in self.candidates)
            raise BudgetError(
                f"{m} masks for fitting {n} units came; the leanest candidate of the default "
                f"choice needs {least}. Raise the budget."
            )
        return able


def require(solver: Solver, n: int, m: int) -> None:
    """Refuse m samples of n units if they cannot feed a solver.

    Raises:
        BudgetError: with the least number that would do.
    """
    needed = min(solver.needs(n), 2**n)
    if m < needed:
        raise BudgetError(
            f"{solver!r} needs at least {needed} masks for fitting {n} units and would get {m}. "
            "Raise the budget, choose a leaner explainer (lasso, or a lower degree), or cut "
            "coarser units."
        )


def folds(masks: Masks, groups: int) -> NDArray[np.int64]:
    """Fold of every mask, `(m,)`: balanced, set by content alone.

    In a design of complementary pairs (each mask comes with its complement) a pair is in one fold:
    it was drawn as one. Elsewhere a mask is alone, since pairs that met by chance are no draw.

    Order, batch and worker count therefore change nothing. The two ends are in fold -1: every
    design has them, so they are never left out. The folds in use are 0, 1, ... without a gap.
    """
    n = masks.shape[1]
    size = masks.sum(axis=1)
    inner = (size > 0) & (size < n)
    paired = bool(among(~masks[inner], masks).all())
    flip = ((2 * size > n) | ((2 * size == n) & ~masks[:, 0])) & paired
    packed = pack(masks ^ flip[:, None]).astype(np.uint64)
    odd = np.random.default_rng(20250213).integers(0, 2**64, packed.shape[1], dtype=np.uint64)
    mixed = (packed + np.uint64(1)) @ (odd | np.uint64(1))
    mixed ^= mixed >> np.uint64(29)
    code = mixed * np.uint64(0xBF58476D1CE4E5B9)
    code ^= code >> np.uint64(32)
    group = np.full(len(masks), -1, dtype=np.int64)
    group[inner] = np.unique(code[inner], return_inverse=True)[1].reshape(-1) % groups
    return group


def jackknife(f: SetFunction, parts: Sequence[SetFunction], m: int) -> SetFunction:
    """`f` with deviations from refits that each left one group of the m samples out.

    Errors measure how much the fit would move with other masks from the same design; they shrink
    to zero as the samples come to cover all 2^n masks. They say nothing of what lies outside the
    terms that are fitted: the held-out R² does.

    Source:
        Delete-a-group jackknife, Kott (2001), with the finite population correction.
    """
    blocks = [f, *(p.to(f.basis) for p in parts)]
    q = f.columns.shape[1]
    lengths = [len(b) for b in blocks]
    wide = np.zeros((sum(lengths), len(blocks) * q))
    for j, (start, block) in enumerate(zip(np.cumsum([0, *lengths[:-1]]), blocks, strict=True)):
        wide[start : start + len(block), j * q : (j + 1) * q] = block.columns
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([b.sizes for b in blocks]))])
    indices = np.concatenate([b.indices for b in blocks])
    family = csr.merge(indptr, indices, wide, f.n)
    table = family.values.reshape(-1, len(blocks), q)
    refits = table[:, 1:]
    groups = len(parts)
    left = max(0.0, 1.0 - m / 2.0**f.n)
    spread = np.sqrt(left * (groups - 1) / groups) * (refits - refits.mean(axis=1, keepdims=True))
    deviations = np.moveaxis(spread, 1, 0).reshape(groups, -1, *f.out)
    values = table[:, 0].reshape(-1, *f.out)
    joined = SetFunction(f.n, family.indptr, family.indices, values, f.basis, deviations)
    return replace(joined, fitted_by=f.fitted_by)


def _needs(solver: Solver, n: int) -> float:
    try:
        return min(solver.needs(n), 2**n)
    except BudgetError:
        return float("inf")


def _cross_validate(
    solver: Solver, samples: Samples, group: NDArray[np.int64], varies: NDArray[np.bool_]
) -> tuple[float, list[SetFunction]]:
    """Mean over outputs of the unexplained share of variance, and the refits it came from."""
    wrong = np.zeros(samples.columns.shape[1])
    total = np.zeros_like(wrong)
    refits = []
    mean = samples.columns[group >= 0].mean(axis=0)
    for g in range(int(group.max()) + 1):
        f = solver.fit(samples.take(group != g))
        refits.append(f)
        test = samples.take(group == g)
        guess = f(test.masks).reshape(len(test), -1)
        wrong += ((test.columns - guess) ** 2).sum(axis=0)
        total += ((test.columns - mean) ** 2).sum(axis=0)
    share = wrong[varies] / np.maximum(total[varies], np.finfo(float).tiny)
    return float(share.mean()), refits
