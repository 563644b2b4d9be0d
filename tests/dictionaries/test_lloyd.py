"""Facts about Lloyd's iterations: sums are exact, and no centroid stays empty."""

import numpy as np

from whence.dictionaries import KMeans
from whence.dictionaries._lloyd import _iterated, assigned, sums


def test_empty_centroids_move_to_the_farthest_tokens():
    """Centroids that no token is nearest to move to distinct tokens far from theirs."""
    X = np.repeat(np.array([[0.0], [1.0], [50.0], [80.0]]), 5, axis=0)
    centers, inertia = _iterated(X, np.zeros((4, 1)), 50, np.zeros(1))
    assert sorted(centers[:, 0]) == [0.0, 1.0, 50.0, 80.0]
    assert inertia == 0.0


def test_sums_are_by_centroid():
    """Sums and numbers are those of each centroid's tokens."""
    X = np.random.default_rng(0).normal(size=(40_000, 3)).astype(np.float32)
    centers = X[:5].astype(np.float64)
    ids, _ = assigned(X, centers, np.zeros(3))
    total, count = sums(X, ids, 5)
    np.testing.assert_allclose(total, [X[ids == c].sum(axis=0) for c in range(5)], rtol=1e-3)
    assert count.tolist() == [(ids == c).sum() for c in range(5)]


def test_no_single_move_is_left():
    """At the end every token is nearest to its own centroid, and that is its tokens' mean."""
    X = np.random.default_rng(1).normal(size=(500, 2))
    q = KMeans(9).fit(X)
    ids = q.predict(X)
    means = np.array([X[ids == c].mean(axis=0) for c in range(9)])
    np.testing.assert_allclose(q.centers_, means, atol=1e-3)
