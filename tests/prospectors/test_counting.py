"""Counts and maps: the sparse product against the definition, and the facts that join them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospectors import oracle
from prospectors.test_layouts import layouts
from whence.errors import InputError
from whence.prospectors import counting
from whence.prospectors.layouts import Graph, Grid, Sequence

K = 3


def hard_codes(rng, size):
    """One concept per token."""
    return np.eye(K)[rng.integers(0, K, size)]


def soft_codes(rng, size):
    """Shares of each concept."""
    return rng.dirichlet(np.ones(K), size)


def random_case(laid, r, seed, make):
    """Layout, codes and flat weights."""
    layout, size = laid
    rng = np.random.default_rng(seed)
    return layout, make(rng, size), rng.normal(size=counting.width(K, r))


seeds = st.integers(0, 2**32 - 1)


@given(layouts, st.integers(0, 3), seeds)
@settings(max_examples=60)
def test_features_equal_the_definition(laid, r, seed):
    """Hard codes give the definition's counts exactly without edge weights, else to rounding."""
    layout, codes, _ = random_case(laid, r, seed, hard_codes)
    got, wanted = counting.counts(codes, layout, r), oracle.counts(codes, layout, r)
    if getattr(layout, "weights", None) is None:
        np.testing.assert_array_equal(got, wanted)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


@given(layouts, st.integers(0, 3), seeds)
@settings(max_examples=40)
def test_soft_features_equal_the_definition(laid, r, seed):
    """Soft codes give the definition's sums of products."""
    layout, codes, _ = random_case(laid, r, seed, soft_codes)
    wanted = oracle.counts(codes, layout, r)
    np.testing.assert_allclose(counting.counts(codes, layout, r), wanted, rtol=1e-10, atol=1e-12)


@given(layouts, st.integers(0, 3), seeds, st.sampled_from([hard_codes, soft_codes]))
@settings(max_examples=60)
def test_maps_equal_the_definition(laid, r, seed, make):
    """The sparse product is the definition's map to 1e-10."""
    layout, codes, flat = random_case(laid, r, seed, make)
    wanted = oracle.token_map(codes, layout, r, flat)
    np.testing.assert_allclose(counting.token_map(codes, layout, r, flat), wanted, atol=1e-10)


@given(layouts, st.integers(0, 4), seeds, st.sampled_from([hard_codes, soft_codes]))
def test_maps_sum_to_counts_times_weights(laid, r, seed, make):
    """A map is complete: it sums to the bag's counts times the weights."""
    layout, codes, flat = random_case(laid, r, seed, make)
    total = counting.counts(codes, layout, r) @ flat
    assert counting.token_map(codes, layout, r, flat).sum() == pytest.approx(total, abs=1e-10)


@given(layouts, st.integers(0, 4), seeds)
def test_parts_add_up_to_the_map(laid, r, seed):
    """Monograms and pair terms add up to the map, token by token."""
    layout, codes, flat = random_case(laid, r, seed, soft_codes)
    monograms, pairs = counting.parts(codes, layout, r, flat)
    assert pairs.shape == codes.shape
    wanted = counting.token_map(codes, layout, r, flat)
    np.testing.assert_allclose(monograms + pairs.sum(1), wanted, atol=1e-12)


@given(layouts, st.integers(0, 4), seeds)
def test_the_normaliser_is_the_sum_of_the_counts(laid, r, seed):
    """Z is what the counts of codes that sum to 1 add up to; `tally` has both."""
    layout, codes, _ = random_case(laid, r, seed, soft_codes)
    features, z = counting.tally(codes, layout, r)
    assert z == pytest.approx(features.sum())
    assert z == pytest.approx(counting.normaliser(len(codes), layout, r))
    np.testing.assert_allclose(features, counting.counts(codes, layout, r), atol=1e-12)


def test_a_worked_example():
    """In a b a at one hop: {a, b} counts 4 ordered pairs, {a, a} and {b, b} the tokens alone."""
    codes = np.eye(2)[[0, 1, 0]]
    np.testing.assert_array_equal(counting.counts(codes, Sequence(), 1), [2, 1, 2, 4, 1])
    np.testing.assert_array_equal(counting.counts(codes, Sequence(), 0), [2, 1])
    flat = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(counting.token_map(codes, Sequence(), 1, flat), [1, 2, 1])


def test_maps_of_several_classes_are_columns():
    """Weights `(p, c)` give a map `(N, c)` whose columns are the maps of each class."""
    rng = np.random.default_rng(0)
    codes, flat = soft_codes(rng, 12), rng.normal(size=(counting.width(K, 2), 4))
    got = counting.token_map(codes, Grid(3, 4), 2, flat)
    assert got.shape == (12, 4)
    for c in range(4):
        wanted = counting.token_map(codes, Grid(3, 4), 2, flat[:, c])
        np.testing.assert_allclose(got[:, c], wanted, atol=1e-12)


@pytest.mark.parametrize("classes", [(), (2,)])
def test_weights_unfold_into_a_symmetric_table(classes):
    """Flat pair weights fill the upper triangle row by row, and its mirror."""
    flat = np.random.default_rng(0).normal(size=(counting.width(K, 1), *classes))
    alone, pairs = counting.weights(flat, K)
    np.testing.assert_array_equal(alone, flat[:K])
    np.testing.assert_array_equal(pairs[0, 2], flat[K + 2])
    np.testing.assert_array_equal(pairs[1, 1], flat[K + 3])
    np.testing.assert_array_equal(pairs, pairs.swapaxes(0, 1))
    assert not counting.weights(flat[:K], K)[1].any()


def test_the_map_is_the_shapley_value_of_the_heads_game():
    """With N_r fixed the head is a game of degree 2 whose Shapley values are the map."""
    from itertools import permutations

    rng = np.random.default_rng(3)
    graph, codes = Graph(np.array([[0, 1], [1, 2], [2, 3], [3, 4]]), 5), soft_codes(rng, 5)
    alone, pairs = counting.weights(flat := rng.normal(size=counting.width(K, 2)), K)
    each, both = codes @ alone, (codes @ pairs @ codes.T) * graph.reach(5, 2).toarray()

    def worth(members):
        chosen = list(members)
        return each[chosen].sum() + both[np.ix_(chosen, chosen)].sum()

    values = np.zeros(5)
    orders = list(permutations(range(5)))
    for order in orders:
        for i, v in enumerate(order):
            values[v] += worth(order[: i + 1]) - worth(order[:i])
    wanted = counting.token_map(codes, graph, 2, flat)
    np.testing.assert_allclose(values / len(orders), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: counting.counts(c, Sequence(), -1), "r=-1"),
        (lambda c: counting.counts(c, Grid(2, 2), 1), "6 tokens came for a Grid with 4"),
        (lambda c: counting.token_map(c, Sequence(), 1, np.ones(5)), "5 weights came for 3"),
        (lambda c: counting.token_map(c, Sequence(), 0, np.ones(9)), "r = 0"),
        (lambda c: counting.parts(c, Sequence(), 1, np.ones((9, 2))), "one class"),
        (lambda c: counting.width(3, 0.5), "r=0.5"),
        (lambda c: counting.normaliser(5, Grid(2, 3), 1), "5 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    """Weights, radii and layouts that do not fit the codes are refused by name."""
    with pytest.raises(InputError, match=said):
        call(np.eye(3)[[0, 1, 2, 0, 1, 2]])
