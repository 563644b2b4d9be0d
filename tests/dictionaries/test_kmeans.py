"""Facts about KMeans: what it finds, that a token's codes are its own, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import KMeans as Peer
from sklearn.metrics import adjusted_rand_score

from whence.dictionaries import KMeans, Quantizer
from whence.errors import InputError

CLINC = Path(__file__).parents[3] / "shared" / "data" / "clinc150" / "data_full.json"


def planted(n=3000, k=8, d=16, seed=0, apart=6.0):
    """Tokens around k centres, and the centre of each."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    centres = rng.normal(size=(k, d)) * apart
    return centres[truth] + rng.normal(size=(n, d)), truth


def inertia(quantizer, X):
    """The squared distance of the tokens to their centroids."""
    return -quantizer.closeness(X).max(axis=1).sum()


def test_kmeans_is_a_quantizer():
    """KMeans keeps the protocol of a Quantizer."""
    assert isinstance(KMeans(), Quantizer)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_separated_clusters_are_found(seed):
    """Clusters that lie apart are found exactly, whatever the seed."""
    X, truth = planted()
    assert adjusted_rand_score(truth, KMeans(8, seed=seed).fit(X).predict(X)) == 1.0


def test_inertia_is_that_of_many_restarts():
    """On overlapping clusters the squared error is within 1 % of scikit-learn's ten restarts."""
    X, _ = planted(n=4000, k=30, apart=0.7)
    best = Peer(20, n_init=10, random_state=0).fit(X).inertia_
    assert max(inertia(KMeans(20, seed=s).fit(X), X) for s in range(3)) < 1.01 * best


@pytest.mark.slow
@pytest.mark.skipif(not CLINC.exists(), reason="needs ../shared/data/clinc150")
def test_inertia_on_sentences_is_that_of_many_restarts():
    """On embedded sentences, from a sample, it is within 2 % of scikit-learn's ten restarts."""
    import json

    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    data = json.loads(CLINC.read_text(encoding="utf-8"))
    texts = [text for text, _ in data["train"]]
    words = TfidfVectorizer(sublinear_tf=True, min_df=3).fit_transform(texts)
    X = TruncatedSVD(50, random_state=0).fit_transform(words)
    best = Peer(20, n_init=10, random_state=0).fit(X).inertia_
    assert inertia(KMeans(20, sample=12_000).fit(X), X) < 1.02 * best


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 700), max_size=5),
    softness=st.sampled_from([0.0, 0.3, 1.0]),
    single=st.booleans(),
    d=st.sampled_from([1, 3, 37]),
)
def test_codes_do_not_depend_on_the_batch(cuts, softness, single, d):
    """A token has the same codes, to the last bit, in every batch that it comes in."""
    X = np.random.default_rng(0).normal(size=(700, d)).astype(np.float32 if single else float)
    q = KMeans(5, softness=softness, restarts=1).fit(X)
    parts = np.split(X, sorted(cuts))
    assert np.array_equal(q.transform(X), np.concatenate([q.transform(p) for p in parts]))
    assert np.array_equal(q.predict(X), q.predict(parts))


def test_codes_do_not_depend_on_the_order():
    """A token has the same codes, to the last bit, in every order."""
    X, _ = planted(700, d=33, apart=0.5)
    order = np.random.default_rng(1).permutation(700)
    q = KMeans(6, softness=1.0).fit(X)
    assert np.array_equal(q.transform(X)[order], q.transform(X[order]))


@pytest.mark.parametrize("sample", [100, 1000, 5000])
def test_fit_depends_on_the_tokens_and_not_on_how_they_come(sample, tmp_path):
    """An array, a memory map, a list of batches and a generator give the same centroids."""
    X = planted(2000)[0].astype(np.float32)
    np.save(tmp_path / "tokens.npy", X)
    mapped = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    parts = np.split(X, [1, 700, 1999])
    whole = KMeans(8, sample=sample).fit(X).centers_
    for other in (mapped, parts, (p for p in parts)):
        assert np.array_equal(KMeans(8, sample=sample).fit(other).centers_, whole)


def test_a_memory_map_is_left_as_it_was(tmp_path):
    """What was written to a memory map, and not to its file, is still there after it was read."""
    np.save(tmp_path / "tokens.npy", planted(500)[0])
    for mode in ("c", "r+"):
        mapped = np.load(tmp_path / "tokens.npy", mmap_mode=mode)
        mapped[3] = 7.0
        KMeans(8).fit(mapped).transform(mapped)
        assert (mapped[3] == 7.0).all()


def test_same_seed_same_codes():
    """The same seed gives the same centroids; global random state plays no part."""
    X, _ = planted(apart=0.3)
    first = KMeans(8, seed=3).fit(X)
    np.random.rand()  # noqa: NPY002
    assert np.array_equal(first.centers_, clone(first).fit(X).centers_)


def test_hard_codes_are_one_hot_of_the_nearest():
    """Hard codes are one at the nearest centroid and zero elsewhere."""
    X, _ = planted(500, apart=0.5)
    q = KMeans(8).fit(X)
    nearest = ((X[:, None] - q.centers_) ** 2).sum(axis=2).argmin(axis=1)
    assert np.array_equal(q.transform(X), np.eye(8)[nearest])


@pytest.mark.parametrize("softness", [0.1, 1.0, 10.0])
def test_soft_codes_are_the_formula(softness):
    """Soft codes are exp(-(d² - min d²) / (T g)), scaled to sum to 1, with g from the fit."""
    X, _ = planted(500, apart=0.5)
    q = KMeans(8, softness=softness).fit(X)
    d = ((X[:, None] - q.centers_) ** 2).sum(axis=2)
    two = np.sort(d, axis=1)
    g = np.median(two[:, 1] - two[:, 0])
    expected = np.exp(-(d - d.min(axis=1, keepdims=True)) / (softness * g))
    expected /= expected.sum(axis=1, keepdims=True)
    assert q.gap_ == pytest.approx(g)
    np.testing.assert_allclose(q.transform(X), expected, rtol=1e-7, atol=1e-12)


def test_tiny_softness_is_hard():
    """As softness goes to 0, soft codes become the hard ones, without a warning."""
    X, _ = planted(300)
    hard = KMeans(8).fit(X).transform(X)
    assert np.array_equal(KMeans(8, softness=1e-300).fit(X).transform(X), hard)


def test_far_offsets_do_not_blur_the_codes():
    """Tokens far from the origin get the codes that they get beside it."""
    X, truth = planted(1000)
    q = KMeans(8).fit(X + 1e6)
    assert adjusted_rand_score(truth, q.predict(X + 1e6)) == 1.0


def test_closeness_is_minus_the_squared_distance():
    """Closeness is minus the squared distance to each centroid."""
    X, _ = planted(50)
    q = KMeans(4).fit(X)
    d = ((X[:, None] - q.centers_) ** 2).sum(axis=2)
    np.testing.assert_allclose(q.closeness(X), -d, rtol=1e-9, atol=1e-9)


def test_one_concept_is_the_mean():
    """With k = 1 the centroid is the mean, and every code is 1."""
    X, _ = planted(200)
    q = KMeans(1, softness=1.0).fit(X)
    np.testing.assert_allclose(q.centers_[0], X.mean(axis=0))
    assert np.array_equal(q.transform(X), np.ones((200, 1)))


def test_as_many_concepts_as_distinct_tokens():
    """With as many concepts as distinct tokens, each is a concept of its own."""
    X = np.repeat(np.arange(7.0)[:, None] ** 2, 9, axis=0)
    assert len(set(KMeans(7).fit(X).predict(X))) == 7


def test_tied_tokens_have_a_gap_above_zero():
    """Where most tokens lie midway between two centroids, soft codes are still finite."""
    X = np.array([[-1.0], [1.0], [0.0]] * 20)
    q = KMeans(2, softness=1.0).fit(X)
    assert q.gap_ > 0
    assert np.isfinite(q.transform(X)).all()


def test_batches_find_separated_clusters():
    """Batch by batch, from a first batch that seeds, separated clusters are found."""
    X, truth = planted(6000)
    q = KMeans(8)
    for part in np.split(X, 12):
        q.partial_fit(part)
    assert adjusted_rand_score(truth, q.predict(X)) == 1.0
    assert q.counts_.sum() == 6000


def test_batches_make_running_means():
    """After batches whose tokens keep their clusters, every centroid is its tokens' mean."""
    X, _ = planted(2000)
    q = KMeans(8)
    for part in np.split(X, 5):
        q.partial_fit(part)
    ids = q.predict(X)
    means = [X[ids == c].mean(axis=0) for c in range(8)]
    np.testing.assert_allclose(q.centers_, means, rtol=1e-9)


def test_dead_centroids_are_moved():
    """A centroid that no token comes to is moved to where tokens are badly explained."""
    near, _ = planted(100, k=2, d=3, seed=1)
    q = KMeans(3).fit(np.concatenate([near, np.full((1, 3), 1e4)]))
    away = near + np.array([0.0, 500.0, 0.0])
    for _ in range(4):
        q.partial_fit(np.repeat(np.concatenate([near, away]), 20, axis=0))
    assert np.abs(q.centers_).max() < 1e3
    assert len(set(q.predict(away)) - set(q.predict(near))) > 0


def test_partial_fit_goes_on_from_fit():
    """After `fit`, a batch is joined to what was fitted, with the weight of all tokens seen."""
    X, _ = planted(1000)
    q = KMeans(1, sample=100).fit(X)
    start = q.centers_.copy()
    q.partial_fit(X + 11.0)
    np.testing.assert_allclose(q.centers_, (start + X.mean(axis=0) + 11.0) / 2, rtol=1e-6)


def test_progress_counts_tokens():
    """Progress tells the tokens read, and their number where it is known."""
    X = np.random.default_rng(0).normal(size=(300, 5000))
    told = []
    KMeans(3, sample=9).fit(X, progress=lambda done, total: told.append((done, total)))
    KMeans(3, sample=9).fit(np.split(X, 2), progress=lambda *now: told.append(now))
    assert told == [(209, 300), (300, 300), (150, None), (300, None)]


def test_lists_of_rows_are_tokens():
    """Rows as lists, tuples or one-dimensional arrays are tokens."""
    X, _ = planted(60, d=2)
    whole = KMeans(3).fit(X).centers_
    for rows in (X.tolist(), [tuple(x) for x in X], list(X)):
        assert np.array_equal(KMeans(3).fit(rows).centers_, whole)


def test_k_above_the_distinct_tokens_is_refused():
    """More concepts than distinct tokens are refused, with both numbers."""
    X = np.tile(np.arange(12.0), 10)[:, None]
    for fit in (KMeans(30).fit, KMeans(30).partial_fit):
        with pytest.raises(InputError, match=r"k=30 came and there are 12 distinct tokens"):
            fit(X)


def test_minus_zero_is_zero():
    """Tokens that differ in the sign of a zero are not distinct."""
    with pytest.raises(InputError, match="there are 2 distinct tokens"):
        KMeans(3).fit(np.array([[0.0], [-0.0], [1.0]]))


def test_rare_tokens_beyond_the_sample_are_told():
    """Where the sample is what has too few distinct tokens, the message says so."""
    X = np.zeros((1000, 1))
    X[:3, 0] = [1.0, 2.0, 3.0]
    with pytest.raises(InputError, match=r"among the 4 sampled of 1000; .* raise sample"):
        KMeans(4, sample=4).fit(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_numbers_that_are_none_are_refused_with_their_row(bad):
    """nan, inf and numbers whose square is none are refused, with row and column, anywhere."""
    X, _ = planted(100)
    q = KMeans(3).fit(X)
    broken = X.copy()
    broken[70, 5] = bad
    for call in (KMeans(3).fit, q.partial_fit, q.transform, q.predict):
        with pytest.raises(InputError, match=r"Row 70 holds .* in column 5"):
            call(np.split(broken, [33, 66]))


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.zeros((0, 3)), "No tokens"),
        ([], "No tokens"),
        (np.zeros(5), r"shape \(5,\)"),
        ([[1.0, 2.0], [3.0]], "different lengths|shape"),
        (np.array([["a"], ["b"]]), "Categories"),
        (np.zeros((2, 2), dtype=complex), "real numbers"),
        ([np.zeros((4, 2)), np.zeros((4, 3))], "dimension 3 came"),
        ("tokens", "str came"),
        (7, "int came"),
    ],
)
def test_what_is_no_table_is_refused(tokens, message):
    """What is no table of real numbers is refused by name."""
    with pytest.raises(InputError, match=message):
        KMeans(2).fit(tokens)


def test_sparse_matrices_are_refused():
    """A sparse matrix is refused, with what to do."""
    from scipy.sparse import csr_array

    with pytest.raises(InputError, match="sparse"):
        KMeans(2).fit(csr_array(np.eye(4)))


def test_another_dimension_is_refused():
    """Tokens of another dimension than the fitted ones are refused."""
    q = KMeans(3).fit(planted(100)[0])
    for call in (q.transform, q.predict, q.partial_fit):
        with pytest.raises(InputError, match=r"dimension 4 came .* 16 is needed"):
            call(np.zeros((5, 4)))


def test_not_fitted_is_said():
    """Before `fit`, codes are refused."""
    with pytest.raises(InputError, match="not fitted"):
        KMeans().transform(np.zeros((2, 2)))


@pytest.mark.parametrize(
    "settings",
    [
        {"k": 0},
        {"k": 2.5},
        {"k": True},
        {"softness": -1.0},
        {"softness": float("nan")},
        {"restarts": 0},
        {"passes": 0},
        {"seed": -1},
        {"sample": 3},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    """A setting out of its range is refused by its name."""
    with pytest.raises(InputError, match=next(iter(settings))):
        KMeans(**settings).fit(np.eye(30))


def test_no_tokens_have_no_codes():
    """No tokens have codes of shape (0, k)."""
    q = KMeans(3).fit(planted(100)[0])
    assert q.transform(np.zeros((0, 16))).shape == (0, 3)
    assert q.predict([]).shape == (0,)


def test_names_count_from_zero():
    """The concepts are named by their number."""
    assert KMeans(2).names == ("concept 0", "concept 1")
