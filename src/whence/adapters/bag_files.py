"""Holds the reading of many bags from one file: columns of a table, or named arrays.

It does not know what the columns and arrays mean, nor what is learned from them.
"""

from __future__ import annotations

import csv
import json
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra

#: Text of one cell of a .csv, at most: abstracts and documents are longer than csv's own limit.
_CELL = min(sys.maxsize, 2**31 - 1)


def read_columns(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    """Some columns of a table: a list each, one entry per row.

    A cell of a .csv or .tsv is text; lists in it are written as JSON. A list of vectors of an Arrow
    file comes as an array `(n, d)`. Missing entries are None.

    Args:
        path: .csv, .tsv, .jsonl, .parquet, .arrow or .feather; what it holds beside is not read.
        names: of the columns.

    Raises:
        InputError: no such file, another suffix, a damaged file, or no such column.
        MissingExtra: pyarrow is not installed and the file needs it.
    """
    if not path.is_file():
        raise InputError(f"{path} came as the table; there is no such file. Give its path.")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path.name} came as a table; it must end in {', '.join(_READERS)}.")
    try:
        return reader(path, list(dict.fromkeys(names)))
    except (InputError, MissingExtra):
        raise
    except (OSError, ValueError, csv.Error) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path.name} cannot be read as a {path.suffix} table: {said}") from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named arrays of an .npz, or of a folder of .npy files, which are memory-mapped.

    Raises:
        InputError: it cannot be read, or holds objects, which would have to be unpickled.
    """
    try:
        if path.is_dir():
            found = sorted(path.glob("*.npy"))
            return {one.stem: np.load(one, mmap_mode="r", allow_pickle=False) for one in found}
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        hint = "Arrays of objects are not read, for that can run code: save numbers and texts."
        raise InputError(f"{path} cannot be read as arrays ({error}). {hint}") from error


# --- tables -----------------------------------------------------------------------------------


def _missing(path: Path, name: str, known: Sequence[str]) -> InputError:
    return InputError(
        f"{path.name} has no column {name!r}; it has {', '.join(map(repr, known)) or 'none'}. "
        "Name the columns with --text or --tokens, --label and --group."
    )


def _delimited(separator: str) -> Callable[[Path, list[str]], dict[str, list[Any]]]:
    def read(path: Path, names: list[str]) -> dict[str, list[Any]]:
        csv.field_size_limit(_CELL)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter=separator, strict=True)
            known = list(rows.fieldnames or ())
            for name in names:
                if name not in known:
                    raise _missing(path, name, known)
            held = list(rows)
        return {name: [row[name] for row in held] for name in names}

    return read


def _json_lines(path: Path, names: list[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in names}
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                _add(found, _object(path, number, line), path, number)
    return found


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"line {number} of {path.name} is no JSON ({error}).") from error
    if not isinstance(row, dict):
        raise InputError(f"line {number} of {path.name} is no JSON object; one a line is needed.")
    return row


def _add(found: dict[str, list[Any]], row: dict[str, Any], path: Path, number: int) -> None:
    for name, values in found.items():
        if name not in row:
            raise (
                _missing(path, f"{name}", tuple(row))
                if number == 1
                else InputError(f"line {number} of {path.name} has no {name!r}, which line 1 has.")
            )
        values.append(row[name])


def _arrow(path: Path, names: list[str]) -> dict[str, list[Any]]:
    try:
        from pyarrow import ArrowException, feather, parquet
    except ImportError as error:
        raise MissingExtra(
            f'{path.name} needs pyarrow, and it is not installed: pip install "whence[arrow]"'
        ) from error
    try:
        if path.suffix.lower() == ".parquet":
            known = parquet.read_schema(path).names
        else:
            known = feather.read_table(path, memory_map=True).column_names
        for name in names:
            if name not in known:
                raise _missing(path, name, known)
        read = parquet.read_table if path.suffix.lower() == ".parquet" else feather.read_table
        table = read(path, columns=names)
    except ArrowException as error:
        raise ValueError(str(error)) from error
    return {name: _values(table.column(name).combine_chunks()) for name in names}


def _values(column: Any) -> list[Any]:
    """A column's entries; lists of vectors as arrays, without a Python object per number."""
    if column.null_count or not _holds_vectors(column.type):
        return column.to_pylist()
    vectors = column.flatten()
    lengths = vectors.value_lengths()
    if vectors.null_count or len(vectors) == 0 or len(lengths.unique()) > 1:
        return column.to_pylist()
    numbers = vectors.flatten().to_numpy(zero_copy_only=False)
    rows = numbers.reshape(-1, lengths[0].as_py())
    edges = np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))
    return np.split(rows, edges[:-1])


def _holds_vectors(kind: Any) -> bool:
    """Whether a column's type is a list of lists of floats."""
    from pyarrow import types

    def is_list(one: Any) -> bool:
        return types.is_list(one) or types.is_large_list(one) or types.is_fixed_size_list(one)

    return (
        is_list(kind) and is_list(kind.value_type) and types.is_floating(kind.value_type.value_type)
    )


_READERS: dict[str, Callable[[Path, list[str]], dict[str, list[Any]]]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".jsonl": _json_lines,
    ".parquet": _arrow,
    ".arrow": _arrow,
    ".feather": _arrow,
}
#: What a table's file may end in.
TABLES = tuple(_READERS)
