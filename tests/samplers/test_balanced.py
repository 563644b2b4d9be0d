"""Facts about balanced masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.masks import among, distinct, ends
from whence.samplers.balanced import Balanced
from whence.samples import Samples


def _seen(n: int) -> Samples:
    return Samples(ends(n), np.zeros(2))


@pytest.mark.parametrize(("n", "budget"), [(12, 200), (14, 101), (64, 500), (300, 64)])
def test_every_unit_is_present_in_half_of_the_masks(n: int, budget: int) -> None:
    """With the ends, no unit is present in one mask more than half of them."""
    drawn = Balanced()(n, budget, np.random.default_rng(0), _seen(n))
    count = drawn.sum(axis=0) + 1
    assert (np.abs(2 * count - (budget + 2)) <= 1 + (budget % 2)).all()


@given(st.integers(1, 12), st.integers(0, 300), st.integers(0, 5))
def test_masks_are_new_distinct_and_as_many_as_asked(n: int, budget: int, seed: int) -> None:
    """The sampler returns the budget, or all that are left, and repeats nothing."""
    drawn = Balanced()(n, budget, np.random.default_rng(seed), _seen(n))
    assert len(drawn) == min(budget, 2**n - len(distinct(ends(n))[0]))
    assert len(distinct(drawn)[0]) == len(drawn)
    assert not among(drawn, ends(n)).any()


def test_masks_stay_uniform_in_size() -> None:
    """The mean and the variance of the sizes are those of uniform masks, within noise."""
    sizes = Balanced()(40, 4000, np.random.default_rng(1), _seen(40)).sum(axis=1)
    assert abs(sizes.mean() - 20) < 0.05
    assert abs(sizes.var() - 10) < 4 * 10 * np.sqrt(2 / 4000)
