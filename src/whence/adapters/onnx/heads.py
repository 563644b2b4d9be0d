"""Holds Head: which output of a model without a tokenizer is read, and what its numbers are.

Converters of scikit-learn, LightGBM, XGBoost and CatBoost write a label beside probabilities, as
an array or as a list of maps (a "ZipMap"), or a regression's numbers. It does not know what goes
into the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters.onnx.finding import SCORES, is_distribution
from whence.errors import InputError


@dataclass(frozen=True)
class Head:
    """The output that is read.

    Attributes:
        output: its name.
        keys: of a list of maps, the classes in order; None for an array.
        labels: the columns' names; () for plain numbers without.
        scores: "logits", "probabilities" or "values", see `Facts`.
        notes: what was found out rather than told.
    """

    output: str
    keys: tuple[Any, ...] | None = None
    labels: tuple[str, ...] = ()
    scores: str = "values"
    notes: tuple[str, ...] = ()

    def read(self, answer: Any) -> NDArray[np.float64]:
        """An answer of the model as `(b, columns)`; `(b,)` for one plain number."""
        if self.keys is not None:
            answer = [[row[key] for key in self.keys] for row in answer]
        scores = np.asarray(answer, dtype=np.float64)
        return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores


def find_head(
    session: Any, answers: Sequence[Any] | None, labels: tuple[str, ...], scores: str
) -> Head:
    """The output that is read, of all that a model has.

    Args:
        session: the model.
        answers: what each output was for a few rows that mean nothing; None where the model
            refuses such rows.
        labels: the columns' names, or ().
        scores: what the numbers are, or "" to find out.

    Raises:
        InputError: `scores` is no kind of scores, no output has numbers in it, or there are not
            as many labels as columns.
    """
    if scores not in ("", *SCORES):
        raise InputError(f"{scores!r} came for an ONNX model; its scores are {', '.join(SCORES)}.")
    outputs = session.get_outputs()
    at = _place(outputs)
    answer = None if answers is None else answers[at]
    head = Head(outputs[at].name)
    if outputs[at].type.startswith("seq(map("):
        if not answer:
            raise InputError(
                f"the output {head.output!r} is a list of maps, and the model refused every row "
                "that was tried to see its classes. Export it with zipmap=False."
            )
        head = replace(head, keys=tuple(answer[0]))
    rows = None if answer is None else head.read(answer)
    shape = outputs[at].shape if rows is None else rows.shape
    columns = shape[1] if len(shape) == 2 and isinstance(shape[1], int) else 1
    kind, notes = _kind(head, columns, rows, labels, scores)
    return replace(head, scores=kind, labels=_named(head, columns, labels, kind), notes=notes)


def _place(outputs: Sequence[Any]) -> int:
    """Maps of probabilities, else what is named for them, or for logits, else the only floats."""
    maps = [i for i, one in enumerate(outputs) if one.type.startswith("seq(map(")]
    floats = [i for i, one in enumerate(outputs) if one.type in _FLOATS]
    named = [i for i in floats if "prob" in outputs[i].name or "logit" in outputs[i].name]
    for found in (maps, named, floats):
        if len(found) == 1:
            return found[0]
    listed = ", ".join(f"{one.name} {one.type}{one.shape or ''}" for one in outputs)
    raise InputError(
        f"no usable head: the model gives {listed}; needed is one output of probabilities, scores "
        "or a regression's numbers. Export it again with probabilities (predict_proba)."
    )


_FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")


def _kind(
    head: Head,
    columns: int,
    rows: NDArray[np.float64] | None,
    labels: tuple[str, ...],
    scores: str,
) -> tuple[str, tuple[str, ...]]:
    """What the numbers are: told, or by how rows sum, or by name; and what must be said of it."""
    if scores or columns == 1:
        return scores or "values", ()
    named = head.keys is not None or "prob" in head.output
    if rows is None:
        kind = "probabilities" if named else "logits" if labels else "values"
        return kind, (f"the output {head.output!r} is taken for {kind} by its name, untried",)
    if is_distribution(rows):
        why = f"the output {head.output!r} is taken for probabilities: rows sum to 1"
        return "probabilities", () if named else (why,)
    if labels or named or "logit" in head.output:
        why = f"the output {head.output!r} is taken for logits: rows do not sum to 1"
        return "logits", (why,) if named else ()
    why = f"the output {head.output!r} is taken for plain numbers: nothing names them as classes"
    return "values", (why,)


def _named(head: Head, columns: int, labels: tuple[str, ...], scores: str) -> tuple[str, ...]:
    if labels and len(labels) != columns:
        raise InputError(
            f"{len(labels)} labels came ({', '.join(labels[:8])}), and the output {head.output!r} "
            f"has {columns} column{'' if columns == 1 else 's'}. Give one to each."
        )
    if labels or columns == 1:
        return labels if columns > 1 else ()
    if head.keys is not None:
        return tuple(str(key) for key in head.keys)
    return tuple(map(str, range(columns))) if scores != "values" else ()
