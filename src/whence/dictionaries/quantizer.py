"""Holds Quantizer: what learns k concepts from many tokens, and tells each token's codes.

It does not know how any of them learns, nor what the codes are used for.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@runtime_checkable
class Quantizer(Protocol):
    """Learns concepts from tokens; one file in `dictionaries/` each.

    The result depends on the tokens, their order in `fit` and the seed alone: `transform` gives
    every token the same codes alone and in any batch.
    """

    @property
    def k(self) -> int:
        """Number of concepts, once fitted."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """What each of the k concepts is called: a category's name, or "concept 3"."""
        ...

    def fit(self, X: Any) -> Self:
        """Learn from tokens: `(N, d)` floats, a memory map, or a re-iterable of such batches.

        Raises:
            InputError: no tokens, nan or inf, or more concepts than distinct tokens.
        """
        ...

    def transform(self, X: Any) -> Floats:
        """Codes `(N, k)` of tokens `(N, d)`; hard codes are one-hot rows, soft ones sum to 1.

        Raises:
            InputError: not fitted, nan or inf, or tokens of another dimension.
        """
        ...
