"""Holds TableScorer: a model of rows, which columns it reads and in what form, and what it says.

It does not know which library the model is of, nor masks and games.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whence.errors import InputError
from whence.lenses.inputs.frames import listed
from whence.scoring import Facts

#: Rows asked at once: enough that a pipeline's own cost per call is small.
ROWS = 16384


@dataclass(frozen=True)
class TableScorer:
    """A model of rows; call it with a table, get scores. Made by `scorer`.

    Attributes:
        facts: what it says of itself.
        names: the columns it was fitted on; () when it does not know their names.
        width: how many columns; 0 when it does not know.
        ask: rows in its form -> `(b,)` or `(b, classes)`.
        form: rows -> its form; those already in it as they are.
    """

    facts: Facts
    names: tuple[str, ...]
    width: int
    ask: Callable[[Any], Any]
    form: Callable[[Any], Any]

    def __call__(self, rows: Any, /) -> Any:
        """Scores of a table's rows: `(b, classes)`, or `(b,)` plain numbers.

        Raises:
            InputError: a value that the model cannot read.
        """
        return self.ask(self.form(rows))

    def reads(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of the columns that the model reads, in its order.

        Raises:
            InputError: one is missing; or too many or too few for a model without names.
        """
        if self.names:
            # LightGBM writes "_" where a name has a space.
            spelt = {re.sub(r"\s", "_", name): name for name in columns}
            lacking = [n for n in self.names if n not in columns and n not in spelt]
            if lacking:
                raise InputError(
                    f"the table lacks {listed(lacking)}, which {self.facts.name} reads; it has "
                    f"{listed(list(columns))}. Name an array's columns with columns=."
                )
            return tuple(n if n in columns else spelt[n] for n in self.names)
        if self.width and len(columns) != self.width:
            raise InputError(
                f"{self.facts.name} reads {self.width} columns and knows no names; "
                f"{len(columns)} came: {listed(list(columns))}. Say which, in its order, with "
                "columns=."
            )
        return tuple(columns)

    def ready(self, rows: Any) -> Any:
        """The same rows in the form that the model reads.

        Raises:
            InputError: a value that the model cannot read.
        """
        return self.form(rows)


def row_facts(name: str, scores: str, labels: tuple[str, ...] = (), unit: str = "") -> Facts:
    """What a model of rows says of itself; see `Facts`."""
    return Facts(
        name=name,
        scores=scores,
        labels=labels,
        unit=unit,
        reads=frozenset({"row"}),
        batch=ROWS,
    )
