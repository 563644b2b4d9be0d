"""Calibration of margins: lines that never fall, in probabilities and in the labels' units."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from whence.prospectors.calibration import Calibration, least_squares, platt

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.floats(-3, 3))
def test_slopes_are_never_negative(seed, truth):
    """Whatever the margins say of the labels, neither line falls, and all is finite."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=(40, 1)) * 10.0 ** rng.integers(-6, 6)
    scaled = truth * margins / margins.std()
    labels = (rng.random((40, 1)) < expit(scaled)).astype(float)
    labels[:2, 0] = [0, 1]
    for line in (platt(margins, labels), least_squares(margins, scaled)):
        assert line.slope[0] >= 0
        assert np.isfinite([line.slope, line.intercept]).all()


def test_a_known_line_is_found():
    """With many margins the logistic line that made the labels comes back."""
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(20_000, 2)) * [1.0, 1e-3]
    odds = margins * [2.0, 500.0] + [0.5, -1.0]
    found = platt(margins, (rng.random(odds.shape) < expit(odds)).astype(float))
    np.testing.assert_allclose(found.slope, [2, 500], rtol=0.1)
    np.testing.assert_allclose(found.intercept, [0.5, -1], atol=0.1)


def test_margins_that_are_all_equal_give_the_prior():
    """Equal margins have slope 0 and the share of ones, slightly softened."""
    labels = np.array([[1.0]] * 30 + [[0.0]] * 10)
    found = platt(np.ones((40, 1)), labels)
    assert found.slope[0] == 0
    assert abs(found.probabilities(np.ones((1, 1)))[0, 1] - 0.75) < 0.03


def test_separated_margins_stay_finite():
    """Margins that separate the classes give sure, finite probabilities on the right sides."""
    margins = np.concatenate([np.full(20, -1.0), np.full(20, 1.0)])[:, None]
    found = platt(margins, (margins > 0).astype(float))
    low, high = found.probabilities(np.array([[-1.0], [1.0]]))[:, 1]
    assert 0 < low < 0.1 < 0.9 < high < 1


@given(seeds, st.integers(1, 5))
def test_probabilities_sum_to_one(seed, columns):
    """Probabilities of all classes sum to 1 for one column and for more, also far out."""
    rng = np.random.default_rng(seed)
    line = Calibration(rng.random(columns) * 100, rng.normal(size=columns))
    found = line.probabilities(rng.normal(size=(6, columns)) * 100)
    assert found.shape == (6, max(columns, 2))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()


def test_least_squares_recovers_a_line():
    """Numbers on a rising line are predicted exactly, and on a falling one by their mean."""
    margins = np.arange(10.0)[:, None]
    rising, falling = (least_squares(margins, s * margins + 5) for s in (3.0, -3.0))
    np.testing.assert_allclose(rising.line(margins), 3 * margins + 5)
    np.testing.assert_allclose(falling.line(margins), -3 * 4.5 + 5)
