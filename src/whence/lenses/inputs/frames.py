"""Holds Table: named columns of rows, from numpy arrays and any data frame, and how they mix.

Frames (pandas, polars, Arrow) are read and written through narwhals and stay what they are, so
categories, texts and missing values reach the model as they came. This file does not know which
rows mix, nor what reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra

#: Whole numbers up to here are floats without loss.
EXACT = 2**53
#: dtype.kind of numbers, booleans not among them.
NUMBERS = frozenset("iuf")


@dataclass(frozen=True)
class Column:
    """What a column holds, whatever library held it.

    Attributes:
        name: of the column.
        numeric: whether it holds numbers; booleans, texts, categories and dates are none.
        values: `(rows,)` the numbers; else for each row the place of its value among `words`; nan
            where a value is missing.
        words: the different values of a column that is not numeric, in the order they came.
    """

    name: str
    numeric: bool
    values: NDArray[np.float64]
    words: tuple[Any, ...] = ()


class Table(Protocol):
    """Rows with named columns, of one library."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        ...

    @property
    def native(self) -> Any:
        """The table as its library holds it."""
        ...

    def __len__(self) -> int:
        """Rows."""
        ...

    def columns(self) -> tuple[Column, ...]:
        """What each column holds."""
        ...

    def cells(self, row: int) -> dict[str, Any]:
        """One row: name -> value as Python has it, None or nan where it is missing."""
        ...

    def select(self, names: Sequence[str]) -> Table:
        """Some columns, in this order."""
        ...

    def take(self, rows: NDArray[np.intp]) -> Table:
        """Some rows, in this order."""
        ...

    def under(self, cells: Mapping[str, Any]) -> Table:
        """The table under a first row of these values, in the types of its columns.

        Raises:
            InputError: a value that a column cannot hold.
        """
        ...

    def mixed(self, places: NDArray[np.intp]) -> Any:
        """Native rows: column j of row r is that of row `places[r, j]` of the table."""
        ...

    def written(self, values: NDArray[np.float64]) -> Any:
        """Native rows of numbers `(r, columns)`."""
        ...


@dataclass(frozen=True)
class ArrayTable:
    """A numpy array `(rows, columns)` and its columns' names."""

    native: NDArray[Any]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.native)

    def columns(self) -> tuple[Column, ...]:
        """See `Table`."""
        return tuple(
            _column(name, self.native[:, j].tolist(), self.native[:, j])
            for j, name in enumerate(self.names)
        )

    def cells(self, row: int) -> dict[str, Any]:
        """See `Table`."""
        return dict(zip(self.names, self.native[row].tolist(), strict=True))

    def select(self, names: Sequence[str]) -> ArrayTable:
        """See `Table`."""
        at = [self.names.index(name) for name in names]
        return ArrayTable(self.native[:, at], tuple(names))

    def take(self, rows: NDArray[np.intp]) -> ArrayTable:
        """See `Table`."""
        return ArrayTable(self.native[rows], self.names)

    def under(self, cells: Mapping[str, Any]) -> ArrayTable:
        """See `Table`."""
        values = [cells[name] for name in self.names]
        if self.native.dtype.kind in NUMBERS | {"b"}:
            for name, value in zip(self.names, values, strict=True):
                if not isinstance(value, int | float | np.number | np.bool_):
                    raise _misfit(name, value, f"numbers ({self.native.dtype})")
            first = np.array(values)
            kind = np.result_type(self.native.dtype, first.dtype)
            return ArrayTable(np.vstack([first, self.native]).astype(kind), self.names)
        first = np.empty(len(values), dtype=object)
        first[:] = values
        return ArrayTable(np.vstack([first, self.native.astype(object)]), self.names)

    def mixed(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """See `Table`."""
        return self.native[places, np.arange(len(self.names))]

    def written(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Table`."""
        return values


@dataclass(frozen=True)
class FrameTable:
    """A data frame, as narwhals holds it."""

    frame: Any

    @property
    def names(self) -> tuple[str, ...]:
        """See `Table`."""
        return tuple(self.frame.columns)

    @property
    def native(self) -> Any:
        """See `Table`."""
        return self.frame.to_native()

    def __len__(self) -> int:
        return len(self.frame)

    def columns(self) -> tuple[Column, ...]:
        """See `Table`."""
        return tuple(_series_column(name, self.frame[name]) for name in self.names)

    def cells(self, row: int) -> dict[str, Any]:
        """See `Table`."""
        return {name: self.frame[name][row : row + 1].to_list()[0] for name in self.names}

    def select(self, names: Sequence[str]) -> FrameTable:
        """See `Table`."""
        return FrameTable(self.frame.select(list(names)))

    def take(self, rows: NDArray[np.intp]) -> FrameTable:
        """See `Table`."""
        return FrameTable(self.frame[rows])

    def under(self, cells: Mapping[str, Any]) -> FrameTable:
        """See `Table`."""
        first = {name: _one(self.frame[name], cells[name]) for name in self.names}
        nw = narwhals()
        top = nw.from_dict(first)
        return FrameTable(nw.concat([top, self.frame], how="vertical"))

    def mixed(self, places: NDArray[np.intp]) -> Any:
        """See `Table`."""
        nw = narwhals()
        native = self.frame.to_native()
        if nw.dependencies.is_pandas_dataframe(native):
            # Arrays, which unlike Series carry no index to align: six times as fast.
            parts = {n: native[n].array.take(places[:, j]) for j, n in enumerate(self.names)}
            return type(native)(parts, copy=False)
        mixed = {name: self.frame[name][places[:, j]] for j, name in enumerate(self.names)}
        return nw.from_dict(mixed).to_native()

    def written(self, values: NDArray[np.float64]) -> Any:
        """See `Table`."""
        nw = narwhals()
        columns = {name: values[:, j] for j, name in enumerate(self.names)}
        return nw.from_dict(columns, backend=self.frame.implementation).to_native()


def narwhals() -> Any:
    """The narwhals package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import narwhals.stable.v2 as found
    except ImportError as error:
        raise MissingExtra(
            "narwhals is not installed, and a data frame needs it: "
            'pip install "whence[sklearn]". A numpy array needs nothing.'
        ) from error
    return found


def as_table(given: Any, names: Sequence[str] = (), what: str = "the table") -> Table:
    """A table from a numpy array `(rows, columns)`, nested lists, or a data frame.

    Args:
        given: the rows.
        names: the columns of an array or lists; () calls them "x0", "x1", ...
        what: what it is, for errors.

    Raises:
        InputError: no table, or columns that repeat.
        MissingExtra: a data frame, and narwhals is not installed.
    """
    if isinstance(given, np.ndarray | list | tuple):
        array = np.asarray(given)
        if array.dtype.kind in "US":  # as objects, or numbers beside texts would become texts
            array = np.asarray(given, dtype=object)
        return _array_table(array, names, what)
    nw = narwhals()
    frame = _named(given, nw, what)
    if len(frame.columns) == 0 or len(frame) == 0:
        raise InputError(f"{what} has {len(frame)} rows and {len(frame.columns)} columns; one of "
                         "each at least is needed.")  # fmt: skip
    return FrameTable(frame)


def _array_table(array: NDArray[Any], names: Sequence[str], what: str) -> ArrayTable:
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{what} came with shape {array.shape}; (rows, columns) is needed.")
    if names and len(names) != array.shape[1]:
        raise InputError(
            f"{what} has {array.shape[1]} columns and {len(names)} names came: "
            f"{listed(names)}. Give one to each, in the columns' order."
        )
    return ArrayTable(array, tuple(names) or tuple(f"x{j}" for j in range(array.shape[1])))


def _named(given: Any, nw: Any, what: str) -> Any:
    if nw.dependencies.is_pandas_dataframe(given):
        names = [str(name) for name in given.columns]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise InputError(f"{what} has {listed(twice)} more than once; rename the columns.")
        given = given.set_axis(names, axis=1).reset_index(drop=True)
    try:
        return nw.from_native(given, eager_only=True)
    except TypeError as error:
        raise InputError(
            f"{what} came as {type(given).__name__}; a data frame that is in memory (pandas, "
            "polars, Arrow) or a numpy array is needed. Read a file first, collect a lazy frame, "
            "make a sparse matrix dense with .toarray()."
        ) from error


def cells_of(given: Any, names: Sequence[str], what: str = "row") -> dict[str, Any]:
    """One row as name -> value: from a dict, a frame or array of one row, a Series, a sequence.

    Args:
        given: the row.
        names: the columns, in the order of a row without names.
        what: what it is, for errors.

    Raises:
        InputError: more than one row, or not one value to each column.
    """
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    if isinstance(given, np.ndarray | list | tuple):
        flat = given[0] if len(np.shape(given)) == 2 and len(given) == 1 else given
        values = flat.tolist() if isinstance(flat, np.ndarray) else list(flat)
        if len(values) != len(names) or np.ndim(flat) != 1:
            raise InputError(
                f"{what} came with shape {np.shape(given)}; one value to each of the "
                f"{len(names)} columns is needed: {listed(names)}."
            )
        return dict(zip(names, values, strict=True))
    if given is None or isinstance(given, str | bytes | float):
        raise InputError(
            f"{what}={given!r} came; a dict, a data frame or array of one row, a Series or a "
            "sequence of values is needed, or the whole number of a row of table=, from 0."
        )
    if narwhals().dependencies.is_pandas_series(given):
        return {str(name): value for name, value in given.to_dict().items()}
    table = as_table(given, what=what)
    if len(table) != 1:
        raise InputError(
            f"{what} came as a table of {len(table):,} rows; one row is needed. Give the table as "
            f"table= and the row's number as {what}."
        )
    return table.cells(0)


def _one(series: Any, value: Any) -> Any:
    """A series of one value, in the type of another, of the same library.

    Raises:
        InputError: the type does not hold the value.
    """
    nw = narwhals()
    native = series.to_native()
    value = value.item() if isinstance(value, np.generic) else value
    known = _categories(series)
    if known is not None and not missing(value) and value not in known:
        raise _misfit(series.name, value, f"none but the categories {listed(known)}")
    try:
        if nw.dependencies.is_pandas_series(native):
            filled = type(native)([value], name=series.name, dtype=native.dtype)
            one = nw.from_native(filled, series_only=True)
        else:
            value = value if not missing(value) or series.dtype.is_float() else None
            kind, backend = series.dtype, series.implementation
            one = nw.new_series(series.name, [value], dtype=kind, backend=backend)
            if nw.dependencies.is_pyarrow_chunked_array(native):
                # Arrow tells large texts from others, and narwhals does not.
                one = nw.from_native(one.to_native().cast(native.type), series_only=True)
        kept = one.to_list()[0]
    except Exception as error:  # of whatever library
        raise _misfit(series.name, value, f"{series.dtype}") from error
    if not (missing(kept) if missing(value) else kept == value):
        raise _misfit(series.name, value, f"{series.dtype}")
    return one


def _categories(series: Any) -> Sequence[Any] | None:
    """The categories of a column that holds no others; None when it has none."""
    nw, native = narwhals(), series.to_native()
    if nw.dependencies.is_pandas_series(native):
        return list(native.cat.categories) if native.dtype.name == "category" else None
    return list(series.dtype.categories) if series.dtype == nw.Enum else None


def _misfit(name: str, value: Any, holds: str) -> InputError:
    return InputError(
        f"{name} = {value!r} came, and the background's column {name} holds {holds}. Give a value "
        "of that kind, or make the column of a wider type."
    )


def _series_column(name: str, series: Any) -> Column:
    if not series.dtype.is_numeric() or _beyond_floats(series):
        return _column(name, series.to_list(), None)
    return _column(name, (), series.cast(narwhals().Float64).to_numpy())


def _beyond_floats(series: Any) -> bool:
    if not series.dtype.is_integer() or series.null_count() == len(series):
        return False
    return max(-series.min(), series.max()) > EXACT


def _column(name: str, cells: Sequence[Any], numbers: NDArray[Any] | None) -> Column:
    if numbers is not None and numbers.dtype.kind == "O" and _are_numbers(cells):
        numbers = np.array([np.nan if missing(cell) else cell for cell in cells])
    if numbers is not None and numbers.dtype.kind in NUMBERS:
        return Column(name, True, numbers.astype(np.float64) + 0.0)  # -0.0 becomes 0.0
    places: dict[Any, int] = {}
    found = [np.nan if missing(v) else places.setdefault(v, len(places)) for v in cells]
    return Column(name, False, np.array(found, dtype=np.float64), tuple(places))


def _are_numbers(cells: Iterable[Any]) -> bool:
    return all(
        missing(cell) or (isinstance(cell, int | float) and not isinstance(cell, bool))
        for cell in cells
    )


def missing(value: Any) -> bool:
    """Whether a cell holds no value: None, nan, or a library's own mark for it."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def listed(names: Sequence[Any], most: int = 12) -> str:
    """Some names for an error, not all of very many."""
    more = f", ... ({len(names)})" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
