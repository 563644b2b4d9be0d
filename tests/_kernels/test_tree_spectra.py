"""Tree spectra: exact by enumeration, and equal to the trees where enumeration ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import masks
from whence._kernels import tree_spectra as kernel
from whence._kernels.evaluate import evaluate
from whence._kernels.tree_spectra import Forest, count, outputs, tree_spectra
from whence._kernels.walsh import walsh


def grown(n, trees, leaves, seed):
    """A random forest of trees that split any leaf on any unit, repeats on a path included."""
    rng = np.random.default_rng(seed)
    left, right, unit, roots = [], [], [], []
    for _ in range(trees):
        roots.append(len(unit))
        open_leaves = [len(unit)]
        left.append(0), right.append(0), unit.append(-1)
        for _ in range(leaves - 1):
            at = open_leaves.pop(int(rng.integers(len(open_leaves))))
            unit[at] = int(rng.integers(n))
            left[at], right[at] = len(unit), len(unit) + 1
            open_leaves += [left[at], right[at]]
            left += [0, 0]
            right += [0, 0]
            unit += [-1, -1]
    arrays = [np.array(a, dtype=np.int64) for a in (roots, left, right, unit)]
    return Forest(*arrays, rng.normal(size=len(unit)))


def summed(forest, n, group, groups, degree=None):
    """The whole family of a forest's spectra."""
    found = tree_spectra(forest, n, group, groups, degree)
    return found.family(np.arange(len(found.values)), found.values)


def by_enumeration(forest, n, group, groups):
    """Spectra `(2^n, groups)` by the Walsh transform of the trees' values at all masks."""
    table = outputs(forest, masks.every(n))
    sums = np.stack([table[group == g].sum(axis=0) for g in range(groups)], axis=1)
    return walsh(sums) / 2**n


@given(st.integers(1, 7), st.integers(0, 6), st.integers(1, 12), st.integers(0, 10**6))
def test_spectra_are_those_of_the_walsh_transform(n, trees, leaves, seed):
    """Every coefficient of every group is the transform of the trees' values at all masks."""
    forest = grown(n, trees, leaves, seed)
    group = np.random.default_rng(seed).integers(0, 3, trees)
    family = summed(forest, n, group, 3)
    dense = np.zeros((2**n, 3))
    for a, b, row in zip(family.indptr[:-1], family.indptr[1:], family.values, strict=True):
        dense[(1 << family.indices[a:b]).sum()] = row
    np.testing.assert_allclose(dense, by_enumeration(forest, n, group, 3), atol=1e-12)


@pytest.mark.parametrize("n", [40, 64, 65, 300])
def test_spectra_evaluate_to_the_trees(n):
    """The sum of all terms at a mask is the sum of the trees there, also beyond 64 units."""
    forest = grown(n, 30, 25, n)
    family = summed(forest, n, np.zeros(30, dtype=np.int64), 1)
    rows = masks.uniform(n, 200, np.random.default_rng(0))
    found = evaluate(rows, family.indptr, family.indices, family.values, True)
    np.testing.assert_allclose(found[:, 0], outputs(forest, rows).sum(axis=0), atol=1e-10)


def test_a_degree_cap_leaves_the_other_terms_exact():
    """With a cap of 2, the terms are those of the whole spectrum that have at most two units."""
    forest = grown(9, 12, 20, 3)
    group = np.zeros(12, dtype=np.int64)
    whole, capped = summed(forest, 9, group, 1), summed(forest, 9, group, 1, degree=2)
    small = np.diff(whole.indptr) <= 2
    np.testing.assert_allclose(capped.values, whole.values[small], atol=1e-13)
    np.testing.assert_array_equal(capped.indices, whole.indices[: capped.indptr[-1]])


def test_chunks_change_nothing(monkeypatch):
    """Working in chunks of a few contributions gives the same family."""
    forest, group = grown(70, 20, 15, 5), np.arange(20) % 4
    whole = summed(forest, 70, group, 4)
    monkeypatch.setattr(kernel, "CHUNK", 50)
    parts = summed(forest, 70, group, 4)
    np.testing.assert_array_equal(parts.indices, whole.indices)
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-12)


def test_a_deep_chain_is_read_to_a_degree():
    """A chain of 80 different units, whose spectrum has 2^80 terms, is exact up to degree 2."""
    depth = 80
    inner = np.arange(depth)
    left = np.concatenate([inner + depth, np.zeros(depth + 1, dtype=np.int64)])
    right = np.concatenate([inner[:-1] + 1, [2 * depth], np.zeros(depth + 1, dtype=np.int64)])
    unit = np.concatenate([inner, np.full(depth + 1, -1)])
    value = np.zeros(len(unit))
    value[2 * depth] = 2.0**depth
    forest = Forest(np.zeros(1, dtype=np.int64), left, right, unit, value)
    family = summed(forest, depth, np.zeros(1, dtype=np.int64), 1, degree=2)
    assert len(family.values) == 1 + depth + depth * (depth - 1) // 2
    np.testing.assert_allclose(family.values[:, 0], (-1.0) ** np.diff(family.indptr))


@pytest.mark.parametrize("degree", [None, 1, 3])
def test_the_count_bounds_the_number_of_sets(degree):
    """There are never more sets than contributions counted beforehand."""
    forest = grown(12, 10, 12, 1)
    family = summed(forest, 12, np.zeros(10, dtype=np.int64), 1, degree)
    assert len(family.values) <= count(forest, degree)
