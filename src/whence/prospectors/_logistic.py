"""Holds the L2 logistic fit of many columns at once: Newton steps, solved by conjugate gradients.

One Cholesky factor of the bound on the curvature preconditions the steps of all columns. It does
not know what the features are, nor what the fit is for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

Floats = NDArray[np.float64]

STEPS = 100
INNER = 50


@dataclass(frozen=True)
class _Problem:
    """Design `(b, m)` with a last column of ones, labels and weights `(b, c)`, penalty `(m, 1)`."""

    x: Floats
    y: Floats
    weight: Floats
    penalty: Floats
    factor: tuple[Floats, bool]

    def objective(self, theta: Floats) -> Floats:
        """The penalised loss `(c,)`."""
        f = self.x @ theta
        loss = np.logaddexp(0.0, f) - self.y * f
        return (self.weight * loss).sum(axis=0) + (self.penalty * theta * theta).sum(axis=0) / 2

    def residual(self, theta: Floats) -> Floats:
        """Label less probability, weighted `(b, c)`."""
        return self.weight * (self.y - special.expit(self.x @ theta))

    def gradient(self, theta: Floats) -> Floats:
        return self.penalty * theta - self.x.T @ self.residual(theta)

    def preconditioned(self, gradient: Floats) -> Floats:
        return linalg.cho_solve(self.factor, gradient, check_finite=False)


def logistic_residuals(x: Floats, y: Floats, weight: Floats, penalty: float) -> Floats:
    """Weighted residuals `(b, c)` at the minimum of `penalty/2 |β|² + Σ weight · loss`.

    There is an intercept, without penalty. The minimum's coefficients are `x.T @ residuals /
    penalty`, whatever basis x is in.

    Args:
        x: `(b, m)`, m at most b or so: a Cholesky factor of size m is made.
        y: `(b, c)` zeros and ones; each column has both.
        weight: `(b, c)`, positive.
    """
    problem = _posed(x, y, weight, penalty)
    theta = np.zeros((problem.x.shape[1], y.shape[1]))
    for _ in range(STEPS):
        gradient = problem.gradient(theta)
        remaining = (gradient * problem.preconditioned(gradient)).sum(axis=0)
        if (remaining <= 1e-20 * len(x)).all():
            break
        moved = _stepped(problem, theta, _direction(problem, theta, gradient), remaining)
        if (moved == theta).all():
            break
        theta = moved
    return problem.residual(theta)


def _posed(x: Floats, y: Floats, weight: Floats, penalty: float) -> _Problem:
    design = np.column_stack((x, np.ones(len(x))))
    penalties = np.full(design.shape[1], penalty)
    penalties[-1] = 0.0
    rooted = design * np.sqrt(weight.mean(axis=1, keepdims=True) / 4)
    bound = rooted.T @ rooted
    bound[np.diag_indices_from(bound)] += penalties
    factor = linalg.cho_factor(bound, overwrite_a=True, check_finite=False)
    return _Problem(design, y, weight, penalties[:, None], factor)


def _direction(problem: _Problem, theta: Floats, gradient: Floats) -> Floats:
    """About the Newton direction `(m, c)`, by conjugate gradients on all columns at once."""
    probability = special.expit(problem.x @ theta)
    curvature = problem.weight * probability * (1 - probability)
    found = np.zeros_like(theta)
    left = gradient.copy()
    z = problem.preconditioned(left)
    way, size = z.copy(), (left * z).sum(axis=0)
    start = size.copy()
    for _ in range(INNER):
        image = problem.x.T @ (curvature * (problem.x @ way)) + problem.penalty * way
        step = _ratio(size, (way * image).sum(axis=0))
        found += step * way
        left -= step * image
        z = problem.preconditioned(left)
        before, size = size, (left * z).sum(axis=0)
        if (size <= 0.1 * np.minimum(1.0, start / len(problem.x)) * start).all():
            break
        way = z + _ratio(size, before) * way
    return found


def _ratio(a: Floats, b: Floats) -> Floats:
    """`a / b`, 0 where b is 0: the columns that are done."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _stepped(problem: _Problem, theta: Floats, way: Floats, remaining: Floats) -> Floats:
    """Theta less the way, halved for the columns whose objective would rise."""
    now = problem.objective(theta)
    size = np.ones(theta.shape[1])
    for _ in range(30):
        after = problem.objective(theta - size * way)
        # Near the end the gain is below rounding: the full Newton step is right there.
        worse = (after > now) & (remaining > 1e-10 * now)
        if not worse.any():
            break
        size = np.where(worse, size / 2, size)
    return theta - size * way
