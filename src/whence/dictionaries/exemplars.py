"""Holds the search for exemplars: the tokens that show best what a concept is.

It does not know what the tokens are, nor how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence.dictionaries._tokens import chunks, whole_number
from whence.dictionaries.categories import Categories, names_in
from whence.dictionaries.quantizer import Quantizer

Floats = NDArray[np.float64]


@runtime_checkable
class Near(Protocol):
    """A quantizer that ranks the tokens of one concept, also where codes are one-hot."""

    def closeness(self, X: Any) -> Floats:
        """`(N, k)`, larger for what is nearer to a concept."""
        ...


def exemplars(quantizer: Quantizer, X: Any, top: int = 5) -> tuple[NDArray[np.int64], ...]:
    """Rows of the tokens nearest to every concept, nearest first; the earlier of two as near.

    A token is an exemplar of its own strongest concept only, so a concept may have fewer than
    `top`, or none. One pass; memory does not grow with the tokens.

    Args:
        quantizer: fitted.
        X: tokens as for its `transform`, or an iterable of batches of them.
        top: the most rows per concept.

    Returns:
        k arrays of rows, counted from 0 over all batches.
    """
    whole_number("top", top, 1)
    rows = [np.empty(0, dtype=np.int64) for _ in range(quantizer.k)]
    best = [np.empty(0) for _ in range(quantizer.k)]
    start = 0
    for part in _parts(quantizer, X):
        codes = quantizer.transform(part)
        near = quantizer.closeness(part) if isinstance(quantizer, Near) else codes
        own = np.where(codes.any(axis=1), codes.argmax(axis=1), -1)
        for c in range(quantizer.k):
            mine = np.flatnonzero(own == c)
            values = np.concatenate([best[c], near[mine, c]])
            order = np.argsort(-values, kind="stable")[:top]
            best[c] = values[order]
            rows[c] = np.concatenate([rows[c], start + mine])[order]
        start += len(part)
    return tuple(rows)


def _parts(quantizer: Quantizer, X: Any) -> Iterator[NDArray[Any]]:
    return names_in(X) if isinstance(quantizer, Categories) else chunks(X)
