"""Holds OnnxClassifier: an ONNX text classifier and its tokenizer as one callable.

Knows nothing of masks or games: texts come in, raw scores go out. How a model that came without
a word of explanation is looked over is in finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.adapters.onnx.session import (
    fixed,
    identity,
    missing,
    names_of,
    need_file,
    open_session,
    run,
    runtime,
)
from whence.errors import InputError
from whence.scoring import Facts, HiddenText, Part

BATCH = 32
"""Texts that go through the model at once, whatever number is asked for."""

STEP = 4
"""Texts are padded to the next multiple of this many tokens: by their own length alone, never a
neighbour's, so that a text's score does not depend on what it is scored with."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
#: What a tokenizer may call the thing that stands for a missing word, or an unknown one.
MASKS = ("[MASK]", "<mask>", "[UNK]", "<unk>")


class Encoded(NamedTuple):
    """One text as the model reads it.

    Attributes:
        ids: a number for each token.
        kinds: the token type of each.
        present: 1 for each token that may be attended to, else 0.
    """

    ids: Sequence[int]
    kinds: Sequence[int]
    present: Sequence[int]


@dataclass(frozen=True)
class OnnxClassifier:
    """An ONNX text classifier; call it with texts, get raw scores.

    Made by `load_classifier`, which is told everything, or `load_text`, which finds out.

    Attributes:
        session: an `onnxruntime.InferenceSession`.
        tokenizer: a `tokenizers.Tokenizer` that neither cuts nor pads.
        labels: the classes' names, in the order of the scores.
        max_tokens: the longest text the model reads, in tokens, special ones included.
        identity: "onnx:" and the sha256 of the model's and the tokenizer's bytes.
        name: the model, for people.
        scores: "logits", "probabilities" or "values", see `Facts`.
        unit: the unit of plain numbers.
        output: the output that is read; "" for the first.
        pad: the token that fills rows up; None if the model must not be given any.
        mask: what stands for a missing word, or an unknown one.
        batch: texts that go through the model at once, at most.
        notes: what was found out rather than told, for the reader of a finding.
    """

    session: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    labels: tuple[str, ...]
    max_tokens: int
    identity: str
    name: str = ""
    scores: str = "logits"
    unit: str = ""
    output: str = ""
    pad: int | None = 0
    mask: str = ""
    batch: int = BATCH
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        """What it says of itself."""
        hides = "attention_mask" in names_of(self.session)
        return Facts(
            name=self.name or self.identity,
            identity=self.identity,
            scores=self.scores,
            labels=self.labels,
            unit=self.unit,
            reads=frozenset({"text", "hidden"} if hides else {"text"}),
            max_tokens=self.max_tokens,
            count_tokens=self.count_tokens,
            token_spans=self.token_spans,
            mask=self.mask,
            notes=self.notes,
        )

    def __call__(self, texts: Sequence[str | HiddenText]) -> NDArray[np.float64]:
        """Raw scores of texts; the empty text is a text.

        Args:
            texts: any number of strings, or of texts with hidden spans, whose tokens keep their
                places and are not attended to.

        Returns:
            (b, classes) float64, rows in the order of `texts`; (b,) where the model gives one
            plain number.

        Raises:
            InputError: for a lone string, an item that is not a text, a text of more than
                `max_tokens` tokens, or one without any.
        """
        parts = list(self.stream(texts))
        if not parts:
            return np.zeros((0, len(self.labels)) if self.labels else 0)
        rows = np.concatenate([where for where, _ in parts])
        return np.concatenate([values for _, values in parts])[np.argsort(rows)]

    def stream(self, texts: Sequence[str | HiddenText]) -> Iterator[Part]:
        """Raw scores as they are computed, batch by batch, short texts first; see `Executor`.

        Raises:
            InputError: as a call, before anything is computed.
        """
        encoded = self.encode(texts)
        lengths = np.array([len(one.ids) for one in encoded], dtype=np.int64)
        _refuse_long(texts, lengths, self.max_tokens)
        _refuse_empty(texts, lengths)
        for rows, width in _buckets(self._widths(lengths), self.batch):
            yield rows, self.answer([encoded[i] for i in rows], width)

    def count_tokens(self, texts: Sequence[str | HiddenText]) -> NDArray[np.int64]:
        """How many tokens each text takes, the special ones included: (b,) integers."""
        return np.array([len(one.ids) for one in self.encode(texts)], dtype=np.int64)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, end) of the tokens of `text`, without the special ones."""
        _refuse_other_than_texts([text])
        one = self.tokenizer.encode(text)
        pairs = zip(one.offsets, one.special_tokens_mask, strict=True)
        return [(start, end) for (start, end), special in pairs if not special]

    def encode(self, texts: Sequence[str | HiddenText]) -> list[Encoded]:
        """Every text as the model reads it."""
        _refuse_other_than_texts(texts)
        plain = [one if isinstance(one, str) else one.text for one in texts]
        found = self.tokenizer.encode_batch(plain)
        return [
            Encoded(one.ids, one.type_ids, _present(item, one.offsets))
            for item, one in zip(texts, found, strict=True)
        ]

    def answer(self, encoded: Sequence[Encoded], width: int) -> NDArray[np.float64]:
        """(b, classes) or (b,) raw scores of texts, each row filled up to `width` tokens."""
        first = [self.output or self.session.get_outputs()[0].name]
        given = run(self.session, self.fed(encoded, width), first)[0]
        scores = np.asarray(given, dtype=np.float64)
        return scores[:, 0] if self.scores == "values" and scores.shape[1:] == (1,) else scores

    def fed(self, encoded: Sequence[Encoded], width: int) -> dict[str, NDArray[Any]]:
        """Input name -> (b, width) array, rows filled up on the right."""
        shape = (len(encoded), width)
        ids = np.full(shape, self.pad or 0, dtype=np.int64)
        present, kinds = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)] = one.ids
            kinds[row, : len(one.ids)] = one.kinds
            present[row, : len(one.ids)] = one.present
        places = np.broadcast_to(np.arange(width), shape)
        return dict(zip(INPUTS, (ids, present, kinds, places), strict=True))

    def _widths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The padded width of each text: by its own length alone."""
        whole = fixed(self.session, 1)
        if whole is not None:
            return np.full_like(lengths, whole)
        if self.pad is None:
            return lengths
        return np.minimum(-(-lengths // STEP) * STEP, self.max_tokens)


def load_classifier(
    model: Path,
    tokenizer: Path,
    labels: Sequence[str],
    max_tokens: int = 512,
    threads: int = 0,
    name: str = "",
) -> OnnxClassifier:
    """Opens an ONNX text classifier and its tokenizer, of which everything is known.

    Args:
        model: an .onnx file that reads input_ids, and if it likes attention_mask, token_type_ids
            and position_ids, all (b, tokens), and whose first output is (b, classes) logits. Rows
            are filled up with token 0.
        tokenizer: the `tokenizer.json` that goes with it.
        labels: the classes' names, in the order of the logits.
        max_tokens: the longest text the model reads, special tokens included.
        threads: processor threads of one call; 0 leaves the choice to onnxruntime.
        name: the model, for people.

    Raises:
        MissingExtra: when onnxruntime or tokenizers is not installed.
        InputError: for a missing file, a model with other inputs, or one whose logits are not
            one to each label.
    """
    runtime()
    need_file(model, "model")
    opened = open_tokenizer(tokenizer)
    session = open_session(model, threads)
    found = OnnxClassifier(
        session=session,
        tokenizer=opened,
        labels=tuple(labels),
        max_tokens=min(max_tokens, fixed(session, 1) or max_tokens),
        identity=identity(model, tokenizer),
        name=name,
        mask=next((word for word in MASKS if opened.token_to_id(word) is not None), ""),
    )
    check_inputs(session)
    _refuse_misfit(found)
    return found


def open_tokenizer(path: Path) -> Any:
    """A `tokenizers.Tokenizer` that neither cuts nor pads.

    Raises:
        MissingExtra: tokenizers is not installed.
        InputError: no such file, or it holds no tokenizer.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise missing(error) from error
    need_file(path, "tokenizer")
    try:
        opened = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises bare Exceptions
        raise InputError(
            f"{path} came as the tokenizer; it cannot be read as one: {error}. Needed is the "
            "tokenizer.json that a Hugging Face tokenizer's save_pretrained writes."
        ) from error
    # A text that is too long is refused by name; cutting it would be a guess.
    opened.no_truncation()
    opened.no_padding()
    return opened


def check_inputs(session: Any) -> None:
    """Nothing, if the model reads what a tokenizer gives.

    Raises:
        InputError: it has other inputs.
    """
    names = set(names_of(session))
    if "input_ids" not in names or not names <= set(INPUTS):
        raise InputError(
            f"The model reads {sorted(names)}; needed is input_ids, with at most "
            "attention_mask, token_type_ids and position_ids beside it. Export it for the task "
            "of text classification, without past keys or a decoder."
        )


def _present(item: str | HiddenText, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """1 for each token that shares no character with a hidden span, else 0."""
    hidden = () if isinstance(item, str) else item.hidden
    return [
        int(not any(start < to and at < end for at, to in hidden)) if end > start else 1
        for start, end in offsets
    ]


def _buckets(widths: NDArray[np.int64], size: int) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Batches of at most `size` rows of one padded width, from short to long."""
    order = np.argsort(widths, kind="stable")
    for width in np.unique(widths):
        rows = order[widths[order] == width]
        for start in range(0, len(rows), size):
            yield rows[start : start + size], int(width)


def _refuse_other_than_texts(texts: Sequence[str | HiddenText]) -> None:
    if isinstance(texts, str):
        raise InputError("One string came; a list of strings is needed. Put it in brackets.")
    for i, text in enumerate(texts):
        if not isinstance(text, str | HiddenText):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"Item {i} is of type {type(text).__name__}; the model reads strings only."
            )


def _refuse_long(texts: Sequence[str | HiddenText], lengths: NDArray[np.int64], most: int) -> None:
    for i in np.flatnonzero(lengths > most).tolist():
        raise InputError(
            f"Text {i} ({_start(texts[i])}...) is {lengths[i]} tokens long; the model reads at "
            f"most {most}, the special ones included. Shorten it, or score its parts apart."
        )


def _refuse_empty(texts: Sequence[str | HiddenText], lengths: NDArray[np.int64]) -> None:
    for i in np.flatnonzero(lengths == 0).tolist():
        raise InputError(
            f"Text {i} ({_start(texts[i])}) has no token, and this model's tokenizer adds none of "
            "its own. Pin a piece of the text, or put something in the place of absent units."
        )


def _start(text: str | HiddenText) -> str:
    return repr((text if isinstance(text, str) else text.text)[:40])


def _refuse_misfit(found: OnnxClassifier) -> None:
    encoded = found.encode([""])[0]
    some = encoded if encoded.ids else Encoded([0], [0], [1])
    got = found.answer([some], fixed(found.session, 1) or STEP).shape
    if got != (1, len(found.labels)):
        raise InputError(
            f"{len(found.labels)} labels came, and the model answers one text with shape {got}; "
            f"needed is (1, classes) with a label to each class. Give labels= to match."
        )
