"""Every sampler: exact budgets, new masks, repeatable; and what each adds to that."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import Samples, masks
from whence.errors import BudgetError
from whence.samplers.chains import Chains
from whence.samplers.every import Every
from whence.samplers.sizes import EvenSizes
from whence.samplers.uniform import Antithetic, Uniform

FREE = [Uniform(), Antithetic(), EvenSizes(), Chains()]


def ends(n):
    """The two ends as samples."""
    return Samples(masks.ends(n), np.zeros(2))


@pytest.mark.parametrize("sampler", FREE, ids=repr)
def test_budget_is_exact(sampler):
    """Any n, budget and seen masks: distinct new masks, never more than the budget."""

    @given(st.integers(2, 12), st.integers(0, 50), st.integers(0, 6), st.integers(0, 10**6))
    def check(n, budget, known, seed):
        rng = np.random.default_rng(seed)
        rows = np.concatenate([masks.ends(n), masks.uniform(n, known, rng, avoid=masks.ends(n))])
        asked = sampler(n, budget, rng, Samples(rows, np.zeros(len(rows))))
        assert asked.dtype == bool
        assert asked.shape[1] == n
        assert len(asked) <= budget
        assert len(masks.distinct(asked)[0]) == len(asked)
        assert not masks.among(asked, rows).any()

    check()


@pytest.mark.parametrize("sampler", FREE, ids=repr)
def test_equal_generators_ask_alike(sampler):
    """A sampler depends on its generator and on nothing else."""
    for n in (5, 30):
        one, two = (sampler(n, 21, np.random.default_rng(4), ends(n)) for _ in range(2))
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("sampler", "spent"), [(Uniform(), 0), (Antithetic(), 1), (EvenSizes(), 1)]
)
@pytest.mark.parametrize("n", [2, 3, 4, 7, 8, 40])
def test_little_of_the_budget_is_left(sampler, spent, n):
    """Uniform asks the whole budget, paired designs all but an odd one, up to all masks."""
    for budget in (2, 5, 6, 31, 200):
        asked = sampler(n, budget, np.random.default_rng(0), ends(n))
        assert len(asked) >= min(budget - spent, 2**n - 2)


@pytest.mark.parametrize("sampler", [Antithetic(), EvenSizes()], ids=repr)
@pytest.mark.parametrize("n", [2, 5, 6, 33])
def test_pairs_stand_side_by_side(sampler, n):
    """Paired designs ask each mask next to its complement."""
    asked = sampler(n, 25, np.random.default_rng(1), ends(n))
    np.testing.assert_array_equal(asked[::2], ~asked[1::2])


@given(st.integers(2, 14), st.integers(2, 400), st.integers(0, 10**6))
def test_even_sizes_are_even(n, budget, seed):
    """Sizes get equal shares, up to one pair, unless a size has no more masks."""
    asked = EvenSizes()(n, budget, np.random.default_rng(seed), ends(n))
    count = np.bincount(asked.sum(axis=1), minlength=n + 1)[1:n]
    room = np.array([comb(n, s) for s in range(1, n)])
    np.testing.assert_array_equal(count, count[::-1])
    open_sizes = count[count < room]
    assert open_sizes.size == 0 or open_sizes.max() - open_sizes.min() <= 2
    assert open_sizes.size == 0 or count.max() <= open_sizes.max() + 2


def test_even_sizes_prefer_no_unit():
    """Within a size every unit is present equally often (z below 4.5 over 400 draws)."""
    drawn = np.concatenate(
        [EvenSizes()(7, 24, np.random.default_rng(s), ends(7)) for s in range(400)]
    )
    for size in range(1, 7):
        rows = drawn[drawn.sum(axis=1) == size]
        p = size / 7
        z = (rows.mean(axis=0) - p) / np.sqrt(p * (1 - p) / len(rows))
        assert np.abs(z).max() < 4.5


def test_even_sizes_of_many_units():
    """Sizes with too many masks to write out are drawn, still even, still distinct."""
    asked = EvenSizes()(100, 990, np.random.default_rng(0), ends(100))
    assert set(np.bincount(asked.sum(axis=1))[1:100].tolist()) == {10}
    assert len(masks.distinct(asked)[0]) == 990


@given(st.integers(2, 20), st.integers(0, 10**6))
def test_chains_are_whole(n, seed):
    """Every mask asked lies on a chain: some mask with one unit more, and one with one less."""
    asked = Chains()(n, 4 * n, np.random.default_rng(seed), ends(n))
    pool = np.concatenate([masks.ends(n), asked])
    sizes = pool.sum(axis=1)
    for row in asked:
        above = pool[sizes == row.sum() + 1]
        below = pool[sizes == row.sum() - 1]
        assert (above | ~row).all(axis=1).any()
        assert (~below | row).all(axis=1).any()


def test_chains_start_with_every_unit_equally_often():
    """With room for it, every unit comes first in some order."""
    asked = Chains()(9, 9 * 8 * 2, np.random.default_rng(0), ends(9))
    assert (asked.sum(axis=1) == 1).sum() == 9


def test_every_asks_for_all_that_is_left():
    """Every mask but the seen ones, and the needed budget in the refusal."""
    assert len(Every()(4, 14, np.random.default_rng(0), ends(4))) == 14
    with pytest.raises(BudgetError, match="Raise the budget to 16"):
        Every()(4, 13, np.random.default_rng(0), ends(4))
    with pytest.raises(BudgetError, match="at most 20 units"):
        Every()(21, 2**21, np.random.default_rng(0), ends(21))


def test_antithetic_spreads_over_all_pairs():
    """Over many draws every mask but the ends is asked equally often (z below 4.5)."""
    drawn = np.concatenate(
        [Antithetic()(4, 4, np.random.default_rng(s), ends(4)) for s in range(2000)]
    )
    count = np.bincount(drawn @ 2 ** np.arange(4), minlength=16)[1:15]
    expected = len(drawn) / 14
    assert np.abs(count - expected).max() < 4.5 * np.sqrt(expected)
