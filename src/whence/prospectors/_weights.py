"""Holds Weights, Kernel, and what every kernel does first: check its input, see what varies.

It does not know any kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Weights:
    """What a kernel made.

    Attributes:
        values: `(p, c)`; c = 1 for two classes (the second against the first) and for numbers,
            else one column per class (that class against the rest). Always finite; 0 for a
            feature that is the same in every bag.
        errors: `(p, c)` standard errors, or None where the kernel has none of its own.
        p_values: `(p, c)` of "this feature does not differ", or None; 1 for a feature that is
            the same in every bag.
        adjusted: `(p, c)` the p-values adjusted for how many features were tested (those that
            vary), by Benjamini and Hochberg: a feature is discovered at rate q where it is at
            most q. `Paper` adjusts by Bonferroni, over all p. None without p-values.
    """

    values: Floats
    errors: Floats | None = None
    p_values: Floats | None = None
    adjusted: Floats | None = None


class Kernel(Protocol):
    """Frequencies and labels to weights; `KERNELS` names them."""

    def __call__(self, frequencies: Floats, labels: NDArray[np.float64], /) -> Weights:
        """Weights from frequencies `(b, p)` and targets `(b, c)`.

        Targets are 0/1 columns (one column for two classes, one per class for more), or one
        column of numbers where the kernel takes them. Columns are fitted independently.
        """
        ...


@runtime_checkable
class Resampled(Protocol):
    """A kernel that can be told how often each bag was drawn, in place of repeating its row."""

    def resampled(self, frequencies: Floats, targets: Floats, times: Floats, /) -> Floats:
        """Weights' values `(R, p, c)`, from R drawings in which bag i came `times[r, i]` times."""
        ...


def checked(
    frequencies: Floats, targets: Floats, kernel: str, *, numbers: bool = False
) -> tuple[Floats, Floats]:
    """Both as float64, or a refusal that says why.

    Args:
        kernel: its name, for messages.
        numbers: whether the kernel takes labels that are numbers and not classes.

    Raises:
        InputError: not `(b, p)` and `(b, c)`, lengths that differ, nan or inf, one class only, or
            numbers where classes are needed.
    """
    x = np.ascontiguousarray(frequencies, np.float64)
    y = np.asarray(targets, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise InputError(
            f"frequencies {x.shape} and targets {y.shape} came; the {kernel!r} kernel needs "
            "(bags, features) and (bags, columns) with one row per bag in both."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("nan or inf among the frequencies or targets; leave out those bags.")
    if not classes(y) and not numbers:
        raise InputError(
            f"targets other than 0 and 1 came; the {kernel!r} kernel needs classes. "
            'Kernels "welch" and "ridge" take numbers.'
        )
    _check_that_targets_differ(y)
    return x, y


def _check_that_targets_differ(y: Floats) -> None:
    if len(y) == 0 or (y == y[0]).all(axis=0).any():
        raise InputError(
            f"one label only among {len(y)} bags; a kernel needs bags of two classes, or numbers "
            "that differ."
        )
    if not classes(y) and len(y) < 3:
        raise InputError(f"{len(y)} bags with numbers came; a slope needs at least 3.")


def classes(targets: Floats) -> bool:
    """Whether targets are 0/1 columns: classes rather than numbers."""
    return bool(((targets == 0) | (targets == 1)).all())


def varying(frequencies: Floats) -> Booleans:
    """Which features `(p,)` differ between bags by more than rounding."""
    low, high = frequencies.min(axis=0), frequencies.max(axis=0)
    return high - low > 1e-12 * np.maximum(abs(low), abs(high))


def benjamini_hochberg(p_values: Floats, tested: Booleans) -> Floats:
    """P-values `(p, c)` adjusted column by column over the tested features `(p,)`; 1 elsewhere.

    Source:
        Benjamini and Hochberg (1995).
    """
    from scipy.stats import false_discovery_control

    adjusted = np.ones_like(p_values)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested], axis=0)
    return adjusted


def discovered(weights: Weights, rate: float | None) -> Weights:
    """The weights with those features at 0 whose adjusted p-value is above the rate; None keeps."""
    if rate is None or weights.adjusted is None:
        return weights
    kept = weights.adjusted <= rate
    return Weights(
        np.where(kept, weights.values, 0.0), weights.errors, weights.p_values, weights.adjusted
    )


def share(name: str, value: float | None) -> None:
    """Refuse a value that is not within (0, 1]; None passes."""
    if value is not None and not 0 < value <= 1:
        raise InputError(f"{name}={value} came; it is a rate above 0 and at most 1, or None.")


def positive(name: str, value: float) -> None:
    """Refuse a value that is not a positive number."""
    if not 0 < value < np.inf:
        raise InputError(f"{name}={value} came; it is a positive number.")
