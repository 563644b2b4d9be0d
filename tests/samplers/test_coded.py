"""The coded sampler: fixed numbers of masks, none twice, chosen from the budget by a rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import Samples, masks
from whence._kernels.peeling_design import Design
from whence.errors import BudgetError, InputError
from whence.samplers.coded import Coded, budgets


def ends(n):
    """The two ends as samples."""
    return Samples(masks.ends(n), np.zeros(2))


@given(
    st.integers(1, 40), st.integers(0, 3000), st.integers(0, 6), st.integers(1, 6), st.integers(0)
)
def test_budget_is_kept_and_nothing_is_asked_twice(n, budget, known, t, seed):
    """At any n, budget and seen masks: distinct new masks within the budget, or BudgetError."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([masks.ends(n), masks.uniform(n, known, rng, avoid=masks.ends(n))])
    needed = min(size.masks for size in budgets(n) if size.b == min(3, n) and size.t <= t)
    seen = Samples(rows, np.zeros(len(rows)))
    if min(needed, 2**n - len(rows)) > budget:
        with pytest.raises(BudgetError):
            Coded(t=t)(n, budget, rng, seen)
        return
    asked = Coded(t=t)(n, budget, rng, seen)
    assert asked.dtype == bool
    assert len(asked) <= budget
    assert len(masks.distinct(asked)[0]) == len(asked)
    assert not masks.among(asked, rows).any()


@pytest.mark.parametrize(
    ("n", "t", "calls"),
    [(64, 5, 27648), (100, 5, 31488), (256, 5, 35328), (1000, 5, 43008), (1000, 3, 26112),
     (64, 3, 16896), (64, 2, 11520)],
)  # fmt: skip
def test_numbers_of_masks_are_those_of_the_paper(n, t, calls):
    """At b = 8 with 3 groups the table gives `3 * 2^b * (p + 1)` masks, and so many are asked."""
    assert (8, t, calls) in budgets(n)
    asked = Coded(8, t)(n, calls, np.random.default_rng(0), ends(n))
    assert calls - 3 <= len(asked) <= calls


def test_one_design_is_asked_whole():
    """The masks are those of one numbered design, all but the ends, which are seen."""
    asked = Coded(4, 2)(10, 10_000, np.random.default_rng(0), ends(10))
    number = int(np.random.default_rng(0).integers(1024))
    rows = masks.unpack(Design(number, 10, 4, 2).packed(), 10)
    rows = rows[masks.distinct(rows)[0]]
    wanted = rows[~masks.among(rows, masks.ends(10))]
    np.testing.assert_array_equal(asked, wanted)


@pytest.mark.parametrize(
    ("budget", "b", "t"),
    [(864, 3, 5), (1727, 3, 5), (1728, 4, 5), (30_000, 8, 5), (863, 3, 4), (700, 3, 4), (400, 3, 2),
     (192, 3, 1), (10**9, 12, 5)],
)  # fmt: skip
def test_largest_b_first_then_smaller_t(budget, b, t):
    """Without b, the largest b of t = 5 that fits; where none does, the next smaller t."""
    assert Coded().chosen(64, budget) == (b, t)


def test_given_b_is_kept():
    """With b given, t is kept too: the design is that one or none."""
    assert Coded(3, 4).chosen(64, 10**6) == (3, 4)
    with pytest.raises(BudgetError) as caught:
        Coded(4, 5).chosen(64, 1727)
    assert caught.value.needed == 1730


def test_refusal_lists_what_is_possible():
    """Too small a budget is refused with the possible ones, for several b and t, and the least."""
    with pytest.raises(BudgetError) as caught:
        Coded()(64, 150, np.random.default_rng(0), ends(64))
    told = str(caught.value)
    assert "150 are left" in told
    assert "192 (b=3, t=1), 360 (b=3, t=2), 384 (b=4, t=1)" in told
    assert "Raise the budget" in told
    assert caught.value.needed == 194


def test_few_units_never_need_more_than_all_masks():
    """With few units a design asks at most all masks but the ends, and says so beforehand."""
    assert max(size.masks for size in budgets(6)) == 62
    assert Coded(4).chosen(6, 62) == (4, 5)
    with pytest.raises(BudgetError):
        Coded(4).chosen(6, 61)


def test_equal_codes_are_listed_once():
    """Where two t share a code (n = 8: 4 and 5), the table lists the larger."""
    assert [t for b, t, _ in budgets(8) if b == 3] == [6, 5, 3, 2, 1]


@pytest.mark.parametrize(
    "settings", [{"b": 2}, {"b": 13}, {"t": 0}, {"t": 7}, {"groups": 0}, {"groups": 5}]
)
def test_settings_out_of_range_are_refused(settings):
    """Settings out of range are refused by name, with the range."""
    with pytest.raises(InputError, match="3 to 12, t 1 to 6, groups 1 to 4"):
        Coded(**settings)


def test_more_dimensions_than_units_are_refused():
    """A subspace has no more dimensions than there are units."""
    with pytest.raises(InputError, match="b=8 came for 5 units"):
        Coded(8)(5, 100, np.random.default_rng(0), ends(5))
