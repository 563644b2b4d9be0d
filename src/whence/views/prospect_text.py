"""Holds text: prospector maps as lines for a terminal, coloured or plain.

It lays out Sections and does not know how their words and numbers came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from whence.views.fit import Fit
from whence.views.overlay import places
from whence.views.prospect_fit import short
from whence.views.prospect_map import Mapped, section, strength
from whence.views.text import SHADES, Line, Styled, columns_of, drawn, said, section_lines, wanted

#: What a place of a grid is drawn as, from weak to strong: above zero, below, and with colours.
ABOVE, BELOW, COLOURED = "+x#", "-=%", "░▒█"
EMPTY, HOLE = "·", " "
#: A grid with more places than this many lines is drawn by the means of blocks.
TALLEST = 40


def text(
    shown: Sequence[Mapped],
    fit: Fit,
    *,
    top: int = 8,
    width: int | None = None,
    colour: bool | None = None,
) -> str:
    """Maps in lines of text: the head's fit, then each bag with its tokens and pairs.

    Args:
        shown: the maps, one head's.
        fit: how far to trust the head; told in full beside the first map, in a line beside others.
        top: rows per table.
        width: cells per line, at least 40; None takes the terminal's, up to 100.
        colour: with ANSI colours; None asks NO_COLOR, FORCE_COLOR, and whether a terminal reads.
    """
    coloured = wanted() if colour is None else colour
    return drawn(list(_lines(shown, fit, top, columns_of(width), marks=not coloured)), coloured)


def _lines(
    shown: Sequence[Mapped], fit: Fit, top: int, width: int, *, marks: bool
) -> Iterator[Line]:
    for place, one in enumerate(shown):
        if place:
            yield []
        told = fit if place == 0 else short(fit, one.map.performance)
        what = section(one, told, top=top)
        grid = grid_lines(one, width - 2, marks=marks, signs=what.signs)
        yield from section_lines(what, width, marks=marks, first=place == 0, figure=grid)


def grid_lines(shown: Mapped, width: int, *, marks: bool, signs: tuple[str, str]) -> Iterator[Line]:
    """A grid of tokens as characters: the sign by colour or character, the strength by its weight.

    Nothing for tokens on no grid.
    """
    at = places(shown.map.units, shown.layout)
    if at is None:
        return
    values, cells = _fitted(_tokens_at(at), np.asarray(strength(shown.map)), width)
    yield []
    for row in values:
        yield [("  ", ""), *(_place(value, cells, marks=marks) for value in row)]
    more, less = signs
    key = (
        f"{ABOVE} {more}, {BELOW} {less}; the later of the three, the more"
        if marks
        else f"blue {more}, orange {less}"
    )
    yield from said(key, width, "dim", "  ")


def _tokens_at(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels thinned to about a place per token: rows and columns equal to their neighbours go."""
    rows = np.append(True, (at[1:] != at[:-1]).any(axis=1))
    columns = np.append(True, (at[:, 1:] != at[:, :-1]).any(axis=0))
    return at[rows][:, columns]


def _fitted(
    at: NDArray[np.int64], values: NDArray[np.float64], width: int
) -> tuple[NDArray[np.float64], int]:
    """The grid's strengths in at most `width` cells, and cells a place: 2 are about a square."""
    held = np.append(values, np.nan)[at]
    step = max(1, -(-held.shape[1] // width), -(-held.shape[0] // TALLEST))
    if step > 1:
        held = _blocks(held, step)
    return held, 2 if 2 * held.shape[1] <= width else 1


def _blocks(held: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """The strongest place of each block, with its sign; nan where a block is all holes."""
    height, width = (-(-side // step) for side in held.shape)
    padded = np.full((height * step, width * step), np.nan)
    padded[: held.shape[0], : held.shape[1]] = held
    blocks = padded.reshape(height, step, width, step).transpose(0, 2, 1, 3)
    flat = blocks.reshape(height, width, -1)
    best = np.where(np.isnan(flat), -1.0, np.abs(flat)).argmax(axis=-1)
    return np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]


def _place(value: float, cells: int, *, marks: bool) -> Styled:
    if np.isnan(value):
        return HOLE * cells, ""
    shade = sum(abs(value) >= least for least in SHADES)
    if not shade:
        return EMPTY + " " * (cells - 1), "dim"
    if marks:
        return (ABOVE if value > 0 else BELOW)[shade - 1] * cells, ""
    return COLOURED[shade - 1] * cells, "more1" if value > 0 else "less1"
