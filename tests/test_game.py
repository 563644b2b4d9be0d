"""Game: what a value function may return, and how a broken one is named."""

import numpy as np
import pytest

from whence import Game
from whence.errors import GameError, InputError, ModelError, NotFinite, ShapeError


def total(rows):
    """The number of present units."""
    return rows.sum(axis=1)


@pytest.mark.parametrize("out", [(), (1,), (3,), (2, 2)])
def test_values_have_one_row_per_mask(out):
    """Values are (b,) or (b, *out) floats, also for one mask, and in more than one batch."""

    def value(rows):
        return np.ones((len(rows), *out), dtype=np.float32)

    game = Game(value, 3, batch=2)
    answer = game(np.ones((5, 3), dtype=bool))
    assert (answer.shape, answer.dtype) == ((5, *out), np.float64)
    assert game([1, 0, 1]).shape == (1, *out)
    assert game(np.zeros((0, 3), dtype=bool)).shape == (0, *out)


def test_calls_hold_at_most_a_batch():
    """The model is called with `batch` masks at most, in their order."""
    calls = []

    def value(rows):
        calls.append(rows.copy())
        return total(rows)

    rows = np.random.default_rng(0).random((7, 4)) < 0.5
    np.testing.assert_array_equal(Game(value, 4, batch=3)(rows), total(rows))
    assert [len(c) for c in calls] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(calls), rows)


def test_readout_changes_what_is_explained_not_what_is_asked():
    """A readout maps raw outputs to the explained quantity, for each row."""
    game = Game(
        lambda rows: np.stack([total(rows)] * 2, axis=1), 3, readout=lambda raw: raw[:, 0] * 10
    )
    assert game([[1, 1, 0]]).tolist() == [20.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda rows: 1.0, r"shape \(\) for 2 masks"),
        (lambda rows: np.zeros(3), r"shape \(3,\) for 2 masks"),
        (lambda rows: np.zeros((1, 2)), r"shape \(1, 2\) for 2 masks"),
        (lambda rows: ["a", "b"], "a list that is not an array of numbers"),
        (lambda rows: None, r"shape \(\) for 2 masks"),
        (lambda rows: [[1.0], [1.0, 2.0]], "not an array of numbers"),
    ],
)
def test_wrong_shapes_are_named(answer, message):
    """An answer without one row per mask is refused with the shape that came."""
    with pytest.raises(ShapeError, match=message):
        Game(answer, 2)([[1, 0], [0, 0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_name_their_masks(bad):
    """nan and inf are refused, and the present units of the masks are told."""

    def value(rows):
        return np.where(rows[:, 0] & ~rows[:, 1], bad, 1.0)

    with pytest.raises(NotFinite, match=r"for 1 of 3 masks, with present units \{0, 2\}"):
        Game(value, 3)([[1, 1, 1], [1, 0, 1], [0, 0, 0]])


def test_a_readout_that_is_not_finite_names_its_rows():
    """A readout that makes nan or inf is told from a value that does."""
    game = Game(lambda rows: total(rows) * 1.0, 2, readout=lambda raw: raw / np.where(raw, 1, 0.0))
    with np.errstate(all="ignore"), pytest.raises(NotFinite, match=r"readout .* rows 1"):
        game([[1, 1], [0, 0]])


def test_changing_shapes_are_refused():
    """Outputs of another shape in a later batch are refused with both shapes."""

    def value(rows):
        return np.zeros((len(rows), len(rows)))

    with pytest.raises(ShapeError, match=r"\[\(1,\), \(2,\)\] in different calls"):
        Game(value, 2, batch=2)(np.ones((3, 2), dtype=bool))


def test_what_the_model_raises_is_the_cause():
    """An exception of the model becomes a ModelError, and is its cause."""

    def value(rows):
        raise RuntimeError("out of memory")

    with pytest.raises(ModelError, match=r"RuntimeError: out of memory .* 2 of 3 units") as caught:
        Game(value, 3)([1, 1, 0])
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert isinstance(caught.value, GameError)


def test_a_value_function_may_scribble_on_its_argument():
    """What a value function does to the masks it got changes nothing for the caller."""

    def value(rows):
        rows[:] = True
        return total(rows)

    rows = np.zeros((2, 3), dtype=bool)
    Game(value, 3)(rows)
    assert not rows.any()


def test_a_value_function_may_reuse_its_buffer():
    """Answers are kept as they were, also when the model hands out one buffer at every call."""
    buffer = np.zeros(2)

    def value(rows):
        buffer[:] = total(rows)
        return buffer

    rows = np.array([[1, 1], [1, 0], [0, 0], [0, 1]], dtype=bool)
    assert Game(value, 2, batch=2)(rows).tolist() == [2.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": 3, "units": 2}, "value came as int"),
        ({"value": total, "units": 1}, "1 unit came"),
        ({"value": total, "units": 2, "batch": 0}, "batch=0"),
    ],
)
def test_a_bad_game_is_refused_before_it_is_played(arguments, message):
    """What cannot be a game is refused when it is made."""
    with pytest.raises(InputError, match=message):
        Game(**arguments)


def test_masks_of_another_game_are_refused():
    """Masks with other than n columns are refused before the model is called."""
    with pytest.raises(InputError, match="this game has 3 units"):
        Game(lambda rows: pytest.fail("called"), 3)([[1, 0]])
