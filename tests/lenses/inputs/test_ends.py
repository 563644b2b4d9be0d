"""Holds tests of a game whose two ends are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whence import explain
from whence.game import Game
from whence.lenses.inputs.ends import Known
from whence.masks import every


class Counted:
    """A value function that counts the masks it is asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, masks):
        """Two raw numbers per mask."""
        self.asked += len(masks)
        return np.stack([masks.sum(axis=1), masks[:, 0]], axis=1).astype(float)


def test_ends_are_asked_once_and_remembered():
    """The second time only what lies between them is asked for, and values stay in order."""
    value = Counted()
    known = Known(Game(value, 3, batch=3), {})
    first = known(every(3))
    assert value.asked == 8
    assert np.array_equal(known(every(3)[::-1]), first[::-1])
    assert value.asked == 14
    assert sorted(known.ends) == [False, True]


def test_ends_that_are_known_cost_nothing():
    """A game with both ends given, asked for them alone, asks its model nothing."""
    value = Counted()
    ends = {True: np.array([[3.0, 1.0]]), False: np.zeros((1, 2))}
    known = Known(Game(value, 3), ends)
    both = np.array([[True] * 3, [False] * 3, [True] * 3])
    assert known(both).tolist() == [[3, 1], [0, 0], [3, 1]]
    assert value.asked == 0
    assert len(known(np.zeros((0, 3), dtype=bool))) == 0


def test_a_stream_keeps_its_parts():
    """Parts come as the game gives them, each row once, rows counted over all masks."""
    game = Game(Counted(), 3, batch=2)
    known = Known(game, {True: np.array([[3.0, 1.0]])})
    rows = [part[0].tolist() for part in known.stream(every(3))]
    assert rows[0] == [7]
    assert sorted(row for part in rows for row in part) == list(range(8))
    played = replace(game, value=known)
    assert np.array_equal(played(every(3)), game(every(3)))


def test_a_run_after_a_look_at_an_end_asks_for_the_rest_only():
    """What was asked of the full mask before a run is not asked in it."""
    asked = []

    def value(masks):
        asked.extend(map(tuple, masks.tolist()))
        return masks @ np.array([1.0, 2.0, 3.0])

    played = Known.around(Game(value, 3))
    played(np.ones((1, 3), dtype=bool))
    explain(played, budget=8, repeats=0)
    assert len(asked) == len(set(asked)) == 8


def test_repeats_stay_fresh():
    """A second answer, asked for to find noise, is not the remembered one."""
    value = Counted()
    explain(Known.around(Game(value, 3)), budget=8, repeats=2)
    assert value.asked == 10
