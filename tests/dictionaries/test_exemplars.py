"""Facts about exemplars: the tokens nearest to each concept, however they come."""

import numpy as np
import pytest

from whence.dictionaries import NMF, Categories, KMeans, exemplars
from whence.errors import InputError

X = np.random.default_rng(0).gamma(1.0, size=(200, 4))


def test_exemplars_are_the_nearest_tokens():
    """A concept's exemplars are its own tokens nearest to its centroid, nearest first."""
    q = KMeans(5).fit(X)
    d = ((X[:, None] - q.centers_) ** 2).sum(axis=2)
    for c, rows in enumerate(exemplars(q, X, 7)):
        own = np.flatnonzero(d.argmin(axis=1) == c)
        assert rows.tolist() == own[np.argsort(d[own, c])][:7].tolist()


@pytest.mark.parametrize("q", [KMeans(5, softness=1.0), NMF(3)], ids=["kmeans", "nmf"])
def test_batches_do_not_matter(q):
    """Exemplars are the same when tokens come in batches."""
    q.fit(X)
    whole = exemplars(q, X, 4)
    parts = exemplars(q, iter(np.split(X, [1, 90])), 4)
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_categories_show_their_first_tokens():
    """The exemplars of a name are the first tokens that have it; unseen names are nobody's."""
    q = Categories(("a", "b", "z")).fit()
    rows = exemplars(q, ["b", "a", "?", "b", "b"], 2)
    assert [r.tolist() for r in rows] == [[1], [0, 3], []]


def test_zeros_show_nothing():
    """A token without codes is no exemplar."""
    q = NMF(3).fit(X)
    assert [len(r) for r in exemplars(q, np.zeros((4, 4)))] == [0, 0, 0]


def test_no_exemplars_are_refused():
    """At least one exemplar is asked for."""
    with pytest.raises(InputError, match="top"):
        exemplars(KMeans(2).fit(X), X, 0)
