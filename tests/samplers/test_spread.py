"""Facts about spread masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence.errors import InputError
from whence.masks import among, distinct, ends, uniform
from whence.samplers.balanced import Balanced
from whence.samplers.spread import Spread
from whence.samples import Samples


def _seen(n: int) -> Samples:
    return Samples(ends(n), np.zeros(2))


def _nearest(masks: np.ndarray) -> float:
    """Mean number of units in which a mask differs from the one most like it."""
    apart = (masks[:, None] != masks[None]).sum(axis=2) + 99 * np.eye(len(masks), dtype=int)
    return float(apart.min(axis=1).mean())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 11), st.integers(0, 200), st.integers(0, 5))
def test_masks_are_new_distinct_and_as_many_as_asked(n: int, budget: int, seed: int) -> None:
    """The sampler returns the budget, or all that are left, and repeats nothing."""
    drawn = Spread(block=32)(n, budget, np.random.default_rng(seed), _seen(n))
    assert len(drawn) == min(budget, 2**n - len(distinct(ends(n))[0]))
    assert len(distinct(drawn)[0]) == len(drawn)
    assert not among(drawn, ends(n)).any()


@pytest.mark.parametrize("n", [10, 14, 20])
def test_masks_are_farther_apart_than_uniform_ones(n: int) -> None:
    """The nearest neighbour of a mask is on average farther off than among uniform masks."""
    rng = np.random.default_rng(0)
    assert _nearest(Spread()(n, 100, rng, _seen(n))) > _nearest(uniform(n, 100, rng)) + 0.3


def test_masks_keep_away_from_those_seen() -> None:
    """A further batch is farther from the first than uniform masks are."""
    first = Spread()(12, 100, np.random.default_rng(0), _seen(12))
    seen = _seen(12).join(Samples(first, np.zeros(100)))
    more = Spread()(12, 100, np.random.default_rng(1), seen)
    drawn = uniform(12, 100, np.random.default_rng(1), avoid=seen.masks)

    def apart(rows: np.ndarray) -> float:
        return float((rows[:, None] != first[None]).sum(axis=2).min(axis=1).mean())

    assert apart(more) > apart(drawn) + 0.2
    assert not among(more, first).any()


def test_many_units_are_balanced() -> None:
    """Beyond the most units the masks are those of `Balanced`."""
    one = Spread()(64, 50, np.random.default_rng(3), _seen(64))
    assert (one == Balanced()(64, 50, np.random.default_rng(3), _seen(64))).all()


def test_bad_settings_are_refused() -> None:
    """A pool of nothing is refused by name."""
    with pytest.raises(InputError, match="pool=0"):
        Spread(pool=0)
