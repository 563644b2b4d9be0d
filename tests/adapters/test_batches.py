"""Facts about batches: little padding, a bounded size, and nothing lost when memory is full."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.adapters._batches import CARRIED, Size, batches, in_batches
from whence.errors import ModelError

LENGTHS = st.lists(st.integers(0, 60), max_size=60).map(lambda x: np.array(x, dtype=np.int64))


class Full(Exception):
    """No memory is left."""


def is_full(error: BaseException) -> bool:
    """Whether it is."""
    return isinstance(error, Full)


@given(LENGTHS, st.integers(1, 500), st.integers(0, 100))
def test_every_row_is_in_one_batch(lengths: np.ndarray, tokens: int, overhead: int) -> None:
    """The batches of a plan hold each row once."""
    made = batches(lengths, tokens, overhead)
    assert sorted(np.concatenate([*made, []]).tolist()) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 500), st.integers(0, 100), st.data())
def test_a_batch_is_bounded(
    lengths: np.ndarray, tokens: int, overhead: int, data: st.DataObject
) -> None:
    """Padded, with what is carried along, a batch of two or more is within the size."""
    several = st.lists(st.integers(0, 80), min_size=len(lengths), max_size=len(lengths))
    carried = np.array(data.draw(several), dtype=np.int64)
    for rows in batches(lengths, tokens, overhead, carried):
        width = int(lengths[rows].max())
        assert len(rows) * width - lengths[rows].sum() <= overhead + len(rows)
        if len(rows) > 1:
            along = -(-int(carried[rows].max()) // CARRIED)
            assert len(rows) * (width + along) <= tokens


@given(LENGTHS, st.integers(1, 500))
def test_the_longest_come_first(lengths: np.ndarray, tokens: int) -> None:
    """What is most likely not to fit is met at once."""
    widths = [int(lengths[rows].max()) for rows in batches(lengths, tokens)]
    assert widths == sorted(widths, reverse=True)


@given(LENGTHS, st.integers(1, 200), st.integers(60, 300))
def test_values_are_the_same_whatever_fits(lengths: np.ndarray, tokens: int, room: int) -> None:
    """Each row is answered once, and never asked again, when batches have to shrink."""
    answered: list[int] = []
    size = Size(10 * tokens)

    def run(rows: np.ndarray) -> np.ndarray:
        if len(rows) * int(lengths[rows].max()) > room:
            raise Full
        answered.extend(rows.tolist())
        return lengths[rows] * 2.0

    values = np.full(len(lengths), np.nan)
    for rows, found in in_batches(lengths, run, size, is_full):
        values[rows] = found
    assert (values == lengths * 2).all()
    assert sorted(answered) == list(range(len(lengths)))


def test_the_smaller_size_is_kept_for_the_rest() -> None:
    """After one failure nothing as large is tried again, now or at the next call."""
    lengths, size, tried = np.full(64, 10), Size(640), []

    def run(rows: np.ndarray) -> np.ndarray:
        tried.append(len(rows) * 10)
        if tried[-1] > 150:
            raise Full
        return np.zeros(len(rows))

    list(in_batches(lengths, run, size, is_full))
    assert tried[:3] == [640, 320, 160]
    assert max(tried[3:]) <= 80
    assert size.tokens == 80
    tried.clear()
    list(in_batches(lengths, run, size, is_full))
    assert max(tried) == 80


def test_parts_arrive_before_the_next_is_asked() -> None:
    """What was computed is handed over before anything else is run."""
    asked: list[int] = []

    def run(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return np.zeros(len(rows))

    parts = in_batches(np.full(9, 5), run, Size(15), is_full)
    next(parts)
    assert asked == [3]


def test_an_item_that_does_not_fit_alone_is_refused_by_name() -> None:
    """The error names the item and its length, comes after the parts before it, and has a cause."""

    def run(rows: np.ndarray) -> np.ndarray:
        raise Full

    with pytest.raises(ModelError, match="document 1 is 40 tokens long and does not fit") as caught:
        list(
            in_batches(np.array([3, 40]), run, Size(100), is_full, named=lambda i: f"document {i}")
        )
    assert isinstance(caught.value.__cause__, Full)


def test_other_errors_pass() -> None:
    """An error that is not about memory is not swallowed, and nothing is tried again."""
    asked: list[int] = []

    def run(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        raise KeyError("weights")

    with pytest.raises(KeyError):
        list(in_batches(np.full(4, 5), run, Size(100), is_full))
    assert asked == [4]


def test_equal_lengths_are_not_padded_and_not_split() -> None:
    """Items of one length fill batches to the size."""
    assert [len(rows) for rows in batches(np.full(10, 7), 28)] == [4, 4, 2]


def test_few_short_items_are_padded_rather_than_run_apart() -> None:
    """A batch of its own is worth it only where padding would cost more."""
    lengths = np.array([20] * 10 + [15] * 2)
    assert len(batches(lengths, 1000, overhead=10)) == 1
    assert len(batches(lengths, 1000, overhead=9)) == 2
