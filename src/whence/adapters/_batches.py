"""Holds the plan of batches: which items go through a model together, and what if they do not fit.

It does not know what an item is but for its length, nor which framework runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.errors import ModelError
from whence.game import Values
from whence.scoring import Part

OVERHEAD = 64
"""Tokens' worth of time that one more batch costs, where nothing better is known."""

CARRIED = 4
"""Known tokens that take the room of one that is computed."""


@dataclass
class Size:
    """How much goes through a model at once; it shrinks when that was too much, and stays so.

    Attributes:
        tokens: tokens of one batch at most, padding counted; one item is a batch even if longer.
    """

    tokens: int

    def halve(self, tokens: int) -> None:
        """From now on at most half of `tokens`, which did not fit."""
        self.tokens = max(1, min(self.tokens, tokens) // 2)


def batches(
    lengths: NDArray[np.int64],
    tokens: int,
    overhead: int = OVERHEAD,
    carried: NDArray[np.int64] | None = None,
) -> list[NDArray[np.intp]]:
    """The rows of each batch, the longest first, so that what does not fit is met at once.

    Items of a batch have nearly one length: its padding is at most `overhead` tokens, about what
    a batch of their own would cost those that need it.

    Args:
        lengths: `(b,)` tokens of each item.
        tokens: tokens of one batch at most, padding counted.
        overhead: tokens' worth of time that one more batch costs.
        carried: `(b,)` tokens that each item brings along, known from before; they take room, a
            quarter of a token's each, and no time. None for none.
    """
    made: list[list[int]] = []
    width = padding = room = 0
    along = np.zeros_like(lengths) if carried is None else -(-carried // CARRIED)
    for row in np.lexsort((-along, -lengths)).tolist():
        length = int(lengths[row])
        room = max(room, width + int(along[row]))
        full = not made or (len(made[-1]) + 1) * room > tokens
        if full or padding + width - length > overhead:
            made.append([])
            width, padding = max(length, 1), 0
            room = width + int(along[row])
        made[-1].append(row)
        padding += width - length
    return [np.array(rows, dtype=np.intp) for rows in made]


def in_batches(
    lengths: NDArray[np.int64],
    run: Callable[[NDArray[np.intp]], Values],
    size: Size,
    out_of_memory: Callable[[BaseException], bool],
    *,
    named: Callable[[int], str] = lambda row: f"item {row}",
    overhead: int = OVERHEAD,
    carried: NDArray[np.int64] | None = None,
) -> Iterator[Part]:
    """Every row once, with what `run` gave for it, batch by batch.

    A batch that does not fit in memory is cut in two and tried again; the smaller size is kept in
    `size` for all that follows. What was computed before is not asked again.

    Args:
        lengths: `(b,)` tokens of each item.
        run: rows `(k,)` -> their values `(k, *raw)`.
        size: how much goes through at once; changed when that was too much.
        out_of_memory: whether an exception of `run` says so; all others pass.
        named: row -> how to speak of it.
        overhead: see `batches`.
        carried: see `batches`.

    Raises:
        ModelError: an item that does not fit even alone.
    """
    along = np.zeros_like(lengths) if carried is None else carried

    def cut(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        made = batches(lengths[rows], size.tokens, overhead, along[rows])
        return [rows[some] for some in made[::-1]]

    waiting = cut(np.arange(len(lengths)))
    while waiting:
        rows = waiting.pop()
        values, error = _tried(run, rows, out_of_memory)
        if values is not None:
            yield rows, values
            continue
        if len(rows) == 1:
            raise ModelError(
                f"{named(int(rows[0]))} is {(lengths + along)[rows[0]]} tokens long and does not "
                "fit in memory, even alone. Shorten it, free memory, or use a smaller precision."
            ) from error
        size.halve(len(rows) * int((lengths + along // CARRIED)[rows].max()))
        waiting = cut(np.concatenate([rows, *waiting[::-1]]))


def _tried(
    run: Callable[[NDArray[np.intp]], Values],
    rows: NDArray[np.intp],
    out_of_memory: Callable[[BaseException], bool],
) -> tuple[Values | None, BaseException | None]:
    """The values of some rows, or the exception that says they do not fit.

    Its traceback is dropped: it would hold what filled the memory while a smaller batch is tried.
    """
    try:
        return run(rows), None
    except Exception as error:
        if not out_of_memory(error):
            raise
        return None, error.with_traceback(None)
