"""Holds load_text: what can be found out of an ONNX text classifier of which little is said.

It does not know how scores are computed (text), what the files beside the model say (beside), nor
how that is tried before it is believed (trying).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters.onnx.beside import Beside, beside, find_tokenizer
from whence.adapters.onnx.session import (
    check_types,
    fixed,
    identity,
    need_file,
    open_session,
)
from whence.adapters.onnx.text import OnnxClassifier, check_inputs, open_tokenizer
from whence.adapters.onnx.trying import (
    LENGTHS,
    PROBES,
    answered,
    apart,
    check_vocabulary,
    longest,
    padded,
)
from whence.errors import InputError

#: What the numbers of a text classifier may be.
SCORES = ("logits", "probabilities", "values")
#: A row of probabilities sums to one within this, in the precision of a float16 graph.
SUMS = 2e-3


@dataclass(frozen=True)
class Read:
    """What the model's chosen output is.

    Attributes:
        output: its name.
        columns: how many numbers it gives for a text.
        scores: what they are, see `Facts`.
        unit: their unit, of plain numbers.
        notes: what was found out rather than told.
    """

    output: str
    columns: int
    scores: str
    unit: str = ""
    notes: tuple[str, ...] = ()


def load_text(
    model: Path,
    *,
    tokenizer: Path | None = None,
    labels: Sequence[str] = (),
    max_tokens: int | None = None,
    scores: str = "",
    output: str = "",
    name: str = "",
    threads: int = 0,
) -> OnnxClassifier:
    """Opens any ONNX text classifier, and finds out what is not said of it.

    Args:
        model: an .onnx file that reads input_ids, and if it likes attention_mask, token_type_ids
            and position_ids, of any integer type, with a free or a fixed batch and length.
        tokenizer: the `tokenizer.json`, or its folder; None looks beside the model and one
            folder up.
        labels: the classes' names; () takes config.json's id2label, else "0", "1", ...
        max_tokens: the longest text the model reads, special tokens included; None takes it from
            the graph, config.json or tokenizer_config.json, else a length that was tried.
        scores: "logits", "probabilities" or "values" (plain numbers, such as a regression's);
            "" takes config.json's problem_type, else tells probabilities by two texts whose
            scores are between 0 and 1 and sum to 1, and says so in the notes.
        output: the output that is read; "" takes "logits", or the only `(b, classes)` one.
        name: the model, for people; "" takes the file's name.
        threads: processor threads of one call; 0 leaves the choice to onnxruntime.

    Raises:
        MissingExtra: onnxruntime or tokenizers is not installed.
        InputError: a missing or broken file, a model without a usable head, a tokenizer or
            labels that do not fit it, or a length it does not read.
    """
    need_file(model, "model")
    return text_of(
        open_session(model, threads), model, tokenizer, labels, max_tokens, scores, output, name
    )


def text_of(
    session: Any,
    model: Path,
    tokenizer: Path | None = None,
    labels: Sequence[str] = (),
    max_tokens: int | None = None,
    scores: str = "",
    output: str = "",
    name: str = "",
) -> OnnxClassifier:
    """The text classifier of a file that has been opened; see `load_text`."""
    if scores not in ("", *SCORES):
        raise InputError(f"scores={scores!r} came; it must be one of {', '.join(SCORES)}.")
    check_inputs(session)
    check_types(session)
    path = find_tokenizer(model, tokenizer)
    opened = open_tokenizer(path)
    said = beside(model, path)
    draft = OnnxClassifier(
        session=session,
        tokenizer=opened,
        labels=tuple(labels),
        max_tokens=fixed(session, 1) or max_tokens or max(LENGTHS),
        identity=identity(model, path),
        name=name or model.stem,
        pad=said.pad(opened),
        mask=said.mask(opened),
    )
    check_vocabulary(draft, path, said.vocabulary())
    found = _read(draft, output, scores, said)
    named = _labels(found, tuple(labels), said.labels())
    draft = replace(draft, output=found.output, scores=found.scores, unit=found.unit, labels=named)
    draft, why = apart(padded(draft, model))
    most, told = longest(draft, said.contexts() if max_tokens is None else (max_tokens,))
    return replace(draft, max_tokens=most, notes=(*found.notes, *told, *why))


# --- which output ------------------------------------------------------------------------------


def _read(draft: OnnxClassifier, output: str, scores: str, said: Beside) -> Read:
    rows = [answered(draft, text) for text in PROBES]
    chosen = _head({key: row for key, row in rows[0].items() if _is_float(row)}, rows[0], output)
    values = np.concatenate([np.asarray(row[chosen], dtype=np.float64) for row in rows])
    if values.ndim == 2 and not (draft.labels or said.labels()):
        _refuse_states(chosen, values.shape[1])
    columns = 1 if values.ndim == 1 else values.shape[1]
    return _kind(chosen, columns, values.reshape(len(PROBES), columns), scores, said.task())


def _is_float(answer: Any) -> bool:
    return isinstance(answer, np.ndarray) and np.issubdtype(answer.dtype, np.floating)


def _head(floats: Mapping[str, NDArray[Any]], answers: Mapping[str, Any], output: str) -> str:
    """The output that holds one number, or row of numbers, for each text.

    Raises:
        InputError: there is none, or more than one.
    """
    listed = ", ".join(f"{name} {_shape(row)}" for name, row in answers.items())
    flat = [name for name, row in floats.items() if row.ndim in (1, 2) and len(row) == 1]
    states = [name for name, row in floats.items() if row.ndim > 2]
    wanted = output or ("logits" if "logits" in answers else "")
    if wanted in flat:
        return wanted
    if output:
        raise InputError(
            f"output={output!r} came; of one text this model gives {listed}, and needed is the "
            "name of one with a number, or a row of numbers, for each text."
        )
    if wanted or states or not flat:
        raise InputError(
            f"no usable classification head: of one text this model gives {listed}; needed is one "
            "(texts, classes) output. These are numbers for each token, or a state; export the "
            "model for the task of text classification, or say output= if one of them will do."
        )
    if len(flat) > 1:
        raise InputError(
            f"this model has several outputs that could be class scores: {listed}. Say which one "
            "with output=."
        )
    return flat[0]


def _shape(answer: Any) -> str:
    return str(answer.shape) if isinstance(answer, np.ndarray) else "(a list)"


def _refuse_states(output: str, columns: int) -> None:
    if "pool" in output or "embed" in output or "hidden" in output:
        raise InputError(
            f"no usable classification head: the output {output!r} of {columns} numbers is by its "
            "name a state of the text, not class scores. Export the model for the task of text "
            "classification, or give labels=, one for each of its numbers, if they are scores."
        )


def _kind(output: str, columns: int, rows: NDArray[np.float64], scores: str, task: str) -> Read:
    """What the numbers are: told, or by the task, or by how the rows of two texts sum."""
    if scores:
        return Read(output, columns, scores)
    if task == "multi_label_classification":
        between = np.all((rows >= 0) & (rows <= 1))
        unit = "probability" if between else "log-odds"
        why = f"config.json says {task}: every label's own {unit} is explained"
        return Read(output, columns, "values", unit, (why,))
    if task == "regression" or columns == 1:
        return Read(output, columns, "values")
    if not is_distribution(rows):
        return Read(output, columns, "logits")
    if "logit" in output:
        raise InputError(
            f"the output {output!r} is named for logits, and its rows for two texts are between 0 "
            "and 1 and sum to 1, as probabilities do. Say scores='logits' or 'probabilities'."
        )
    why = f"the output {output!r} is taken for probabilities: two texts' rows sum to 1"
    return Read(output, columns, "probabilities", "", (why,))


def is_distribution(rows: NDArray[np.float64]) -> bool:
    """Whether each row `(b, columns)` could be probabilities of classes: in [0, 1], sum 1."""
    between = np.all((rows >= -SUMS) & (rows <= 1 + SUMS))
    return bool(between and np.abs(rows.sum(axis=1) - 1).max() <= SUMS)


def _labels(found: Read, given: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    if found.scores == "values" and found.columns == 1 and len(given) <= 1:
        return ()
    labels = given or said or tuple(map(str, range(found.columns)))
    if len(labels) != found.columns:
        whose = "labels=" if given else "id2label in config.json"
        raise InputError(
            f"{whose} names {len(labels)} classes ({', '.join(labels[:8])}), and the model answers "
            f"one text with {found.columns} numbers in its output {found.output!r}. Give labels= "
            "to match, or the files that go with the model."
        )
    return labels
