"""Samples: masks with values, joined, picked and averaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import Samples
from whence.errors import InputError, ShapeError
from whence.samples import ends_of, samples


@given(st.integers(0, 10**6), st.sampled_from([(), (2,), (2, 3)]))
def test_distinct_averages_repeats(seed, out):
    """One row per mask, in order of first appearance, with the mean of its values."""
    rng = np.random.default_rng(seed)
    rows, values = rng.random((12, 2)) < 0.5, rng.normal(size=(12, *out))
    one = Samples(rows, values).distinct()
    order = list(dict.fromkeys(map(tuple, rows.tolist())))
    assert [tuple(r) for r in one.masks.tolist()] == order
    for row, value in zip(one.masks, one.values, strict=True):
        same = (rows == row).all(axis=1)
        np.testing.assert_allclose(value, values[same].mean(axis=0), atol=1e-12)


def test_join_and_take_keep_rows_with_their_values():
    """Joining appends, and taking picks rows, masks and values together."""
    one = samples([[1, 0], [0, 1]], [1.0, 2.0])
    both = one.join(samples([[1, 1]], [3.0]))
    assert (len(both), both.n, both.out) == (3, 2, ())
    assert both.take(np.array([2, 0])).values.tolist() == [3.0, 1.0]
    assert both.take(both.masks[:, 0]).values.tolist() == [1.0, 3.0]


def test_columns_flatten_outputs():
    """`columns` is (m, q): one column for a scalar game, all outputs flattened otherwise."""
    rows = np.eye(2, dtype=bool)
    assert Samples(rows, np.zeros(2)).columns.shape == (2, 1)
    assert Samples(rows, np.zeros((2, 3, 4))).columns.shape == (2, 12)
    assert Samples(rows[:0], np.zeros((0, 3))).columns.shape == (0, 3)


def test_samples_of_another_game_do_not_join():
    """Other units or outputs are refused by name."""
    one = samples([[1, 0]], [1.0])
    with pytest.raises(InputError, match="3 units"):
        one.join(samples([[1, 0, 0]], [1.0]))
    with pytest.raises(InputError, match=r"outputs \(2,\)"):
        one.join(samples([[1, 0]], [[1.0, 2.0]]))


@pytest.mark.parametrize("values", [np.zeros(3), np.float64(1.0)])
def test_rows_must_match(values):
    """As many values as masks."""
    with pytest.raises(ShapeError, match="same number of rows"):
        Samples(np.eye(2, dtype=bool), np.asarray(values))


def test_ends_are_found():
    """The full and the empty mask are recognised, whatever the order."""
    assert ends_of(samples([[1, 0], [1, 1], [0, 0]], [0.0] * 3)).tolist() == [False, True, True]
