"""The self-check: completeness and controls that must fail, without a call."""

import numpy as np
import pytest

from whence import Samples, masks
from whence.evaluation.controls import check
from whence.evaluation.fidelity import measure
from whence.setfunction import constant
from whence.testing import planted


def checked(f, game, n, seed=0):
    """The self-check on all masks."""
    rows, rng = masks.every(n), np.random.default_rng(seed)
    judged = Samples(rows, game(rows))
    fit = measure(f, judged, rng, distribution="all masks", exhaustive=True)
    ends = Samples(masks.ends(n), game(masks.ends(n)))
    return check(f, fit, ends, judged, rng)


def test_the_truth_passes():
    """The game itself is complete and beats both controls, which explain nothing."""
    p = planted.and_or(7, 0)
    found = checked(p.truth, p.game, 7)
    assert found.completeness == pytest.approx(0, abs=1e-9)
    assert found.passed
    assert found.random < 0.5
    assert found.reverse < 0.5


def test_nothing_does_not_pass():
    """A constant beats no control, and misses the whole difference of the ends."""
    p = planted.near_linear(6, 0)
    found = checked(constant(6, 0.0), p.game, 6)
    assert not found.passed
    assert found.completeness == pytest.approx(1.0)


def test_reverse_is_the_r2_with_present_and_absent_exchanged():
    """The reversed control judges the function on complements."""
    p = planted.sparse(5, 0)
    rows = masks.every(5)
    y = p.game(rows)
    want = 1 - ((y - p.truth(~rows)) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert checked(p.truth, p.game, 5).reverse == pytest.approx(want)


def test_equal_ends_leave_completeness_unsaid():
    """Where the model's own difference is zero, completeness is nan, per output."""

    def game(rows):
        return np.stack([rows[:, 0] ^ rows[:, 1], rows[:, 0]], axis=1) * 1.0

    found = checked(constant(3, np.zeros(2)), game, 3)
    assert np.isnan(found.completeness).tolist() == [True, False]


def test_constant_outputs_have_no_controls():
    """A constant output has nan for controls, and does not decide whether the check passes."""

    def game(rows):
        return np.stack([np.full(len(rows), 0.1), rows @ [1.0, 2.0, 3.0]], axis=1)

    f = planted.constant(3, 0, out=(2,)).truth
    assert np.isnan(checked(f, game, 3).random).tolist() == [True, False]
