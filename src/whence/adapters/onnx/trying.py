"""Holds the trials of a text classifier: short calls that show whether what is said of it is so.

Two short texts, the tokenizer's last token, one text filled up, among neighbours, and as long as
can be, are run once each. It does not know where what is said came from (beside, finding).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from whence.adapters.onnx.session import first_line, fixed, names_of, run
from whence.adapters.onnx.text import STEP, Encoded, OnnxClassifier
from whence.errors import InputError

PROBES = ("a probe", "1 2 3, and this is the end of it!")
#: Tokens of a probe that are run, at most: there are models of very short texts.
PROBED = 8
#: Embeddings are made a little larger than a vocabulary, never twice as large.
LEAST = 0.5
#: Lengths that are tried where nothing says how long a text may be.
LENGTHS = (512, 256, 128, 64, 32, 16)
#: Longer contexts than this are believed, not tried: one call would take seconds.
TRIED = 1024
#: Filling a row up may move a score by this much: rounding, and no more.
MOVES = 1e-3
#: Neighbours in a batch may move a score by this much, else texts are scored one at a time.
SHARES = 1e-4


def answered(draft: OnnxClassifier, text: str) -> dict[str, Any]:
    """Every output of a probe.

    Raises:
        InputError: the model fails on it.
    """
    one = probe(draft, text)
    try:
        return _answers(draft, one)
    except Exception as error:  # onnxruntime has a dozen kinds, with no base but Exception
        raise InputError(
            f"the model fails on a text of {len(one.ids)} tokens, {text!r}: {first_line(error)}. "
            "Give the tokenizer it was trained with, or export it for longer texts."
        ) from error


def probe(draft: OnnxClassifier, text: str) -> Encoded:
    """The first tokens of a text; token 0 where it has none."""
    one = draft.encode([text])[0]
    most = min(PROBED, fixed(draft.session, 1) or PROBED)
    cut = Encoded(one.ids[:most], one.kinds[:most], one.present[:most])
    return cut if cut.ids else Encoded([0], [0], [1])


def _answers(draft: OnnxClassifier, one: Encoded) -> dict[str, Any]:
    """Every output of one text, by name."""
    return _try(draft, one, fixed(draft.session, 1) or len(one.ids))


def _try(draft: OnnxClassifier, one: Encoded, width: int) -> dict[str, Any]:
    names = [made.name for made in draft.session.get_outputs()]
    return dict(zip(names, run(draft.session, draft.fed([one], width), None), strict=True))


def check_vocabulary(draft: OnnxClassifier, path: Path, known: int) -> None:
    """Nothing, if the model has an embedding of the tokenizer's last token, and not many more.

    Args:
        draft: the classifier.
        path: the tokenizer's file.
        known: how many tokens the model is said to know; 0 when not said.

    Raises:
        InputError: the two do not match, or the model cannot be run at all.
    """
    vocabulary = draft.tokenizer.get_vocab(with_added_tokens=True)
    last = max(vocabulary.values(), default=0)
    if last + 1 < LEAST * known:
        raise InputError(
            f"{path} does not match the model: the tokenizer counts up to token {last}, and "
            f"config.json says vocab_size {known}. Give tokenizer= the one that the model was "
            "trained with, or correct config.json."
        )
    try:
        _answers(draft, Encoded([last], [0], [1]))
    except Exception as error:  # onnxruntime has a dozen kinds, with no base but Exception
        _check_runs(draft, error)
        raise InputError(
            f"{path} does not match the model: the tokenizer counts up to token {last} "
            f"({len(vocabulary):,} in all), and the model fails on that one: {first_line(error)}. "
            "Give tokenizer= the one that the model was trained with."
        ) from error


def _check_runs(draft: OnnxClassifier, error: Exception) -> None:
    try:
        _answers(draft, Encoded([0], [0], [1]))
    except Exception:
        raise InputError(
            f"the model cannot be run, not even on token 0: {first_line(error)}. It reads "
            f"{', '.join(names_of(draft.session))}; export it for the task of text classification."
        ) from error


def padded(draft: OnnxClassifier, model: Path) -> OnnxClassifier:
    """The classifier with its filling token, or without one where filling rows up moves scores.

    Raises:
        InputError: the model's length is fixed, and nothing says how shorter texts are filled up.
    """
    if fixed(draft.session, 1) is not None:
        if draft.pad is None and "attention_mask" not in names_of(draft.session):
            raise InputError(
                f"{model.name} reads rows of exactly {draft.max_tokens} tokens, has no "
                "attention_mask, and neither config.json nor the tokenizer names the token that "
                "fills shorter texts up. Put pad_token_id into a config.json beside the model."
            )
        return draft
    if draft.pad is None:
        return draft
    one = probe(draft, PROBES[1])
    whole, filled = (draft.answer([one], len(one.ids) + more) for more in (0, STEP))
    size = float(np.abs(whole).max())
    return draft if np.abs(whole - filled).max() <= MOVES * (1 + size) else replace(draft, pad=None)


def apart(draft: OnnxClassifier) -> tuple[OnnxClassifier, tuple[str, ...]]:
    """The classifier, one text at a time if a text's neighbours move its score.

    Activations that are rounded on the way (dynamic quantisation) are so on a scale that all
    texts of a batch share.
    """
    ids = [*probe(draft, PROBES[1]).ids]
    rows = [
        Encoded(some, [0] * len(ids), [1] * len(ids))
        for some in (ids, ids[::-1], ids[:1] * len(ids))
    ]
    width = fixed(draft.session, 1) or len(ids)
    alone, among = draft.answer(rows[:1], width)[0], draft.answer(rows, width)[0]
    if np.abs(alone - among).max() <= SHARES * (1 + np.abs(alone).max()):
        return draft, ()
    why = "texts are scored one at a time: neighbours in a batch would move their scores"
    return replace(draft, batch=1), (why,)


def longest(draft: OnnxClassifier, said: tuple[int, ...]) -> tuple[int, tuple[str, ...]]:
    """The longest text that the model reads, and what must be said about how that was found.

    Raises:
        InputError: the model fails on every length that could be it.
    """
    whole = fixed(draft.session, 1)
    if whole is not None:
        return min([whole, *said[:1]]), ()
    some = next((one for one in probe(draft, PROBES[1]).ids[::-1] if one != draft.pad), 0)
    failure: Exception | None = None
    for most in said or LENGTHS:
        try:
            if most <= TRIED:
                _try(draft, Encoded([some] * most, [0] * most, [1] * most), most)
        except Exception as error:  # onnxruntime has a dozen kinds, with no base but Exception
            failure = error
            continue
        return most, () if said else (_untold(most),)
    assert failure is not None
    raise InputError(
        f"the model fails on texts of {', '.join(map(str, said or LENGTHS))} tokens: "
        f"{first_line(failure)}. Give max_tokens= the longest text that it reads."
    ) from failure


def _untold(most: int) -> str:
    return (
        f"nothing says how long a text the model reads; {most} tokens were tried and work, and "
        "longer texts are refused (max_tokens=, or model_max_length in tokenizer_config.json)"
    )
