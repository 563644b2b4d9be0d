"""Holds readouts: which class, and on which scale, is explained of a model's raw class scores.

One game's raw scores serve every readout, so changing the class or the link costs no calls. This
file does not know what was scored (a text, a row, an image).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import SupportsIndex

import numpy as np

from whence.errors import GameError, InputError, ShapeError
from whence.game import Game, Readout, Values, raw_values
from whence.lenses.inputs.continuations import token_readout

#: Link -> the unit of what it gives.
LINKS = {
    "log-odds": "log-odds",
    "log-probability": "log-probability (nats)",
    "probability": "probability",
    "logit": "logit",
}
#: What a model's raw numbers may be.
SCORES = ("logits", "probabilities", "log-probabilities", "values")
#: Link -> the unit of the contrast of two classes: not a probability of either.
CONTRASTS = {
    "log-odds": "log-ratio of two probabilities",
    "log-probability": "log-ratio of two probabilities",
    "probability": "probability difference",
    "logit": "logit difference",
}
#: Probabilities are kept this far from 0 and 1 before a logarithm, so log-odds stay within 27.7.
CLIP = 1e-12


@dataclass(frozen=True)
class ClassReadout:
    """Raw class scores `(b, classes)` -> the explained quantity.

    Attributes:
        classes: the class explained; two for the contrast of the first with the second; () for
            every class, one output each.
        link: a key of `LINKS`.
        scores: "logits" or "probabilities".
        labels: the classes' names, to check their number; () when not known.
    """

    classes: tuple[int, ...]
    link: str
    scores: str
    labels: tuple[str, ...] = ()

    def __call__(self, raw: Values) -> Values:
        """`(b,)` for one class or a contrast, `(b, classes)` for every class.

        Raises:
            ShapeError: not `(b, classes)`, or not as many classes as labels.
            GameError: numbers that are no probabilities.
        """
        self._check(raw)
        if len(self.classes) == 2:
            scale = _CONTRASTS[self.scores, self.link](raw)
            return scale[:, self.classes[0]] - scale[:, self.classes[1]]
        linked = _LINKED[self.scores, self.link](raw)
        return linked[:, self.classes[0]] if self.classes else linked

    def _check(self, raw: Values) -> None:
        if raw.ndim != 2 or raw.shape[1] < 2:
            raise ShapeError(
                f"score returned shape {raw.shape}; scores={self.scores!r} needs (b, classes) with "
                "two classes or more. For plain numbers (one log-odds per text, say) set "
                "scores='values'."
            )
        if self.labels and len(self.labels) != raw.shape[1]:
            raise ShapeError(
                f"score returned {raw.shape[1]} classes and labels= names {len(self.labels)} "
                f"({_listed(self.labels)}); give one label per class, in the order of the scores."
            )
        if max(self.classes, default=0) >= raw.shape[1]:
            raise ShapeError(
                f"output asks for class {max(self.classes)}; score returned classes 0 to "
                f"{raw.shape[1] - 1}. Give output= one of those."
            )
        low, high = raw.min(initial=0), raw.max(initial=1)
        if self.scores == "probabilities" and (low < -1e-6 or high > 1 + 1e-6):
            raise GameError(
                f"score returned numbers from {low:.4g} to {high:.4g}; "
                "scores='probabilities' needs them between 0 and 1. For raw scores set "
                "scores='logits'."
            )


def readout(
    output: str | int | None,
    link: str | None,
    labels: Sequence[str],
    scores: str,
    split: int | None = None,
) -> tuple[Readout | None, tuple[str, ...], str]:
    """A readout, the names of its outputs, and its unit.

    Args:
        output: a class by label or index; "a-b", how much more class a than class b (the log of
            the ratio of their probabilities, or with link="probability" or "logit" the
            difference); "all", every class, one output each.
        link: "log-odds" (of the class against all others), "log-probability", "probability" or
            "logit" (the raw score); None is log-odds.
        labels: the classes' names in the order of the scores; without them "0", "1", ... are.
        scores: "logits", "probabilities" (kept `CLIP` away from 0 and 1 before a logarithm),
            "log-probabilities" of a continuation's tokens (see `token_readout`), or "values":
            plain numbers, explained as they are; there output only picks a column by its label,
            or all of them, and there is no link.
        split: of log-probabilities, how many columns are the target's; the rest are a contrast's.

    Raises:
        InputError: an output, link or kind of scores that does not exist, or does not fit.
    """
    if isinstance(labels, str):
        raise InputError(f"labels={labels!r} came; a sequence is needed, one label per class.")
    labels = tuple(labels)
    if scores not in SCORES:
        raise InputError(f"scores={scores!r} came; it must be one of {', '.join(SCORES)}.")
    if scores == "values":
        return _plain(output, link, labels)
    if scores == "log-probabilities":
        return token_readout(output, link, labels, split)
    link = link or "log-odds"
    _check_link(link, scores)
    if len(set(labels)) < len(labels):
        raise InputError(
            f"labels came with a repeat ({_listed(labels)}); each class needs a label of its own."
        )
    classes, names = _chosen(output, labels)
    units = CONTRASTS if len(classes) == 2 else LINKS
    return ClassReadout(classes, link, scores, labels), names, units[link]


def with_output(
    game: Game,
    output: str | int,
    *,
    link: str | None = None,
    labels: Sequence[str] = (),
    scores: str = "logits",
    split: int | None = None,
) -> Game:
    """The same game with another readout: the raw scores, and so a journal of them, still serve.

    Raises:
        InputError: as `readout`.
    """
    read, outputs, unit = readout(output, link, labels, scores, split)
    return replace(game, readout=read, outputs=outputs, unit=unit)


def predicted_class(game: Game, labels: Sequence[str] = ()) -> str | int:
    """The class with the highest raw score when every unit is present: one call of the model.

    Returns:
        Its label, or its index when `labels` is empty; either is an `output`.

    Raises:
        ShapeError: the game's raw values are not one row of class scores.
    """
    raw = raw_values(game.value, np.ones((1, game.n), dtype=np.bool_))
    ClassReadout((), "logit", "logits", tuple(labels))(raw)
    best = int(raw[0].argmax())
    return labels[best] if labels else best


@dataclass(frozen=True)
class Column:
    """Plain numbers `(b, columns)` -> one of them, `(b,)`.

    Attributes:
        at: which.
    """

    at: int

    def __call__(self, raw: Values) -> Values:
        """`(b,)`.

        Raises:
            ShapeError: there is no such column.
        """
        if raw.ndim != 2 or self.at >= raw.shape[1]:
            raise ShapeError(
                f"score returned shape {raw.shape}; output asks for column {self.at} of it."
            )
        return raw[:, self.at]


def _plain(
    output: str | int | None, link: str | None, labels: tuple[str, ...]
) -> tuple[Readout | None, tuple[str, ...], str]:
    if link is not None:
        raise InputError(
            f"link={link!r} came with scores='values': plain numbers are explained as they are. "
            "Leave link out, or say scores='logits' or 'probabilities'."
        )
    if output is None or output == "all":
        return None, labels, ""
    at = _index(output, labels) if labels else None
    if at is None:
        raise InputError(
            f"output={output!r} came with scores='values': plain numbers are explained as they "
            f"are. Leave output out, or give {_exist(labels) if labels else 'labels='}."
        )
    return Column(at), (labels[at],), ""


def _check_link(link: str, scores: str) -> None:
    if link not in LINKS:
        raise InputError(f"link={link!r} came; it must be one of {', '.join(LINKS)}.")
    if link == "logit" and scores == "probabilities":
        raise InputError(
            "link='logit' came with scores='probabilities'; a logit is a raw score, which "
            "probabilities no longer hold. Use link='log-odds', or a score that returns logits."
        )


# --- which class ------------------------------------------------------------------------------


def _chosen(
    output: str | int | None, labels: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The classes that an output asks for, and the names of what comes out."""
    if output is None:
        raise InputError(
            "output=None came; the scores have classes, so say which to explain: "
            f"{_exist(labels)}, 'all', or 'predicted' for the one that the model predicts."
        )
    one = _index(output, labels)
    if one is not None:
        return (one,), (labels[one] if labels else str(one),)
    if output == "all":
        return (), labels
    pairs = _contrasts(str(output), labels)
    if len(pairs) != 1 or pairs[0][0] == pairs[0][1]:
        raise InputError(
            f"output={output!r} came, which is {_fault(pairs)}; give output= {_exist(labels)}, "
            "'all', or two of them as 'one-other'."
        )
    return pairs[0], (str(output),)


def _index(name: object, labels: tuple[str, ...]) -> int | None:
    """The class with this label or index; None when there is none."""
    if isinstance(name, str):
        if labels:
            return labels.index(name) if name in labels else None
        return int(name) if name.isdecimal() and name.isascii() else None
    if isinstance(name, bool) or not isinstance(name, SupportsIndex):
        return None
    index = name.__index__()
    return index if index >= 0 and (not labels or index < len(labels)) else None


def _contrasts(output: str, labels: tuple[str, ...]) -> list[tuple[int, int]]:
    """Every way to read an output as two classes with a hyphen between them."""
    pairs: list[tuple[int, int]] = []
    for at, char in enumerate(output):
        first, second = _index(output[:at], labels), _index(output[at + 1 :], labels)
        if char == "-" and first is not None and second is not None:
            pairs.append((first, second))
    return pairs


def _fault(pairs: list[tuple[int, int]]) -> str:
    if not pairs:
        return "no class of this model"
    return "a class against itself" if len(pairs) == 1 else "more than one contrast"


def _exist(labels: tuple[str, ...]) -> str:
    return f"one of {_listed(labels)}" if labels else "a class index (0, 1, ...; no labels came)"


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(map(repr, labels[:20])) + (f", ... ({len(labels)})" if labels[20:] else "")


# --- links: (b, classes) -> (b, classes) ------------------------------------------------------


def _log_odds(z: Values) -> Values:
    """Log of p / (1 - p) of each class: its logit less the log-sum-exp of the others."""
    rows, top = np.arange(len(z)), z.argmax(axis=1)
    high = z[rows, top]
    shares = np.exp(z - high[:, None])
    others = shares.sum(axis=1, keepdims=True) - shares  # at least 1, but for the top class
    others[rows, top] = 1.0
    odds = z - high[:, None] - np.log(others)
    rest = z.copy()
    rest[rows, top] = -np.inf
    second = rest.max(axis=1)
    odds[rows, top] = high - second - np.log(np.exp(rest - second[:, None]).sum(axis=1))
    return odds


def _log_softmax(z: Values) -> Values:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _softmax(z: Values) -> Values:
    return np.exp(_log_softmax(z))


def _as_is(raw: Values) -> Values:
    return raw


def _log(p: Values) -> Values:
    return np.log(np.clip(p, CLIP, 1 - CLIP))


def _log_odds_of(p: Values) -> Values:
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)


_LINKED = {
    ("logits", "log-odds"): _log_odds,
    ("logits", "log-probability"): _log_softmax,
    ("logits", "probability"): _softmax,
    ("logits", "logit"): _as_is,
    ("probabilities", "log-odds"): _log_odds_of,
    ("probabilities", "log-probability"): _log,
    ("probabilities", "probability"): _as_is,
}
# What is subtracted for a contrast: a difference of logits is the log of the ratio of two
# probabilities, whatever the other classes are.
_CONTRASTS = _LINKED | {
    ("logits", "log-odds"): _as_is,
    ("logits", "log-probability"): _as_is,
    ("probabilities", "log-odds"): _log,
}
