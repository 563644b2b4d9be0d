"""Holds smoothing of maps over their layout, and pooling of maps to one number.

It does not know what made a map, nor which tokens are true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError
from whence.prospectors.layouts import Layout

Floats = NDArray[np.float64]
How = Literal["mean", "top", "max", "logsumexp"]

#: The share of a bag's tokens that "top" averages.
TOP = 0.1


def smoothed(values: ArrayLike, layout: Layout, hops: int) -> Floats:
    """The mean of a map over each token's ego set: `(N_h v) / (N_h 1)`.

    A constant map stays as it is, exactly. The sum over tokens is not kept, so a smoothed map is
    for reading, not for the account of the margin.

    Args:
        values: `(N,)`, or `(N, c)` for several maps.
        layout: of the N tokens.
        hops: 0 gives the map itself.

    Raises:
        InputError: hops below 0.
    """
    values = np.asarray(values, dtype=np.float64)
    if hops < 0:
        raise InputError(f"hops={hops} came; smoothing averages over 0 hops or more")
    if hops == 0 or len(values) == 0:
        return values
    columns = values.reshape(len(values), -1)
    # Shifted, so that equal values give exact zeros, which no order of summation can disturb.
    lowest = columns.min(axis=0)
    stacked = np.column_stack([columns - lowest, np.ones(len(columns))])
    summed = layout.neighbourhood(stacked, hops)
    return (lowest + summed[:, :-1] / summed[:, -1:]).reshape(values.shape)


def pooled(values: ArrayLike, how: How = "mean", *, scale: float = 1.0) -> Floats:
    """One number per map, `()` for `(N,)` and `(c,)` for `(N, c)`.

    Args:
        values: the map.
        how: "mean", which hardly moves with smoothing; "top", the mean of the largest tenth (at
            least one token); "max"; or "logsumexp", `scale * log(mean(exp(values / scale)))`,
            between the mean and the largest.
        scale: of "logsumexp", in units of the map; the same for all bags that are compared.

    Raises:
        InputError: a name that is none of these, or no tokens.
    """
    values = np.asarray(values, dtype=np.float64)
    if how not in _POOLS:
        raise InputError(f"how={how!r} came; a map is pooled by one of {', '.join(_POOLS)}")
    if len(values) == 0:
        raise InputError("a map of no tokens came; there is nothing to pool")
    return np.asarray(_POOLS[how](values / scale) * scale)


def _mean(values: Floats) -> Floats:
    return values.mean(axis=0)


def _top(values: Floats) -> Floats:
    keep = max(int(np.ceil(TOP * len(values))), 1)
    return np.partition(values, len(values) - keep, axis=0)[-keep:].mean(axis=0)


def _max(values: Floats) -> Floats:
    return values.max(axis=0)


def _logsumexp(values: Floats) -> Floats:
    largest = values.max(axis=0)
    return largest + np.log(np.exp(values - largest).mean(axis=0))


_POOLS: dict[str, Callable[[Floats], Floats]] = {
    "mean": _mean,
    "top": _top,
    "max": _max,
    "logsumexp": _logsumexp,
}
