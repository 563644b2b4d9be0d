"""Maps averaged over their layout, and pooled to one number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from whence.errors import InputError
from whence.prospectors.layouts import Graph, Grid, Sequence
from whence.prospectors.smoothing import pooled, smoothed

HOLES = np.array([[True, True, False], [False, True, True]])
LAYOUTS = [
    (Sequence(window=1), 4),
    (Grid(2, 2), 4),
    (Grid(2, 3, HOLES), 4),
    (Graph(np.array([[0, 1], [1, 2], [2, 3]]), 4), 4),
    (Graph(np.array([[0, 1], [3, 2]]), 4, np.array([0.5, 0.2]), directed=True), 4),
]
VALUES = st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4)


@pytest.mark.parametrize("layout", [layout for layout, _ in LAYOUTS])
@given(values=VALUES, hops=st.integers(0, 3))
def test_smoothing_is_the_mean_over_reach(layout, values, hops):
    """Smoothed values are the rows of N_r, normalised to 1, times the values."""
    reach = layout.reach(4, hops).toarray()
    want = reach / reach.sum(axis=1, keepdims=True) @ values
    assert smoothed(values, layout, hops) == pytest.approx(want, abs=1e-9)


@given(st.floats(-1e6, 1e6), st.integers(1, 3))
def test_constant_maps_stay_exactly(value, hops):
    """A constant map stays constant to the last bit, so that its ties stay ties."""
    assert (smoothed(np.full(50, value), Sequence(window=2), hops) == value).all()


def test_columns_are_smoothed_alone():
    """Several maps of one bag are smoothed as each would be alone."""
    values = np.random.default_rng(0).normal(size=(9, 3))
    alone = [smoothed(v, Grid(3, 3), 1) for v in values.T]
    assert smoothed(values, Grid(3, 3), 1) == pytest.approx(np.stack(alone, axis=1))


def test_hops_below_zero_are_refused():
    """Negative hops are refused."""
    with pytest.raises(InputError, match="hops=-1"):
        smoothed([1.0], Sequence(), -1)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30), st.floats(0.1, 10))
def test_pools_are_what_they_say(values, scale):
    """Mean, largest, mean of the largest tenth, and scaled log-mean-exp, by their definitions."""
    largest = sorted(values, reverse=True)[: -(-len(values) // 10)]
    assert pooled(values, "mean") == pytest.approx(np.mean(values))
    assert pooled(values, "max") == max(values)
    assert pooled(values, "top") == pytest.approx(np.mean(largest))
    want = scale * (logsumexp(np.array(values) / scale) - np.log(len(values)))
    assert pooled(values, "logsumexp", scale=scale) == pytest.approx(want, abs=1e-9)


def test_pools_keep_columns_apart():
    """A map of several classes is pooled class by class."""
    values = np.random.default_rng(0).normal(size=(25, 2))
    for how in ("mean", "top", "max", "logsumexp"):
        alone = [float(pooled(v, how)) for v in values.T]
        assert pooled(values, how) == pytest.approx(alone)


def test_pools_refuse_what_they_do_not_know():
    """Another name, and a map of no tokens, are refused."""
    with pytest.raises(InputError, match="mean, top, max, logsumexp"):
        pooled([1.0], "median")
    with pytest.raises(InputError, match="no tokens"):
        pooled([], "max")
