"""Holds the facts about array_game: groups of an array's elements as units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import explain
from whence.errors import InputError
from whence.explanation import Explanation
from whence.lenses.inputs import array as lens
from whence.lenses.inputs.array import array_game
from whence.lenses.inputs.masked import Fixed, Masked
from whence.masks import every
from whence.scoring import Facts
from whence.testing import check_game
from whence.units import Units


def total(arrays):
    """A plain number per array: the sum of its elements, by their place."""
    flat = np.asarray(arrays, dtype=float).reshape(len(arrays), -1)
    return flat @ np.arange(1.0, flat.shape[1] + 1)


class Adapter:
    """A scorer that says what it is, answers in two parts, and remembers what it was given."""

    def __init__(self, reads=("array",), **facts):
        self.facts = Facts(name="adapter", scores="values", reads=frozenset(reads), **facts)
        self.given = []

    def __call__(self, items):
        """The total of each array."""
        return total(items)

    def stream(self, items):
        """The second half first."""
        self.given.append(list(items))
        half = len(items) // 2
        for where in (np.arange(half, len(items)), np.arange(half)):
            if len(where):
                yield where, self([items[i] for i in where])


@st.composite
def games(draw):
    """An array, a grid broadcastable to it, a fill and some masks."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(
        st.sampled_from(["uint8", "int32", "float32", "float64", "bool", "float16", ">f8"])
    )
    whole, fill = ((rng.random(shape) * 9).astype(dtype) for _ in "ab")
    laid = shape[draw(st.integers(0, len(shape))) :]
    n = draw(st.integers(1, 5))
    grid = rng.integers(-1, n, laid).astype(np.int32)
    grid = grid.reshape((1,) * (len(shape) - len(laid)) + laid)
    return whole, grid, fill, rng.random((draw(st.integers(0, 7)), n)) < 0.5


@given(games())
def test_each_element_is_its_own_or_the_fills(made):
    """Drawing masks equals the definition, element by element, whatever the type and the shape."""
    whole, grid, fill, masks = made
    drawn = Masked(whole, grid, Fixed(fill))(masks)
    assert drawn.dtype == whole.dtype
    for mask, one in zip(masks, drawn, strict=True):
        for place in np.ndindex(whole.shape):
            unit = np.broadcast_to(grid, whole.shape)[place]
            there = unit == -1 or mask[unit]
            assert one[place] == (whole if there else fill)[place]


def test_a_mask_is_valued_by_its_array():
    """The value of a mask is the score of the array with the fill at its absent units."""
    game = array_game(total, [1.0, 2.0, 3.0], [0, 1, -1], fill=[0, 5, 7], scores="values")
    arrays = [[0, 5, 3], [1, 5, 3], [0, 2, 3], [1, 2, 3]]
    np.testing.assert_array_equal(game(every(2)), total(arrays))
    check_game(game)


def test_a_bare_callable_gets_one_array_of_at_most_batch():
    """A callable that is no adapter gets arrays stacked, `batch` of them at a time."""
    seen = []
    game = array_game(
        lambda x: seen.append(x.shape) or total(x),
        np.ones((2, 3)),
        [[0], [1]],
        scores="values",
        batch=3,
    )
    game.value(every(2))
    assert seen == [(3, 2, 3), (1, 2, 3)]


def test_an_adapter_gets_a_list_and_speaks_for_itself():
    """Scores, batch, name and identity are the adapter's own where nothing else is said."""
    model = Adapter(identity="m", batch=9)
    game = array_game(model, [1.0, 2.0, 4.0], [0, 1, 2])
    np.testing.assert_array_equal(game(every(3)), every(3) @ [1.0, 4.0, 12.0])
    assert (game.batch, game.model) == (9, "adapter")
    assert game.identity is not None
    assert {type(one) for one in model.given[0]} == {np.ndarray}


def test_masks_that_draw_the_same_array_are_scored_once():
    """A unit that equals its fill is never told apart: half as many arrays are asked."""
    model = Adapter()
    game = array_game(model, [1.0, 0.0, 4.0], [0, 1, 2])
    np.testing.assert_array_equal(game(every(3)), every(3) @ [1.0, 0.0, 12.0])
    assert len(model.given[0]) == 4


def test_few_arrays_exist_at_a_time(monkeypatch):
    """However many masks are asked, only as many arrays are drawn as memory allows."""
    monkeypatch.setattr(lens, "WINDOW_BYTES", 100)
    model = Adapter()
    game = array_game(model, np.ones(6), np.arange(6))
    np.testing.assert_array_equal(game.value(every(6)), every(6) @ np.arange(1.0, 7.0))
    assert {len(some) for some in model.given} == {2}


def test_a_rows_value_does_not_depend_on_the_batch():
    """Masks valued together, apart, or in another order get the same values."""
    game = array_game(Adapter(), np.arange(5.0), np.arange(5), fill=9)
    masks = every(5)
    whole = game.value(masks)
    np.testing.assert_array_equal(np.concatenate([game.value(m[None]) for m in masks]), whole)
    np.testing.assert_array_equal(game.value(masks[::-1]), whole[::-1])
    assert game.value(masks[:0]).shape == (0,)


def test_the_identity_tells_apart_what_is_valued_apart():
    """Array, type, grid, fill and model count; the output, link and labels of units do not."""

    def named(array=(1.0, 2.0), grid=(0, 1), fill=0, model="m", **said):
        return array_game(total, array, grid, fill=fill, identity=model, **said).identity

    base = named(scores="values")
    others = [
        named((1.0, 3.0), scores="values"),
        named(np.array([1, 2], np.float32), scores="values"),
        named(grid=(1, 0), scores="values"),
        named(fill=1, scores="values"),
        named(model="n", scores="values"),
    ]
    assert len({base, *others}) == 6
    assert named(output=0) == named(output=1, link="logit", units=("a", "b")) == base
    assert array_game(total, [1.0, 2.0], [0, 1], scores="values").identity is None


def test_the_callers_array_is_not_kept():
    """Changing the array after the game was made changes no value."""
    array = np.array([1.0, 2.0])
    game = array_game(total, array, [0, 1], scores="values")
    array[:] = 100
    assert game([[True, True]]) == [5.0]


@pytest.mark.parametrize(
    ("array", "grid", "more", "told"),
    [
        ([1.0, np.nan], [0, 1], {}, "holds nan or inf in 1 of 2"),
        (["a", "b"], [0, 1], {}, "real numbers"),
        ([1j, 2], [0, 1], {}, "real numbers"),
        ([[1], [1, 2]], [0, 1], {}, "no array"),
        ([], [], {}, "at least one"),
        ([1.0, 2.0], [0.0, 1.0], {}, "whole numbers"),
        ([1.0, 2.0], [0, 2], {}, "none left out"),
        ([1.0, 2.0], [0, -2], {}, "always present"),
        ([1.0, 2.0], [0, 1, 2], {}, "broadcastable"),
        ([1.0, 2.0], [0, 0], {}, "1 unit .group of elements. came; at least 2"),
        ([1.0, 2.0], [-1, -1], {}, "0 units .group"),
        ([1.0, 2.0], [0, 1], {"fill": [1, 2, 3]}, "broadcast"),
        ([1.0, 2.0], [0, 1], {"fill": np.inf}, "the fill holds nan or inf"),
        ([1.0, 2.0], [0, 1], {"units": ["a"]}, "1 labels came for the 2 units"),
        ([1.0, 2.0], [0, 1], {"scores": "votes"}, "scores='votes'"),
        ([1.0, 2.0], [0, 1], {"labels": "ab"}, "a sequence is needed"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(array, grid, more, told):
    """An array, grid, fill or output that does not fit is refused before the model is called."""
    with pytest.raises(InputError, match=told):
        array_game(total, array, grid, **{"scores": "values", **more})


def test_a_model_that_reads_no_arrays_is_refused():
    """A text model given an array is refused by name, and so is what cannot be called."""
    with pytest.raises(InputError, match="adapter reads text"):
        array_game(Adapter(reads=("text",)), [1.0, 2.0], [0, 1])
    with pytest.raises(InputError, match="score came as int"):
        array_game(3, [1.0, 2.0], [0, 1])


# --- where the units are drawn -----------------------------------------------------------------

GRID = np.array([[0, 1], [-1, 1]], dtype=np.int32)


def explained(grid):
    """An exact explanation of two units with a grid."""
    units = Units(("a", "b"), grid=grid)
    return explain(array_game(total, np.eye(2), GRID, units=units, scores="values"), budget=4)


def test_a_grid_is_saved_and_loaded(tmp_path):
    """An Explanation's file keeps the unit of each pixel; without one there is none."""
    path = explained(GRID).save(tmp_path / "one.npz")
    loaded = Explanation.load(path).units
    np.testing.assert_array_equal(loaded.grid, GRID)
    assert (loaded.grid.dtype, loaded.labels) == (np.int32, ("a", "b"))
    assert Explanation.load(explained(None).save(tmp_path / "two.npz")).units.grid is None


def test_a_file_without_a_grid_is_read_as_before(tmp_path):
    """What an earlier version wrote, which knew no grid, loads to equal units."""
    path = explained(GRID).save(tmp_path / "one.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "units_grid"}
    np.savez_compressed(path, allow_pickle=False, **arrays)
    loaded = Explanation.load(path)
    assert loaded.units.grid is None
    assert loaded.units == explained(GRID).units


def test_units_with_grids_compare_and_hash():
    """A grid only says where to draw: it takes no part in equality, hash or printing."""
    one, other = Units(("a", "b"), grid=GRID), Units(("a", "b"), grid=GRID.T)
    assert one == other
    assert hash(one) == hash(other)
    assert "grid" not in repr(one)
    assert one != Units(("a", "c"), grid=GRID)


@pytest.mark.parametrize("grid", [[[0, 2]], [[-2, 1]]])
def test_a_grid_of_units_that_are_not_there_is_refused(grid):
    """A grid that names a unit beyond the labels is refused."""
    with pytest.raises(InputError, match="2 labels and a grid"):
        Units(("a", "b"), grid=np.array(grid, np.int32))
