"""Holds families of sets in CSR form: building, ordering, merging, and sums over supersets.

A family is `indptr` (k + 1,) and `indices` (nnz,): set j is `indices[indptr[j]:indptr[j + 1]]`,
increasing. Families are kept in canonical order: by size, then lexicographic. This file does not
know what a coefficient means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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
    for s in np.unique(size).tolist():
        rows = np.flatnonzero(size == s)
        yield s, rows, indices[indptr[rows][:, None] + np.arange(s)]


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


def order_rows(table: Ints, n: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Lexicographic order of the rows of `table` `(k, s)`, and where a new row begins in it."""
    k, s = table.shape
    if k == 0 or s == 0:
        return np.arange(k), np.arange(k) == 0
    if s * np.log2(max(n, 2)) < 62:
        code = np.zeros(k, dtype=np.int64)
        for column in table.T:
            code = code * n + column
        order = np.argsort(code, kind="stable")
        ranked = code[order]
        return order, np.concatenate([[True], ranked[1:] != ranked[:-1]])
    order = np.lexsort(table.T[::-1])
    ranked = table[order]
    return order, np.concatenate([[True], (ranked[1:] != ranked[:-1]).any(axis=1)])


def merge_table(table: Ints, values: Floats, n: int) -> tuple[Ints, Floats]:
    """Different rows of `table` `(k, s)` in order, and the sums of their `values` `(k, q)`."""
    if len(table) == 0:
        return table, values
    order, new = order_rows(table, n)
    starts = np.flatnonzero(new)
    return table[order[starts]], np.add.reduceat(values[order], starts, axis=0)


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
    size, count = np.unique(sizes(indptr), return_counts=True)
    return sum(
        int(c) * _choose(int(s), t) for s, c in zip(size, count, strict=True) for t in wanted
    )


def _choose(s: int, t: int) -> int:
    value = 1
    for i in range(t):
        value = value * (s - i) // (i + 1)
    return value if s >= t else 0


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
    groups = list(tables(family.indptr, family.indices))
    blocks: list[Ints] = []
    sums: list[Floats] = []
    q = family.values.shape[1]
    for t in wanted:
        subsets = [np.zeros((0, t), dtype=np.int64)]
        parts = [np.zeros((0, q))]
        for s, rows, table in groups:
            if s < t or weight[s, t] == 0:
                continue
            pick = np.array(list(combinations(range(s), t)), dtype=np.intp)
            subsets.append(table[:, pick].reshape(len(table) * len(pick), t))
            parts.append(np.repeat(family.values[rows] * weight[s, t], len(pick), axis=0))
        block, total = merge_table(np.concatenate(subsets), np.concatenate(parts), n)
        blocks.append(block)
        sums.append(total)
    return Family(*stack(blocks), np.concatenate(sums))
