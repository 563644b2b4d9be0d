"""Facts about deletion and insertion curves, on games that can be checked by hand."""

import numpy as np
import pytest

from whence.errors import InputError, ShapeError
from whence.evaluation.deletion import (
    area,
    best_masks,
    curves,
    greedy_order,
    strongest_first,
)
from whence.game import Game
from whence.setfunction import set_function
from whence.testing import planted

#: Worth 4 + 2 + 1, the units in order of strength.
SUM = set_function(3, {(0,): 4.0, (1,): 2.0, (2,): 1.0}, "mobius")
#: Two that stand in for each other, and one that is weaker than either.
SPARE = set_function(3, {(0,): 3.0, (1,): 3.0, (0, 1): -3.0, (2,): 1.0}, "mobius")


def test_deletion_takes_away_one_by_one():
    """Deleting 0, 1, 2 of an additive game leaves 7, 3, 1, 0, with area 3.5 + 4 over 3."""
    found = curves(SUM, {"strongest": [0, 1, 2]}, np.random.default_rng(0))
    assert found.values.tolist() == [[7, 3, 1, 0]]
    assert found.areas == pytest.approx([(5 + 2 + 0.5) / 3])


def test_reversed_order_is_beside_it():
    """The reversed order of 0, 1, 2 deletes 2 first: 7, 6, 4, 0."""
    found = curves(SUM, {"strongest": [0, 1, 2]}, np.random.default_rng(0))
    assert found.reversed.tolist() == [[7, 6, 4, 0]]


def test_insertion_adds_one_by_one():
    """Inserting 0, 1, 2 into nothing gives 0, 4, 6, 7; the good side of chance is above."""
    found = curves(SUM, {"strongest": [0, 1, 2]}, np.random.default_rng(0), mode="insertion")
    assert found.values.tolist() == [[0, 4, 6, 7]]
    assert found.gains[0] == pytest.approx(found.areas[0] - area(found.random).mean())
    assert found.gains[0] > 0


def test_all_masks_are_valued_in_one_call():
    """The value function is called once, with distinct masks, and `calls` is their number."""
    asked = []

    def value(masks):
        asked.append(masks)
        return masks.sum(axis=1)

    orders = {"up": np.arange(6), "down": np.arange(6)[::-1]}
    found = curves(value, orders, np.random.default_rng(0), random=5)
    assert len(asked) == 1
    assert len(np.unique(asked[0], axis=0)) == len(asked[0]) == found.calls
    assert found.calls < 7 * 9


def test_random_orders_come_from_the_generator():
    """Equal generators give equal random curves; there are as many as were asked for."""
    first, second = (
        curves(SUM, {"a": [0, 1, 2]}, np.random.default_rng(4), random=7) for _ in range(2)
    )
    assert first.random.shape == (7, 4)
    assert np.array_equal(first.random, second.random)


def test_several_outputs_and_a_game():
    """A Game with outputs (2,) gives curves (r, n + 1, 2) and areas (r, 2)."""
    game = planted.additive(5, 0, out=(2,)).game
    found = curves(game, {"any": [4, 3, 2, 1, 0]}, np.random.default_rng(0), random=3)
    assert found.values.shape == (1, 6, 2)
    assert found.areas.shape == found.gains.shape == (1, 2)
    assert np.allclose(found.values[0, 0], game(np.ones((1, 5), bool))[0])


def test_order_by_attributions_is_strongest_first():
    """Largest first, the most negative last, ties in place."""
    assert strongest_first([0.5, -3.0, 2.0, 0.5]).tolist() == [2, 0, 3, 1]


def test_greedy_order_knows_what_has_gone():
    """Of two stand-ins the second goes right after the first, though alone neither matters."""
    assert greedy_order(SPARE).tolist() == [2, 0, 1]
    assert greedy_order(SPARE, "insertion").tolist() == [0, 2, 1]


def test_best_masks_are_not_nested():
    """The best single to remove is 2, the best pair 0 and 1: the curve takes both."""
    masks = best_masks(SPARE)
    assert masks.tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]]
    found = curves(SPARE, {"best": masks}, np.random.default_rng(0))
    assert found.values.tolist() == [[4, 3, 1, 0]]


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
@pytest.mark.parametrize("seed", range(3))
def test_best_masks_are_beyond_every_order(mode, seed):
    """At every size the best subset's value is at least as extreme as any order's."""
    f = planted.sparse(9, seed, terms=20).truth
    sign = 1 if mode == "insertion" else -1
    orders = {"best": best_masks(f, mode), "greedy": greedy_order(f, mode)}
    found = curves(f, orders, np.random.default_rng(0), mode=mode, random=50)
    assert (sign * (found.values[0] - found.values[1]) >= -1e-9).all()
    assert (sign * (found.values[0] - found.random) >= -1e-9).all()


def test_summary_names_every_order():
    """The printed summary shows each order's area, its reverse, and the random ones."""
    told = repr(curves(SUM, {"shapley": [0, 1, 2]}, np.random.default_rng(0)))
    assert "shapley: 2.5, reversed 4.5" in told
    assert "20 random orders" in told


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [[1, 1, 1], [0, 0, 0]], [1, 2, 3]])
def test_what_is_no_order_is_refused(order):
    """Units left out, twice, or out of range are refused, and so are masks of other sizes."""
    with pytest.raises(InputError):
        curves(SUM, {"good": [0, 1, 2], "bad": order}, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"mode": "both"}, {"random": 0}, {"orders": {}}])
def test_unknown_wishes_are_refused(wrong):
    """An unknown mode, no random order and no order at all are refused by name."""
    given = {"orders": {"a": [0, 1, 2]}, **wrong}
    with pytest.raises(InputError, match="deletion"):
        curves(SUM, given.pop("orders"), np.random.default_rng(0), **given)


def test_attributions_of_several_outputs_are_refused():
    """One number per unit is needed for an order, and one output for a search."""
    with pytest.raises(InputError, match="output"):
        strongest_first(np.zeros((3, 2)))
    for search in (greedy_order, best_masks):
        with pytest.raises(InputError, match=r"f\.output\(i\)"):
            search(planted.sparse(4, 0, out=(2,)).truth)


def test_values_of_another_length_are_refused():
    """A value function that does not answer row by row is named."""
    with pytest.raises(ShapeError, match="one row per mask"):
        curves(lambda masks: np.zeros(2), {"a": [0, 1, 2]}, np.random.default_rng(0))


def test_curves_of_a_game_need_no_set_function():
    """Any callable of masks will do: a Game with a batch smaller than the masks."""
    game = Game(lambda masks: masks @ [4.0, 2.0, 1.0], 3, batch=2)
    found = curves(game, {"a": [0, 1, 2]}, np.random.default_rng(0), random=1)
    assert found.values.tolist() == [[7, 3, 1, 0]]
