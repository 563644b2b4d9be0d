"""Heads: what they learn, what they promise, scikit-learn's conventions, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from prospectors.made import clouds, letters, mixed, noise, quick
from whence.dictionaries import Categories, KMeans
from whence.errors import InputError
from whence.prospectors import Bag, Graph, Prospector, ProspectorRegressor, Sequence, load
from whence.prospectors.counting import counts, normaliser
from whence.prospectors.kernels import Welch


def test_a_planted_pair_is_found():
    """Bags that differ only in what stands beside what are told apart, and the pair is named."""
    bags, y = letters(0)
    head = Prospector(r=1).fit(bags, y)
    assert head.performance_.value > 0.95
    assert head.bigrams(1)[0].name == "a + b"
    found = head.attribute(bags[1])
    assert {found.units.labels[v] for v in found.top(2)} == {"a", "b"}


def test_without_pairs_it_cannot_be_found():
    """At r = 0 the same bags are all alike, and the words say not to trust the map."""
    head = Prospector(r=0).fit(*letters(0))
    assert not head.performance_.better
    assert "must not be trusted" in head.words


@pytest.mark.parametrize("kernel", ["welch", "ridge"])
def test_embeddings_are_told_apart(kernel):
    """Tokens of a class's own place are found from bag labels alone."""
    bags, y = clouds(0)
    head = Prospector(k=4, kernel=kernel).fit(bags, y)
    assert head.performance_.value > 0.95
    assert head.score(bags, y) > 0.95


def test_every_class_has_its_map():
    """With three classes the map of each has its own highest tokens."""
    bags, y = clouds(1, count=90, classes=3)
    head = Prospector(k=5).fit(bags, np.array(["x", "y", "z"])[y])
    assert head.predict_proba(bags).shape == (90, 3)
    assert head.performance_.name == "mean AUC"
    tops = {output: set(head.attribute(bags[0], output).top(3)) for output in "xyz"}
    assert not tops["x"] & tops["y"]
    assert head.attribute(bags[0]).output == "x"


def test_two_classes_have_opposite_maps():
    """The map for the first of two classes is that for the second with its sign turned."""
    bags, y = letters(0)
    head = Prospector(bootstrap=5).fit(bags, y)
    for_one, for_zero = head.attribute(bags[1]), head.attribute(bags[1], 0)
    np.testing.assert_array_equal(for_one.values, -for_zero.values)
    np.testing.assert_allclose(for_one.errors, for_zero.errors)
    assert for_one.probability + for_zero.probability == pytest.approx(1)
    assert for_one.probability == pytest.approx(head.predict_proba(bags[1:2])[0, 1])


@pytest.mark.parametrize("kernel", ["welch", "ridge"])
def test_numbers_are_predicted_in_their_unit(kernel):
    """A regressor's predictions of new bags come near the labels, whatever the kernel's unit."""
    rng = np.random.default_rng(0)
    bags = [Bag(rng.choice(list("abcd"), 30)) for _ in range(120)]
    y = 100 + 10 * np.array([(bag.tokens == "a").sum() for bag in bags])
    head = ProspectorRegressor(r=0, kernel=kernel).fit(bags[:80], y[:80])
    assert head.score(bags[80:], y[80:]) > 0.8
    assert head.attribute(bags[0]).probability is None


@given(
    st.integers(0, 1000),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from(["welch", "ridge"]),
)
@settings(max_examples=25)
def test_margin_is_the_sum_of_the_map(seed, r, softness, kernel):
    """The margin is the map's sum over Z, and frequencies times weights, on every layout."""
    bags, y = mixed(seed)
    head = quick(r=r, softness=softness, kernel=kernel).fit(bags, y)
    margins = head.decision_function(bags)
    for bag, margin in zip(bags, margins, strict=True):
        z = normaliser(len(bag), bag.layout, r)
        features = counts(head.quantizer_.transform(bag.tokens), bag.layout, r)
        scale = np.abs(head.weights_).max()
        assert margin == pytest.approx(features @ head.weights_[:, 0] / z, abs=1e-12 * scale)
        assert margin == pytest.approx(head.attribute(bag).values.sum() / z, abs=1e-12 * scale)


def test_probabilities_rise_with_margins():
    """The larger margin never has the smaller probability, whatever the labels."""
    for make in (letters, noise):
        bags, y = make(3)
        head = Prospector().fit(bags, y)
        order = np.argsort(head.decision_function(bags))
        assert (np.diff(head.predict_proba(bags)[order, 1]) >= 0).all()


def test_no_signal_gives_one_answer():
    """Where left-out margins point the wrong way, the slope is 0 and every bag gets the prior."""
    for seed in range(20):
        bags, y = noise(seed)
        head = Prospector().fit(bags, y)
        if head.performance_.value < 0.4:
            break
    assert head.calibration_.slope == 0
    np.testing.assert_allclose(head.predict_proba(bags), 0.5)


def test_probabilities_are_those_of_left_out_bags():
    """On new bags the stated probabilities come true: mean log-odds neither too sure nor shy."""
    bags, y = clouds(4, count=400, d=2)
    rng = np.random.default_rng(0)
    y = np.where(rng.random(400) < 0.25, 1 - y, y)
    head = Prospector(k=4).fit(bags[:200], y[:200])
    p = head.predict_proba(bags[200:])[:, 1]
    assert abs(p.mean() - y[200:].mean()) < 0.08
    assert np.abs(logit(p)).mean() < 2.5


def test_errors_come_from_resampled_bags():
    """Errors of weights and maps are the spread of the draws, in the map's own units."""
    bags, y = letters(0)
    head = Prospector(bootstrap=40).fit(bags, y)
    assert head.draws_.shape == (40, *head.weights_.shape)
    np.testing.assert_allclose(head.errors_, head.draws_.std(axis=0, ddof=1))
    found = head.attribute(bags[1])
    drawn = np.array([quick_map(head, flat, bags[1]) for flat in head.draws_[:, :, 0]])
    np.testing.assert_allclose(found.errors, drawn.std(axis=0, ddof=1), rtol=1e-8, atol=1e-10)
    assert head.concepts()[0].error == head.errors_[0, 0]


def quick_map(head, flat, bag):
    """The map that other weights make."""
    from whence.prospectors.counting import token_map

    return token_map(head.quantizer_.transform(bag.tokens), bag.layout, head.r, flat)


def test_standard_errors_shrink_with_bags():
    """Four times the bags have about half the error, for weights that are ratios of means."""
    few, many = (
        Prospector(k=4, kernel="fold-change", bootstrap=60, cv=0).fit(*clouds(7, count=n)).errors_
        for n in (60, 240)
    )
    assert 0.3 < np.median(many) / np.median(few) < 0.8


def test_same_seed_same_head():
    """Two fits with one seed are equal; another seed has other folds."""
    bags, y = clouds(0)
    one, two = (Prospector(k=4, bootstrap=3).fit(bags, y) for _ in range(2))
    np.testing.assert_array_equal(one.weights_, two.weights_)
    np.testing.assert_array_equal(one.draws_, two.draws_)
    assert one.performance_ == two.performance_
    np.testing.assert_array_equal(one.calibration_.slope, two.calibration_.slope)


def test_order_of_bags_does_not_move_the_weights():
    """With known names the weights do not depend on the order of the bags."""
    bags, y = letters(0)
    order = np.random.default_rng(0).permutation(len(bags))
    one = quick(r=2).fit(bags, y)
    two = quick(r=2).fit([bags[i] for i in order], y[order])
    np.testing.assert_allclose(one.weights_, two.weights_, atol=1e-9)


def test_a_margin_does_not_depend_on_company():
    """A bag's margin is the same alone and among others, on every layout."""
    bags, y = mixed(0)
    head = quick(r=2).fit(bags, y)
    alone = [head.decision_function([bag])[0] for bag in bags]
    np.testing.assert_allclose(head.decision_function(bags), alone, rtol=1e-10)


def test_performance_does_not_see_the_left_out_labels():
    """With labels of no meaning the shown performance is about chance, over many draws."""
    values = [Prospector(r=1).fit(*noise(seed, 40)).performance_.value for seed in range(12)]
    assert abs(np.mean(values) - 0.5) < 0.1


def test_groups_stay_in_one_fold():
    """Copies of a bag in one group do not flatter the performance; without groups they do."""
    rng = np.random.default_rng(1)
    bags = [Bag(rng.choice(list("abcdefgh"), 12)) for _ in range(24)] * 6
    y, groups = np.tile(np.tile([0, 1], 12), 6), np.tile(np.arange(24), 6)
    head = Prospector(r=1, kernel="ridge")
    flattered = clone(head).fit(bags, y).performance_.value
    honest = clone(head).fit(bags, y, groups=groups).performance_.value
    assert flattered > 0.9
    assert honest < 0.75


def test_conventions_of_scikit_learn():
    """Arguments can be read, set and cloned, and a clone is not fitted."""
    head = Prospector(k=7, kernel="ridge", quantizer=KMeans(5))
    assert head.get_params()["quantizer__k"] == 5
    other = clone(head.set_params(k=9, quantizer__k=3)).fit(*clouds(0))
    assert (other.k, other.quantizer_.k) == (9, 3)
    with pytest.raises(NotFittedError):
        clone(other).predict(clouds(0)[0])


def test_grid_search_over_bags():
    """A grid search over r with groups picks the radius at which there is something to see."""
    bags, y = letters(0)
    search = GridSearchCV(
        Prospector(cv=3), {"r": [0, 1]}, cv=GroupKFold(3), scoring="roc_auc", error_score="raise"
    )
    search.fit(bags, y, groups=np.arange(60) // 2)
    assert search.best_params_ == {"r": 1}
    assert search.predict(bags[:2]).tolist() == [0, 1]


def test_groups_can_be_routed_to_the_head():
    """With metadata routing, a grid search gives the groups to the head's own folds too."""
    bags, y = letters(0)
    with config_context(enable_metadata_routing=True):
        head = Prospector(cv=5).set_fit_request(groups=True)
        search = GridSearchCV(head, {"r": [0]}, cv=GroupKFold(2), error_score="raise")
        with pytest.raises(InputError, match="4 groups came for cv=5"):
            search.fit(bags, y, groups=np.arange(60) // 2 % 8)


@pytest.mark.parametrize("as_array", [False, True])
def test_cross_validation_takes_lists_and_object_arrays(as_array):
    """Bags come as a list or as an object array, with labels of text."""
    bags, y = letters(0)
    if as_array:
        filled = np.empty(len(bags), dtype=object)
        filled[:] = bags
        bags = filled
    scores = cross_val_score(Prospector(cv=3), bags, np.array(["no", "yes"])[y], cv=3)
    assert scores.mean() > 0.9


def test_a_fitted_quantizer_is_used_as_it_is():
    """A fitted quantizer is kept, and one that is not fitted is left as it is."""
    bags, y = clouds(0)
    fitted = KMeans(3).fit(np.concatenate([bag.tokens for bag in bags[:5]]))
    head = Prospector(quantizer=fitted, cv=0).fit(bags, y)
    assert np.array_equal(head.quantizer_.centers_, fitted.centers_)
    before = head.decision_function(bags)
    fitted.fit(np.concatenate([bag.tokens for bag in bags[5:]]) * 3)
    assert np.array_equal(head.decision_function(bags), before)
    fresh = KMeans(3)
    Prospector(quantizer=fresh, cv=0).fit(bags, y)
    assert not vars(fresh).keys() & {"centers_"}


def test_a_frozen_quantizer_survives_clone(tmp_path):
    """A frozen quantizer stays fitted through clone, and the head that used it can be saved."""
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator
    bags, y = clouds(0)
    fitted = KMeans(3).fit(np.concatenate([bag.tokens for bag in bags[:5]]))
    head = clone(Prospector(quantizer=frozen(fitted), cv=0)).fit(bags, y)
    assert head.quantizer_ is fitted
    assert load(head.save(tmp_path / "head")).quantizer_.k == 3


def test_many_graphs_at_once_are_as_one_by_one():
    """Graphs that are counted together have the margins they have alone, weights and all."""
    rng = np.random.default_rng(0)
    bags = []
    for i in range(30):
        n = int(rng.integers(2, 9))
        edges = rng.integers(0, n, (n, 2))
        weights = rng.uniform(0.1, 1, n) if i % 3 else None
        bags.append(Bag(rng.choice(list("ab"), n), Graph(edges, n, weights, directed=i > 14)))
    y = np.tile([0, 1], 15)
    for some in (bags[:15], bags[15:], bags):
        head = quick(r=2).fit(some, y[: len(some)])
        alone = [head.decision_function([bag])[0] for bag in some]
        np.testing.assert_allclose(head.decision_function(some), alone, atol=1e-12)


def test_smoothing_is_chosen_by_bags():
    """With smoothing="cv" the hops come from left-out maps; clean letters need none."""
    bags, y = letters(0)
    head = Prospector(smoothing="cv").fit(bags, y)
    found = head.attribute(bags[1])
    assert found.smoothing == head.hops_ == 0
    two = Prospector(smoothing=2).fit(bags, y).attribute(bags[1])
    np.testing.assert_allclose(two.smoothed[2], two.values[:5].mean())


def test_strongest_pairs_are_those_that_move_margins():
    """Pairs are ranked by weight times spread, so one rare sighting does not come first."""
    bags, y = letters(0)
    bags[1] = Bag(np.array(["x", "y", *bags[1].tokens]))
    head = quick(kernel="ridge").fit(bags, y)
    ranked = head.bigrams(100)
    effects = [abs(entry.effect) for entry in ranked]
    assert effects == sorted(effects, reverse=True)
    assert ranked[0].name == "a + b"
    place = len(head.quantizer_.names) + 1
    assert ranked[0].weight == head.weights_[place, 0]
    assert ranked[0].effect == pytest.approx(ranked[0].weight * head.spread_[place])


def test_exemplars_show_what_a_concept_is():
    """A concept's exemplars are its tokens, and a pair's stand beside the other."""
    bags, y = letters(0)
    head = Prospector().fit(bags, y)
    assert {e.label for e in head.exemplars(0, bags)} == {"a"}
    for e in head.exemplars((0, 1), bags):
        assert bags[e.bag].tokens[e.token] == "a"
        assert "b" in bags[e.bag].tokens[max(e.token - 1, 0) : e.token + 2]
        assert y[e.bag] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kernel": "svm"}, "one of 'welch', 'ridge'"),
        ({"r": -1}, "r=-1"),
        ({"cv": 1}, "cv=1"),
        ({"bootstrap": 1}, "bootstrap=1"),
        ({"smoothing": -1}, "smoothing=-1"),
        ({"smoothing": "cv", "cv": 0}, "cv=0"),
        ({"seed": -1}, "seed=-1"),
        ({"k": 1000}, "distinct tokens"),
        ({"k": 0}, "k=0"),
        ({"cv": 50}, "lower cv"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(options, said):
    """An argument that cannot be used is refused with its name and what would do."""
    with pytest.raises(InputError, match=said):
        Prospector(**{"k": 4, **options}).fit(*clouds(0))


@pytest.mark.parametrize(
    ("bags", "y", "said"),
    [
        (["ab", "ba"], [1, 1], "one value only"),
        (["ab", "ba", "bb"], [1, 0], "3 bags and 2 labels"),
        (["ab", np.empty(0, dtype="U1")], [1, 0], "no tokens"),
        ([np.zeros((2, 2)), np.array([[1, np.nan]])], [1, 0], "bag 1.*nan"),
        (["ab", "ba"], [1.0, np.nan], "label of bag 1 is nan"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], [1, 0], "bag 1"),
        ([], [], "no bags came"),
        (["ab", "ba"], [[1], [0]], "one label per bag"),
    ],
)
def test_bags_that_cannot_be_used_are_named(bags, y, said):
    """Bags and labels that cannot be used are refused by name."""
    with pytest.raises(InputError, match=said):
        Prospector(cv=0).fit(bags, y)


def test_an_edge_to_nowhere_is_refused():
    """A graph that joins a node that is not there is refused, and the edge is named."""
    with pytest.raises(InputError, match="edge 0 joins nodes 0 and 5"):
        Bag(np.array(["a", "b"]), Graph(np.array([[0, 5]]), 2))


def test_reading_needs_a_fit_and_the_same_encoder():
    """An unfitted head says so, and a fitted one refuses bags of another encoder."""
    bags, y = clouds(0)
    for read in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(Prospector(), read)(bags)
    with pytest.raises(NotFittedError):
        Prospector().attribute(bags[0])
    with pytest.raises(NotFittedError):
        Prospector().concepts()
    head = quick().fit(bags, y)
    with pytest.raises(InputError, match=r"names \(str\) came; this head was fitted to embeddings"):
        head.attribute(Bag(np.array(["a"])))
    with pytest.raises(InputError, match="the classes are"):
        head.attribute(bags[0], "tumour")
    with pytest.raises(InputError, match="concept 9"):
        head.exemplars(9, bags)


def test_numbers_refuse_what_classes_take():
    """A regressor refuses labels of text, an output, and kernels for classes."""
    bags, _ = letters(0)
    with pytest.raises(InputError, match="numbers are needed"):
        ProspectorRegressor().fit(bags, ["a", "b"] * 30)
    head = ProspectorRegressor(r=0).fit(bags, np.arange(60.0))
    with pytest.raises(InputError, match="leave it out"):
        head.attribute(bags[0], "a")


def test_names_not_seen_in_training_say_nothing():
    """A token of an unknown name has no concept, adds nothing, and its neighbours lose nothing."""
    bags, y = letters(0)
    head = quick(r=1, quantizer=Categories()).fit(bags, y)
    found = head.attribute(Bag(np.array(["a", "?", "b"]), Sequence()))
    assert found.values[1] == 0
    assert found.concepts.tolist() == [0, -1, 1]
    assert found.concept_of(1) == "(unknown)"


def test_changed_settings_wait_for_the_next_fit():
    """What is set after a fit changes nothing that the fitted head says."""
    bags, y = clouds(0)
    head = Prospector(k=3, r=1, cv=0).fit(bags, y)
    before = head.decision_function(bags), head.attribute(bags[0]).values
    head.set_params(r=3)
    assert np.array_equal(head.decision_function(bags), before[0])
    assert np.array_equal(head.attribute(bags[0]).values, before[1])


def test_one_far_bag_does_not_level_all_probabilities():
    """A bag whose own concept nobody else has leaves the others' probabilities apart."""
    bags, y = clouds(0)
    far = [*bags, Bag(bags[0].tokens + 1e3), Bag(bags[1].tokens - 1e3)]
    head = Prospector(k=6).fit(far, np.append(y, [0, 1]))
    told = head.predict_proba(bags)[:, 1]
    assert told[y == 1].mean() - told[y == 0].mean() > 0.5


def test_groups_of_several_bags_have_no_tests():
    """Where bags of a group go together, p-values are left out and `fdr` is refused."""
    bags, y = clouds(0)
    groups = np.arange(len(y)) // 2
    head = Prospector(k=3, kernel="welch", cv=2).fit(bags, y, groups)
    assert head.p_values_ is None
    assert head.q_values_ is None
    with pytest.raises(InputError, match="not independent"):
        Prospector(k=3, kernel=Welch(fdr=0.1), cv=2).fit(bags, y, groups)


def test_numbers_that_are_zeros_and_ones_are_numbers():
    """Twice the numbers give twice the weights, also where the numbers are 0 and 1."""
    bags, y = clouds(0)
    one = ProspectorRegressor(k=3, kernel="ridge", cv=0).fit(bags, y.astype(float))
    two = ProspectorRegressor(k=3, kernel="ridge", cv=0).fit(bags, 2.0 * y)
    assert np.allclose(two.weights_, 2 * one.weights_)


def test_graphs_without_edges_are_bags_like_others():
    """Graphs with no edge, or with edges of another whole type, count as they do alone."""
    none, some = np.empty((0, 2)), np.array([[0, 1]], dtype=np.uint64)
    bags = [Bag(np.array(list("abc")), Graph(e, 3)) for e in (none, some, some, none) * 3]
    head = Prospector(cv=0).fit(bags, [0, 1, 1, 0] * 3)
    alone = [head.decision_function([bag])[0] for bag in bags]
    assert np.allclose(head.decision_function(bags), alone)
