"""Holds the exact solver: all masks in, the complete set function out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whence._kernels import terms as csr
from whence._kernels.walsh import walsh
from whence.errors import BudgetError
from whence.masks import pack
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function


@dataclass(frozen=True)
class Walsh:
    """Every Fourier coefficient, from the values of every mask.

    Attributes:
        drop: coefficients smaller than this share of the largest, in every output, are rounding
            and are left out.
    """

    drop: float = 1e-12

    def needs(self, n: int) -> int:
        """All 2^n masks."""
        return 2**n

    def fit(self, samples: Samples) -> SetFunction:
        """The function itself, in O(n 2^n).

        Raises:
            BudgetError: some mask has no value.
        """
        samples = samples.distinct()
        n = samples.n
        if len(samples) != 2**n:
            raise BudgetError(
                f"Walsh needs the values of all {2**n} masks of {n} units and was given "
                f"{len(samples)}. Raise the budget to {2**n} or use a sparse solver."
            )
        packed = pack(samples.masks).astype(np.int64)
        rows = packed @ (256 ** np.arange(packed.shape[1]))
        ordered = np.empty_like(samples.values)
        ordered[rows] = samples.values
        return _sparse(n, walsh(ordered) / 2**n, self.drop)


def _sparse(n: int, values: np.ndarray, drop: float) -> SetFunction:
    strength = np.abs(values.reshape(len(values), -1))
    kept = np.flatnonzero((strength > drop * strength.max(axis=0)).any(axis=1))
    kept = np.union1d(kept, [0])
    bits = (kept[:, None] >> np.arange(n)) & 1 == 1
    indptr = np.concatenate([[0], np.cumsum(bits.sum(axis=1))])
    sets = csr.to_sets(indptr, np.nonzero(bits)[1])
    f = set_function(n, (sets, values[kept]), deviations=np.zeros((1, *values[kept].shape)))
    return replace(f, fitted_by="every mask valued")
