"""Facts about NMF and SemiNMF: what they find, that codes are exact, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, nnls
from sklearn import decomposition
from sklearn.base import clone

from whence.dictionaries import NMF, Quantizer, SemiNMF
from whence.errors import InputError

BOTH = pytest.mark.parametrize("kind", [NMF, SemiNMF])


def planted(nonneg=True, n=2000, k=6, d=40, noise=0.02, seed=0):
    """Tokens that are a product of sparse weights and k parts, and the parts."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(k, d))
    parts = np.maximum(parts - 0.3, 0) if nonneg else parts
    weights = np.maximum(rng.normal(size=(n, k)), 0)
    return np.maximum(
        weights @ parts + noise * rng.normal(size=(n, d)), 0 if nonneg else -99
    ), parts


def error(q, X):
    """The squared error of the tokens from their parts."""
    return ((X - q.closeness(X) @ q.components_) ** 2).sum()


def matched(found, parts):
    """Mean cosine of found and planted parts, one to one."""
    unit = parts / np.linalg.norm(parts, axis=1, keepdims=True)
    cosines = found @ unit.T
    return cosines[linear_sum_assignment(-cosines)].mean()


@BOTH
def test_they_are_quantizers(kind):
    """Both keep the protocol of a Quantizer."""
    assert isinstance(kind(), Quantizer)


@BOTH
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_parts_are_found(kind, seed):
    """The parts of a planted product are found."""
    X, parts = planted(kind is NMF)
    assert matched(kind(6, seed=seed).fit(X).components_, parts) > 0.98


@BOTH
def test_batches_find_planted_parts(kind):
    """Batch by batch the parts of a planted product are found too."""
    X, parts = planted(kind is NMF, n=4000)
    q = kind(6)
    for part in np.split(X, 8):
        q.partial_fit(part)
    assert matched(q.components_, parts) > 0.97


def test_nmf_error_is_that_of_scikit_learn():
    """The squared error of NMF is within 1 % of scikit-learn's, on tokens with more parts."""
    X, _ = planted(k=12, noise=0.1)
    peer = decomposition.NMF(6, max_iter=1000, random_state=0)
    best = ((X - peer.fit_transform(X) @ peer.components_) ** 2).sum()
    assert error(NMF(6).fit(X), X) < 1.01 * best


def test_seminmf_error_lies_between_svd_and_kmeans():
    """Semi-NMF explains more than k-means with as many parts and no more than the SVD."""
    from whence.dictionaries import KMeans

    X, _ = planted(nonneg=False, k=12)
    svd = (np.linalg.svd(X, compute_uv=False)[6:] ** 2).sum()
    kmeans = -KMeans(6).fit(X).closeness(X).max(axis=1).sum()
    assert svd <= error(SemiNMF(6).fit(X), X) < kmeans


@BOTH
def test_weights_are_exact(kind):
    """Every token's weights are those of Lawson and Hanson's algorithm."""
    X, _ = planted(kind is NMF, noise=0.5)
    q = kind(6).fit(X)
    expected = [nnls(q.components_.T, x)[0] for x in X[:200]]
    np.testing.assert_allclose(q.closeness(X[:200]), expected, atol=1e-7)


@BOTH
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=4), k=st.sampled_from([1, 4, 9]))
def test_codes_do_not_depend_on_the_batch(kind, cuts, k):
    """A token has the same codes, to the last bit, in every batch that it comes in."""
    X, _ = planted(kind is NMF, n=300, d=7, noise=0.5)
    q = kind(k, passes=3).fit(X)
    parts = np.split(X, sorted(cuts))
    assert np.array_equal(q.transform(X), np.concatenate([q.transform(p) for p in parts]))


@BOTH
def test_size_does_not_hide_directions(kind):
    """Where tokens of one direction differ much in size, the parts still explain the others."""
    X = np.repeat(np.array([[1e3, 0, 0], [2e3, 0, 0], [3e3, 0, 0], [0, 1, 0], [0, 0, 1]]), 9, 0)
    assert error(kind(3).fit(X), X) < 1e-6


@BOTH
def test_codes_are_shares(kind):
    """Codes are the weights, scaled to sum to 1."""
    X, _ = planted(kind is NMF)
    q = kind(6).fit(X)
    weights, codes = q.closeness(X), q.transform(X)
    some = weights.sum(axis=1) > 0
    assert (codes >= 0).all()
    np.testing.assert_allclose(codes[some].sum(axis=1), 1.0)
    np.testing.assert_allclose(codes * weights.sum(axis=1, keepdims=True), weights, atol=1e-12)


@BOTH
def test_a_token_of_zeros_has_no_code(kind):
    """A token that no part helps to explain has codes of zeros."""
    X, _ = planted(kind is NMF)
    q = kind(6).fit(X)
    assert np.array_equal(q.transform(np.zeros((1, 40))), np.zeros((1, 6)))


@BOTH
def test_components_have_length_one(kind):
    """Rows of V have length 1."""
    q = kind(6).fit(planted(kind is NMF)[0])
    np.testing.assert_allclose(np.linalg.norm(q.components_, axis=1), 1.0)


def test_nmf_components_are_nonnegative():
    """V of NMF holds no negative number, also after batches."""
    X, _ = planted()
    q = NMF(6).fit(X).partial_fit(X[:100])
    assert (q.components_ >= 0).all()


def test_more_parts_than_dimensions():
    """With more parts than dimensions, codes are still finite and the fit is good."""
    X, _ = planted(nonneg=False, d=3, k=3)
    q = SemiNMF(8).fit(X)
    assert np.isfinite(q.transform(X)).all()
    assert error(q, X) < 0.05 * (X**2).sum()


@BOTH
def test_fit_depends_on_the_tokens_and_not_on_how_they_come(kind):
    """An array and a generator of batches give the same components; so does the same seed."""
    X, _ = planted(kind is NMF)
    q = kind(6, sample=700, seed=2).fit(X)
    again = clone(q).fit(p for p in np.split(X, [1, 900]))
    assert np.array_equal(q.components_, again.components_)


@BOTH
def test_float32_gives_nearly_the_same(kind):
    """Tokens in float32 are explained as well as in float64."""
    X, _ = planted(kind is NMF, noise=0.2)
    q = kind(6).fit(X.astype(np.float32))
    assert error(q, X) == pytest.approx(error(kind(6).fit(X), X), rel=0.01)


def test_negative_numbers_are_refused_by_nmf():
    """NMF refuses negative numbers, with their row, and names SemiNMF."""
    X, _ = planted()
    X[7, 3] = -0.5
    for fit in (NMF(6).fit, NMF(6).partial_fit):
        with pytest.raises(InputError, match=r"Row 7 holds -0\.5 in column 3.*SemiNMF"):
            fit(X)


@BOTH
def test_nan_is_refused(kind):
    """Nan is refused with its row, at fit and after."""
    X, _ = planted(kind is NMF)
    q = kind(6).fit(X)
    X[5, 0] = np.nan
    for call in (kind(6).fit, q.partial_fit, q.transform):
        with pytest.raises(InputError, match="Row 5 holds nan"):
            call(X)


@BOTH
def test_k_above_the_distinct_tokens_is_refused(kind):
    """More concepts than distinct tokens are refused."""
    with pytest.raises(InputError, match="k=5 came and there are 3 distinct tokens"):
        kind(5).fit(np.tile(np.eye(3), (9, 1)))


@BOTH
def test_not_fitted_is_said(kind):
    """Before `fit`, codes are refused."""
    with pytest.raises(InputError, match="not fitted"):
        kind().transform(np.zeros((2, 2)))


@BOTH
@pytest.mark.parametrize("settings", [{"k": 0}, {"passes": 0}, {"seed": -1}, {"sample": 3}])
def test_settings_out_of_range_are_refused(kind, settings):
    """A setting out of its range is refused by its name."""
    with pytest.raises(InputError, match=next(iter(settings))):
        kind(**settings).fit(np.eye(30))
