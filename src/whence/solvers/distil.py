"""Holds distillation: a weighted sum of predictors becomes one set function, without model calls.

It does not know what the predictors are or how they were fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from whence._kernels.least_squares import parities
from whence.masks import Masks, every, uniform
from whence.setfunction import SetFunction, constant
from whence.solvers.walsh_process import WRITTEN_OUT, Conditioned, relative, spectrum

Floats = NDArray[np.float64]
Predictor = Callable[[Masks], Floats]

#: Masks on which the predictors are asked where their spectrum is too long to be written out.
ASKED = 12_288
#: The most terms fitted there: twice as many took three times as long for a hundredth of R².
FITTED = 2_000
#: Conjugate-gradient steps on those masks; their terms are nearly orthogonal.
STEPS = 12


def distil(
    parts: Sequence[tuple[Floats, Predictor]], n: int, out: tuple[int, ...], most: int
) -> SetFunction:
    """The set function of at most `most` terms nearest to a weighted sum of predictors.

    Predictors cost no model calls, so they are asked everywhere: with few units at all masks,
    which gives the exact spectrum; with many on a large uniform draw, to which the terms that the
    parts' own set functions hold are fitted.

    Args:
        parts: weights `(q,)` with a predictor each: masks `(b, n)` to values `(b, *out)`.
        n: number of units.
        out: shape of one value.
        most: the most terms.
    """
    plain = [(w, p) for w, p in parts if isinstance(p, SetFunction)]
    other = [(w, p) for w, p in parts if not isinstance(p, SetFunction)]
    base = _sum(plain, n, out)
    if not other:
        return _largest(base, most)
    if n <= WRITTEN_OUT:
        masks = every(n)
        values = base(masks).reshape(len(masks), -1)
        for weight, part in other:
            found = part.everywhere() if isinstance(part, Conditioned) else part(masks)
            values = values + found.reshape(values.shape) * weight
        return spectrum(values, n, out, most)
    return _fitted(base, other, n, most)


def _sum(parts: Sequence[tuple[Floats, Predictor]], n: int, out: tuple[int, ...]) -> SetFunction:
    total = constant(n, np.zeros(out))
    for weight, part in parts:
        assert isinstance(part, SetFunction)
        f = part.to("fourier")
        values = (f.columns * weight).reshape(f.values.shape)
        total = total + SetFunction(n, f.indptr, f.indices, values)
    return total


def _values(parts: Sequence[tuple[Floats, Predictor]], masks: Masks) -> Floats:
    return np.sum([p(masks).reshape(len(masks), -1) * w for w, p in parts], axis=0)


def _largest(f: SetFunction, most: int) -> SetFunction:
    """The terms of f that count most, relative to each output's own spread."""
    if len(f) <= most:
        return f
    inner = f.sizes > 0
    spread = np.sqrt((f.columns[inner] ** 2).sum(axis=0))
    size = (relative(f.columns, spread) ** 2).sum(axis=1)
    size[~inner] = np.inf
    return f.take(np.argsort(-size, kind="stable")[:most])


def _fitted(
    base: SetFunction, other: Sequence[tuple[Floats, Predictor]], n: int, most: int
) -> SetFunction:
    """`base` with its coefficients moved to take the other parts in."""
    sketches = [(w, p.sketch(most)) for w, p in other if isinstance(p, Conditioned)]
    f = _largest(base + _sum(sketches, n, base.out), min(most, FITTED))
    masks = uniform(n, ASKED, np.random.default_rng(0))
    x = parities(masks, f.indptr, f.indices)
    target = base(masks).reshape(len(masks), -1) + _values(other, masks)
    start = f.columns
    moved = start + _least_squares(x, target - x @ start)
    return SetFunction(n, f.indptr, f.indices, moved.reshape(f.values.shape))


def _least_squares(x: Floats, y: Floats) -> Floats:
    """Nearly the least-squares coefficients `(k, q)`, by a few conjugate-gradient steps."""
    b = np.zeros((x.shape[1], y.shape[1]))
    residual = x.T @ y
    direction, size = residual.copy(), (residual**2).sum(axis=0)
    for _ in range(STEPS):
        along = x.T @ (x @ direction)
        curve = (direction * along).sum(axis=0)
        step = np.where(curve > 0, size / np.where(curve > 0, curve, 1.0), 0.0)
        b += step * direction
        residual = residual - step * along
        fresh = (residual**2).sum(axis=0)
        direction = residual + direction * np.where(
            size > 0, fresh / np.where(size > 0, size, 1.0), 0.0
        )
        size = fresh
    return b
