"""Fidelity: R² by definition, intervals that cover, and honest constants."""

import numpy as np
import pytest

from whence import Samples, masks
from whence.evaluation.fidelity import constant_columns, measure
from whence.setfunction import constant, set_function
from whence.testing import planted


def measured(f, samples, seed=0, **told):
    """Fidelity with the words filled in."""
    return measure(f, samples, np.random.default_rng(seed), distribution="some", **told)


def test_r2_by_definition():
    """One less the squared error over the variance of the judged values."""
    p = planted.sparse(6, 0)
    f = p.truth.truncate(top=3)
    rows = masks.every(6)[::2]
    y = p.game(rows)
    want = 1 - ((y - f(rows)) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert measured(f, Samples(rows, y)).r2 == pytest.approx(want)


def test_the_mean_has_zero_and_the_truth_has_one():
    """The mean of the judged values explains nothing, the game itself everything."""
    p = planted.sparse(6, 0)
    rows = masks.every(6)
    samples = Samples(rows, p.game(rows))
    assert measured(constant(6, samples.values.mean()), samples).r2 == pytest.approx(0, abs=1e-12)
    assert measured(p.truth, samples).r2 == pytest.approx(1.0)


@pytest.mark.parametrize("game", ["hierarchical", "and_or"])
def test_intervals_cover_the_true_fit(game):
    """Of 200 intervals from 60 held-out masks, 88 to 100 % hold the R² over all 1,024 masks."""
    everything = masks.every(10)
    hits = 0
    for seed in range(200):
        p = getattr(planted, game)(10, seed)
        f = p.truth.to("fourier").truncate(degree=1)
        y = p.game(everything)
        true = 1 - ((y - f(everything)) ** 2).mean() / y.var()
        rows = masks.uniform(10, 60, np.random.default_rng(seed))
        fit = measured(f, Samples(rows, p.game(rows)), seed)
        hits += fit.low <= true <= fit.high
    assert 0.88 <= hits / 200 <= 1.0


def test_constants_have_no_r2():
    """Each output says for itself whether it is constant, and then has nan, never -inf."""
    rows = masks.every(4)
    y = np.stack([np.full(16, 0.1), rows[:, 0] * 2.0, np.zeros(16)], axis=1)
    fit = measured(constant(4, np.zeros(3)), Samples(rows, y))
    assert fit.constant.tolist() == [True, False, True]
    for value in (fit.r2, fit.low, fit.high):
        assert np.isnan(value).tolist() == [True, False, True]


def test_rounding_of_a_constant_is_constant():
    """Values that differ by rounding only are a constant."""
    y = 1e6 + np.array([0, 1e-10, 2e-10])
    assert constant_columns(np.stack([y, [1.0, 1.0, 1.1]], axis=1)).tolist() == [True, False]


def test_resamples_without_variance_give_no_interval():
    """Where many resamples miss the only value that differs, no interval is claimed."""
    rows = masks.every(3)
    y = 0.7 + 0.3 * (np.arange(8) == 3)
    fit = measured(set_function(3, {(): 0.7375, (0,): 0.01}), Samples(rows, y))
    assert np.isnan(fit.low)
    assert np.isnan(fit.high)


def test_two_masks_give_no_interval():
    """Two held-out masks measure an R², and no interval of width zero beside it."""
    rows = masks.every(3)[[1, 6]]
    fit = measured(constant(3, 0.4), Samples(rows, np.array([0.0, 1.0])))
    assert np.isfinite(fit.r2)
    assert np.isnan(fit.low)


def test_all_masks_need_no_interval():
    """When every mask was valued the interval is the value."""
    rows = masks.every(3)
    fit = measured(constant(3, 0.0), Samples(rows, rows[:, 0] * 1.0), exhaustive=True)
    assert fit.low == fit.r2 == fit.high
    assert fit.exhaustive


def test_intervals_are_ordered_and_repeatable():
    """The interval holds the measured value, and equal generators give it again."""
    p = planted.sparse(7, 0)
    rows = masks.every(7)[::3]
    one, two = (measured(p.truth.truncate(top=4), Samples(rows, p.game(rows)), 5) for _ in "ab")
    assert one == two
    assert one.low < one.r2 < one.high
