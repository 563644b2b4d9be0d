"""Holds families of sets in CSR form: building, ordering, merging, and sums over supersets.

A family is `indptr` (k + 1,) and `indices` (nnz,): set j is `indices[indptr[j]:indptr[j + 1]]`,
increasing. Families are kept in canonical order: by size, then lexicographic. This file does not
know what a coefficient means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Sums over sets go into a table of all possible sets while that is at most so many times longer.
DENSE = 4


class Family(NamedTuple):
    """Sets in CSR form with one row of `values` (k, q) per set."""

    indptr: Ints
    indices: Ints
    values: Floats


def from_sets(sets: Iterable[Iterable[int]]) -> tuple[Ints, Ints]:
    """CSR arrays of the given sets, in the given order; each set is sorted."""
    rows = [sorted(int(i) for i in s) for s in sets]
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return indptr, np.array([i for r in rows for i in r], dtype=np.int64)


def to_sets(indptr: Ints, indices: Ints) -> list[tuple[int, ...]]:
    """The sets as sorted tuples."""
    flat = indices.tolist()
    return [tuple(flat[a:b]) for a, b in pairwise(indptr.tolist())]


def sizes(indptr: Ints) -> Ints:
    """Number of units in each set, `(k,)`."""
    return np.diff(indptr)


def tables(indptr: Ints, indices: Ints) -> Iterator[tuple[int, Ints, Ints]]:
    """For each size s that occurs: s, the rows of that size `(k_s,)`, their units `(k_s, s)`."""
    size = sizes(indptr)
    counts = np.bincount(size)
    grouped = (size[1:] >= size[:-1]).all()
    start = 0
    for s in np.flatnonzero(counts).tolist():
        stop = start + int(counts[s])
        if grouped:
            units = indices[indptr[start] : indptr[stop]].reshape(stop - start, s)
            yield s, np.arange(start, stop), units
        else:
            rows = np.flatnonzero(size == s)
            yield s, rows, indices[indptr[rows][:, None] + np.arange(s)]
        start = stop


def all_sets(n: int, degree: int) -> tuple[Ints, Ints]:
    """Every set of at most `degree` of n units, in canonical order."""
    blocks = [
        np.array(list(combinations(range(n), s)), dtype=np.int64) for s in range(min(degree, n) + 1)
    ]
    return stack(blocks)


def stack(blocks: Sequence[Ints]) -> tuple[Ints, Ints]:
    """CSR arrays from tables `(k_s, s)`, one after the other."""
    lengths = np.concatenate([np.full(len(b), b.shape[1], dtype=np.int64) for b in blocks])
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return indptr, np.concatenate([b.reshape(-1) for b in blocks]).astype(np.int64)


def merge_table(table: Ints, values: Floats, n: int) -> tuple[Ints, Floats]:
    """Different rows of `table` `(k, s)` in order, and the sums of their `values` `(k, q)`."""
    k, s = table.shape
    if k == 0 or s == 0:
        return table[:1], values.sum(axis=0, keepdims=True)[:k]
    if _fits(s, n):
        codes, sums = _merge_codes(_codes(table.T, n), values, n**s)
        return _decode(codes, s, n), sums
    order = np.lexsort(table.T[::-1])
    ranked = table[order]
    starts = np.flatnonzero(np.append(True, (ranked[1:] != ranked[:-1]).any(axis=1)))
    return ranked[starts], np.add.reduceat(values[order], starts, axis=0)


def _fits(s: int, n: int) -> bool:
    """Whether sets of s of n units can be numbered in 64 bits."""
    return s * math.log2(max(n, 2)) < 62


def _codes(columns: Iterable[Ints], n: int) -> Ints:
    """Number of each set in lexicographic order, from its first, second, ... units."""
    code = None
    for column in columns:
        code = column if code is None else code * n + column
    assert code is not None
    return code


def _decode(codes: Ints, s: int, n: int) -> Ints:
    """The sets `(k, s)` that have these numbers."""
    table = np.empty((len(codes), s), dtype=np.int64)
    for d in range(s - 1, 0, -1):
        codes, table[:, d] = np.divmod(codes, n)
    table[:, 0] = codes
    return table


def _merge_codes(code: Ints, values: Floats, span: int) -> tuple[Ints, Floats]:
    """Different codes, all below `span`, in order, and the sums of their `values` `(k, q)`."""
    if span <= DENSE * len(code):
        found = np.flatnonzero(np.bincount(code, minlength=span))
        sums = np.empty((len(found), values.shape[1]))
        for j, column in enumerate(values.T):
            sums[:, j] = np.bincount(code, weights=column, minlength=span)[found]
        return found, sums
    order = np.argsort(code, kind="stable")
    ranked = code[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    return ranked[starts], np.add.reduceat(values[order], starts, axis=0)


def merge(indptr: Ints, indices: Ints, values: Floats, n: int) -> Family:
    """The family in canonical order, equal sets added up."""
    blocks: list[Ints] = []
    sums: list[Floats] = []
    for _, rows, table in tables(indptr, indices):
        block, total = merge_table(table, values[rows], n)
        blocks.append(block)
        sums.append(total)
    if not blocks:
        return Family(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), values[:0])
    return Family(*stack(blocks), np.concatenate(sums))


def count_subsets(indptr: Ints, wanted: Sequence[int]) -> int:
    """How many (set, subset) pairs a superset sum onto subsets of the wanted sizes visits."""
    count = np.bincount(sizes(indptr)).tolist()
    return sum(c * math.comb(s, t) for s, c in enumerate(count) if c for t in wanted)


def superset_sums(family: Family, weight: Floats, wanted: Sequence[int], n: int) -> Family:
    """`out(T) = sum over S in the family, S ⊇ T, of weight[#S, #T] * value(S)`.

    For every T of a wanted size that lies in some S of the family with a non-zero weight.

    Args:
        family: sets and `(k, q)` values.
        weight: `(smax + 1, tmax + 1)`; zero weights cost nothing.
        wanted: sizes #T, increasing.
        n: number of units.

    Returns:
        A family in canonical order. O(number of (S, T) pairs) time and memory.
    """
    groups = [
        (s, family.values[rows], np.ascontiguousarray(table.T))
        for s, rows, table in tables(family.indptr, family.indices)
    ]
    blocks: list[Ints] = []
    sums: list[Floats] = []
    for t in wanted:
        above = [
            (values * weight[s, t], columns, _picks(s, t))
            for s, values, columns in groups
            if s >= t and weight[s, t] != 0
        ]
        block, total = _gather(above, t, n, family.values.shape[1])
        blocks.append(block)
        sums.append(total)
    return Family(*stack(blocks), np.concatenate(sums))


def _gather(
    above: Sequence[tuple[Floats, Ints, Ints]], t: int, n: int, q: int
) -> tuple[Ints, Floats]:
    """The t-subsets of sets `columns` `(s, k)`, at places `picks` `(c, t)`, and summed values."""
    if not above:
        return np.zeros((0, t), dtype=np.int64), np.zeros((0, q))
    if t == 0:
        total = sum(values.sum(axis=0) for values, _, _ in above)
        return np.zeros((1, 0), dtype=np.int64), np.reshape(total, (1, q))
    parts = np.concatenate(
        [
            np.broadcast_to(values, (len(picks), *values.shape)).reshape(-1, q)
            for values, _, picks in above
        ]
    )
    subsets = [
        np.concatenate([columns[picks[:, d]].reshape(-1) for _, columns, picks in above])
        for d in range(t)
    ]
    if not _fits(t, n):
        return merge_table(np.stack(subsets, axis=1), parts, n)
    codes, sums = _merge_codes(_codes(subsets, n), parts, n**t)
    return _decode(codes, t, n), sums


@lru_cache(maxsize=256)
def _picks(s: int, t: int) -> Ints:
    """Places of the t-subsets of s places, `(C(s, t), t)`."""
    return np.array(list(combinations(range(s), t)), dtype=np.intp)
