"""Holds text_game: a model's callable and a text -> a Game over the text's units.

It does not know how the text is cut (segment), what stands in for an absent unit (render), which
class is explained (readouts), or where the callable came from (adapters).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, ShapeError
from whence.game import Game, Values
from whence.lenses.inputs.readouts import readout
from whence.lenses.inputs.render import Absent, Drop, Renderer, as_absent, renderer
from whence.lenses.inputs.segment import Place, Segmented, Tokenizer, segment
from whence.masks import Masks

#: Texts -> `(b, classes)` raw scores, or `(b,)` or `(b, *out)` plain numbers.
Score = Callable[[list[str]], Any]
#: Texts -> tokens the model reads for each, `(b,)`.
CountTokens = Callable[[list[str]], Any]


@dataclass(frozen=True)
class TextValue:
    """The value function of a text game: masks `(b, n)` -> the raw scores of their texts.

    Masks of one call that render to the same text are scored once.

    Attributes:
        score: the model.
        texts: masks -> texts.
    """

    score: Score
    texts: Renderer

    def __call__(self, masks: Masks) -> Values:
        """Raw scores `(b, *out)`, one row per mask.

        Raises:
            ShapeError: not one score, or row of scores, for each text.
        """
        places: dict[str, int] = {}
        rows = [places.setdefault(text, len(places)) for text in self.texts(masks)]
        return _scores(self.score(list(places)), len(places))[rows]


def _scores(answer: Any, texts: int) -> Values:
    needed = "it must return one number, or one row of class scores, per text, in their order."
    try:
        scores = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"score returned a {type(answer).__name__} that is not an array of numbers; {needed}"
        ) from error
    if scores.ndim == 0 or len(scores) != texts:
        raise ShapeError(f"score returned shape {scores.shape} for {texts} texts; {needed}")
    return scores


@dataclass(frozen=True)
class TextTokens:
    """Tokens that the model reads for each mask.

    Attributes:
        count: texts -> tokens.
        texts: masks -> texts.
    """

    count: CountTokens
    texts: Renderer

    def __call__(self, masks: Masks) -> NDArray[np.int64]:
        """`(b,)` tokens for masks `(b, n)`."""
        return np.asarray(self.count(self.texts(masks)), dtype=np.int64)


def text_game(
    score: Score,
    text: str,
    *,
    units: str = "word",
    parts: Sequence[Place] | None = None,
    absent: Absent | str = Drop(),  # noqa: B008  frozen, and holds nothing
    pin: Sequence[Place] = (),
    tokenizer: Tokenizer | None = None,
    output: str | int | None = None,
    link: str = "log-odds",
    scores: str = "logits",
    labels: Sequence[str] = (),
    identity: str | None = None,
    count_tokens: CountTokens | None = None,
    batch: int = 64,
) -> Game:
    """A game whose units are pieces of a text and whose values are a model's scores without some.

    The model is not called here. So `output` must be said when the scores have classes: to explain
    the class that the model predicts, make the game with output="all" and go on with
    `with_output(game, predicted_class(game, labels), labels=labels)`; that one call is of the
    full text, which every run needs, and a journal around the game remembers it.

    Args:
        score: a list of texts -> raw scores `(b, classes)`, or plain numbers `(b,)`.
        text: what the model reads (with units="marked": with `{...}` around each unit).
        units: "word", "sentence", "paragraph", "line", "token" or "marked": see `segment`.
        parts: the units themselves, as substrings or `(start, end)` spans, in place of a kind.
        absent: what stands in an absent unit's place: `Drop()`, `Replace("[UNK]")`,
            `Baseline(...)`, or how the command line writes one ("drop", "mask:[UNK]").
        pin: substrings or spans that are always present; units that overlap one are no units.
        tokenizer: text -> `(start, end)` of each token, for units="token".
        output: a class by label or index, a contrast "a-b", or "all"; None for plain numbers.
        link: "log-odds", "log-probability", "probability" or "logit".
        scores: whether `score` returns "logits", "probabilities" or "values" (plain numbers).
        labels: the classes' names, in the order of the scores.
        identity: a string equal only for models that score alike; None forbids a journal on disk.
        count_tokens: a list of texts -> tokens of each, so that a run can say what it read.
        batch: masks per call of `score`.

    Returns:
        A Game: `value` gives the raw scores, `readout` the output and link, so one journal serves
        every output and link.

    Raises:
        InputError: a text, units, policy or output that cannot be used as they came.
    """
    if not callable(score):
        raise InputError(
            f"score came as {type(score).__name__}; a function from a list of texts to scores "
            "(b, classes) or (b,) is needed. An adapter makes one of a model."
        )
    read, outputs, unit = readout(output, link, labels, scores)
    cut = segment(text, units, parts=parts, pin=pin, tokenizer=tokenizer)
    _enough(cut)
    policy = as_absent(absent)
    fill = policy.fill(cut)
    texts = renderer(cut, fill)
    return Game(
        TextValue(score, texts),
        cut.units,
        readout=read,
        outputs=outputs,
        unit=unit,
        identity=None if identity is None else _identity(identity, cut, policy, fill),
        batch=batch,
        tokens=None if count_tokens is None else TextTokens(count_tokens, texts),
        description=_description(identity, cut),
    )


def _enough(cut: Segmented) -> None:
    n, kind = len(cut.units), cut.units.kind
    if n >= 2:
        return
    pinned = len(cut.cut) - n
    raise InputError(
        f"the text has {n} {kind}{'' if n == 1 else 's'}"
        f"{f' beside {pinned} pinned' if pinned else ''}; at least 2 are needed to say which of "
        f"them matter. {'Mark more units' if kind == 'part' else 'Cut it finer'}: "
        f"{_finer(kind)}{', or pin less' if pinned else ''}."
    )


def _finer(kind: str) -> str:
    if kind == "part":
        return "put {...} around each (units='marked') or list each in parts=, or use units='word'"
    if kind in ("word", "token"):
        return "units='token' with a tokenizer, or parts= with pieces of a word"
    return "units='word' or 'token'"


def _identity(model: str, cut: Segmented, policy: Absent, fill: Sequence[str]) -> str:
    """Equal for two games only if the same masks give the same raw scores."""
    return json.dumps(
        {
            "model": model,
            # Raised when the rules of rendering change, so that old answers are not taken for new.
            "render": 1,
            "text": _digest(cut.units.text or ""),
            "spans": cut.units.spans,
            "absent": policy.describe(),
            "fill": _digest(json.dumps(list(fill))),
            "pinned": cut.pinned,
        },
        sort_keys=True,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _description(identity: str | None, cut: Segmented) -> str:
    text = " ".join((cut.units.text or "")[:300].split())
    short = text if len(text) <= 60 else text[:59] + "\u2026"
    return f"{identity or 'a callable'} on {len(cut.units)} {cut.units.kind}s of {short!r}"
