"""Masks: every subset, packing, duplicates, and fair random draws without replacement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import masks
from whence.errors import InputError


@st.composite
def rows(draw, most=40):
    """Masks with repeats among them."""
    n = draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    few = rng.random((max(1, most // 3), n)) < 0.5
    return few[rng.integers(0, len(few), size=draw(st.integers(0, most)))]


@given(rows())
def test_packing_there_and_back(given_rows):
    """Unpacking a packed mask gives the mask, for any number of units."""
    n = given_rows.shape[1]
    packed = masks.pack(given_rows)
    assert packed.shape == (len(given_rows), -(-n // 8))
    np.testing.assert_array_equal(masks.unpack(packed, n), given_rows)


@given(rows())
def test_keys_are_equal_only_for_equal_masks(given_rows):
    """Two rows have equal keys exactly when they are equal."""
    keys = [k.tobytes() for k in masks.keys(given_rows)]
    tuples = [tuple(r) for r in given_rows.tolist()]
    assert len(set(keys)) == len(set(tuples)) == len(set(zip(keys, tuples, strict=True)))


@given(rows())
def test_distinct_keeps_first_appearances_in_order(given_rows):
    """`distinct` names first appearances, in order, and rebuilds all rows from them."""
    first, inverse = masks.distinct(given_rows)
    seen = dict.fromkeys(map(tuple, given_rows.tolist()))
    assert [tuple(r) for r in given_rows[first].tolist()] == list(seen)
    np.testing.assert_array_equal(given_rows[first][inverse], given_rows)


@given(rows(), st.integers(0, 40))
def test_among_is_membership(given_rows, cut):
    """`among` says for each row whether it occurs in the others."""
    others = given_rows[cut:]
    pool = set(map(tuple, others.tolist()))
    expected = [tuple(r) in pool for r in given_rows.tolist()]
    assert masks.among(given_rows, others).tolist() == expected


def test_every_holds_each_subset_once_in_binary_order():
    """Row r of `every` is the binary form of r, unit 0 the lowest bit."""
    table = masks.every(5)
    assert (table @ 2 ** np.arange(5)).tolist() == list(range(32))


def test_every_refuses_what_does_not_fit():
    """More units than can be written out are refused, with the number that can."""
    with pytest.raises(InputError, match=r"2\^25 rows; at most 24"):
        masks.every(25)


def test_ends_are_the_full_and_the_empty_mask():
    """`ends` is the full mask, then the empty one."""
    assert masks.ends(3).tolist() == [[True] * 3, [False] * 3]


@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 60), st.integers(0, 10**6))
def test_uniform_masks_are_new_and_as_many_as_there_are(n, count, known, seed):
    """Uniform masks are distinct, avoid what is known, and are `count`, or all that is left."""
    rng = np.random.default_rng(seed)
    avoid = masks.uniform(n, known, rng)
    drawn = masks.uniform(n, count, rng, avoid=avoid)
    assert len(drawn) == min(count, 2**n - len(avoid))
    assert len(masks.distinct(drawn)[0]) == len(drawn)
    assert not masks.among(drawn, avoid).any()


@pytest.mark.parametrize(("n", "count"), [(4, 5), (18, 3)])
def test_uniform_sampling_is_unbiased(n, count):
    """Each unit is present in half of many draws, and no mask is preferred (z below 4.5)."""
    rng = np.random.default_rng(0)
    drawn = np.concatenate([masks.uniform(n, count, rng) for _ in range(2000)])
    share = drawn.mean(axis=0)
    assert np.abs(share - 0.5).max() < 4.5 * 0.5 / np.sqrt(len(drawn))
    if n == 4:
        counts = np.bincount(drawn @ 2 ** np.arange(4), minlength=16)
        expected = len(drawn) / 16
        assert np.abs(counts - expected).max() < 4.5 * np.sqrt(expected)


def test_uniform_masks_depend_on_the_generator_alone():
    """Equal generators draw equal masks, in both ways of drawing."""
    for n in (10, 40):
        first, second = (masks.uniform(n, 20, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("given_masks", "message"),
    [
        ([[1, 0]], r"shape \(1, 2\) came; this game has 3 units"),
        ([[0.5, 1, 0]], "values other than 0 and 1"),
        ([[np.nan, 1, 0]], "values other than 0 and 1"),
        ([[[True] * 3]], r"needs \(b, 3\)"),
        (True, r"needs \(b, 3\)"),
    ],
)
def test_what_is_no_mask_is_refused(given_masks, message):
    """Other widths, types and dimensions are refused with what came and what is needed."""
    with pytest.raises(InputError, match=message):
        masks.as_masks(given_masks, 3)


def test_zeros_and_ones_and_single_rows_are_masks():
    """0/1 numbers become booleans, and one row becomes a table of one."""
    assert masks.as_masks([1, 0, 1], 3).tolist() == [[True, False, True]]
    assert masks.as_masks(np.zeros((0, 3)), 3).shape == (0, 3)
