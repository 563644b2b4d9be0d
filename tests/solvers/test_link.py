"""Facts about the link between values and normal scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from whence.solvers.link import Link, link

values = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e12, 1e12))
tied = arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([0.0, 0.5, 1.0]))


def back(known: Link, mean: np.ndarray, variance: float = 0.0) -> np.ndarray:
    """Expected values of one output."""
    return known.back(mean[:, None], np.array([variance]))[:, 0]


@given(values | tied)
def test_scores_keep_the_order_of_values(y: np.ndarray) -> None:
    """A larger value has a larger score, and equal values share one."""
    scores = link(y[:, None])[1][:, 0]
    order = np.argsort(y, kind="stable")
    rises = np.diff(y[order]) > 0
    assert (np.diff(scores[order])[rises] > 0).all()
    assert (np.diff(scores[order])[~rises] == 0).all()
    assert np.isfinite(scores).all()


@given(values | tied, st.floats(0.0, 9.0))
def test_the_way_back_is_monotone_and_within_the_values(y: np.ndarray, variance: float) -> None:
    """A larger mean score has no smaller expected value, and none lies beyond the values."""
    known = link(y[:, None])[0]
    found = back(known, np.linspace(-30, 30, 301), variance)
    room = 1e-12 * max(1.0, np.abs(y).max())
    assert (np.diff(found) >= -room).all()
    assert found.min() >= y.min() - room
    assert found.max() <= y.max() + room


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e12, 1e12)))
def test_a_certain_score_leads_back_to_about_its_value(y: np.ndarray) -> None:
    """Without variance a datum's score gives a value between those of scores within 0.06."""
    known, scores = link(y[:, None])
    found = back(known, scores[:, 0])
    low = np.interp(scores[:, 0] - 0.06, known.scores[0], known.values[0])
    high = np.interp(scores[:, 0] + 0.06, known.scores[0], known.values[0])
    room = 1e-12 * max(1.0, np.abs(y).max())
    assert (found >= low - room).all()
    assert (found <= high + room).all()


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_two_values_lead_back_to_themselves(share: float) -> None:
    """Of zeros and ones each datum's score gives its value."""
    y = (np.arange(200) < 200 * share).astype(float)
    known, scores = link(y[:, None])
    assert np.unique(scores).shape == (2,)
    assert np.allclose(back(known, scores[:, 0]), y, rtol=0, atol=1e-12)


def test_an_uncertain_score_lies_between() -> None:
    """Of zeros and ones in equal parts a mean score of 0 gives one half, however uncertain."""
    known = link(np.repeat([0.0, 1.0], 50)[:, None])[0]
    for variance in (0.0, 0.3, 2.0):
        assert back(known, np.zeros(1), variance) == pytest.approx(0.5, abs=1e-9)


def test_variance_draws_values_to_the_middle() -> None:
    """The more uncertain a high score, the lower its expected value."""
    known = link(np.linspace(0, 1, 101)[:, None])[0]
    found = [back(known, np.array([1.5]), v)[0] for v in (0.0, 0.5, 2.0)]
    assert found[0] > found[1] > found[2] > 0.5


def test_the_expected_value_is_that_of_draws() -> None:
    """The quadrature equals the mean value of many draws of the score, within their error."""
    rng = np.random.default_rng(0)
    y = np.tanh(rng.normal(size=400) * 2)
    known = link(y[:, None])[0]
    z = np.interp(0.4 + np.sqrt(0.3) * rng.normal(size=200_000), known.scores[0], known.values[0])
    assert back(known, np.array([0.4]), 0.3)[0] == pytest.approx(z.mean(), abs=0.01)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e12])
def test_a_constant_column_has_score_zero_and_leads_back_to_itself(value: float) -> None:
    """Whatever the score, the only value there is comes back."""
    known, scores = link(np.full((30, 1), value))
    assert (scores == 0).all()
    assert np.allclose(back(known, np.linspace(-5, 5, 11), 0.7), value, rtol=1e-12, atol=0)


def test_one_sample_is_a_constant() -> None:
    """A single value has score zero and comes back."""
    known, scores = link(np.array([[2.5]]))
    assert scores.tolist() == [[0.0]]
    assert back(known, np.array([-1.0, 0.0, 4.0])) == pytest.approx(2.5)


def test_no_outputs_are_no_scores() -> None:
    """Values of shape (m, 0) have scores of that shape, and lead back to it."""
    known, scores = link(np.zeros((5, 0)))
    assert scores.shape == (5, 0)
    assert known.back(scores, np.zeros(0)).shape == (5, 0)


def test_outputs_have_links_of_their_own() -> None:
    """Each of two columns has the scores and the way back that it has alone."""
    y = np.random.default_rng(0).normal(size=(40, 2)) ** 3
    known, scores = link(y)
    found = known.back(scores, np.array([0.1, 0.9]))
    for j, variance in enumerate((0.1, 0.9)):
        alone, own = link(y[:, j : j + 1])
        assert np.array_equal(scores[:, j], own[:, 0])
        assert np.array_equal(found[:, j], back(alone, own[:, 0], variance))
