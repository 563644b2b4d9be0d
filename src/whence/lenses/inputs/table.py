"""Holds table_game: a model's callable and a row of a table -> a Game over the row's columns.

It does not know how columns are grouped (columns), what stands in for an absent one (background,
conditional), what library holds the table (frames), nor where the callable came from (adapters).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.game import Game, Values
from whence.lenses.inputs.background import Fill, Policy, Pool
from whence.lenses.inputs.columns import Grouping, grouped
from whence.lenses.inputs.conditional import as_policy
from whence.lenses.inputs.frames import Column, Table, listed
from whence.lenses.inputs.readouts import readout
from whence.lenses.inputs.rows import TableReader, rows_of
from whence.lenses.inputs.trial import ScoreRows, trial
from whence.masks import Masks
from whence.scoring import Facts, Scorer, facts_of, scores_of

__all__ = ["TableReader", "TableValue", "table_game"]

#: Rows that the model is given at once, unless it says otherwise or they are very wide.
ROWS = 16384
#: Cells that it is given at once, at most (but one row at least).
CELLS = 4_000_000


@dataclass(frozen=True)
class TableValue:
    """The value function of a table game: the mean of raw scores over the rows of a mask.

    Rows that are the same in one call are scored once.

    Attributes:
        score: the model.
        table: the explained row and the background under it, in the form the model reads.
        grouping: the units.
        fill: which rows a mask asks for.
        codes: `(rows, columns)` equal where the cells of a column are.
        masks: how many masks are made into rows at a time.
        batch: rows that the model is given at once.
    """

    score: ScoreRows
    table: Table
    grouping: Grouping
    fill: Fill
    codes: NDArray[np.int64]
    masks: int
    batch: int

    def __call__(self, masks: Masks) -> Values:
        """Mean raw scores `(b, *raw)`, one row per mask `(b, n)`.

        Raises:
            ShapeError: not one score, or row of scores, for each row.
        """
        parts = [
            self._some(masks[start : start + self.masks])
            for start in range(0, max(len(masks), 1), self.masks)
        ]
        return np.concatenate(parts)

    def _some(self, masks: Masks) -> Values:
        if len(masks) == 0:
            return np.zeros(0)
        rows = [self.fill(present) for present in self.grouping.present(masks)]
        scores = self._scores(np.concatenate(rows))
        ends = np.cumsum([len(one) for one in rows])[:-1]
        # One mean at a time: a mask's last digits do not depend on its neighbours.
        return np.stack([part.mean(axis=0) for part in np.split(scores, ends)])

    def _scores(self, rows: NDArray[Any]) -> Values:
        """Scores `(r, *raw)` of rows, given as places or as cells `(r, columns)`."""
        if rows.dtype.kind == "f":
            return self._asked(rows)
        first, same = different(self.codes[rows, np.arange(rows.shape[1])])
        return self._asked(rows[first])[same]

    def _asked(self, rows: NDArray[Any]) -> Values:
        made = self.table.written if rows.dtype.kind == "f" else self.table.mixed
        parts = [rows[start : start + self.batch] for start in range(0, len(rows), self.batch)]
        return np.concatenate([scores_of(self.score(made(part)), len(part)) for part in parts])


def different(codes: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each different row of `(r, columns)` codes first occurs, and which of those each is."""
    key = np.zeros(len(codes), dtype=np.int64)
    size = 1
    for j in range(codes.shape[1]):
        width = int(codes[:, j].max(initial=0)) + 1
        if size * width >= 2**62:
            key = np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int64)
            size = int(key.max(initial=0)) + 1
        key, size = key * width + codes[:, j], size * width
    _, first, same = np.unique(key, return_index=True, return_inverse=True)
    return first, same.reshape(-1)


def table_game(
    score: ScoreRows,
    row: Any,
    *,
    table: Any = None,
    background: Any = None,
    columns: Sequence[str] = (),
    units: Mapping[str, Sequence[str]] | None = None,
    pin: Sequence[str] = (),
    absent: Policy | str = "marginal",
    size: int = 100,
    rng: int | np.random.Generator = 0,
    output: str | int | None = None,
    link: str | None = None,
    scores: str | None = None,
    labels: Sequence[str] = (),
    unit: str = "",
    identity: str | None = None,
    batch: int | None = None,
) -> Game:
    """A game whose units are columns of a row and whose values are a model's scores without some.

    The value of a mask is the mean of the model's raw scores over rows in which present columns
    have the row's values and absent ones what `absent` says. A mask counts as one call, whatever
    number of rows it takes: as a rule `size`. What is averaged are the raw scores, so
    probabilities for a scorer of probabilities; output and link are read off the mean.

    The model is asked once here, on the row and its background, so that what it cannot read is
    refused by name before a run.

    Args:
        score: rows, as the background holds them -> raw scores `(b, classes)`, or plain numbers
            `(b,)`. An adapter (`whence.adapters.sklearn`) makes one of a model that knows its
            columns and scores.
        row: a dict, a data frame or array of one row, a pandas Series, a sequence of values in
            the order of the columns, or the number of a row of `table`, from 0.
        table: rows to choose from; also the background, when none is given.
        background: the rows that absent columns take their values from: a pandas, polars or Arrow
            table or a numpy array. The row is read in the types of its columns.
        columns: the columns that the model reads, of those that came; or the names of an array's.
            () leaves that to the adapter, or takes all.
        units: groups of columns that come and go together (one-hot columns, latitude and
            longitude): {"name": ["column", ...]}. Other columns are units of their own.
        pin: columns that are always present.
        absent: "marginal", "neighbours:K", "gaussian", "copula", "baseline" or `Baseline(row)`;
            see `whence.lenses.inputs.background` and `conditional`.
        size: background rows (or draws) that a mask is averaged over; fewer rows are all used.
        rng: seed, or generator to take one from, of the choice of those rows (or draws).
        output: a class by label or index, a contrast "a-b", or "all"; None or "predicted" explains
            the class that the model predicts for the row, and None plain numbers.
        link: "log-odds" (of classes, the default), "probability", "log-probability" or "logit".
        scores: "logits", "probabilities" or "values"; None as the adapter says. A bare callable
            with one number to a row gives "values"; with more it must be said.
        labels: the classes' names, in the order of the scores.
        unit: the unit of plain numbers, such as "log-odds" or "dollars".
        identity: a string equal only for models that score alike; None forbids a journal on disk.
        batch: rows per call of `score`; None as the adapter likes it, or 16,384.

    Raises:
        InputError: a row, table, unit, policy or output that cannot be used as they came.
        ModelError: the model cannot read the table at all.
    """
    facts = _told(score, scores, labels, unit, identity)
    policy = as_policy(absent)
    rows = rows_of(
        score, row, table=table, background=background, columns=columns, policy=policy,
        size=size, rng=rng,
    )  # fmt: skip
    pool = rows.pool
    grouping = grouped(rows.names, rows.cells, units, pin)
    fill = policy.bind(pool)
    first = trial(score, rows.table, _stand_ins(fill, pool))
    facts = _with_scores(facts, first, score, scores)
    read, outputs, its_unit = _readout(facts, first, output, link)
    rows_each = len(fill(grouping.present(np.eye(1, len(grouping.units), dtype=np.bool_))[0]))
    batch = _batch(batch, facts, len(rows.names))
    value = TableValue(
        score, rows.table, grouping, fill, _codes(pool.columns), max(1, batch // rows_each), batch
    )
    notes = [f"An absent column takes {policy.says(pool)}{_averaged(rows_each, facts)}"]
    if rows.left:
        notes.append(f"Left out, because the model does not read it: {listed(rows.left)}")
    key = facts.identity
    return Game(
        value,
        grouping.units,
        readout=read,
        outputs=outputs,
        unit=its_unit or facts.unit,
        identity=None if key is None else _identity(key, grouping, policy, pool, pin),
        batch=value.masks,
        description=f"{facts.name} on {len(grouping.units)} columns of {_where(row)}",
        model=facts.name,
        notes=lambda: (*notes, *facts_of(score).notes),
    )


def _told(
    score: Any, scores: str | None, labels: Sequence[str], unit: str, identity: str | None
) -> Facts:
    if not callable(score):
        raise InputError(
            f"score came as {type(score).__name__}; a function from rows to scores (b, classes) or "
            "(b,) is needed. whence.adapters.sklearn.scorer makes one of a model."
        )
    facts = facts_of(score)
    if isinstance(score, Scorer) and "row" not in facts.reads:
        raise InputError(
            f"{facts.name} reads {', '.join(sorted(facts.reads))}, and a table has rows. Take the "
            "lens that fits it."
        )
    return replace(
        facts,
        name=identity if identity is not None and facts == Facts() else facts.name,
        scores=scores or facts.scores,
        labels=tuple(labels) or facts.labels,
        unit=unit or facts.unit,
        identity=identity or facts.identity,
    )


def _stand_ins(fill: Fill, pool: Pool) -> NDArray[np.intp]:
    """What stands in when all is absent, `(r, columns)`; where that is drawn, the background."""
    rows = fill(np.zeros(len(pool.columns), dtype=np.bool_))
    if rows.dtype.kind == "f":
        return np.repeat(pool.sample[:, None], len(pool.columns), axis=1)
    return rows


def _batch(batch: int | None, facts: Facts, columns: int) -> int:
    if batch is not None and batch < 1:
        raise InputError(f"batch={batch} came; the model is given at least 1 row at once.")
    likes = facts.batch if facts.batch != Facts().batch else ROWS  # its default is for texts
    return batch or max(1, min(likes, CELLS // columns))


def _codes(columns: Sequence[Column]) -> NDArray[np.int64]:
    codes = [np.unique(column.values, return_inverse=True)[1].reshape(-1) for column in columns]
    return np.column_stack(codes).astype(np.int64)


# --- what the scores are --------------------------------------------------------------------------


def _with_scores(facts: Facts, first: Values, score: Any, said: str | None) -> Facts:
    """What the scores of a bare callable are: plain numbers, or as was said."""
    if said is not None or isinstance(score, Scorer):
        return facts
    if first.ndim == 1:
        return replace(facts, scores="values")
    raise InputError(
        f"score returned shape {first.shape} for {len(first)} rows, and scores= does not say what "
        "they are: 'probabilities', 'logits' (of classes) or 'values' (plain numbers)."
    )


def _readout(facts: Facts, first: Values, output: str | int | None, link: str | None) -> Any:
    classes = facts.scores in ("logits", "probabilities")
    asked = output is None or (output == "predicted" and output not in facts.labels)
    if classes and asked and first.ndim == 2:
        best = int(first[0].argmax())
        output = facts.labels[best] if best < len(facts.labels) else best
    read = readout(output, link, facts.labels, facts.scores)
    if read[0] is not None:
        read[0](first)  # so that numbers that are no probabilities are refused now
    return read


def _averaged(rows: int, facts: Facts) -> str:
    if rows == 1:
        return ""
    what = facts.scores if facts.scores != "values" else "scores"
    return f"; the {facts.unit if facts.unit == 'log-odds' else what} are averaged"


def _where(row: Any) -> str:
    return f"row {row}" if isinstance(row, int | np.integer) else "a row"


def _identity(
    model: str, grouping: Grouping, policy: Policy, pool: Pool, pin: Sequence[str]
) -> str:
    """Equal for two games only if the same masks give the same raw scores."""
    return json.dumps(
        {
            "model": model,
            # Raised when the rules of filling change, so that old answers are not taken for new.
            "table": 1,
            "cells": _digest(pool.columns),
            "units": grouping.unit_of.tolist(),
            "pinned": sorted(pin),
            "absent": policy.describe(),
            "sample": _hash(pool.sample.tobytes()),
            "rows": pool.total,
            "size": pool.size,
            "seed": pool.seed,
        },
        sort_keys=True,
    )


def _digest(columns: Sequence[Column]) -> str:
    """Of what the columns hold, whatever library held it."""
    return _hash(
        *(
            part
            for column in columns
            for part in (
                json.dumps([column.name, column.numeric, [str(w) for w in column.words]]).encode(),
                column.values.tobytes(),
            )
        )
    )


def _hash(*parts: bytes) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "little") + part)
    return made.hexdigest()
