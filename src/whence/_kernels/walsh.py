"""Holds the fast Walsh-Hadamard transform. It knows nothing of games."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def walsh(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Walsh-Hadamard sums over the first axis: `out[t] = sum_s (-1)^popcount(s & t) values[s]`.

    Args:
        values: `(2^n, *out)` floats, row s for the subset whose bits are those of s.

    Returns:
        `(2^n, *out)` floats, unscaled: applying it twice multiplies by 2^n. O(n 2^n) per output.
    """
    size = len(values)
    if size & (size - 1) or size == 0:
        raise AssertionError(f"{size} rows is not a power of two")
    out = np.array(values, dtype=np.float64).reshape(size, -1)
    width = 1
    while width < size:
        pairs = out.reshape(size // (2 * width), 2, width, -1)
        low, high = pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]
        pairs[:, 0], pairs[:, 1] = low, high
        width *= 2
    return out.reshape(values.shape)
