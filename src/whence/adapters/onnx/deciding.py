"""Holds opened: an .onnx file -> the scorer of texts or of rows that its inputs ask for."""

from __future__ import annotations

from pathlib import Path

from whence.adapters.onnx.finding import text_of
from whence.adapters.onnx.session import names_of, open_session
from whence.adapters.onnx.strings import OnnxStrings, reads_strings, strings_of
from whence.adapters.onnx.table import OnnxTable, table_of
from whence.adapters.onnx.text import INPUTS, OnnxClassifier
from whence.adapters.options import Options


def opened(rest: str, options: Options) -> OnnxClassifier | OnnxStrings | OnnxTable:
    """The scorer of an .onnx file, for the command line.

    A model with `input_ids` reads tokens; one whose only input is a column of strings reads
    texts; any other reads a table's rows.

    Args:
        rest: the file.
        options: `labels`; `scores`, what the scores are ("logits", "probabilities" or "values"); of
            a model that reads tokens, `tokenizer`.

    Raises:
        MissingExtra: onnxruntime or tokenizers is not installed.
        InputError: a file that cannot be used, or an option that is not read.
    """
    path = Path(rest).expanduser()
    session = open_session(path)
    if set(INPUTS) & set(names_of(session)):
        options.only("an ONNX text classifier", "labels", "scores", "tokenizer")
        return text_of(
            session, path, options.tokenizer, labels=options.labels, scores=options.scores
        )
    options.only("an ONNX model without tokens", "labels", "scores")
    made = strings_of if reads_strings(session) else table_of
    return made(session, path, labels=options.labels, scores=options.scores)
