"""Holds Samples: masks with their values; joining, picking.

It does not know where the values came from or what will be fitted to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError, ShapeError
from whence.masks import Masks, as_masks, distinct


@dataclass(frozen=True)
class Samples:
    """Masks and the values measured for them.

    Attributes:
        masks: `(m, n)` booleans.
        values: `(m,)` or `(m, *out)` floats, row for row.
    """

    masks: Masks
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.masks.ndim != 2 or self.values.shape[:1] != self.masks.shape[:1]:
            raise ShapeError(
                f"masks {self.masks.shape} and values {self.values.shape} came; they need the "
                "same number of rows, masks (m, n) and values (m,) or (m, *out)."
            )

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def n(self) -> int:
        """Number of units."""
        return self.masks.shape[1]

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of one value: () for a scalar game."""
        return self.values.shape[1:]

    @property
    def columns(self) -> NDArray[np.float64]:
        """Values as `(m, q)`, outputs flattened; q = 1 for a scalar game."""
        return self.values.reshape(len(self), int(np.prod(self.out, dtype=int)))

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Samples:
        """The chosen rows."""
        return Samples(self.masks[rows], self.values[rows])

    def join(self, other: Samples) -> Samples:
        """These rows, then the other's.

        Raises:
            InputError: the two differ in units or outputs.
        """
        if self.n != other.n or self.out != other.out:
            raise InputError(
                f"samples of {self.n} units, outputs {self.out} cannot join samples of {other.n} "
                f"units, outputs {other.out}; both must come from one game."
            )
        return Samples(
            np.concatenate([self.masks, other.masks]), np.concatenate([self.values, other.values])
        )

    def distinct(self) -> Samples:
        """One row per different mask, in order of first appearance; repeats are averaged."""
        first, inverse = distinct(self.masks)
        if len(first) == len(self):
            return self
        columns = self.columns
        total = np.zeros((len(first), columns.shape[1]))
        np.add.at(total, inverse, columns)
        mean = total / np.bincount(inverse, minlength=len(first))[:, None]
        return Samples(self.masks[first], mean.reshape(len(first), *self.out))


def samples(masks: ArrayLike, values: ArrayLike) -> Samples:
    """Samples from anything array-like: masks `(m, n)`, values `(m,)` or `(m, *out)`.

    Raises:
        InputError, ShapeError: rows that do not match, or masks that are not boolean.
    """
    array = np.asarray(masks)
    return Samples(as_masks(array, array.shape[-1]), np.asarray(values, dtype=np.float64))


def ends_of(given: Samples) -> NDArray[np.bool_]:
    """Which rows are the full or the empty mask: `(m,)` booleans."""
    size = given.masks.sum(axis=1)
    return (size == 0) | (size == given.n)
