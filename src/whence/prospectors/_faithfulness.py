"""Holds Faithfulness: how well prototypes stand in for a CNN's own head, with intervals.

It does not know how either of them comes to its answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError


@dataclass(frozen=True)
class Share:
    """A share of n trials, with its 95 % interval (Wilson, 1927)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Faithfulness:
    """How well prototypes stand in for a CNN's own head, on images that they were not fitted to.

    Attributes:
        accuracy: of the prototypes, against the truth.
        model: of the CNN itself.
        agreement: how often both give the same class, right or wrong.
        images: how many were compared.
    """

    accuracy: Share
    model: Share
    agreement: Share
    images: int

    def __str__(self) -> str:
        return (
            f"{self.images:,} images: nearest prototype {self.accuracy} right, the CNN's own head "
            f"{self.model}, the same class in {self.agreement}"
        )


def faithfulness(predicted: ArrayLike, model: ArrayLike, truth: ArrayLike) -> Faithfulness:
    """Compare the prototypes' classes with the CNN's, on images held out from both.

    Args:
        predicted: `(b,)` classes by the prototypes.
        model: `(b,)` classes by the CNN itself.
        truth: `(b,)` true classes.

    Raises:
        InputError: not one of each per image, or none.
    """
    ours, theirs, right = np.asarray(predicted), np.asarray(model), np.asarray(truth)
    if not ours.shape == theirs.shape == right.shape or ours.ndim != 1 or not len(ours):
        raise InputError(
            f"classes of shapes {ours.shape}, {theirs.shape} and {right.shape} came; one of each "
            "per image is needed."
        )
    return Faithfulness(
        _share(ours == right), _share(theirs == right), _share(ours == theirs), len(ours)
    )


def _share(hits: NDArray[np.bool_]) -> Share:
    n, value, z = len(hits), float(hits.mean()), 1.959964
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (value * (1 - value) / n + z * z / (4 * n * n)) ** 0.5
    # At the ends the interval ends there too, but for rounding.
    return Share(value, min(value, max(0.0, middle - half)), max(value, min(1.0, middle + half)))
