"""Holds the explained row over its background: read, checked, and in the form that the model reads.

It does not know the units, nor which rows of the background a mask asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.lenses.inputs.background import Baseline, Policy, Pool
from whence.lenses.inputs.frames import Table, as_table, cells_of, listed


@runtime_checkable
class TableReader(Protocol):
    """A scorer of rows that knows which columns it reads, and in which form."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the model was fitted on; () when it does not know their names."""
        ...

    def reads(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of the columns that the model reads, in its order.

        Raises:
            InputError: one is missing, or there are too many or too few for a model that does not
                know their names.
        """
        ...

    def ready(self, rows: Any) -> Any:
        """The same rows in the form that the model reads.

        Raises:
            InputError: a value that the model cannot read.
        """
        ...


@dataclass(frozen=True)
class Rows:
    """The explained row and its background.

    Attributes:
        names: the columns that the model reads, in its order.
        cells: the row's values, by column.
        table: the row and the background under it, in the form the model reads.
        pool: what they hold, for an absent policy.
        left: columns that came and that the model does not read.
    """

    names: tuple[str, ...]
    cells: dict[str, Any]
    table: Table
    pool: Pool
    left: tuple[str, ...]


def rows_of(
    score: Any,
    row: Any,
    *,
    table: Any,
    background: Any,
    columns: Sequence[str],
    policy: Policy,
    size: int,
    rng: int | np.random.Generator,
) -> Rows:
    """The row over its background, or over the sample of it that will be used.

    Args: as `table_game`.

    Raises:
        InputError: as `table_game`.
    """
    if size < 1:
        raise InputError(f"size={size} came; a mask is averaged over at least 1 background row.")
    if not isinstance(rng, np.random.Generator) and rng < 0:
        raise InputError(f"rng={rng} came; a seed is a whole number from 0, or a generator.")
    template, cells = _given(score, row, table, background, policy, columns)
    reads = _reads(score, template.names, columns)
    _check_there(reads, cells, "the row")
    left = tuple(name for name in template.names if name not in reads)
    template = template if template.names == reads else template.select(reads)
    cells = {name: cells[name] for name in reads}
    seed = int(rng.integers(2**63)) if isinstance(rng, np.random.Generator) else int(rng)
    sample, total = _sample(len(template), size, seed), len(template)
    if not policy.whole:
        template, sample = template.take(sample), np.arange(len(sample))
    pooled = template.under(cells)
    pool = Pool(pooled.columns(), sample + 1, total, size, seed)
    return Rows(reads, cells, _ready(score, pooled), pool, left)


def _sample(total: int, size: int, seed: int) -> NDArray[np.intp]:
    """Rows of the background, from 0, in order: all of them, or so many drawn."""
    if size >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, size, replace=False))


def _given(
    score: Any,
    row: Any,
    table: Any,
    background: Any,
    policy: Policy,
    columns: Sequence[str],
) -> tuple[Table, dict[str, Any]]:
    """The background, and the row's cells."""
    names = tuple(columns) or (score.names if isinstance(score, TableReader) else ())
    rows = None if table is None else _named(table, names, "table")
    own = isinstance(policy, Baseline) and policy.row is not None
    template = rows if background is None else _named(background, names, "background")
    if template is None and own:
        template = _lone(row, names)
    if template is None:
        raise InputError(
            "neither background= nor table= came; an absent column takes its values from there. "
            "Give rows of the data that the model was fitted on, or absent=Baseline(row)."
        )
    cells = _cells(row, rows, template.names)
    if isinstance(policy, Baseline) and policy.row is not None:
        other = cells_of(policy.row, template.names, "the baseline row")
        _check_there(template.names, other, "the baseline row")
        template = template.take(np.array([0])).under(other).take(np.array([0]))
    return template, cells


def _named(given: Any, names: Sequence[str], what: str) -> Table:
    """A table; an array of as many columns as there are names has those names."""
    bare = isinstance(given, np.ndarray | list | tuple)
    wide = bare and np.ndim(given) == 2 and np.shape(given)[1] == len(names)
    return as_table(given, names if wide else (), what)


def _lone(row: Any, names: Sequence[str]) -> Table | None:
    """A row that is a table of its own, to take the types of its columns from."""
    if isinstance(row, int | np.integer):
        return None
    if isinstance(row, Mapping):
        cells = cells_of(row, ())
        return as_table([list(cells.values())], tuple(cells), "row")
    one = [row] if isinstance(row, list | tuple | np.ndarray) and np.ndim(row) == 1 else row
    return _named(one, names, "row")


def _cells(row: Any, rows: Table | None, names: Sequence[str]) -> dict[str, Any]:
    if not isinstance(row, int | np.integer) or isinstance(row, bool):
        return cells_of(row, names)
    if rows is None:
        raise InputError(f"row={row} came, a row's number, without table=; give the table too.")
    if not 0 <= row < len(rows):
        raise InputError(
            f"row={row} came, and the table has {len(rows):,} rows; rows are counted from 0 to "
            f"{len(rows) - 1:,}."
        )
    return rows.cells(int(row))


def _reads(score: Any, came: tuple[str, ...], columns: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(columns) or came
    _check_there(wanted, came, "the table")
    return score.reads(wanted) if isinstance(score, TableReader) else wanted


def _check_there(wanted: Sequence[str], came: Any, what: str) -> None:
    lacking = [name for name in wanted if name not in came]
    if lacking:
        raise InputError(f"{what} lacks {listed(lacking)}; it has {listed(list(came))}.")


def _ready(score: Any, pooled: Table) -> Table:
    if not isinstance(score, TableReader):
        return pooled
    return as_table(score.ready(pooled.native), pooled.names)
