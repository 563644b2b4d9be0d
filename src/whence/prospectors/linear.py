"""Holds the linear terms: one coefficient per dimension of the embedding, from bag labels.

Three ways to learn them, none of which wins everywhere: from tokens that inherit their bag's
label, from the means of bags, and from bags whose tokens compete. It does not know concepts, nor
how terms are combined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Penalties: of tokens that inherit labels, of bag means, and of competing tokens.
TOKEN_C = 1.0
BAG_C = 0.01
INSTANCE_PENALTY = 1000.0
#: Numbers of tokens that are copied at once.
CHUNK = 2**20
#: Steps of L-BFGS; of competing tokens, where more of them overfit.
STEPS = 200
INSTANCE_STEPS = 40


@dataclass(frozen=True, eq=False)
class Embedded:
    """What linear terms learn from.

    Attributes:
        tokens: `(m, d)` of every bag the same number at most, drawn with a seed; in the order of
            the bags, every bag with one token at least.
        member: `(m,)` the bag of each, increasing.
        means: `(b, d)` mean embedding of each bag, over all its tokens.
        centre: `(d,)` mean of all training tokens, of left-out bags too: it knows no labels.
    """

    tokens: Floats
    member: Ints
    means: Floats
    centre: Floats

    def take(self, rows: Ints) -> Embedded:
        """Only some bags, given by position, in increasing order."""
        place = np.full(len(self.means), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.member] >= 0
        member = place[self.member[kept]]
        return Embedded(self.tokens[kept], member, self.means[rows], self.centre)


@dataclass(frozen=True, eq=False)
class Term:
    """A fitted linear term.

    Attributes:
        beta: `(d, c)` per unit of the embedding.
        influence: `(b, d, c)` by how much beta moves if a bag comes once more, to first order.
    """

    beta: Floats
    influence: Floats | None = None


#: Learns one column: data, targets `(b,)`, and whether influences are wanted.
Fit = Callable[[Embedded, Floats, bool], tuple[Floats, Floats | None]]


def by_tokens(data: Embedded, target: Floats, moves: bool) -> tuple[Floats, Floats | None]:
    """Logistic regression on tokens that inherit their bag's label, standardised over tokens."""
    x, scale = _standardised(data.tokens)
    labels = target[data.member]
    theta, at = _logistic(x, labels, balanced(labels), 1 / TOKEN_C, STEPS)
    if not moves:
        return theta / scale, None
    each = _influence(x, labels, balanced(labels), 1 / TOKEN_C, at)
    own = np.zeros((len(target), len(theta)))
    np.add.at(own, data.member, each)
    return theta / scale, own / scale


def by_bags(data: Embedded, target: Floats, moves: bool) -> tuple[Floats, Floats | None]:
    """Logistic regression on mean embeddings, standardised over bags: class activation.

    For numbers: least squares with the penalty that shrinks as much where nothing is learned.
    """
    x, scale = _standardised(data.means)
    if not _classes(target):
        return _numbers(x, scale, target, moves)
    theta, at = _logistic(x, target, balanced(target), 1 / BAG_C, STEPS)
    if not moves:
        return theta / scale, None
    return theta / scale, _influence(x, target, balanced(target), 1 / BAG_C, at) / scale


def by_instances(data: Embedded, target: Floats, moves: bool) -> tuple[Floats, Floats | None]:
    """Multiple-instance logistic regression: a bag scores `log mean_v exp(x_v·theta)`.

    Embeddings are standardised by the spread of bag means. Influences leave out the curvature of
    the score itself, which the penalty outweighs.
    """
    scale = data.means.std(axis=0)
    scale = np.where(scale > 1e-12 * np.abs(data.means).max(initial=0.0), scale, 1.0)
    x = (data.tokens - data.centre) / scale
    weight = balanced(target)
    starts = np.searchsorted(data.member, np.arange(len(target)))
    sizes = np.diff(np.append(starts, len(x)))

    def scored(theta: Floats) -> tuple[Floats, Floats]:
        """Scores `(b,)` of bags, and every token's share `(m,)` in its bag's."""
        said = x @ theta
        top = np.maximum.reduceat(said, starts)
        raised = np.exp(said - top[data.member])
        total = np.add.reduceat(raised, starts)
        return top + np.log(total / sizes), raised / total[data.member]

    def loss(at: Floats) -> tuple[float, Floats]:
        score, share = scored(at[:-1])
        value, rest = _loss(score + at[-1], target, weight)
        slope = x.T @ (share * rest[data.member]) + INSTANCE_PENALTY * at[:-1]
        return value + INSTANCE_PENALTY / 2 * float(at[:-1] @ at[:-1]), np.append(slope, rest.sum())

    at = _descended(loss, x.shape[1] + 1, INSTANCE_STEPS)
    if not moves:
        return at[:-1] / scale, None
    score, share = scored(at[:-1])
    pooled = np.add.reduceat(x * share[:, None], starts)
    odds = score + at[-1]
    return at[:-1] / scale, _moves(pooled, odds, target, weight, INSTANCE_PENALTY) / scale


#: The linear terms by name.
TERMS: dict[str, Fit] = {"token": by_tokens, "bag": by_bags, "instance": by_instances}


def fitted(kind: str, data: Embedded, targets: Floats, *, moves: bool = False) -> Term:
    """A linear term of that kind from targets `(b, c)`, every column on its own."""
    columns = [TERMS[kind](data, target, moves) for target in targets.T]
    influences = [own for _, own in columns if own is not None]
    beta = np.stack([found for found, _ in columns], axis=1)
    return Term(beta, np.stack(influences, axis=2) if moves else None)


def spoken(tokens: NDArray[Any], centre: Floats, beta: Floats) -> Floats:
    """`(x - centre)·beta` of every token, `(N, *c)` for beta `(d, *c)`; in chunks."""
    step = max(1, CHUNK // max(tokens.shape[1], 1))
    parts = [
        np.asarray(tokens[start : start + step], dtype=np.float64) @ beta
        for start in range(0, len(tokens), step)
    ]
    return np.concatenate(parts) - centre @ beta


def balanced(labels: Floats) -> Floats:
    """Weights `n / (2 n_class)`, so that both classes weigh the same."""
    ones = labels.sum()
    return np.where(labels > 0, len(labels) / (2 * ones), len(labels) / (2 * (len(labels) - ones)))


def _classes(target: Floats) -> bool:
    return bool(np.isin(target, (0, 1)).all())


def _standardised(x: Floats) -> tuple[Floats, Floats]:
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(centre), 1e-300), scale, np.inf)
    return (x - centre) / scale, scale


def _loss(odds: Floats, target: Floats, weight: Floats) -> tuple[float, Floats]:
    """Weighted logistic loss, and its slope `(n,)` in the odds."""
    value = weight @ (np.logaddexp(0.0, odds) - target * odds)
    return float(value), weight * (expit(odds) - target)


def _logistic(
    x: Floats, target: Floats, weight: Floats, penalty: float, steps: int
) -> tuple[Floats, Floats]:
    """Coefficients `(d,)`, and odds `(n,)` at the optimum; the intercept has no penalty."""

    def loss(at: Floats) -> tuple[float, Floats]:
        value, rest = _loss(x @ at[:-1] + at[-1], target, weight)
        slope = np.append(x.T @ rest + penalty * at[:-1], rest.sum())
        return value + penalty / 2 * float(at[:-1] @ at[:-1]), slope

    at = _descended(loss, x.shape[1] + 1, steps)
    return at[:-1], x @ at[:-1] + at[-1]


def _descended(loss: Callable[[Floats], tuple[float, Floats]], size: int, steps: int) -> Floats:
    found = minimize(loss, np.zeros(size), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return found.x


def _influence(x: Floats, target: Floats, weight: Floats, penalty: float, odds: Floats) -> Floats:
    """By how much each row `(n, d)` moves the coefficients if it comes once more."""
    return _moves(x, odds, target, weight, penalty)


def _moves(x: Floats, odds: Floats, target: Floats, weight: Floats, penalty: float) -> Floats:
    """One Newton step per row of x, at odds `(n,)`: `-H^-1 g_i`, intercept left out."""
    p = expit(odds)
    wide = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    curve = (wide * (weight * p * (1 - p))[:, None]).T @ wide
    curve[np.arange(x.shape[1]), np.arange(x.shape[1])] += penalty
    slopes = wide * (weight * (p - target))[:, None]
    return -np.linalg.solve(curve, slopes.T).T[:, :-1]


def _numbers(x: Floats, scale: Floats, target: Floats, moves: bool) -> tuple[Floats, Floats | None]:
    """Ridge regression of numbers: a logistic loss bends by a quarter at most, hence the 4."""
    spread = target.std()
    y = (target - target.mean()) / spread
    penalty = 4 / BAG_C
    curve = x.T @ x
    curve[np.arange(x.shape[1]), np.arange(x.shape[1])] += penalty
    theta = np.linalg.solve(curve, x.T @ y)
    if not moves:
        return theta * spread / scale, None
    rest = y - x @ theta
    own = np.linalg.solve(curve, (x * rest[:, None]).T).T
    return theta * spread / scale, own * spread / scale
