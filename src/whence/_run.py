"""Holds a run: the values of a game as they arrive, and what they cost.

It does not know why these masks were asked, nor what will be fitted to them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from whence import masks as mask
from whence.explanation import Cost
from whence.game import Game, Values, arriving, join, raw_values
from whence.masks import Masks
from whence.samples import Samples

#: Called as `progress(done, total)` after every batch.
Progress = Callable[[int, int], None]


class Run:
    """The values of one run as they arrive, part by part."""

    def __init__(self, game: Game, progress: Progress | None, total: int) -> None:
        self.game, self.progress, self.total = game, progress, total
        self.rows = np.zeros((0, game.n), dtype=np.bool_)
        self.raw: list[Values] = []
        self.started = time.perf_counter()
        self.seconds = 0.0
        self.repeats = 0

    def value(self, rows: Masks) -> None:
        """Value masks; what has arrived is kept, whatever happens to the rest.

        It is kept in the order it was asked for, so that nothing later depends on which worker
        was the fastest.
        """
        where: list[NDArray[np.intp]] = []
        parts: list[Values] = []
        try:
            for at, raw in arriving(self.game, rows):
                if self.raw or parts:
                    join([(self.raw or parts)[0][:0], raw[:0]])
                where.append(at)
                parts.append(raw)
                self.seconds = time.perf_counter() - self.started
                if self.progress is not None:
                    self.progress(len(self.rows) + sum(map(len, where)), self.total)
        finally:
            if parts:
                asked = np.concatenate(where)
                order = np.argsort(asked)
                self.rows = np.concatenate([self.rows, rows[asked[order]]])
                self.raw.append(np.concatenate(parts)[order])

    def samples(self) -> Samples:
        """Everything valued so far, as the explained quantity."""
        return Samples(self.rows, self.game.read(join(self.raw), self.rows))

    def valued(self, rows: Masks) -> Samples:
        """The values of masks, in their order; those that have none yet are valued first."""
        new = rows[~mask.among(rows, self.rows)]
        self.value(new[mask.distinct(new)[0]])
        return rows_of(self.samples(), rows)

    def noise(self, repeats: int, rng: np.random.Generator) -> NDArray[np.float64] | float:
        """Standard deviation of repeated answers `(*out)`, from a few masks asked again."""
        if repeats < 1:
            return 0.0
        others = 2 + rng.permutation(max(len(self.rows) - 2, 0))
        chosen = np.concatenate([[0, 1], others])[:repeats].astype(np.intp)
        known = self.samples().values[chosen]
        again = self.game.again or self.game.value
        batch = self.game.batch
        parts = [
            raw_values(again, self.rows[chosen[i : i + batch]])
            for i in range(0, len(chosen), batch)
        ]
        fresh = self.game.read(join([self.raw[0][:0], *parts]))
        self.repeats = repeats
        return np.sqrt(((fresh - known) ** 2).mean(axis=0) / 2)

    def cost(self, duplicates: int) -> Cost:
        """What was spent so far."""
        count = self.game.tokens
        tokens = None if count is None else int(np.sum(count(self.rows)))
        return Cost(len(self.rows), duplicates, self.repeats, self.seconds, tokens)


def rows_of(values: Samples, wanted: Masks) -> Samples:
    """The rows of `values` that hold the wanted masks, in the order of `wanted`."""
    where = {key.tobytes(): row for row, key in enumerate(mask.keys(values.masks))}
    rows = [where[key.tobytes()] for key in mask.keys(wanted)]
    return values.take(np.array(rows, dtype=np.intp))
