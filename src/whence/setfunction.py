"""Holds SetFunction: a few sets of units with coefficients; evaluate, change basis, truncate.

Sign convention: with S the present units, `chi_T(S) = (-1)^#(S ∩ T)` and
`f(S) = sum_T F(T) chi_T(S)` (Fourier); `f(S) = sum over T ⊆ S of M(T)` (Möbius). This file does
not know how coefficients are fitted, nor what the units stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence._kernels import terms as csr
from whence._kernels.evaluate import evaluate
from whence.errors import InputError, ShapeError
from whence.masks import as_masks

Floats = NDArray[np.float64]
Basis = Literal["fourier", "mobius"]

#: The highest degree whose 2^degree subsets are written out by a change of basis, unless asked.
MAX_DEGREE = 16
#: The most (set, subset) pairs one change of basis may visit: about 3 GB at one output.
MAX_PAIRS = 50_000_000


@dataclass(frozen=True)
class SetFunction:
    """A function of subsets of n units, as a sparse sum of terms.

    Build one with `set_function`, which sorts and merges; the constructor only stores, and
    expects sets in canonical order (by size, then lexicographic) without repeats.

    Attributes:
        n: number of units.
        indptr: `(k + 1,)` and
        indices: `(nnz,)`: the k sets of units in CSR form.
        values: `(k, *out)` coefficients, in the unit of the game's values.
        basis: "fourier" or "mobius".
        deviations: `(r, k, *out)` or None. Any square root of the coefficients' covariance,
            `Cov = sum_r d_r d_r^T`: scaled jackknife or posterior draws, or a Cholesky factor.
            Every linear step (change of basis, index, truncation, sum) acts on them as on the
            values, so standard errors keep the correlations between terms.
        fitted_by: how the coefficients came about, for people; "" when not fitted.
    """

    n: int
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: Floats
    basis: Basis = "fourier"
    deviations: Floats | None = None
    fitted_by: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of one value: () for a scalar function."""
        return self.values.shape[1:]

    @property
    def columns(self) -> Floats:
        """Coefficients with outputs flattened, `(k, q)`."""
        return self.values.reshape(len(self), int(np.prod(self.out, dtype=int)))

    @property
    def sets(self) -> list[tuple[int, ...]]:
        """The sets with a coefficient, as sorted tuples of unit positions."""
        return csr.to_sets(self.indptr, self.indices)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of units in each set, `(k,)`."""
        return csr.sizes(self.indptr)

    @property
    def degree(self) -> int:
        """Size of the largest set; 0 for a constant."""
        return int(self.sizes.max(initial=0))

    @property
    def errors(self) -> Floats | None:
        """Standard errors of the coefficients `(k, *out)`, or None when not known."""
        return None if self.deviations is None else np.sqrt((self.deviations**2).sum(axis=0))

    @property
    def terms(self) -> dict[tuple[int, ...], float | Floats]:
        """Set -> coefficient: a float, or an array `out` for several outputs."""
        return {
            s: (float(v) if np.ndim(v) == 0 else v)
            for s, v in zip(self.sets, self.values, strict=True)
        }

    def __call__(self, masks: ArrayLike) -> Floats:
        """Values at masks `(b, n)`: `(b, *out)`. Scratch memory does not grow with b.

        Raises:
            InputError: masks that are not `(b, n)` booleans.
        """
        rows = as_masks(masks, self.n)
        result = evaluate(rows, self.indptr, self.indices, self.columns, self.basis == "fourier")
        return result.reshape(len(rows), *self.out)

    def __add__(self, other: SetFunction) -> SetFunction:
        """The sum, in this function's basis; the two estimates are taken as independent.

        Raises:
            InputError: other units or other outputs.
        """
        if self.n != other.n or self.out != other.out:
            raise InputError(
                f"a function of {self.n} units, outputs {self.out} cannot be added to one of "
                f"{other.n} units, outputs {other.out}; both must describe one game."
            )
        other = other.to(self.basis)
        indptr = np.concatenate([self.indptr, self.indptr[-1] + other.indptr[1:]])
        indices = np.concatenate([self.indices, other.indices])
        values = np.concatenate([self.values, other.values])
        blocks = [_pad(self.deviations, 0, len(other)), _pad(other.deviations, len(self), 0)]
        known = [b for b in blocks if b is not None]
        deviations = np.concatenate(known) if known else None
        return _merged(self.n, indptr, indices, values, self.basis, deviations)

    def __mul__(self, factor: float) -> SetFunction:
        """Every coefficient times a number."""
        deviations = None if self.deviations is None else self.deviations * factor
        return replace(self, values=self.values * factor, deviations=deviations)

    __rmul__ = __mul__

    def __sub__(self, other: SetFunction) -> SetFunction:
        """The difference, in this function's basis."""
        return self + other * -1.0

    def output(self, index: int | tuple[int, ...]) -> SetFunction:
        """One output of a function with several, as a scalar function."""
        at = index if isinstance(index, tuple) else (index,)
        deviations = None if self.deviations is None else self.deviations[(..., *at)]
        return replace(self, values=self.values[(slice(None), *at)], deviations=deviations)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> SetFunction:
        """Only the chosen terms, in canonical order."""
        kept = np.arange(len(self))[rows]
        kept.sort()
        size = self.sizes[kept]
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        spread = np.arange(int(size.sum())) - np.repeat(indptr[:-1], size)
        indices = self.indices[np.repeat(self.indptr[kept], size) + spread]
        deviations = None if self.deviations is None else self.deviations[:, kept]
        return replace(
            self, indptr=indptr, indices=indices, values=self.values[kept], deviations=deviations
        )

    def truncate(self, *, degree: int | None = None, top: int | None = None) -> SetFunction:
        """Terms up to a degree, and of those the `top` largest by magnitude.

        Magnitude is the root sum of squares over outputs. The empty set is always kept and is
        not counted. In the Fourier basis, truncation to a degree is the best fit of that degree
        under uniform masks.
        """
        keep = np.ones(len(self), dtype=np.bool_) if degree is None else self.sizes <= degree
        if top is not None:
            strength = np.sqrt((self.columns**2).sum(axis=1))
            strength[~keep | (self.sizes == 0)] = -1.0
            order = np.argsort(-strength, kind="stable")
            chosen = order[: max(top, 0)]
            keep &= self.sizes == 0
            keep[chosen[strength[chosen] >= 0]] = True
        return self.take(keep)

    def to(self, basis: Basis, *, max_degree: int = MAX_DEGREE) -> SetFunction:
        """The same function in the other basis, exactly, standard errors included.

        Every set brings its 2^size subsets, so sets above `max_degree` are refused.

        Raises:
            InputError: an unknown basis, a set larger than `max_degree`, or too many subsets.

        Source:
            `M(T) = (-2)^#T sum over S ⊇ T of F(S)` and
            `F(T) = (-1)^#T sum over S ⊇ T of M(S) / 2^#S`, checked against enumeration in
            tests/test_setfunction.py.
        """
        if basis not in ("fourier", "mobius"):
            raise InputError(f"basis {basis!r} came; it is 'fourier' or 'mobius'.")
        if basis == self.basis:
            return self
        if self.degree > max_degree:
            raise InputError(
                f"a set of {self.degree} units has 2^{self.degree} subsets, and change of basis "
                f"writes out at most max_degree={max_degree}. Raise max_degree, or truncate first "
                "with f.truncate(degree=...). Indices of low order need no change of basis."
            )
        size = np.arange(self.degree + 1, dtype=np.float64)
        flat = np.ones_like(size)
        if basis == "mobius":
            weight = np.outer(flat, np.power(-2.0, size))
        else:
            weight = np.outer(np.power(0.5, size), np.power(-1.0, size))
        weight = weight.astype(np.float64)
        return self.superset_sums(weight, range(self.degree + 1), basis)

    def superset_sums(self, weight: Floats, wanted: Sequence[int], basis: Basis) -> SetFunction:
        """`out(T) = sum over terms S ⊇ T of weight[#S, #T] * value(S)` for the wanted sizes #T.

        The one step behind every change of basis and every index; deviations go along.

        Args:
            weight: `(degree + 1, max(wanted) + 1)`.
            wanted: sizes of the sets T, increasing.
            basis: how the result is to be read.

        Raises:
            InputError: more than `MAX_PAIRS` pairs (S, T).
        """
        pairs = csr.count_subsets(self.indptr, wanted)
        if pairs > MAX_PAIRS:
            raise InputError(
                f"{len(self)} terms of degree up to {self.degree} have {pairs:,} subsets of the "
                f"wanted sizes; at most {MAX_PAIRS:,} are written out. Truncate the function "
                "first: f.truncate(top=...) or f.truncate(degree=...)."
            )
        family = csr.Family(self.indptr, self.indices, _stacked(self))
        return _unstacked(self, csr.superset_sums(family, weight, wanted, self.n), basis)

    def __repr__(self) -> str:
        outputs = f", outputs {self.out}" if self.out else ""
        return (
            f"SetFunction({len(self)} terms of {self.n} units, degree {self.degree}, "
            f"{self.basis}{outputs})"
        )


def set_function(
    n: int,
    terms: Mapping[Iterable[int], ArrayLike] | tuple[Sequence[Iterable[int]], ArrayLike],
    basis: Basis = "fourier",
    deviations: ArrayLike | None = None,
) -> SetFunction:
    """A SetFunction from sets and coefficients; repeated sets are added up.

    Args:
        n: number of units.
        terms: a mapping set -> coefficient, or a pair (sets, values `(k, *out)`).
        basis: "fourier" or "mobius".
        deviations: `(r, k, *out)` or None; see `SetFunction`.

    Raises:
        InputError: a unit outside 0 .. n-1, a unit twice in one set, or an unknown basis.
        ShapeError: values or deviations that do not match the sets.

    Example:
        >>> f = set_function(3, {(): 1.0, (0, 2): 0.5}, basis="mobius")
        >>> f([[True, False, True], [True, True, False]])
        array([1.5, 1. ])
    """
    sets, values = (
        (list(terms.keys()), list(terms.values())) if isinstance(terms, Mapping) else terms
    )
    if basis not in ("fourier", "mobius"):
        raise InputError(f"basis {basis!r} came; it is 'fourier' or 'mobius'.")
    indptr, indices = csr.from_sets(sets)
    _check_sets(n, indptr, indices)
    array = np.asarray(values, dtype=np.float64)
    spread = None if deviations is None else np.asarray(deviations, dtype=np.float64)
    if array.shape[:1] != (len(indptr) - 1,):
        raise ShapeError(
            f"{len(indptr) - 1} sets and values of shape {array.shape} came; values must be "
            "(k, *out), one row per set."
        )
    if spread is not None and spread.shape[1:] != array.shape:
        raise ShapeError(
            f"values {array.shape} and deviations {spread.shape} came; deviations must be "
            "(r, k, *out)."
        )
    return _merged(n, indptr, indices, array, basis, spread)


def constant(n: int, value: ArrayLike) -> SetFunction:
    """The function that is `value` `(*out)` for every mask, in the Fourier basis."""
    return set_function(n, ([()], np.asarray(value, dtype=np.float64)[None]))


def _check_sets(n: int, indptr: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= n):
        raise InputError(
            f"a set holds unit {int(indices.max() if indices.max() >= n else indices.min())}; "
            f"with n={n} units they are numbered 0 to {n - 1}."
        )
    inner = np.ones(len(indices), dtype=np.bool_)
    inner[indptr[:-1][indptr[:-1] < len(indices)]] = False
    if (np.diff(indices)[inner[1:]] == 0).any():
        raise InputError("a set holds one unit twice; each unit is in a set or not.")


def _pad(deviations: Floats | None, before: int, after: int) -> Floats | None:
    if deviations is None:
        return None
    width = [(0, 0), (before, after)] + [(0, 0)] * (deviations.ndim - 2)
    return np.pad(deviations, width)


def _merged(
    n: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int64],
    values: Floats,
    basis: Basis,
    deviations: Floats | None,
) -> SetFunction:
    loose = SetFunction(n, indptr, indices, values, basis, deviations)
    return _unstacked(loose, csr.merge(indptr, indices, _stacked(loose), n), basis)


def _stacked(f: SetFunction) -> Floats:
    """Values and deviations side by side: `(k, (1 + r) * q)`."""
    if f.deviations is None:
        return f.columns
    width = len(f.deviations) * f.columns.shape[1]
    spread = np.moveaxis(f.deviations, 0, 1).reshape(len(f), width)
    return np.concatenate([f.columns, spread], axis=1)


def _unstacked(f: SetFunction, family: csr.Family, basis: Basis) -> SetFunction:
    """A family with stacked values, read as a function like `f`."""
    k, q = len(family.values), f.columns.shape[1]
    values = family.values[:, :q].reshape(k, *f.out)
    deviations = None
    if f.deviations is not None:
        spread = family.values[:, q:].reshape(k, len(f.deviations), *f.out)
        deviations = np.moveaxis(spread, 1, 0)
    return SetFunction(f.n, family.indptr, family.indices, values, basis, deviations)
