"""Holds text_game: a model's callable and a text -> a Game over the text's units.

It does not know how the text is cut (segment), what stands in for an absent unit (render), which
class is explained (readouts), or where the callable came from (adapters).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whence.errors import InputError
from whence.game import Game
from whence.lenses.inputs.making import CountTokens, game_of, told, with_said
from whence.lenses.inputs.render import Absent, Drop, rendering
from whence.lenses.inputs.segment import Place, Segmented, Tokenizer, segment
from whence.masks import Masks, ends
from whence.scoring import Score


def text_game(
    score: Score,
    text: str | Segmented,
    *,
    units: str = "word",
    parts: Sequence[Place] | None = None,
    absent: Absent | str = Drop(),  # noqa: B008  frozen, and holds nothing
    pin: Sequence[Place] = (),
    tokenizer: Tokenizer | None = None,
    output: str | int | None = None,
    link: str | None = None,
    scores: str | None = None,
    labels: Sequence[str] = (),
    identity: str | None = None,
    count_tokens: CountTokens | None = None,
    batch: int | None = None,
) -> Game:
    """A game whose units are pieces of a text and whose values are a model's scores without some.

    The model is not called here, except to find the class that it predicts: once, for the whole
    text, an answer that the game remembers, since every run needs it. That call is made before a
    journal stands before the game; say `output` where a resumed run shall not pay it again.

    Args:
        score: a list of texts -> raw scores `(b, classes)`, or plain numbers `(b,)`. One that an
            adapter made says of itself what `tokenizer`, `scores`, `labels`, `identity`,
            `count_tokens` and `batch` would; what is given here is taken before that.
        text: what the model reads (with units="marked": with `{...}` around each unit).
        units: "word", "sentence", "paragraph", "line", "token", "marked", ...: see `segment`.
        parts: the units themselves, as substrings or `(start, end)` spans, in place of a kind.
        absent: what stands in an absent unit's place: `Drop()`, `Replace("[UNK]")`,
            `Baseline(...)`, `Hide()`, or how the command line writes one ("drop", "mask:[UNK]").
        pin: substrings or spans that are always present; units that overlap one are no units.
        tokenizer: text -> `(start, end)` of each token, for units="token".
        output: a class by label or index, a contrast "a-b", or "all"; None, or "predicted", for
            the class that the model predicts. Of a continuation "tokens", a phrase of it, or None
            for the whole; None for plain numbers.
        link: "log-odds", "log-probability", "probability" or "logit"; None for log-odds of
            classes and the log-probability of a continuation.
        scores: whether `score` returns "logits" (as None means), "probabilities",
            "log-probabilities" of a continuation's tokens, or "values" (plain numbers).
        labels: the names of the classes, or tokens, in the order of the scores.
        identity: a string equal only for models that score alike; None forbids a journal on disk.
        count_tokens: a list of texts -> tokens of each, so that a run can say what it read.
        batch: texts per call of `score`; None as the adapter likes it, or 64.

    Returns:
        A Game: `value` gives the raw scores, `readout` the output and link, so one journal serves
        every output and link.

    Raises:
        InputError: a text, units, policy or output that cannot be used as they came.
    """
    facts = with_said(
        told(score),
        scores=scores,
        labels=labels,
        identity=identity,
        count_tokens=count_tokens,
        tokenizer=tokenizer,
        batch=batch,
    )
    pinned = (pin,) if isinstance(pin, str) else tuple(pin)
    if isinstance(text, str):
        pinned += tuple(piece for piece in facts.pins if piece in text)
    cut = segment(text, units, parts=parts, pin=pinned, tokenizer=facts.token_spans)
    _enough(cut)
    made = rendering(cut, absent)
    key = None if facts.identity is None else made.identity(facts.identity)
    return game_of(
        score,
        facts,
        cut.units,
        made.render,
        made.kind,
        key,
        output=output,
        link=link,
        longest=_longest(cut, made.fill),
    )


def _longest(cut: Segmented, fill: Sequence[str]) -> Masks:
    """The two ends, and the mask that shows of each unit and what stands in for it the longer."""
    spans = cut.units.spans or ()
    both = ends(len(cut.units))
    if not fill:
        return both
    longer = [stop - start >= len(other) for (start, stop), other in zip(spans, fill, strict=True)]
    return np.concatenate([both, np.array([longer])])


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
