"""Holds the forms that models read tables in, and the reading of a table's file.

It does not know the models (sklearn, boosters), nor how rows are mixed (lenses).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra
from whence.lenses.inputs.frames import Column, as_table, listed, narwhals

#: What a table's file may end in.
SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arrow")


def read_table(path: str | Path) -> Any:
    """A table from a .csv, .tsv, .parquet, .feather or .arrow file, its first line the names.

    Returns:
        A pandas data frame; a polars one where only polars is installed.

    Raises:
        InputError: no such file, another suffix, or a file that is no such table.
        MissingExtra: neither pandas nor polars is installed, or what they need for the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} came as the table; there is no such file. Give its path.")
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path.name} came as the table; it must end in {', '.join(SUFFIXES)}.")
    library = frame_library("a table's file")
    try:
        return _READERS[path.suffix](library, path)
    except ImportError as error:
        raise MissingExtra(
            f"{path.name} needs pyarrow beside pandas, and it is not installed: "
            'pip install "whence[arrow]"'
        ) from error
    except Exception as error:  # of whatever library reads it
        raise InputError(
            f"{path.name} cannot be read as a {path.suffix} table: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error


def _delimited(separator: str) -> Callable[[Any, Path], Any]:
    def read(library: Any, path: Path) -> Any:
        if library.__name__ == "pandas":
            return library.read_csv(path, sep=separator)
        return library.read_csv(path, separator=separator)

    return read


def _feather(library: Any, path: Path) -> Any:
    return library.read_feather(path) if library.__name__ == "pandas" else library.read_ipc(path)


_READERS: dict[str, Callable[[Any, Path], Any]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".parquet": lambda library, path: library.read_parquet(path),
    ".feather": _feather,
    ".arrow": _feather,
}


def frame_library(who: str) -> Any:
    """Pandas, or polars where there is no pandas.

    Raises:
        MissingExtra: neither is installed.
    """
    try:
        import pandas as found
    except ImportError:
        try:
            import polars as found
        except ImportError as error:
            raise MissingExtra(
                f"{who} needs pandas or polars, and neither is installed: "
                'pip install "whence[pandas]"'
            ) from error
    return found


def as_array(rows: Any) -> NDArray[Any]:
    """Rows as an array `(rows, columns)`: of numbers if all are, else of objects."""
    if isinstance(rows, np.ndarray):
        return rows
    return np.asarray(narwhals().from_native(rows, eager_only=True).to_numpy())


def as_frame(rows: Any, names: Sequence[str]) -> Any:
    """Rows as a data frame with these column names: pandas and polars stay, others become one."""
    if isinstance(rows, np.ndarray):
        return _frame_of(rows, names)
    nw = narwhals()
    if nw.dependencies.is_pyarrow_table(rows):
        library = frame_library("an Arrow table for this model")
        return rows.to_pandas() if library.__name__ == "pandas" else library.from_arrow(rows)
    return rows


def _frame_of(rows: NDArray[Any], names: Sequence[str]) -> Any:
    library = frame_library("an array for a model that knows its columns by name")
    whole = rows.dtype.kind != "O"
    return library.DataFrame(
        {n: rows[:, j] if whole else rows[:, j].tolist() for j, n in enumerate(names)}
    )


def as_pandas(rows: Any, names: Sequence[str]) -> Any:
    """Rows as a pandas data frame.

    Raises:
        MissingExtra: pandas is not installed.
    """
    nw = narwhals()
    if nw.dependencies.is_pandas_dataframe(rows):
        return rows
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra(
            "this model's categories need pandas, which is not installed: "
            'pip install "whence[pandas]"'
        ) from error
    if isinstance(rows, np.ndarray):
        return pandas.DataFrame({name: rows[:, j].tolist() for j, name in enumerate(names)})
    return nw.from_native(rows).to_pandas()


def as_matrix(
    rows: Any, names: Sequence[str], categories: Sequence[Sequence[Any]] = ()
) -> NDArray[np.float64]:
    """Rows as numbers `(rows, columns)`: categories by their place, nan where a value is missing.

    Args:
        rows: a table, or such numbers already.
        names: its columns.
        categories: of the columns that hold no numbers, in their order, all that the model knows.

    Raises:
        InputError: texts in a column that has no categories, or one that the model does not know.
    """
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "iufb":
        return rows.astype(np.float64, copy=False)
    columns = as_table(rows, names if isinstance(rows, np.ndarray) else ()).columns()
    coded = [column for column in columns if not column.numeric and not _is_bool(column)]
    if len(coded) != len(categories):
        raise InputError(
            f"{listed([column.name for column in coded]) or 'no column'} came without numbers; "
            f"the model was fitted with {len(categories)} columns of categories. Give each "
            "column as the model was fitted on it."
        )
    known = dict(zip((column.name for column in coded), categories, strict=True))
    return np.column_stack([_numbers(column, known.get(column.name)) for column in columns])


def _is_bool(column: Column) -> bool:
    return all(isinstance(word, bool | np.bool_) for word in column.words) and bool(column.words)


def _numbers(column: Column, known: Sequence[Any] | None) -> NDArray[np.float64]:
    if column.numeric:
        return column.values
    if known is None:
        places = np.array([float(word) for word in column.words])
    else:
        refuse_unseen(column, known)
        places = np.array([float(list(known).index(word)) for word in column.words])
    numbers = np.full(len(column.values), np.nan)
    held = ~np.isnan(column.values)
    numbers[held] = places[column.values[held].astype(np.intp)]
    return numbers


def refuse_unseen(column: Column, known: Sequence[Any]) -> None:
    """Nothing, if every category of a column is known.

    Raises:
        InputError: one that is not.
    """
    unseen = [word for word in column.words if word not in known]
    if unseen:
        raise InputError(
            f"{column.name} holds {listed(unseen)}, which the model has not seen; it knows "
            f"{listed(list(known))}. Give one of those."
        )
