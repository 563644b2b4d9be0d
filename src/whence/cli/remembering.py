"""Holds FullOnce: a value function that asks its model for the full mask only once.

It does not know why: the class the model predicts is read from that answer before a run begins,
and every run asks for it again. It remembers nothing beyond the run: a journal does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whence.game import Game, ValueFunction, Values, raw_values
from whence.masks import Masks


class FullOnce:
    """Masks -> raw values; the full mask's is remembered.

    Attributes:
        ask: what is asked for everything else.
        full: the raw value of the full mask `(1, *raw)`, or None before it was asked for.
    """

    def __init__(self, ask: ValueFunction) -> None:
        self.ask = ask
        self.full: Values | None = None

    def __call__(self, masks: Masks) -> Values:
        """Raw values `(b, *raw)` of masks `(b, n)`."""
        whole = masks.all(axis=1)
        if not whole.any():
            return raw_values(self.ask, masks)
        if self.full is None:
            self.full = raw_values(self.ask, masks[whole][:1])
        values = np.empty((len(masks), *self.full.shape[1:]))
        values[whole] = self.full
        if not whole.all():
            values[~whole] = raw_values(self.ask, masks[~whole])
        return values

    @staticmethod
    def around(game: Game) -> Game:
        """The same game, its full mask paid for once; repeats for noise stay fresh."""
        return replace(game, value=FullOnce(game.value), again=game.again or game.value)
