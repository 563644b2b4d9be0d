"""Holds OnnxClassifier: an ONNX text classifier and its tokenizer as one callable.

Knows nothing of masks or games: texts come in, raw logits go out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra

BATCH = 32
"""Texts that go through the model at once, whatever number is asked for."""

STEP = 4
"""Texts are padded to the next multiple of this many tokens: by their own length alone, never a
neighbour's, so that a text's score does not depend on what it is scored with."""

INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


@dataclass(frozen=True)
class OnnxClassifier:
    """An ONNX text classifier; call it with texts, get logits. Made by `load_classifier`.

    Attributes:
        session: an `onnxruntime.InferenceSession`.
        tokenizer: a `tokenizers.Tokenizer` that neither cuts nor pads.
        labels: the classes' names, in the order of the logits.
        max_tokens: the longest text the model reads, in tokens, special ones included.
        identity: "onnx:" and the sha256 of the model's and the tokenizer's bytes.
    """

    session: Any
    tokenizer: Any
    labels: tuple[str, ...]
    max_tokens: int
    identity: str

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Raw logits of texts; the empty text is a text.

        Args:
            texts: any number of strings.

        Returns:
            (b, classes) float64, rows in the order of `texts`.

        Raises:
            InputError: for a lone string, an item that is not a string, or a text of more than
                `max_tokens` tokens.
        """
        encoded = self._encode(texts)
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        _refuse_long(texts, lengths, self.max_tokens)
        logits = np.empty((len(encoded), len(self.labels)), dtype=np.float64)
        for rows, width in _buckets(lengths, self.max_tokens):
            logits[rows] = self._run([encoded[i] for i in rows], width)
        return logits

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """How many tokens each text takes, the special ones included: (b,) integers."""
        return np.array([len(ids) for ids in self._encode(texts)], dtype=np.int64)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, end) of the tokens of `text`, without the special ones."""
        _refuse_other_than_texts([text])
        one = self.tokenizer.encode(text)
        pairs = zip(one.offsets, one.special_tokens_mask, strict=True)
        return [(start, end) for (start, end), special in pairs if not special]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        _refuse_other_than_texts(texts)
        return [one.ids for one in self.tokenizer.encode_batch(list(texts))]

    def _run(self, encoded: Sequence[Sequence[int]], width: int) -> NDArray[np.float64]:
        """(b, classes) logits of token ids, each row padded to `width`."""
        ids = np.zeros((len(encoded), width), dtype=np.int64)
        present = np.zeros_like(ids)
        for row, one in enumerate(encoded):
            ids[row, : len(one)] = one
            present[row, : len(one)] = 1
        given = {
            "input_ids": ids,
            "attention_mask": present,
            "token_type_ids": np.zeros_like(ids),
        }
        wanted = {one.name: given[one.name] for one in self.session.get_inputs()}
        return np.asarray(self.session.run(None, wanted)[0], dtype=np.float64)


def load_classifier(
    model: Path,
    tokenizer: Path,
    labels: Sequence[str],
    max_tokens: int = 512,
    threads: int = 0,
) -> OnnxClassifier:
    """Opens an ONNX text classifier and its tokenizer.

    Args:
        model: an .onnx file that reads input_ids, and if it likes attention_mask and
            token_type_ids, all (b, tokens) int64, and whose first output is (b, classes) logits.
        tokenizer: the `tokenizer.json` that goes with it.
        labels: the classes' names, in the order of the logits.
        max_tokens: the longest text the model reads, special tokens included.
        threads: processor threads of one call; 0 leaves the choice to onnxruntime.

    Raises:
        MissingExtra: when onnxruntime or tokenizers is not installed.
        InputError: for a missing file, a model with other inputs, or one whose logits are not
            one to each label.
    """
    runtime, tokenizers = _frameworks()
    for path, what in ((model, "model"), (tokenizer, "tokenizer")):
        if not path.is_file():
            raise InputError(f"{path} came as the {what}; there is no such file. Give its path.")
    found = OnnxClassifier(
        session=_session(runtime, model, threads),
        tokenizer=_tokenizer(tokenizers, tokenizer),
        labels=tuple(labels),
        max_tokens=max_tokens,
        identity=_identity(model, tokenizer),
    )
    _refuse_misfit(found)
    return found


def _frameworks() -> tuple[Any, Any]:
    try:
        import onnxruntime
        import tokenizers
    except ImportError as error:
        raise MissingExtra(
            f"{error.name} is not installed, and an ONNX text classifier needs it: "
            'pip install "whence[onnx]"'
        ) from error
    return onnxruntime, tokenizers


def _session(runtime: Any, model: Path, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Rounded weights are turned back to floats once, at loading. Left on, this pass would fuse
    # them into operators that round the activations as well.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _tokenizer(tokenizers: Any, path: Path) -> Any:
    opened = tokenizers.Tokenizer.from_file(str(path))
    # A text that is too long is refused by name; cutting it would be a guess.
    opened.no_truncation()
    opened.no_padding()
    return opened


def _identity(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return f"onnx:{digest.hexdigest()}"


def _buckets(lengths: NDArray[np.int64], most: int) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Batches of at most BATCH rows of one padded width, from short to long."""
    widths = np.minimum(-(-lengths // STEP) * STEP, most)
    order = np.argsort(widths, kind="stable")
    for width in np.unique(widths):
        rows = order[widths[order] == width]
        for start in range(0, len(rows), BATCH):
            yield rows[start : start + BATCH], int(width)


def _refuse_other_than_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise InputError("One string came; a list of strings is needed. Put it in brackets.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"Item {i} is of type {type(text).__name__}; the model reads strings only."
            )


def _refuse_long(texts: Sequence[str], lengths: NDArray[np.int64], most: int) -> None:
    for i in np.flatnonzero(lengths > most).tolist():
        raise InputError(
            f"Text {i} ({texts[i][:40]!r}...) is {lengths[i]} tokens long; the model reads at "
            f"most {most}, the special ones included. Shorten it, or score its parts apart."
        )


def _refuse_misfit(found: OnnxClassifier) -> None:
    names = {one.name for one in found.session.get_inputs()}
    if "input_ids" not in names or not names <= INPUTS:
        raise InputError(
            f"The model reads {sorted(names)}; needed is input_ids, with at most "
            "attention_mask and token_type_ids beside it."
        )
    got = found._run([found.tokenizer.encode("").ids or [0]], STEP).shape  # pyright: ignore
    if got != (1, len(found.labels)):
        raise InputError(
            f"{len(found.labels)} labels came, and the model answers one text with shape {got}; "
            f"needed is (1, classes) with a label to each class. Give labels= to match."
        )
