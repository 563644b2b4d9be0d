"""Holds the making of games: a scorer, and what masks make of an input -> a Game; and its checks.

It does not know what the input is (text, conversation, image), nor how it is masked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.game import Game
from whence.lenses.inputs.ends import Known
from whence.lenses.inputs.readouts import predicted_class, readout, with_output
from whence.masks import Masks, ends
from whence.scoring import WINDOW, Executor, Facts, Score, Scored, as_executor, facts_of
from whence.units import Units, plural

#: Texts -> tokens the model reads for each, `(b,)`.
CountTokens = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class ItemTokens:
    """Tokens that the model reads for each mask.

    Attributes:
        count: items -> tokens.
        render: masks -> items.
    """

    count: CountTokens
    render: Callable[[Masks], Sequence[Any]]

    def __call__(self, masks: Masks) -> NDArray[np.int64]:
        """`(b,)` tokens for masks `(b, n)`."""
        return np.asarray(self.count(self.render(masks)), dtype=np.int64)


def told(score: object) -> Facts:
    """What a callable says of itself.

    Raises:
        InputError: it is not callable.
    """
    if not callable(score):
        raise InputError(
            f"score came as {type(score).__name__}; a function from a list of inputs to scores "
            "(b, classes) or (b,) is needed. An adapter makes one of a model."
        )
    return facts_of(score)


def with_said(
    known: Facts,
    *,
    scores: str | None = None,
    labels: Sequence[str] = (),
    identity: str | None = None,
    count_tokens: CountTokens | None = None,
    tokenizer: Callable[[str], Any] | None = None,
    batch: int | None = None,
) -> Facts:
    """What is known of a scorer, with what the caller of a lens said put first."""
    return replace(
        known,
        name=identity if identity is not None and known == Facts() else known.name,
        scores=known.scores if scores is None else scores,
        labels=labels if isinstance(labels, str) else tuple(labels) or known.labels,
        identity=known.identity if identity is None else identity,
        count_tokens=count_tokens or known.count_tokens,
        token_spans=tokenizer or known.token_spans,
        batch=batch or known.batch,
    )


def game_of(
    score: Score,
    facts: Facts,
    units: Units,
    render: Callable[[Masks], Sequence[Any]],
    kind: str,
    identity: str | None,
    *,
    output: str | int | None = None,
    link: str | None = None,
    distinct: bool = False,
    longest: Masks | None = None,
) -> Game:
    """The game of a scorer and what masks make of an input; for lenses.

    Args:
        score: items -> raw scores.
        facts: what is known of it.
        units: what masks switch.
        render: masks `(b, n)` -> b items.
        kind: of the items: "text", "hidden", "messages", "image" or "array".
        identity: of the game, or None.
        output, link: as `text_game`; for the predicted class the model is asked once.
        distinct: whether different masks always make different items; otherwise items must be
            hashable, and equal ones are scored once.
        longest: masks `(b, n)` that may make the longest items; None for the two ends.

    Raises:
        InputError: a scorer that does not read such items, an input longer than it reads, or an
            output that does not exist.
    """
    predicted = asks_predicted(output, facts)
    chosen = "all" if predicted else output
    read, outputs, unit = readout(chosen, link, facts.labels, facts.scores, facts.split)
    _check_reads(facts, kind)
    _check_length(facts, render, ends(len(units)) if longest is None else longest)
    key = None if distinct else _key
    # What streams may reorder what it is given, so it is given no more at once than it likes.
    window = min(facts.batch, WINDOW) if isinstance(score, Executor) else WINDOW
    scored = Scored(as_executor(score, facts.batch), render, key, window)
    count = facts.count_tokens
    game = Game(
        scored,
        units,
        readout=read,
        outputs=outputs,
        unit=unit or facts.unit,
        identity=identity,
        batch=facts.batch,
        tokens=None if count is None else ItemTokens(count, render),
        description=describe(facts, units),
        model=facts.name,
        notes=lambda: facts_of(score).notes,
    )
    return of_predicted(Known.around(game), facts, link) if predicted else game


def asks_predicted(output: str | int | None, facts: Facts) -> bool:
    """Whether the class that the model predicts is to be explained: said so, or none was said."""
    if facts.scores not in ("logits", "probabilities"):
        return False
    return output is None or (output == "predicted" and output not in facts.labels)


def of_predicted(game: Game, facts: Facts, link: str | None) -> Game:
    """The game of the class that the model predicts when everything is present: one call."""
    best = predicted_class(game, facts.labels)
    return with_output(game, best, link=link, labels=facts.labels, scores=facts.scores)


def _key(item: Any) -> Any:
    """What is equal for equal items; short, since a run remembers all it has asked."""
    if isinstance(item, str | tuple):
        return hashlib.blake2b(repr(item).encode(), digest_size=16).digest()
    return item


#: What a scorer reads -> the input to give it.
_LENSES = {
    "row": "Give it a row of a table: --table PATH --row N, or whence.table_game in Python.",
    "image": "Give it a picture: --image PATH, or whence.image_game in Python.",
    "array": "Give it an array: whence.series_game in Python.",
    "text": "Give it a text: whence.text_game in Python.",
    "messages": "Give it a conversation: --chat, or whence.conversation_game in Python.",
}


def _check_reads(facts: Facts, kind: str) -> None:
    if kind in facts.reads:
        return
    knob = next((told for read, told in _LENSES.items() if read in facts.reads), _LENSES["text"])
    if kind == "hidden":
        knob = "Leave units out with absent='drop' instead, or take a local transformers model."
    raise InputError(
        f"{facts.name} reads {', '.join(sorted(facts.reads))}, and this game would ask it "
        f"{kind}. {knob}"
    )


def _check_length(facts: Facts, render: Callable[[Masks], Sequence[Any]], masks: Masks) -> None:
    """Refuses what is longer than the model reads, before anything is spent."""
    if facts.max_tokens is None or facts.count_tokens is None:
        return
    tokens = int(np.max(facts.count_tokens(list(render(masks)))))
    if tokens > facts.max_tokens:
        raise InputError(
            f"the input is {tokens:,} tokens long; {facts.name} reads at most "
            f"{facts.max_tokens:,}, the special ones included. Shorten it, or explain its parts "
            "one by one."
        )


def digest(text: str) -> str:
    """A short name for a long text: equal for equal texts only."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def describe(facts: Facts, units: Units) -> str:
    """What is played, for people."""
    text = " ".join((units.text or " ".join(units.labels))[:300].split())
    short = text if len(text) <= 60 else text[:59] + "\u2026"
    return f"{facts.name} on {len(units)} {plural(units.kind)} of {short!r}"
