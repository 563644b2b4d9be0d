"""Kernels against their definitions: transform, families of sets, evaluation, least squares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brute
from whence import masks
from whence._kernels import terms as csr
from whence._kernels.evaluate import TABLE_OUTPUTS, evaluate
from whence._kernels.least_squares import parities, ridge_path, solve, solve_constrained
from whence._kernels.walsh import walsh


@pytest.mark.parametrize("n", range(7))
def test_walsh_is_the_defining_sum(n):
    """Every output of the transform is its sum over all masks, and twice it is 2^n times."""
    rng = np.random.default_rng(n)
    values = rng.normal(size=(2**n, 2))
    bits = masks.every(n).astype(int)
    signs = (-1.0) ** (bits @ bits.T)
    np.testing.assert_allclose(walsh(values), signs @ values, atol=1e-10)
    np.testing.assert_allclose(walsh(walsh(values)), 2**n * values, atol=1e-10)


def test_walsh_leaves_its_argument_alone():
    """The transform works on a copy."""
    values = np.arange(8.0)
    walsh(values)
    np.testing.assert_array_equal(values, np.arange(8.0))


@given(st.integers(0, 10**6), st.sampled_from([1, TABLE_OUTPUTS, TABLE_OUTPUTS + 1]), st.booleans())
def test_evaluation_is_the_defining_sum(seed, q, parity):
    """Sums over sets are right for any number of masks, sets and outputs, in both ways of work."""
    rng = np.random.default_rng(seed)
    n, k, b = int(rng.integers(1, 30)), int(rng.integers(0, 40)), int(rng.integers(0, 150))
    sets = [tuple(rng.choice(n, rng.integers(0, n + 1), replace=False)) for _ in range(k)]
    rows, values = rng.random((b, n)) < 0.5, rng.normal(size=(k, q))
    expected = np.zeros((b, q))
    for s, value in zip(sets, values, strict=True):
        count = rows[:, list(s)].sum(axis=1)
        e = (-1.0) ** count if parity else (count == len(s)) * 1.0
        expected += e[:, None] * value
    got = evaluate(rows, *csr.from_sets(sets), values, parity)
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_evaluation_in_chunks_equals_evaluation_at_once():
    """Masks beyond one chunk have the values they have alone."""
    rng = np.random.default_rng(0)
    sets = csr.from_sets([tuple(rng.choice(20, 3, replace=False)) for _ in range(20_000)])
    rows, values = rng.random((9000, 20)) < 0.5, rng.normal(size=(20_000, 1))
    got = evaluate(rows, *sets, values, True)
    some = rng.permutation(9000)[:20]
    np.testing.assert_allclose(got[some], evaluate(rows[some], *sets, values, True), atol=1e-9)


@given(st.integers(1, 80), st.integers(0, 10**6))
def test_merge_sorts_and_adds_up(n, seed):
    """Merged families are in order by size and then units, with equal sets added."""
    rng = np.random.default_rng(seed)
    sets = [tuple(rng.choice(n, rng.integers(0, min(n, 14) + 1), replace=False)) for _ in range(15)]
    sets += sets[:5]
    values = rng.normal(size=(len(sets), 2))
    merged = csr.merge(*csr.from_sets(sets), values, n)
    expected = {}
    for s, v in zip(sets, values, strict=True):
        key = tuple(sorted(int(i) for i in s))
        expected[key] = expected.get(key, 0) + v
    order = sorted(expected, key=lambda s: (len(s), s))
    assert csr.to_sets(merged.indptr, merged.indices) == order
    np.testing.assert_allclose(merged.values, [expected[s] for s in order], atol=1e-12)


@pytest.mark.parametrize(("n", "degree"), [(1, 1), (4, 2), (5, 9), (3, 0)])
def test_all_sets_are_all_of_them(n, degree):
    """Every set up to a degree, once, in canonical order."""
    want = [s for s in brute.subsets(range(n)) if len(s) <= degree]
    assert csr.to_sets(*csr.all_sets(n, degree)) == want


def test_parities_are_the_fourier_basis():
    """A parity is -1 to the number of present units, 1 for the empty set."""
    rows = masks.every(3)
    got = parities(rows, *csr.from_sets([(), (0,), (0, 2)]))
    np.testing.assert_array_equal(got[:, 0], 1)
    np.testing.assert_array_equal(got[:, 1], (-1.0) ** rows[:, 0])
    np.testing.assert_array_equal(got[:, 2], (-1.0) ** rows[:, [0, 2]].sum(axis=1))


@given(st.integers(0, 10**6), st.booleans())
def test_least_squares_has_zero_gradient(seed, ridged):
    """The solution is where the gradient of the weighted, penalised squares vanishes."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(30, 2))
    w, ridge = rng.uniform(0, 2, 30), rng.uniform(0, 3, 5) * ridged
    b = solve(x, y, w, ridge if ridged else None)
    gradient = x.T @ (w[:, None] * (x @ b - y)) + ridge[:, None] * b
    np.testing.assert_allclose(gradient, 0, atol=1e-8)


def test_dependent_columns_get_the_smallest_solution():
    """Of the solutions with dependent columns, the one of least norm is returned."""
    x = np.array([[1.0, 1.0], [2.0, 2.0]])
    np.testing.assert_allclose(solve(x, x[:, :1], np.ones(2)), [[0.5], [0.5]], atol=1e-9)


@given(st.integers(0, 10**6))
def test_ridge_path_solves_the_normal_equations(seed):
    """A ridge path, with more columns than rows or fewer, solves the normal equations."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.ones((8, 1)), rng.normal(size=(8, 20))], axis=1)
    y, w = rng.normal(size=(8, 2)), rng.uniform(0.1, 2, 8)
    scale = rng.uniform(0.5, 2, 20)
    for k in (20, 5):
        path = ridge_path(x[:, 1 : k + 1], y, w, scale[:k], [1.5, 0.3])
        for fit, strength in zip(path, [1.5, 0.3], strict=True):
            ridge = np.concatenate([[0.0], strength / scale[:k]])
            np.testing.assert_allclose(fit, solve(x[:, : k + 1], y, w, ridge), atol=1e-7)


@given(st.integers(0, 10**6))
def test_constraints_hold_and_nothing_better_exists(seed):
    """Constraints hold exactly, and no step along them lowers the squares."""
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(20, 6)), rng.normal(size=(20, 2)), rng.uniform(0.1, 2, 20)
    a, b = rng.normal(size=(2, 6)), rng.normal(size=(2, 2))
    beta = solve_constrained(x, y, w, a, b)
    np.testing.assert_allclose(a @ beta, b, atol=1e-9)
    gradient = x.T @ (w[:, None] * (x @ beta - y))
    along = np.linalg.svd(a)[2][2:]
    np.testing.assert_allclose(along @ gradient, 0, atol=1e-8)


def test_as_many_constraints_as_columns_leave_no_freedom():
    """With k independent constraints the solution is theirs, whatever the rows."""
    rng = np.random.default_rng(0)
    beta = solve_constrained(
        rng.normal(size=(4, 2)),
        rng.normal(size=(4, 1)),
        np.ones(4),
        np.eye(2),
        np.array([[1.0], [2.0]]),
    )
    np.testing.assert_allclose(beta, [[1.0], [2.0]], atol=1e-12)
