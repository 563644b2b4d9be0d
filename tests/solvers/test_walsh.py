"""Walsh: every mask in, the function itself out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brute
from whence import Samples, masks
from whence.errors import BudgetError
from whence.solvers.walsh import Walsh


@given(st.integers(2, 8), st.sampled_from([(), (2,), (2, 2)]), st.integers(0, 10**6))
def test_the_function_is_the_game(n, out, seed):
    """Any table of values, in any order of masks, is reproduced at every mask, without error."""
    rng = np.random.default_rng(seed)
    rows = masks.every(n)[rng.permutation(2**n)]
    values = rng.normal(size=(2**n, *out))
    f = Walsh().fit(Samples(rows, values))
    np.testing.assert_allclose(f(rows), values, atol=1e-9)
    assert not f.errors.any()


def test_coefficients_equal_the_defining_average():
    """Each coefficient is the mean of values times parity over all masks."""
    values = np.random.default_rng(0).normal(size=16)
    f = Walsh().fit(Samples(masks.every(4), values))
    for t, want in brute.fourier(brute.table(f, 4), 4).items():
        assert f.terms[t] == pytest.approx(want, abs=1e-12)


def test_rounding_is_left_out_per_output():
    """Terms that are only rounding are dropped, but not a small output beside a large one."""
    rows = masks.every(3)
    small, large = 1.0 * rows[:, 0], 1e15 * rows[:, 1]
    f = Walsh().fit(Samples(rows, np.stack([small, large], axis=1)))
    assert f.sets == [(), (0,), (1,)]
    np.testing.assert_allclose(f.output(0)(rows), small, atol=1e-12)


def test_a_missing_mask_is_refused():
    """One mask short of all is refused with both numbers."""
    with pytest.raises(BudgetError, match="all 16 masks of 4 units and was given 15"):
        Walsh().fit(Samples(masks.every(4)[1:], np.zeros(15)))
