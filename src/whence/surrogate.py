"""Holds the surrogate: several kinds of fit, each judged on folds it has not seen, and their blend.

The default explainer. It does not know who values the masks (explain) nor the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.errors import BudgetError, InputError
from whence.evaluation.fidelity import constant_columns
from whence.explainer import Sampler, require
from whence.masks import Masks, among, every, folds, keys, unpack
from whence.samplers.spread import Spread
from whence.samples import Samples, ends_of
from whence.setfunction import SetFunction, constant
from whence.solvers.distil import distil
from whence.solvers.low_degree import LowDegree
from whence.solvers.paths import Solver
from whence.solvers.peeling import Peeling, recognise
from whence.solvers.ridge import Ridge
from whence.solvers.tree_ridge import TreeRidge, tree_ridge_cv
from whence.solvers.walsh import Walsh
from whence.solvers.walsh_process import DRAWS, WRITTEN_OUT, Conditioned, WalshProcess, condition

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Predictor = Callable[[Masks], Floats]

SPREAD = Spread()
#: Up to this many samples everything is refitted in every fold; beyond, the rates of a process
#: are kept, whose optimism is small by then where a process predicts well.
REFIT = 260
#: Beyond this many samples only some rows are judged, in fewer folds.
MANY = 1500
JUDGED = 900
#: With so many samples a process of less weight is not worth conditioning on all of them.
PROMOTED = 0.05
#: Fewer judged samples than this feed only the leanest fit.
LEAST = 10
LEAN = LowDegree(1, ridge=4.0)
#: Once a member leaves less than this share of the variance unexplained, no more are tried.
ENOUGH = 0.01
#: Where a process leaves less than this share of the variance, no trees are grown.
SMOOTH = 0.03
#: Where trees leave less than this share of what a process leaves, no other process is tried.
SHARP = 0.5
#: A process that leaves more than this is refitted in every fold, however many the samples: where
#: there is little to predict, optimism of rates that have seen all samples is most of what it seems
#: to predict. Pairs are not chosen there at all.
HARD = 0.5
#: Fitting the weights of a handful of members gains about half of this over the samples by chance.
CHANCE = 8
#: Polynomials of more terms would take longer than all other members together.
MOST_TERMS = 1000
#: Members of less weight are left out.
LIGHT = 0.01
#: A fit whose cross-validated error is this share of the variance is exact.
EXACT = 1e-9


#: The simple members, simplest first.
SIMPLE: tuple[tuple[str, Solver], ...] = (
    ("additive", LowDegree(1)),
    ("additive, shrunk", Ridge(1)),
    ("all pairs", LowDegree(2)),
    ("all triples", LowDegree(3)),
)
ADDITIVE = ("additive", "additive, shrunk")


class Member(NamedTuple):
    """One kind of fit: its name, its predictions `(m, q)` of samples it did not see, its fit."""

    name: str
    guesses: Floats
    fit: Predictor


@dataclass(frozen=True)
class Surrogate:
    """Spread masks, and a blend of fits weighted by how well they predict unseen samples.

    Members are, from simple to rich: the additive fit, polynomials as far as the samples carry
    them, the Walsh-kernel process weakly and strongly pooled, with and without a learned link, and
    the ridge on a tree spectrum. Each is refitted without each fold; non-negative weights are
    fitted to the predictions for the folds left out. Where the simplest member predicts as well
    as the blend, it is the answer alone: an additive game gives an additive function.

    Attributes:
        sampler: chooses the masks.
        groups: number of folds; one less where the samples are many enough to keep rates.
        max_terms: the most terms of the function.

    Source:
        Stacked regressions with non-negative weights: Breiman (1996). The simplest within one
        standard error: Breiman, Friedman, Olshen and Stone (1984).
    """

    sampler: Sampler = SPREAD
    groups: int = 5
    max_terms: int = 4000

    def __post_init__(self) -> None:
        if self.groups < 2 or self.max_terms < 1:
            raise InputError(
                f"groups={self.groups}, max_terms={self.max_terms} came; there are at least two "
                "folds and one term."
            )

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """Every mask if the budget covers them, else what the sampler draws."""
        if n <= 20 and budget + len(seen) >= 2**n:
            left = every(n)
            return left[~among(left, seen.masks)]
        masks = self.sampler(n, budget, rng, seen)
        require(LEAN, n, len(seen) + len(masks))
        return masks

    def fit(self, samples: Samples) -> SetFunction:
        """The blend as one set function, with standard errors.

        Raises:
            BudgetError: fewer than four samples, and not all masks.
        """
        samples = samples.distinct()
        samples = samples.take(np.argsort(keys(samples.masks), kind="stable"))
        if samples.n <= 20 and len(samples) == 2**samples.n:
            return Walsh().fit(samples)
        varies = ~constant_columns(samples.columns)
        if not varies.any():
            return replace(constant(samples.n, samples.values[0]), fitted_by="constant")
        require(LEAN, samples.n, len(samples))
        # Members that are not determined choose the smallest function; of values about zero.
        centre = samples.values.mean(axis=0)
        f = self._blend(Samples(samples.masks, samples.values - centre))
        return replace(f + constant(samples.n, centre), fitted_by=f.fitted_by)

    def _blend(self, samples: Samples) -> SetFunction:
        group = judging_folds(samples, self.groups)
        coded = _coded(samples)
        group = np.where(coded, -1, group)
        if int((group >= 0).sum()) < LEAST:
            if coded.any():
                return Peeling().fit(samples)
            return replace(LEAN.fit(samples), fitted_by="additive, too few samples for more")
        members = list(_members(samples, group))
        if coded.any():
            # Decoding looks at coded masks alone, so all others are unseen by it.
            decoded = Peeling(refine=False).fit(samples)
            guesses = decoded(samples.masks).reshape(samples.columns.shape)
            members.append(Member("decoded", guesses, decoded))
        return blended(_promoted(members, samples, group), samples, group, self.max_terms)


def _coded(samples: Samples) -> NDArray[np.bool_]:
    """Which samples `(m,)` belong to a coded design (see `whence.spex`), if there is one."""
    design = recognise(samples) if samples.n > WRITTEN_OUT else None
    if design is None:
        return np.zeros(len(samples), dtype=np.bool_)
    return among(samples.masks, unpack(design.packed().reshape(-1, -(-samples.n // 8)), samples.n))


def judging_folds(samples: Samples, groups: int) -> Ints:
    """Fold of every sample `(m,)`, -1 for the ends and for samples that are never judged."""
    inner = int((~ends_of(samples)).sum())
    if inner <= MANY:
        return folds(samples.masks, groups if inner <= REFIT else max(2, groups - 1))
    # Folds go by content, so the rows of the first few small ones are as good as any.
    small = folds(samples.masks, max(12, round(3 * inner / JUDGED)))
    return np.where(small < 3, small, -1)


def _members(samples: Samples, group: Ints) -> Iterator[Member]:
    """The members these samples can feed, simple first."""
    n, m = samples.n, int((~ends_of(samples)).sum())
    for name, solver in SIMPLE:
        if not _affordable(solver, n, m - m // (int(group.max()) + 1)):
            continue
        member = refitted(name, solver, samples, group)
        yield member
        if _loss(member, samples, group) < EXACT:
            return
    if samples.n < 2:
        return
    rest = processes(samples, group)
    best = np.inf
    for member in islice(rest, 2):
        yield member
        best = min(best, _loss(member, samples, group))
    if best > SMOOTH:
        for member in _trees(samples, group):
            yield member
            loss = _loss(member, samples, group)
            if loss < SHARP * best:
                return
            best = min(best, loss)
    if best > ENOUGH:
        yield from rest


def _trees(samples: Samples, group: Ints) -> Iterator[Member]:
    if len(samples) >= TreeRidge().needs(samples.n):
        guesses, f = tree_ridge_cv(samples, group)
        yield Member("trees", guesses, f)


def _affordable(solver: Solver, n: int, m: int) -> bool:
    try:
        terms = solver.needs(n)
    except BudgetError:
        return False
    return terms <= min(m, MOST_TERMS)


def refitted(name: str, solver: Solver, samples: Samples, group: Ints) -> Member:
    """A solver as a member: fitted without each fold, and to everything."""
    return Member(name, _guessed(solver.fit, samples, group), solver.fit(samples))


def _guessed(fit: Callable[[Samples], Predictor], samples: Samples, group: Ints) -> Floats:
    """Predictions `(m, q)` of every fold by a fit to the others; nan for fold -1."""
    q = samples.columns.shape[1]
    guesses = np.full((len(samples), q), np.nan)
    for g in range(int(group.max(initial=-1)) + 1):
        part = fit(samples.take(group != g))
        guesses[group == g] = part(samples.masks[group == g]).reshape(-1, q)
    return guesses


def processes(samples: Samples, group: Ints) -> Iterator[Member]:
    """The Walsh-kernel process: pooled and not, plain and linked, and with pairs of units."""
    m = int((~ends_of(samples)).sum())
    kinds: list[tuple[str, WalshProcess, str]] = [
        ("pooled process", WalshProcess(30.0, steps=7), ""),
        ("process", WalshProcess(1.0, steps=9), "pooled process"),
        ("linked pooled process", WalshProcess(30.0, linked=True, steps=5), "pooled process"),
        ("linked process", WalshProcess(1.0, linked=True, steps=7), "process"),
    ]
    if m >= 16 * samples.n and samples.n <= WRITTEN_OUT:
        kinds.append(
            (
                "process with pairs",
                WalshProcess(1.0, linked=True, pairs=1.0, steps=9),
                "linked process",
            )
        )
    learned: dict[str, Floats] = {}
    least = 1.0
    for name, how, after in kinds:
        if m > MANY:
            yield _auditioned(name, how, samples, group, learned.get(after))
            continue
        if how.pairs and least > HARD:
            return
        full = condition(how, samples, learned.get(after))
        learned[name] = full.theta
        member = Member(name, full.guesses(samples, group), full) if m > REFIT else None
        if member is None or _loss(member, samples, group) > HARD:
            fast = replace(how, steps=8) if m <= REFIT else replace(how, steps=6, rows=320)
            member = Member(name, _guessed(partial(condition, fast), samples, group), full)
        least = min(least, _loss(member, samples, group))
        yield member


def _auditioned(
    name: str, how: WalshProcess, samples: Samples, group: Ints, begin: Floats | None
) -> Member:
    """A process conditioned on some of many samples, none of them judged; see `_promoted`."""
    part = condition(replace(how, most_rows=MANY), samples.take(group < 0), begin)
    guesses = np.full((len(samples), samples.columns.shape[1]), np.nan)
    guesses[group >= 0] = part(samples.masks[group >= 0]).reshape(-1, guesses.shape[1])
    return Member(name, guesses, part)


def _promoted(members: Sequence[Member], samples: Samples, group: Ints) -> list[Member]:
    """With many samples, the processes that count in the blend are conditioned on all of them.

    Their rates were learned without the judged samples, so the closed form for the folds left out
    is as good as a refit.
    """
    if int((~ends_of(samples)).sum()) <= MANY:
        return list(members)
    weights = _weights(members, samples, group).max(axis=1)
    kept: list[Member] = []
    for weight, member in zip(weights, members, strict=True):
        if isinstance(member.fit, Conditioned) and weight > PROMOTED:
            full = member.fit.again(samples)
            member = Member(member.name, full.guesses(samples, group), full)
        kept.append(member)
    return kept


def _loss(member: Member, samples: Samples, group: Ints) -> float:
    """Share of the variance left unexplained, the mean over outputs: no output's scale decides."""
    judged = group >= 0
    varies = ~constant_columns(samples.columns)
    wrong = ((member.guesses[judged] - samples.columns[judged]) ** 2).mean(axis=0)
    return float((wrong[varies] / samples.columns.var(axis=0)[varies]).mean())


def blended(members: Sequence[Member], samples: Samples, group: Ints, most: int) -> SetFunction:
    """The weighted sum of the members, as one set function."""
    judged = group >= 0
    y = samples.columns[judged]
    guesses = np.stack([m.guesses[judged] for m in members])
    weights = _weights(members, samples, group)
    mean = samples.columns[~ends_of(samples)].mean(axis=0)
    rest = constant(samples.n, ((1 - weights.sum(axis=0)) * mean).reshape(samples.out))
    used = [(w, m.fit) for w, m in zip(weights, members, strict=True) if w.any()]
    f = distil([(np.ones(y.shape[1]), rest), *used], samples.n, samples.out, most)
    share = weights[:, weights.any(axis=0)]
    told = ", ".join(
        f"{w.mean():.0%} {m.name}" for w, m in zip(share, members, strict=True) if w.any()
    )
    told = f"blend of {told}" if told else "constant: nothing predicts better"
    wrong = (np.einsum("imq,iq->mq", guesses, weights) + (1 - weights.sum(axis=0)) * mean - y) ** 2
    return replace(f, fitted_by=told, deviations=_deviations(f, members, wrong.mean(axis=0)))


def _weights(members: Sequence[Member], samples: Samples, group: Ints) -> Floats:
    """The weight of every member for every output, `(members, q)`."""
    judged = group >= 0
    additive = sum(m.name in ADDITIVE for m in members)
    guesses = np.stack([m.guesses[judged] for m in members])
    y = samples.columns[judged]
    weights = np.zeros((len(members), y.shape[1]))
    # A constant that is no binary fraction varies by rounding, which says nothing of the members.
    for j in np.flatnonzero(~constant_columns(y)):
        weights[:, j] = stacked(guesses[:, :, j].T, y[:, j], additive)
    return weights


def _deviations(f: SetFunction, members: Sequence[Member], wrong: Floats) -> Floats:
    """A process's posterior covariance for f's terms, scaled to the blend's own error.

    The process says how error is shared among terms; how much there is, cross-validation says.
    """
    closed = [x.fit for x in members if isinstance(x.fit, Conditioned) and x.fit.closed]
    if not closed:
        # Only a polynomial that is exact up to rounding ends the trying so early.
        return np.zeros((1, *f.values.shape))
    free = closed[-1]
    expected = free.expected()
    factor = np.sqrt(wrong / np.where(expected > 0, expected, 1.0))
    shape = free.deviations(f, max(8, min(DRAWS, 400 // len(factor))))
    return (shape.reshape(*shape.shape[:2], -1) * factor).reshape(shape.shape)


def stacked(guesses: Floats, y: Floats, additive: int) -> Floats:
    """Non-negative weights `(members,)` that best predict y `(m,)`; the rest goes to the mean.

    If an additive member does as well as the blend, within one standard error of the difference
    and within what fitting the weights could gain by chance, it gets all the weight.

    Args:
        guesses: `(m, members)` predictions of samples that were not seen.
        y: `(m,)` values.
        additive: how many of the members, the first ones, are additive.
    """
    from scipy.optimize import nnls

    centred = y - y.mean()
    # Without columns the search for weights ends the whole process.
    if not guesses.size or not (centred**2).sum() > 0:
        return np.zeros(guesses.shape[1])
    rows = guesses - y.mean()
    scale = np.sqrt((centred**2).mean())
    rows, centred = rows / scale, centred / scale
    weights = np.asarray(nnls(rows, centred)[0])
    if weights.sum() > 1:
        # Members that hardly vary would be blown up; a further row holds the sum to one.
        heavy = 1e4 * np.sqrt(len(y))
        rows_and_sum = np.concatenate([rows, np.full((1, rows.shape[1]), heavy)])
        weights = np.asarray(nnls(rows_and_sum, np.append(centred, heavy))[0])
    weights[weights < LIGHT] = 0.0
    if additive:
        wrong = (rows[:, :additive] - centred[:, None]) ** 2
        simple = int(wrong.sum(axis=0).argmin())
        gain = wrong[:, simple] - (rows @ weights - centred) ** 2
        chance = max(gain.std() / np.sqrt(len(y)), CHANCE / len(y) * wrong[:, simple].mean())
        if gain.mean() <= chance + EXACT:
            weights[:] = 0.0
            weights[simple] = 1.0
    return weights
