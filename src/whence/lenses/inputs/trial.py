"""Holds trial: the model asked once, before a run, and which cells are to blame if it refuses.

It does not know masks, units or policies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, ModelError, WhenceError
from whence.game import Values
from whence.lenses.inputs.columns import said
from whence.lenses.inputs.frames import Table
from whence.scoring import scores_of

#: Native rows -> `(b,)` or `(b, *raw)` scores.
ScoreRows = Callable[[Any], Any]


def trial(score: ScoreRows, table: Table, places: NDArray[np.intp]) -> Values:
    """Raw scores `(1 + r, *raw)` of the explained row and of what stands in for it.

    Args:
        score: the model.
        table: the explained row (0) and the background under it.
        places: `(r, columns)` the row of the table that each cell is of.

    Raises:
        InputError: the model refuses cells, which are named: each spoils a row that it takes.
        ModelError: the model refuses a row, and no single cell is to blame.
        ShapeError: not one score, or row of scores, to each row.
    """
    rows = np.concatenate([np.zeros((1, len(table.names)), dtype=np.intp), places])
    try:
        answer = score(table.mixed(rows))
    except WhenceError:
        raise
    except Exception as error:
        raise _blame(score, table, rows, error) from error
    return scores_of(answer, len(rows))


def _blame(
    score: ScoreRows, table: Table, rows: NDArray[np.intp], error: Exception
) -> InputError | ModelError:
    """Who is to blame: the cells of a refused row that spoil a row the model takes, or none."""
    own = not _accepts(score, table.mixed(rows[:1]))
    bad = rows[0] if own else _first_refused(score, table, rows)
    donors = rows[1:][:: max(1, len(rows) // 5)] if own else rows[:1]
    whose = "the row" if own else _whose(bad)
    raised = f"It raised {type(error).__name__}: {_short(error)}"
    for donor in donors:
        spoilers = _spoilers(score, table, donor, bad)
        if spoilers:
            return InputError(
                f"the model refuses {_cells(table, bad, spoilers)} in {whose}, where a row that it "
                f"takes has {_cells(table, donor, spoilers)}. {raised} Give values that the model "
                "was fitted on."
            )
    return ModelError(
        f"the model refuses {whose}, and no one column is to blame. {raised} Check the columns and "
        f"their types: {', '.join(table.names[:12])}."
    )


def _spoilers(
    score: ScoreRows, table: Table, donor: NDArray[np.intp], bad: NDArray[np.intp]
) -> list[int]:
    """The columns whose cells of a bad row make the model refuse a row that it takes."""
    if not _accepts(score, table.mixed(donor[None])):
        return []
    mixed = np.where(np.eye(len(bad), dtype=np.bool_), bad, donor)
    return [j for j, one in enumerate(mixed) if not _accepts(score, table.mixed(one[None]))]


def _cells(table: Table, places: NDArray[np.intp], columns: list[int]) -> str:
    names = [table.names[j] for j in columns[:5]]
    cells = [table.cells(int(places[j]))[name] for j, name in zip(columns, names, strict=False)]
    more = ", ..." if len(columns) > 5 else ""
    return ", ".join(f"{n} = {said(v)}" for n, v in zip(names, cells, strict=True)) + more


def _whose(places: NDArray[np.intp]) -> str:
    if (places == places[0]).all():
        return f"row {int(places[0]) - 1} of the background (of those drawn, counted from 0)"
    return "the baseline"


def _first_refused(score: ScoreRows, table: Table, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first row that the model refuses, by halving: it takes those before `low`."""
    low, high = 1, len(rows)
    while high - low > 1:
        middle = (low + high) // 2
        if _accepts(score, table.mixed(rows[low:middle])):
            low = middle
        else:
            high = middle
    return rows[low]


def _accepts(score: ScoreRows, native: Any) -> bool:
    try:
        score(native)
    except Exception:  # whatever the model's library raises
        return False
    return True


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    text = text if len(text) <= 300 else text[:299] + "…"
    return text if text.endswith((".", "…", "!", "?")) else text + "."
