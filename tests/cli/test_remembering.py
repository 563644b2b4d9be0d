"""Facts about FullOnce: the full mask is asked for once, everything else as it comes."""

from __future__ import annotations

import numpy as np

from whence import Game, explain
from whence.cli.remembering import FullOnce


def counted():
    """A game of three units and two classes, and the masks it was asked for."""
    asked = []

    def value(masks):
        asked.extend(map(tuple, masks.tolist()))
        return masks @ np.array([[1.0, -1.0], [2.0, 0.0], [0.0, 3.0]])

    return Game(value, 3), asked


def test_values_are_the_games_own():
    """Every mask, alone or in company, gets the value the game gives it."""
    game, _ = counted()
    masks = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 1], [1, 1, 1]], dtype=bool)
    once = FullOnce.around(game)
    np.testing.assert_array_equal(once(masks), game(masks))
    np.testing.assert_array_equal(once(masks[:1]), game(masks[:1]))
    np.testing.assert_array_equal(once(masks[1:3]), game(masks[1:3]))


def test_the_full_mask_is_asked_for_once():
    """A run after a look at the full mask asks for each of the other masks only."""
    game, asked = counted()
    once = FullOnce.around(game)
    once(np.ones((1, 3), dtype=bool))
    explain(once, budget=8, repeats=0)
    assert len(asked) == len(set(asked)) == 8


def test_repeats_stay_fresh():
    """A second answer, asked for to find noise, is not the remembered one."""
    game, asked = counted()
    explain(FullOnce.around(game), budget=8, repeats=2)
    assert asked.count((True, True, True)) == 2
