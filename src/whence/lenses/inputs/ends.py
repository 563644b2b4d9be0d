"""Holds Known: a game that asks its model for the two ends only once, or not at all.

It does not know where the ends were valued before, nor why they are asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whence.game import Game, Part, Values, arriving, in_order
from whence.masks import Masks


class Known:
    """A game's raw values; those of the two ends are asked for once, or known before.

    Attributes:
        game: what is asked for everything else.
        ends: whether all is present -> its raw value `(1, *raw)`, once known.
    """

    def __init__(self, game: Game, ends: dict[bool, Values]) -> None:
        self.game, self.ends = game, ends

    def __call__(self, masks: Masks) -> Values:
        """Raw values `(b, *raw)` of masks `(b, n)`."""
        return in_order(self.stream(masks))

    def stream(self, masks: Masks) -> Iterator[Part]:
        """Rows of `masks` and their raw values, as they arrive."""
        which: dict[bool, NDArray[np.bool_]] = {
            True: np.asarray(masks.all(axis=1)),
            False: np.asarray(~masks.any(axis=1)),
        }
        known = np.zeros(len(masks), dtype=np.bool_)
        for end in [end for end in self.ends if which[end].any()]:
            rows = np.flatnonzero(which[end])
            known[rows] = True
            yield rows, np.repeat(self.ends[end], len(rows), axis=0)
        rest = np.flatnonzero(~known)
        if known.any() and not len(rest):
            return  # nothing is left to ask: no part without a row, whose shape is anybody's guess
        for rows, values in arriving(self.game, masks[rest]):
            for end, those in which.items():
                at = np.flatnonzero(those[rest[rows]])
                if len(at):
                    self.ends[end] = values[at[:1]]
            yield rest[rows], values

    @staticmethod
    def around(game: Game) -> Game:
        """The same game, its two ends paid for once; repeats for noise stay fresh."""
        return replace(game, value=Known(game, {}), again=game.again or game.value)
