"""Holds the Welch kernel, and the class moments that the closed-form kernels share.

It does not know what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from whence.prospectors._weights import (
    Weights,
    benjamini_hochberg,
    checked,
    classes,
    discovered,
    positive,
    share,
    varying,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Bags `(g, 1)`, mean `(g, p)` and unbiased variance `(g, p)` of g weighted sets of bags.

    The variance of a set of one bag is nan.
    """

    bags: Floats
    mean: Floats
    variance: Floats


def moments(x: Floats, times: Floats) -> Moments:
    """Of the bags `x (b, p)`, when bag i is in set j `times[j, i]` times `(g, b)`."""
    bags = times.sum(axis=1, keepdims=True)
    centre = x.mean(axis=0)
    off = x - centre
    mean = times @ off / bags
    spread = np.maximum(times @ (off * off) / bags - mean * mean, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(bags > 1, spread * bags / (bags - 1), np.nan)
    return Moments(bags, mean + centre, variance)


def both_sides(targets: Floats, times: Floats | None = None) -> Floats:
    """Sets for `moments`: `(R·c, b)` for ones, then as many for zeros, R outermost."""
    sides = np.stack((targets.T, 1 - targets.T))
    if times is None:
        return sides.reshape(-1, len(targets))
    return (sides[:, None] * times[None, :, None]).reshape(-1, len(targets))


def sides(x: Floats, targets: Floats, times: Floats | None = None) -> tuple[Moments, Moments]:
    """Moments of the ones and of the zeros of every column; a lone bag has the others' variance."""
    found = moments(x, both_sides(targets, times))
    g = len(found.bags) // 2
    variance = found.variance.reshape(2, g, -1)
    variance = np.where(np.isnan(variance), variance[::-1], variance)
    one, zero = np.nan_to_num(variance)
    return (
        Moments(found.bags[:g], found.mean[:g], one),
        Moments(found.bags[g:], found.mean[g:], zero),
    )


@dataclass(frozen=True)
class Welch:
    """Welch's t: the difference of the class means over its standard error.

    `(μ1 − μ0) / sqrt(v1/n1 + v0/n0 + floor)` over bags, unbiased variances. A class of one bag is
    given the other's variance, which makes it Student's t. For numbers: the t of the slope,
    `r sqrt((n − 2) / (1 − r² + 1e-12))`. `KERNELS["welch"]`.

    Weights are t statistics: a rare feature that is sure counts more than a common one that is
    not. They have no unit and no standard errors of their own; see `bootstrapped`.

    Attributes:
        fdr: rate of false discoveries: features that are not discovered get weight 0, by
            Benjamini and Hochberg on the t-tests' p-values. None keeps every weight.
        floor: added to the squared standard error, in squared frequencies.

    Source:
        Welch (1947); that it is a good kernel for prospector heads was measured, see docs.
    """

    fdr: float | None = None
    floor: float = 1e-12

    def __call__(self, frequencies: Floats, targets: Floats, /) -> Weights:
        """Weights `(p, c)` with p-values.

        Raises:
            InputError: see `checked`; an fdr or floor out of range.
        """
        share("fdr", self.fdr)
        positive("floor", self.floor)
        x, y = checked(frequencies, targets, "welch", numbers=True)
        varies = varying(x)
        t, freedom = self._statistics(x, y, np.ones((1, len(x))))
        values = np.where(varies, t[0], 0.0).T
        p_values = np.where(varies, 2 * special.stdtr(freedom[0], -abs(t[0])), 1.0).T
        found = Weights(values, None, p_values, benjamini_hochberg(p_values, varies))
        return discovered(found, self.fdr)

    def resampled(self, frequencies: Floats, targets: Floats, times: Floats, /) -> Floats:
        """Weights' values `(R, p, c)`, without control of discoveries."""
        t, _ = self._statistics(frequencies, targets, times)
        return np.where(varying(frequencies), t, 0.0).transpose(0, 2, 1)

    def _statistics(self, x: Floats, y: Floats, times: Floats) -> tuple[Floats, Floats]:
        """T statistics `(R, c, p)` and their degrees of freedom."""
        if not classes(y):
            return _slopes(x, y, times)
        one, zero = sides(x, y, times)
        t, freedom = welch_t(one, zero, self.floor)
        shape = (len(times), y.shape[1], -1)
        return t.reshape(shape), freedom.reshape(shape)


def welch_t(one: Moments, zero: Moments, floor: float) -> tuple[Floats, Floats]:
    """T statistics `(g, p)` and degrees of freedom: Welch's, or Student's for a lone bag."""
    a, b = one.variance / one.bags, zero.variance / zero.bags
    t = (one.mean - zero.mean) / np.sqrt(a + b + floor)
    below = a * a / np.maximum(one.bags - 1, 1) + b * b / np.maximum(zero.bags - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(below > 0, (a + b) ** 2 / below, 1.0)
    alone = np.minimum(one.bags, zero.bags) < 2
    freedom = np.where(alone, one.bags + zero.bags - 2, freedom)
    return t, np.maximum(freedom, 1.0)


def _slopes(x: Floats, y: Floats, times: Floats) -> tuple[Floats, Floats]:
    """The t `(R, c, p)` of each column of y on each feature, and its degrees of freedom."""
    n = times.sum(axis=1)[:, None]
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    mx, sx = _centre_and_scale(x, times / n)
    my, sy = _centre_and_scale(y, times / n)
    products = ((times / n)[:, None, :] * y.T).reshape(-1, len(x)) @ x
    shared = products.reshape(len(times), y.shape[1], -1) - my[:, :, None] * mx[:, None, :]
    r = np.clip(shared / (sy[:, :, None] * sx[:, None, :]), -1, 1)
    freedom = np.broadcast_to(n[:, :, None] - 2, r.shape)
    return r * np.sqrt(freedom / (1 - r * r + 1e-12)), freedom


def _centre_and_scale(x: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Means and deviations `(R, p)` of centred x; a deviation that is rounding becomes inf."""
    mean = shares @ x
    variance = shares @ (x * x) - mean * mean
    rounding = 1e-12 * (x * x).mean(axis=0)
    return mean, np.where(variance > rounding, np.sqrt(np.maximum(variance, 0.0)), np.inf)
