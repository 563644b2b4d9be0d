"""Holds products of tokens with a few vectors that give each token the same bits in any batch.

A product's last bits depend on its shape: so every product here has the same one, blocks of ROWS
tokens, the last filled up with zeros. It does not know what the vectors are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 64


def blockwise(tokens: NDArray[Any], vectors: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
    """`(tokens - shift) @ vectors.T`, `(b, k)`, in the type of the vectors `(k, d)`."""
    b, d = tokens.shape
    blocks = -(-b // ROWS)
    padded = np.empty((blocks * ROWS, d), dtype=vectors.dtype)
    padded[b:] = 0
    np.subtract(tokens, shift, out=padded[:b], dtype=vectors.dtype, casting="same_kind")
    product = padded.reshape(blocks, ROWS, d) @ np.ascontiguousarray(vectors.T)
    return product.reshape(blocks * ROWS, len(vectors))[:b]
