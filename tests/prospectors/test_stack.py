"""The stack of linear terms and concepts: chosen by labels of bags, and one map in the end."""

import numpy as np
import pytest

from prospectors.made import clouds
from whence.prospectors import Bag, Prospector, ProspectorRegressor, Sequence
from whence.prospectors._stack import simplex


def test_shares_cover_the_simplex():
    """For four members there are 35 shares in steps of 1/4, each summing to 1, even ones first."""
    grid = simplex(4)
    assert len(np.unique(grid, axis=0)) == len(grid) == 35
    np.testing.assert_allclose(grid.sum(axis=1), 1)
    assert grid[0].tolist() == [0.25] * 4
    assert simplex(1).tolist() == [[1.0]]


def pairs_only(seed, count=80):
    """Embeddings in which only what stands beside what marks a class: no linear term can see it."""
    rng = np.random.default_rng(seed)
    places = 5 * np.eye(4)
    bags, y = [], np.tile([0, 1], count // 2)
    for c in y:
        where = rng.integers(2, 4, 14)
        at = int(rng.integers(0, 6))
        where[at], where[at + (1 if c else 5)] = 0, 1
        bags.append(Bag(places[where] + 0.3 * rng.normal(size=(14, 4)), Sequence()))
    return bags, y


def test_pairs_win_where_only_pairs_tell():
    """Where only adjacency marks the class, the concepts get the weight and the map finds it."""
    bags, y = pairs_only(0)
    head = Prospector(k=4, linear="auto").fit(bags, y)
    assert head.shares_["concepts"][0] >= 0.5
    assert head.performance_.value > 0.85
    found = head.attribute(bags[1])
    assert set(bags[1].tokens[found.top(2)].argmax(axis=1)) == {0, 1}


def test_the_linear_term_wins_where_concepts_are_blind():
    """With a single concept there is nothing to count, and linear terms carry the map."""
    bags, y = clouds(0)
    head = Prospector(k=2, softness=0, linear="auto").fit(bags, y)
    assert head.performance_.value > 0.9
    assert head.shares_["concepts"][0] < 1


def test_every_class_has_its_own_shares():
    """With three classes each column is weighed on its own, and its shares sum to 1."""
    bags, y = clouds(1, count=90, classes=3)
    head = Prospector(k=5, linear="auto").fit(bags, y)
    total = sum(head.shares_.values())
    np.testing.assert_allclose(total, np.ones(3))
    assert head.beta_.shape == (4, 3)
    assert head.performance_.value > 0.9


def test_numbers_stack_bags_and_concepts():
    """For numbers the bag term and the concepts are weighed, and predictions follow the labels."""
    rng = np.random.default_rng(0)
    bags, _ = clouds(0, count=100)
    direction = rng.normal(size=4)
    y = np.array([bag.tokens.mean(axis=0) @ direction for bag in bags])
    head = ProspectorRegressor(k=6, linear="auto").fit(bags[:70], y[:70])
    assert set(head.shares_) == {"bag", "concepts"}
    assert head.score(bags[70:], y[70:]) > 0.5


def test_without_a_linear_term_the_kernel_keeps_its_units():
    """Choosing the smoothing alone leaves the kernel's weights as they are."""
    bags, y = clouds(0)
    one = Prospector(k=4).fit(bags, y)
    two = Prospector(k=4, smoothing="cv").fit(bags, y)
    np.testing.assert_array_equal(one.weights_, two.weights_)


def test_smoothing_is_chosen_where_neighbours_agree():
    """Where marked tokens stand in long runs of weak evidence, smoothing is switched on."""
    rng = np.random.default_rng(0)
    y, bags = np.tile([0, 1], 60), []
    for c in y:
        x = rng.normal(size=(30, 3))
        if c:
            at = int(rng.integers(0, 24))
            x[at : at + 6, 0] += 1.2
        bags.append(Bag(x))
    head = Prospector(k=4, linear="auto", smoothing="cv").fit(bags, y)
    assert head.hops_ == 1


@pytest.mark.parametrize("linear", ["token", "bag", "instance"])
def test_one_term_can_be_asked_for(linear):
    """A single linear term is weighed against the concepts alone."""
    bags, y = clouds(0)
    head = Prospector(k=4, linear=linear).fit(bags, y)
    assert set(head.shares_) == {linear, "concepts"}
