"""Holds the Explainer protocol, a sampler and a solver paired, and the choice among solvers.

It does not know which explainers have names (recipes) nor who values the masks (explain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence._kernels import terms as csr
from whence.errors import BudgetError
from whence.evaluation.fidelity import constant_columns
from whence.masks import Masks, among, every, folds
from whence.samples import Samples
from whence.setfunction import SetFunction, constant
from whence.solvers.paths import Alone, Path, Solver, judge, setting

Floats = NDArray[np.float64]

#: Beyond this many samples half the folds judge as well, in half the time.
MANY = 2000


@runtime_checkable
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


@runtime_checkable
class Staged(Explainer, Protocol):
    """An Explainer that is asked in several rounds, and so can choose by the values it has seen.

    The first round has half of the masks for fitting, the others equal parts of the rest; `seen`
    holds all fitting samples so far, and no held-out ones.
    """

    @property
    def rounds(self) -> int:
        """How many rounds; one asks once."""
        ...


class Sampler(Protocol):
    """Chooses masks; see `Explainer.ask`. One file in `samplers/` each."""

    def __call__(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """At most `budget` new masks `(b, n)`."""
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
class Tuned:
    """A sampler and a path: the strength by cross-validation, its refits for standard errors.

    Attributes:
        sampler: chooses the masks.
        path: a solver with a strength to choose.
        groups: number of folds.
    """

    sampler: Sampler
    path: Path
    groups: int = 10

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """See `Explainer.ask`; refuses a budget that the path cannot work with."""
        masks = self.sampler(n, budget, rng, seen)
        require(self.path, n, len(seen) + len(masks))
        return masks

    def fit(self, samples: Samples) -> SetFunction:
        """The fit at the best strength."""
        return best_of([self.path], samples.distinct(), self.groups)


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
        paths: solvers with a strength to choose, simplest first; each strength is a candidate.
        groups: number of folds.
    """

    sampler: Sampler
    exact: Explainer
    candidates: tuple[Solver, ...]
    paths: tuple[Path, ...] = ()
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
        group = folds(samples.masks, self.groups)
        smallest = len(samples) - int(np.bincount(group + 1)[1:].max(initial=0))
        able = self._able(samples.n, smallest)
        if able:
            return best_of(able, samples, self.groups)
        return _unjudged(self._some_able(samples.n, len(samples))[0], samples)

    def _able(self, n: int, m: int) -> list[Path]:
        paths = [*(Alone(s) for s in self.candidates), *self.paths]
        return [p for p in paths if _needs(p, n) <= m]

    def _some_able(self, n: int, m: int) -> list[Path]:
        able = self._able(n, m)
        if not able:
            least = min(_needs(s, n) for s in (*self.candidates, *self.paths))
            raise BudgetError(
                f"{m} masks for fitting {n} units came; the leanest candidate of the default "
                f"choice needs {least}. Raise the budget."
            )
        return able


def best_of(paths: Sequence[Path], samples: Samples, groups: int) -> SetFunction:
    """Of several paths the fit with the least cross-validated error, with jackknife errors.

    Args:
        paths: simplest first; on a tie the earlier wins.
        samples: distinct samples.
        groups: number of folds; half as many beyond `MANY` samples.
    """
    varies = ~constant_columns(samples.columns)
    if not varies.any():
        return replace(constant(samples.n, samples.values[0]), fitted_by="constant")
    group = folds(samples.masks, groups if len(samples) <= MANY else max(2, groups // 2))
    if group.max() < 1:
        return _unjudged(paths[0], samples)
    tried = [judge(path, samples, group, varies) for path in paths]
    best = int(np.argmin([losses.min(axis=1).sum() for losses, _ in tried]))
    losses, refits = tried[best]
    at = losses.argmin(axis=1)
    f = setting(paths[best].path(samples), at)
    f = jackknife(f, [setting(refit, at) for refit in refits], len(samples))
    rivals = f", best of {len(paths)} by {len(refits)}-fold cross-validation"
    return replace(f, fitted_by=paths[best].told(at) + (rivals if len(paths) > 1 else ""))


def _unjudged(path: Path, samples: Samples) -> SetFunction:
    """The strongest fit of a path, where the samples are too few to judge it."""
    at = np.zeros(samples.columns.shape[1], dtype=np.intp)
    return replace(setting(path.path(samples), at), fitted_by=path.told(at))


def require(solver: Solver | Path, n: int, m: int) -> None:
    """Refuse m samples of n units if they cannot feed a solver.

    Raises:
        BudgetError: with the least number that would do.
    """
    needed = min(solver.needs(n), 2**n)
    if m < needed:
        error = BudgetError(
            f"{solver!r} needs at least {needed} masks for fitting {n} units and would get {m}. "
            "Raise the budget, choose a leaner explainer (lasso, or a lower degree), or cut "
            "coarser units."
        )
        error.needed = needed
        raise error


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
    left = max(0.0, 1.0 - m / 2.0 ** min(f.n, 1000))
    spread = np.sqrt(left * (groups - 1) / groups) * (refits - refits.mean(axis=1, keepdims=True))
    deviations = np.moveaxis(spread, 1, 0).reshape(groups, -1, *f.out)
    values = table[:, 0].reshape(-1, *f.out)
    joined = SetFunction(f.n, family.indptr, family.indices, values, f.basis, deviations)
    return replace(joined, fitted_by=f.fitted_by)


def _needs(solver: Solver | Path, n: int) -> float:
    try:
        return min(solver.needs(n), 2**n)
    except BudgetError:
        return float("inf")
