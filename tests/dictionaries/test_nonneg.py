"""Facts about non-negative least squares: exact for every row, and by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from whence.dictionaries import _nonneg
from whence.dictionaries._nonneg import ridged, solved


def problem(seed, n, k, d, alike=0.0):
    """Vectors, the more alike the larger `alike`, tokens, and their normal equations."""
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(k, d)) + alike
    X = rng.normal(size=(n, d))
    return V, X, ridged(V @ V.T), X @ V.T


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.integers(1, 12),
    st.integers(0, 20),
    st.sampled_from([0.0, 1.0, 3.0]),
)
def test_rows_meet_the_conditions_of_an_optimum(seed, n, k, more, alike):
    """Weights are >= 0, slopes are >= 0, and one of the two is 0: there is no better answer."""
    _, _, gram, products = problem(seed, n, k, k + more, alike)
    u = solved(gram, products)
    slope = u @ gram - products
    scale = np.abs(products).max(axis=1, keepdims=True)
    assert (u >= 0).all()
    assert (slope >= -1e-8 * scale).all()
    assert (np.abs(slope * (u > 0)) <= 1e-8 * scale).all()


def test_what_pivoting_does_not_settle_is_solved_one_by_one(monkeypatch):
    """Without pivoting, the answers are the same."""
    V, X, gram, products = problem(0, 40, 6, 9)
    whole = solved(gram, products)
    monkeypatch.setattr(_nonneg, "_EXCHANGES", 0)
    np.testing.assert_allclose(solved(gram, products), whole, atol=1e-8)
    np.testing.assert_allclose(whole, [nnls(V.T, x)[0] for x in X], atol=1e-7)


def test_stacks_do_not_matter(monkeypatch):
    """Rows are the same to the last bit however many are solved at once."""
    _, _, gram, products = problem(1, 50, 8, 8)
    whole = solved(gram, products)
    monkeypatch.setattr(_nonneg, "_STACK", 64 * 3)
    assert np.array_equal(solved(gram, products), whole)


@pytest.mark.parametrize("k", [1, 5])
def test_no_rows_have_no_answers(k):
    """No rows give an array of shape (0, k)."""
    assert solved(np.eye(k), np.zeros((0, k))).shape == (0, k)
