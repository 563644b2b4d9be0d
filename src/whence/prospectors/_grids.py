"""Holds grid_units: the units of a grid of places on a picture.

It does not know what is at the places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence.units import Units


def grid_units(
    down: NDArray[np.intp], along: NDArray[np.intp], present: NDArray[np.bool_] | None = None
) -> Units:
    """Units named by row and column, and which of them each pixel belongs to.

    Args:
        down: `(height,)` the row of every line of pixels, from 0.
        along: `(width,)` the column of every pixel of a line.
        present: `(rows, columns)`, True where there is a unit; None for everywhere.
    """
    shape = int(down.max()) + 1, int(along.max()) + 1
    there = np.ones(shape, dtype=np.bool_) if present is None else present
    numbers = np.where(there, np.cumsum(there.ravel()).reshape(shape) - 1, -1).astype(np.int32)
    labels = [f"row {r + 1}, column {c + 1}" for r, c in np.argwhere(there)]
    return Units(tuple(labels), kind="patch", grid=numbers[down][:, along])
