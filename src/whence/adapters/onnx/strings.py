"""Holds OnnxStrings: an ONNX model that reads a text as it is, with no tokenizer, as one callable.

skl2onnx writes such models of a pipeline that begins with a vectorizer of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters.onnx.session import open_session
from whence.adapters.onnx.table import OnnxTable, table_of
from whence.errors import InputError
from whence.scoring import Facts


@dataclass(frozen=True)
class OnnxStrings:
    """A model of one column of text, called with texts. Made by `load_strings`.

    Attributes:
        table: the model of rows.
    """

    table: OnnxTable

    @property
    def facts(self) -> Facts:
        """What it says of itself."""
        made = self.table.facts
        return Facts(
            made.name, made.identity, made.scores, made.labels, made.unit, notes=made.notes
        )

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Raw scores of texts `(b, classes)`; `(b,)` where the model gives one plain number.

        Raises:
            InputError: an item that is not a string.
        """
        if isinstance(texts, str) or {type(one) for one in texts} - {str}:
            raise InputError("the model reads a list of strings; something else came.")
        column = np.empty((len(texts), 1), dtype=object)
        column[:, 0] = texts
        return self.table(column)


def load_strings(
    model: Path,
    *,
    labels: Sequence[str] = (),
    scores: str = "",
    name: str = "",
    threads: int = 0,
) -> OnnxStrings:
    """Opens an ONNX model that reads a text as it is.

    Raises:
        MissingExtra, InputError: as `load_table`; or the model does not read one text.
    """
    return strings_of(open_session(model, threads), model, labels, scores, name)


def strings_of(
    session: Any, model: Path, labels: Sequence[str] = (), scores: str = "", name: str = ""
) -> OnnxStrings:
    """The model of texts in a file that has been opened; see `load_strings`."""
    if not reads_strings(session):
        raise InputError(f"{model.name} does not read one text; load_table opens it.")
    return OnnxStrings(table_of(session, model, (), labels, scores, name))


def reads_strings(session: Any) -> bool:
    """Whether a model's only input is one text to a row."""
    inputs = session.get_inputs()
    one = inputs[0]
    wide = one.shape[1] if len(one.shape) == 2 else 1
    return len(inputs) == 1 and one.type == "tensor(string)" and wide in (1, None)
