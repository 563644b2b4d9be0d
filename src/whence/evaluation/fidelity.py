"""Holds fidelity: how much of the game a set function captures on masks it has not seen.

It knows nothing of how the function was fitted or who asked for the masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.samples import Samples
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]

#: Outputs whose values vary less than this, relative to their size, are constant.
CONSTANT = 1e-12
RESAMPLES = 1000


@dataclass(frozen=True)
class Fidelity:
    """The measured fit of a set function; per output where there are several.

    Attributes:
        r2: share of the variance over the masks that the function explains; 1 is perfect, 0 is
            no better than the mean, below 0 is worse. nan where the game is constant.
        low: lower and
        high: upper end of the 95 % bootstrap interval over masks; equal to `r2` when every mask
            was valued, nan when the masks are too few for an interval (about four). Below about
            20 masks the interval is too narrow: it covers about 85 % in place of 95 %.
        masks: how many masks it was measured on.
        distribution: which masks those are.
        exhaustive: whether they are all 2^n masks.
        constant: whether the game gave the same value for all of them.
        noise: standard deviation of repeated answers to the same mask, in the game's units; 0
            when the answers repeated exactly.
        repeats: how many masks were asked twice to find that out.
    """

    r2: float | Floats
    low: float | Floats
    high: float | Floats
    masks: int
    distribution: str
    exhaustive: bool = False
    constant: bool | NDArray[np.bool_] = False
    noise: float | Floats = 0.0
    repeats: int = 0


def measure(
    f: SetFunction,
    samples: Samples,
    rng: np.random.Generator,
    *,
    distribution: str,
    exhaustive: bool = False,
    noise: Floats | float = 0.0,
    repeats: int = 0,
) -> Fidelity:
    """R² of `f` on samples it was not fitted to, with a bootstrap interval over masks.

    The interval says how R² would move with other held-out masks; it is one matrix product for
    all resamples and outputs.

    Args:
        f: the fitted function.
        samples: held-out masks with values, at least two; or all masks, if `exhaustive`.
        rng: for the bootstrap.
        distribution: which masks the samples are, in words.
        exhaustive: whether they are all masks; the interval is then the value itself.
        noise: standard deviation of repeated answers `(*out)`, passed on.
        repeats: masks asked twice for it, passed on.

    Source:
        Percentile bootstrap, Efron and Tibshirani (1993).
    """
    y = samples.columns
    wrong = (y - f(samples.masks).reshape(y.shape)) ** 2
    constant = constant_columns(y)
    centred = y - y.mean(axis=0)
    r2 = _r2(np.ones((1, len(y))), wrong, centred, constant)[0]
    low = high = r2
    if not exhaustive:
        counts = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=RESAMPLES)
        drawn = _r2(counts.astype(np.float64), wrong, centred, constant)
        low, high = _quantiles(drawn)
    return Fidelity(
        _shape(r2, f.out),
        _shape(low, f.out),
        _shape(high, f.out),
        len(samples),
        distribution,
        exhaustive,
        bool(constant[0]) if f.out == () else constant.reshape(f.out),
        _shape(np.broadcast_to(noise, f.out).reshape(-1), f.out),
        repeats,
    )


def constant_columns(y: Floats) -> NDArray[np.bool_]:
    """Which columns of values `(m, q)` are the same number throughout, up to rounding: `(q,)`."""
    if len(y) == 0:
        return np.ones(y.shape[1], dtype=np.bool_)
    return np.ptp(y, axis=0) <= CONSTANT * np.maximum(np.abs(y).max(axis=0), 1e-300)


def _r2(counts: Floats, wrong: Floats, centred: Floats, constant: NDArray[np.bool_]) -> Floats:
    """R² `(resamples, q)` with each row of `counts` saying how often a mask is in the resample."""
    m = counts.shape[1]
    square = counts @ centred**2
    total = square - (counts @ centred) ** 2 / m
    # A resample of one repeated value has no variance beyond rounding; it says nothing and is left
    # out as nan.
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - (counts @ wrong) / np.where(total > CONSTANT * square, total, np.nan)
    return np.where(constant, np.nan, share)


def _quantiles(drawn: Floats) -> tuple[Floats, Floats]:
    low, high = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    for j, column in enumerate(drawn.T):
        known = column[np.isfinite(column)]
        # With a handful of masks many resamples say nothing, and what is left is no interval.
        if len(known) > 0.975 * len(column):
            low[j], high[j] = np.quantile(known, [0.025, 0.975])
    return low, high


def _shape(values: Floats, out: tuple[int, ...]) -> float | Floats:
    return float(values[0]) if out == () else np.array(values, dtype=np.float64).reshape(out)
