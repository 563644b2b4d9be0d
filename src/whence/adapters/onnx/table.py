"""Holds OnnxTable: an ONNX model of a table's rows as one callable.

It does not know masks, nor where rows come from. Tables are read by the lens's own frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters.onnx.heads import Head, find_head
from whence.adapters.onnx.session import TYPES, check_types, identity, open_session, run
from whence.errors import InputError
from whence.lenses.inputs.frames import Column, as_table, listed
from whence.scoring import Facts

#: Rows that the model is given at once.
ROWS = 16384
#: Rows that mean nothing, to see what the outputs are.
TRIAL = (0.0, 1.0, -1.0)


@dataclass(frozen=True)
class OnnxTable:
    """An ONNX model of rows; call it with a table, get raw scores. Made by `load_table`.

    Attributes:
        session: an `onnxruntime.InferenceSession`.
        head: the output that is read.
        columns: the columns' names, in the order the model reads them; () when not known.
        name: the model, for people.
        identity: "onnx:" and the sha256 of the model's bytes.
    """

    session: Any = field(repr=False)
    head: Head
    columns: tuple[str, ...]
    name: str
    identity: str

    @property
    def facts(self) -> Facts:
        """What it says of itself."""
        return Facts(
            name=self.name,
            identity=self.identity,
            scores=self.head.scores,
            labels=self.head.labels,
            reads=frozenset({"row"}),
            batch=ROWS,
            notes=self.head.notes,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the model reads; () when it does not know their names."""
        return self.columns

    def reads(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of the columns that the model reads, in its order.

        Raises:
            InputError: one is missing, or there are too many or too few for a model that does not
                know their names.
        """
        lacking = [name for name in self.columns if name not in columns]
        if lacking:
            raise InputError(f"{self.name} reads {listed(lacking)}; the table lacks them.")
        if self.columns:
            return self.columns
        wide = width(self.session)
        if wide not in (None, len(columns)):
            raise InputError(
                f"{self.name} reads {wide} columns, and does not know their names; "
                f"{len(columns)} came: {listed(columns)}. Give columns= those that it reads, in "
                "the order it was fitted on."
            )
        return tuple(columns)

    def ready(self, rows: Any) -> NDArray[Any]:
        """A table `(rows, columns)` as an array that the model reads: numbers, or objects.

        Raises:
            InputError: a column whose values are not of the kind that the model reads.
        """
        kinds = [kind for kind, size in _inputs(self.session) for _ in range(size or 1)]
        columns = as_table(rows).columns()
        kinds = kinds * len(columns) if width(self.session) is None else kinds
        if len(kinds) != len(columns):
            raise InputError(
                f"{self.name} reads {len(kinds)} columns; {len(columns)} came: "
                f"{listed([one.name for one in columns])}."
            )
        made = [_cells(one, kind) for one, kind in zip(columns, kinds, strict=True)]
        return np.stack(made, axis=1)

    def __call__(self, rows: Any) -> NDArray[np.float64]:
        """Raw scores of rows.

        Args:
            rows: an array `(b, columns)`, or any table that `ready` takes.

        Returns:
            `(b, classes)`; `(b,)` where the model gives one plain number.

        Raises:
            InputError: as `ready`.
        """
        given = rows if isinstance(rows, np.ndarray) else self.ready(rows)
        if len(given) == 0:
            return np.zeros((0, len(self.head.labels)) if self.head.labels else 0)
        return self.head.read(run(self.session, fed(self.session, given), [self.head.output])[0])


def load_table(
    model: Path,
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    scores: str = "",
    name: str = "",
    threads: int = 0,
) -> OnnxTable:
    """Opens an ONNX model of a table's rows, as skl2onnx and onnxmltools write them.

    Args:
        model: an .onnx file that reads one matrix `(b, d)`, one input `(b, 1)` or `(b,)` to each
            column, or several of either, of numbers or texts.
        columns: the columns' names in the order the model reads them; () takes the inputs' names
            where there is one to each column, and else lets the table's order stand.
        labels: the classes' names; () takes those that the model gives, else "0", "1", ...
        scores: "logits", "probabilities" or "values"; "" tells probabilities by rows that sum
            to 1, and says in the notes what is not plain from the model.
        name: the model, for people; "" takes the file's name.
        threads: processor threads of one call; 0 leaves the choice to onnxruntime.

    Raises:
        MissingExtra: onnxruntime is not installed.
        InputError: a missing or broken file, a model that does not read rows or has no output of
            numbers, or names that do not fit it.
    """
    return table_of(open_session(model, threads), model, columns, labels, scores, name)


def table_of(
    session: Any,
    model: Path,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    scores: str = "",
    name: str = "",
) -> OnnxTable:
    """The model of rows in a file that has been opened; see `load_table`."""
    check_types(session)
    _check_rows(session)
    wide = width(session)
    if columns and wide not in (None, len(columns)):
        raise InputError(
            f"{len(columns)} columns came ({listed(columns)}), and {model.name} reads {wide}. "
            "Name each one, in the order of the model."
        )
    return OnnxTable(
        session=session,
        head=find_head(session, _trial(session, len(columns)), tuple(labels), scores),
        columns=tuple(columns) or _names(session),
        name=name or model.stem,
        identity=identity(model),
    )


def width(session: Any) -> int | None:
    """How many columns a model reads; None when its matrix may be of any width."""
    sizes = [size for _, size in _inputs(session)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def fed(session: Any, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Input name -> its columns `(b, size)`, or `(b,)` where the model reads a single axis."""
    given: dict[str, NDArray[Any]] = {}
    start = 0
    for one, (_, size) in zip(session.get_inputs(), _inputs(session), strict=True):
        stop = rows.shape[1] if size is None else start + size
        given[one.name] = rows[:, start] if len(one.shape) == 1 else rows[:, start:stop]
        start = stop
    if start != rows.shape[1]:
        raise InputError(
            f"the model reads {start} columns; an array of shape {rows.shape} came. Give each row "
            "the model's columns, in its order."
        )
    return given


def _inputs(session: Any) -> list[tuple[str, int | None]]:
    """Type and number of columns of each input; None where that is not said."""
    return [
        (one.type, 1 if len(one.shape) < 2 else _size(one.shape[1])) for one in session.get_inputs()
    ]


def _size(declared: Any) -> int | None:
    return declared if isinstance(declared, int) else None


def _names(session: Any) -> tuple[str, ...]:
    """The inputs' names, where there is one to each column."""
    sizes = [size for _, size in _inputs(session)]
    return tuple(one.name for one in session.get_inputs()) if set(sizes) == {1} else ()


def _check_rows(session: Any) -> None:
    """Nothing, if the model reads rows.

    Raises:
        InputError: it reads something else.
    """
    inputs = session.get_inputs()
    listed_ = ", ".join(f"{one.name} {one.type}{one.shape}" for one in inputs)
    odd = [one for one in inputs if len(one.shape) not in (1, 2)]
    unsaid = [one for one in inputs if len(one.shape) == 2 and _size(one.shape[1]) is None]
    if odd or (unsaid and len(inputs) > 1):
        raise InputError(
            f"the model reads {listed_}; a table's model reads one (rows, columns) matrix, or "
            "several inputs of a known number of columns each. Texts need input_ids; for images "
            "and other arrays use the torch adapter, or a Python function (python:)."
        )


def _trial(session: Any, columns: int) -> list[Any] | None:
    """Every output for a few rows that mean nothing; None where the model refuses them."""
    wide = width(session) or columns
    kinds = [kind for kind, size in _inputs(session) for _ in range(size or wide)]
    rows = [
        ["" if kind == "tensor(string)" else abs(x) if "uint" in kind else x for kind in kinds]
        for x in TRIAL
    ]
    table = np.array(rows, dtype=object if "tensor(string)" in kinds else np.float64)
    try:
        return run(session, fed(session, table), None)
    except Exception:  # onnxruntime has a dozen kinds; a model may refuse what it never met
        return None


def _cells(column: Column, kind: str) -> NDArray[Any]:
    """A column's cells `(rows,)` in the type that the model declares.

    Raises:
        InputError: numbers where text is read, or the other way round, or a missing value where
            none can be.
    """
    missing = np.isnan(column.values)
    text, whole = kind == "tensor(string)", np.issubdtype(TYPES[kind], np.integer)
    if missing.any() and (text or whole):
        raise _misfit(column, "a missing value", "text" if text else "whole numbers")
    if text:
        strange = next((word for word in column.words if not isinstance(word, str)), None)
        if column.numeric or strange is not None:
            raise _misfit(column, "numbers" if column.numeric else repr(strange), "text")
        return np.array(column.words, dtype=object)[column.values.astype(np.intp)]
    if not column.numeric:
        column = _truths(column, missing)
    if whole and (column.values != np.round(column.values)).any():
        raise _misfit(column, "fractions", "whole numbers")
    return column.values


def _truths(column: Column, missing: NDArray[np.bool_]) -> Column:
    """True and False as 1 and 0."""
    strange = next((word for word in column.words if not isinstance(word, bool | np.bool_)), None)
    if strange is not None:
        raise _misfit(column, repr(strange), "numbers")
    numbers = np.append(np.array(column.words, dtype=np.float64), np.nan)
    places = np.where(missing, -1, column.values).astype(np.intp)
    return Column(column.name, True, numbers[places])


def _misfit(column: Column, came: str, needed: str) -> InputError:
    return InputError(
        f"the column {column.name!r} holds {came}, and the model reads {needed} there. Encode the "
        "column as the model's training did; or check the order of the columns."
    )
