"""Facts about prototypes and concept maps: against their definitions, and on planted maps."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.neighbors import NearestCentroid

from whence.errors import InputError
from whence.prospectors import Prospector, _blocks
from whence.prospectors.prototypes import ConceptMaps, NearestPrototype, Share, faithfulness

RNG = np.random.default_rng(0)
#: Two lumps per class, four in all.
LUMPS = np.array([[0.0, 0], [10, 10], [0, 10], [10, 0]])
WHICH = RNG.integers(0, 4, 200)
ROWS = LUMPS[WHICH] + RNG.normal(size=(200, 2))
LABELS = np.array(["round", "round", "square", "square"])[WHICH]


def planted(images, seed=0):
    """Maps of two blocks and labels: class 1 has a bright corner somewhere, class 0 has none."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 0.1, (images, 3, 4, 4)).astype(np.float32)
    fine = rng.normal(0, 1.0, (images, 2, 8, 8)).astype(np.float32)
    labels = np.arange(images) % 2
    places = rng.integers(0, 3, (images, 2))
    for image in np.flatnonzero(labels):
        r, c = places[image]
        coarse[image, :, r : r + 2, c : c + 2] += 1
        fine[image, :, 2 * r : 2 * r + 4, 2 * c : 2 * c + 4] += 10
    return {"fine": fine, "coarse": coarse}, labels, places


# --- prototypes -----------------------------------------------------------------------------------


def test_one_prototype_is_the_nearest_mean():
    """With one prototype per class it answers as scikit-learn's nearest centroid."""
    known = NearestCentroid().fit(ROWS, LABELS).predict(ROWS)
    assert (NearestPrototype().fit(ROWS, LABELS).predict(ROWS) == known).all()


def test_two_prototypes_find_two_lumps():
    """Classes that no single mean tells apart are told apart by two prototypes each."""
    assert NearestPrototype(1).fit(ROWS, LABELS).score(ROWS, LABELS) < 0.7
    model = NearestPrototype(2).fit(ROWS, LABELS)
    assert model.score(ROWS, LABELS) > 0.99
    assert model.owners_.tolist() == [0, 0, 1, 1]
    apart = np.linalg.norm(LUMPS[:, None] - model.prototypes_, axis=2)
    assert apart.min(axis=1).max() < 0.5


def test_an_exemplar_is_the_nearest_row_of_its_class():
    """No training row of the class is nearer to its prototype."""
    model = NearestPrototype(2, seed=1).fit(ROWS, LABELS)
    for prototype, owner, row in zip(
        model.prototypes_, model.owners_, model.exemplars_, strict=True
    ):
        apart = np.linalg.norm(ROWS - prototype, axis=1)
        own = model.classes_[owner] == LABELS
        assert own[row]
        assert apart[row] == apart[own].min()


def test_probabilities_are_the_softmax_of_distances():
    """By the formula, and they order the classes as the distances do."""
    model = NearestPrototype(2).fit(ROWS, LABELS)
    apart = np.array(
        [[np.min(((x - model.prototypes_[model.owners_ == c]) ** 2).sum(1)) for c in (0, 1)]
         for x in ROWS]
    )  # fmt: skip
    np.testing.assert_allclose(model.distances(ROWS), apart, atol=1e-9)
    shares = np.exp(-apart / model.scale_)
    expected = shares / shares.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(ROWS), expected, atol=1e-9)
    assert (model.classes_[expected.argmax(1)] == model.predict(ROWS)).all()


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 999), per_class=st.integers(1, 2))
def test_evidence_sums_to_the_difference_of_distances(n, seed, per_class):
    """Whatever the locations, their parts sum to how much nearer one class is than the other."""
    model = NearestPrototype(per_class).fit(ROWS, LABELS)
    locations = np.random.default_rng(seed).normal(5, 6, (n, 2))
    pooled = locations.mean(axis=0, keepdims=True)
    near, far = np.sort(model.distances(pooled)[0])
    np.testing.assert_allclose(model.evidence(locations).sum(), far - near, atol=1e-9)
    first = model.evidence(locations, "round", "square")
    round_, square = model.distances(pooled)[0]
    np.testing.assert_allclose(first.sum(), square - round_, atol=1e-9)
    np.testing.assert_allclose(model.evidence(locations, "square", "round"), -first, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), per_class=st.integers(1, 2))
def test_evidence_is_against_all_of_the_rest(seed, per_class):
    """Of four classes it sums to the others' mean distance less the class's own."""
    rng = np.random.default_rng(seed)
    model = NearestPrototype(per_class).fit(rng.normal(size=(60, 3)), np.arange(60) % 4)
    locations = rng.normal(size=(5, 3))
    apart = model.distances(locations.mean(axis=0, keepdims=True))[0]
    for label in range(4):
        rest = np.delete(apart, label).mean()
        np.testing.assert_allclose(model.evidence(locations, label).sum(), rest - apart[label])
    best = apart.argmin()
    np.testing.assert_array_equal(model.evidence(locations), model.evidence(locations, best))


@pytest.mark.parametrize(
    ("model", "rows", "labels", "told"),
    [
        (NearestPrototype(), ROWS, np.zeros(200), "only the class"),
        (NearestPrototype(), ROWS, LABELS[:9], "200 rows and labels of shape (9,)"),
        (NearestPrototype(), np.where(ROWS[3] == ROWS, np.nan, ROWS), LABELS, "row 3"),
        (NearestPrototype(), ROWS[0], LABELS, "rows (b, d) are needed"),
        (NearestPrototype(0), ROWS, LABELS, "at least 1"),
        (NearestPrototype(3), np.zeros((200, 2)), LABELS, "class round with 89 rows"),
    ],
)
def test_what_cannot_be_fitted_is_refused(model, rows, labels, told):
    """One class, labels of another length, nan, one row, no prototypes, and too few rows."""
    with pytest.raises(InputError, match=re.escape(told)):
        model.fit(rows, labels)


def test_what_was_not_learned_is_refused():
    """A class that is not there, one against itself, and other features, by name."""
    model = NearestPrototype().fit(ROWS, LABELS)
    with pytest.raises(InputError, match="learned are round, square"):
        model.evidence(ROWS, "oval")
    with pytest.raises(InputError, match="against itself"):
        model.evidence(ROWS, "round", "round")
    with pytest.raises(InputError, match="rows of 3 features came; learned from 2"):
        model.predict(np.zeros((4, 3)))


# --- blocks on one grid ---------------------------------------------------------------------------


def test_every_block_weighs_alike():
    """Over its scale each block's total variance is 1, whatever its units."""
    maps, _, _ = planted(12)
    scaled = _blocks.scales({**maps, "coarse": 1000 * maps["coarse"] + 7}, ())
    for name, scale in scaled.items():
        block = maps[name] * (1000 if name == "coarse" else 1)
        total = block.reshape(12, block.shape[1], -1).var(axis=(0, 2)).sum()
        np.testing.assert_allclose(scale**2, total, rtol=1e-5)
    assert _blocks.scales({"flat": np.full((2, 1, 3, 3), 5.0)}, ()) == {"flat": 1.0}


@pytest.mark.parametrize("shape", [(8, 8), (4, 4), (5, 7)])
def test_a_coarse_block_is_repeated_onto_the_finer_grid(shape):
    """Each location lies over its own part; where the sizes divide, means stay what they were."""
    coarse = RNG.normal(size=(2, 3, 4, 4)).astype(np.float32)
    fine = np.zeros((2, 1, *shape), np.float32)
    laid = _blocks.aligned({"fine": fine, "coarse": coarse}, {"fine": 1.0, "coarse": 2.0})
    assert laid.shape == (2, *shape, 4)
    for r, c in np.ndindex(shape):
        own = coarse[:, :, r * 4 // shape[0], c * 4 // shape[1]] / 2
        np.testing.assert_array_equal(laid[:, r, c, 1:], own)
    if shape != (5, 7):
        np.testing.assert_allclose(laid[..., 1:].mean((1, 2)), coarse.mean((2, 3)) / 2, atol=1e-6)


def test_batches_make_the_same_concepts(monkeypatch):
    """Maps in one piece, in batches, and cut smaller to fit in memory give one fit."""
    maps, labels, _ = planted(30)
    whole = ConceptMaps(4).fit(maps, labels)
    parts = [{name: one[i : i + 7] for name, one in maps.items()} for i in range(0, 30, 7)]
    streamed = ConceptMaps(4).fit(parts, labels)
    np.testing.assert_array_equal(whole.concepts(maps), streamed.concepts(parts))
    np.testing.assert_allclose(whole.evidence(maps), streamed.evidence(parts), atol=1e-6)
    monkeypatch.setattr(_blocks, "NUMBERS", 1000)
    small = ConceptMaps(4).fit(maps, labels)
    np.testing.assert_array_equal(whole.concepts(maps), small.concepts(maps))


# --- concept maps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reads", ["features", "concepts"])
@pytest.mark.parametrize("layers", [(), ("coarse",), ("fine",)])
def test_the_planted_part_is_found(reads, layers):
    """It has a concept of its own, and the evidence for its class lies on it, and nowhere else."""
    maps, labels, _ = planted(40)
    model = ConceptMaps(2, layers, reads=reads).fit(maps, labels)
    held, truth, where = planted(20, seed=1)
    assert model.score(held, truth) == 1
    ids, evidence = model.concepts(held), model.evidence(held, 1, 0)
    side = evidence.shape[1]
    assert side == (4 if layers == ("coarse",) else 8)
    for image in np.flatnonzero(truth):
        there = np.zeros((4, 4), bool)
        r, c = where[image]
        there[r : r + 2, c : c + 2] = True
        there = there.repeat(side // 4, 0).repeat(side // 4, 1)
        assert (ids[image][there] == ids[image][there][0]).all()
        assert (ids[image][~there] != ids[image][there][0]).all()
        assert evidence[image][there].min() > evidence[image][~there].max()


@pytest.mark.parametrize("reads", ["features", "concepts"])
def test_a_map_sums_to_the_images_own_margin(reads):
    """For every image the evidence sums to the difference of its squared distances."""
    maps, labels, _ = planted(30)
    model = ConceptMaps(3, reads=reads, per_class=2).fit(maps, labels)
    apart = model.head_.distances(model._pooled(maps))
    sums = model.evidence(maps, 1, 0).sum(axis=(1, 2))
    np.testing.assert_allclose(sums, apart[:, 0] - apart[:, 1], atol=1e-6)
    np.testing.assert_array_equal(model.predict(maps), (sums > 0).astype(int))


def test_with_concepts_alone_one_concept_says_one_thing():
    """Two places of an image with the same concept have the same evidence."""
    maps, labels, _ = planted(30)
    model = ConceptMaps(5, reads="concepts").fit(maps, labels)
    ids, evidence = model.concepts(maps), model.evidence(maps, 1, 0)
    for image in range(30):
        for concept in np.unique(ids[image]):
            assert np.ptp(evidence[image][ids[image] == concept]) < 1e-9


def test_the_last_block_read_as_features_is_kmex():
    """Predictions equal those of prototypes on the block's pooled features, found by hand."""
    maps, labels, _ = planted(40)
    model = ConceptMaps(2, ("coarse",)).fit(maps, labels)
    by_hand = NearestPrototype().fit(maps["coarse"].mean((2, 3)), labels)
    held, _, _ = planted(20, seed=2)
    pooled = held["coarse"].mean((2, 3))
    np.testing.assert_array_equal(model.predict(held), by_hand.predict(pooled))
    scale = model.scales_["coarse"] ** 2
    own = by_hand.distances(pooled) / scale
    np.testing.assert_allclose(
        model.head_.distances(model._pooled(held)), own, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        model.predict_proba(held), by_hand.predict_proba(pooled), rtol=1e-3, atol=1e-6
    )


def test_shares_count_the_concepts():
    """They sum to 1 and are the parts of the map that each concept takes."""
    maps, labels, _ = planted(10)
    model = ConceptMaps(3).fit(maps, labels)
    shares, ids = model.shares(maps), model.concepts(maps)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_allclose(shares[:, 1], (ids == 1).mean((1, 2)))


def test_a_prospector_is_fitted_on_concept_maps():
    """The maps become categories on a grid; a head on them finds the planted part."""
    maps, labels, places = planted(40)
    model = ConceptMaps(3, ("coarse",)).fit(maps, labels)
    bags = model.bags(maps, names=[str(i) for i in range(40)], size=(32, 32))
    assert bags[7].name == "7"
    assert (bags[7].layout.height, bags[7].layout.width) == (4, 4)
    assert bags[7].units.grid.shape == (32, 32)
    np.testing.assert_array_equal(bags[7].tokens, model.concepts(maps)[7].ravel())
    head = Prospector(r=1).fit(bags, labels)
    assert head.score(bags, labels) == 1
    for image in np.flatnonzero(labels):
        r, c = divmod(int(head.attribute(bags[image]).values.argmax()), 4)
        assert 0 <= r - places[image][0] < 2
        assert 0 <= c - places[image][1] < 2


def test_it_follows_scikit_learns_conventions():
    """Parameters are kept, a clone is not fitted, and the same seed gives the same maps."""
    from sklearn.exceptions import NotFittedError

    maps, labels, _ = planted(20)
    model = ConceptMaps(4, ("fine",), per_class=2, seed=3).fit(maps, labels)
    again = clone(model)
    assert again.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        again.predict(maps)
    np.testing.assert_array_equal(again.fit(maps, labels).concepts(maps), model.concepts(maps))


MAPS, TRUTH, _ = planted(6)


@pytest.mark.parametrize(
    ("model", "maps", "labels", "told"),
    [
        (ConceptMaps(2, reads="both"), MAPS, TRUTH, "'concepts' or 'features'"),
        (ConceptMaps(2, ("deep",)), MAPS, TRUTH, "'deep' is not among the maps: fine, coarse"),
        (ConceptMaps(2), MAPS["fine"], TRUTH, "a ndarray came among the maps"),
        (ConceptMaps(2), iter([MAPS]), TRUTH, "more than once"),
        (ConceptMaps(2), {}, TRUTH, "a dict came among the maps"),
        (ConceptMaps(2), [], TRUTH, "no maps came"),
        (ConceptMaps(2), {"a": np.zeros((6, 3))}, TRUTH, "(b, c, h, w) is needed"),
        (ConceptMaps(2), {**MAPS, "coarse": MAPS["coarse"][:3]}, TRUTH, "one number"),
        (ConceptMaps(2), MAPS, TRUTH[:3], "6 rows and labels of shape (3,)"),
        (ConceptMaps(2), MAPS, TRUTH * 0, "only the class"),
        (ConceptMaps(2), {"a": np.full((6, 1, 2, 2), np.nan)}, TRUTH, "nan"),
        (ConceptMaps(9), {"a": np.arange(6.0).repeat(4).reshape(6, 1, 2, 2)}, TRUTH, "distinct"),
    ],
)
def test_maps_that_cannot_be_learned_are_refused(model, maps, labels, told):
    """Unknown layers, no maps, wrong shapes, labels that do not fit, nan, and k too large."""
    with pytest.raises(InputError, match=re.escape(told)):
        model.fit(maps, labels)


def test_bags_that_do_not_fit_are_refused():
    """Names for other images, and pictures smaller than the maps."""
    model = ConceptMaps(2, ("fine",)).fit(MAPS, TRUTH)
    with pytest.raises(InputError, match="6 images and 1 names"):
        model.bags(MAPS, names=["one"])
    with pytest.raises(InputError, match=re.escape("size=(4, 4) came for maps of 8 x 8")):
        model.bags(MAPS, size=(4, 4))


# --- faithfulness ---------------------------------------------------------------------------------


def test_faithfulness_counts_and_says_so():
    """Three of four right, the model two, the same class twice; in words, with intervals."""
    found = faithfulness([1, 0, 1, 1], [1, 1, 0, 1], [1, 0, 1, 0])
    shares = (found.accuracy.value, found.model.value, found.agreement.value)
    assert shares == (0.75, 0.25, 0.5)
    assert str(found).startswith("4 images: nearest prototype 0.750 [0.301, 0.954] right")
    with pytest.raises(InputError, match="one of each per image"):
        faithfulness([1], [1, 0], [1, 0])


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 400), data=st.data())
def test_intervals_are_those_of_scipy(n, data):
    """Wilson's interval, and it holds the share itself."""
    from scipy.stats import binomtest

    hits = data.draw(st.integers(0, n))
    share = faithfulness([1] * hits + [0] * (n - hits), [1] * n, [1] * n).accuracy
    low, high = binomtest(hits, n).proportion_ci(method="wilson")
    np.testing.assert_allclose([share.low, share.high], [low, high], atol=1e-6)
    assert isinstance(share, Share)
    assert share.low <= share.value <= share.high
