"""Holds continuations: what is explained of the log-probabilities of a continuation's tokens.

One game's raw log-probabilities serve every readout: the whole, each token, a phrase, a contrast.
This file does not know what model gave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whence.errors import GameError, InputError, ShapeError
from whence.game import Values

#: Link -> the unit of what it gives.
UNITS = {
    "log-probability": "log-probability (nats)",
    "probability": "probability",
    "log-odds": "log-odds",
}
CONTRAST = "log-ratio of two probabilities"
#: A log-probability is kept this far below 0 before its log-odds, so they stay under 27.7.
CLIP = 1e-12


@dataclass(frozen=True)
class TokenReadout:
    """Log-probabilities of tokens `(b, tokens)` -> the explained quantity.

    Attributes:
        columns: the tokens whose log-probabilities are summed; with `each`, one output per token.
        against: tokens whose sum is subtracted; () for none.
        tokens: how many columns there must be; 0 when not known.
        link: a key of `UNITS`.
        each: whether every token of `columns` is an output of its own.
    """

    columns: tuple[int, ...]
    against: tuple[int, ...]
    tokens: int
    link: str
    each: bool = False

    def __call__(self, raw: Values) -> Values:
        """`(b,)`, or `(b, tokens)` with `each`.

        Raises:
            ShapeError: not one row of log-probabilities per input, of as many tokens as named.
            GameError: numbers above 0, which are no log-probabilities.
        """
        if raw.ndim != 2 or (self.tokens and raw.shape[1] != self.tokens):
            needed = self.tokens or "tokens"
            raise ShapeError(
                f"score returned shape {raw.shape}; scores='log-probabilities' needs (b, {needed}),"
                " one column per token of the continuation."
            )
        if raw.max(initial=0.0) > 1e-3:
            raise GameError(
                f"score returned a log-probability of {raw.max():.4g}; none can be above 0. For "
                "plain numbers set scores='values'."
            )
        columns = list(self.columns) or list(range(raw.shape[1]))
        if self.each:
            return _LINKS[self.link](raw[:, columns])
        total = raw[:, columns].sum(axis=1)
        if self.against:
            return total - raw[:, list(self.against)].sum(axis=1)
        return _LINKS[self.link](total)


def token_readout(
    output: str | int | None, link: str | None, labels: Sequence[str], split: int | None
) -> tuple[TokenReadout, tuple[str, ...], str]:
    """A readout of a continuation, the names of its outputs, and its unit.

    Args:
        output: None or "whole" for the sum over the target's tokens (less the contrast's, if
            there is one); "tokens" or "all" for each token of the target; a phrase of the target,
            for the sum over the tokens it touches; or a token's index.
        link: "log-probability" (as None means), "probability" or "log-odds".
        labels: the tokens' texts, the contrast's after the target's.
        split: how many of them are the target's; None when there is no contrast.

    Raises:
        InputError: a phrase that is not in the target, or a link that does not fit.
    """
    chosen = link or "log-probability"
    if chosen not in UNITS:
        raise InputError(
            f"link={link!r} came for a continuation; it must be one of {', '.join(UNITS)}."
        )
    count = len(labels)
    own = tuple(range(count if split is None else split))
    if output is None or output == "whole":
        if split is not None:
            return _against(labels, split, link)
        names = (_quoted(labels),) if labels else ()
        return TokenReadout(own, (), count, chosen), names, UNITS[chosen]
    if output in ("tokens", "all"):
        names = tuple(labels[i] for i in own)
        return TokenReadout(own, (), count, chosen, each=True), names, UNITS[chosen]
    columns = _touched(output, [labels[i] for i in own])
    return TokenReadout(columns, (), count, chosen), (str(output),), UNITS[chosen]


def _against(
    labels: Sequence[str], split: int, link: str | None
) -> tuple[TokenReadout, tuple[str, ...], str]:
    if link not in (None, "log-probability"):
        raise InputError(
            f"link={link!r} came with a contrast, which is a difference of log-probabilities. "
            "Leave link= out, or leave the contrast out."
        )
    own, other = tuple(range(split)), tuple(range(split, len(labels)))
    name = f"{_quoted(labels[:split])} rather than {_quoted(labels[split:])}"
    return TokenReadout(own, other, len(labels), "log-probability"), (name,), CONTRAST


def _quoted(labels: Sequence[str]) -> str:
    return repr("".join(labels))


def _touched(output: str | int, labels: list[str]) -> tuple[int, ...]:
    """The tokens that a phrase touches, or the one of an index."""
    whole = "".join(labels)
    if not isinstance(output, str):
        if 0 <= output < len(labels):
            return (int(output),)
        raise InputError(
            f"output={output} came; the continuation has tokens 0 to {len(labels) - 1}."
        )
    at = whole.find(output) if output else -1
    if at < 0:
        raise InputError(
            f"output={output!r} came; it must be 'whole', 'tokens', or a phrase of the "
            f"continuation {whole!r}, letter for letter."
        )
    ends = np.cumsum([len(label) for label in labels])
    starts = ends - [len(label) for label in labels]
    return tuple(np.flatnonzero((starts < at + len(output)) & (ends > at)).tolist())


def _log_odds(logp: Values) -> Values:
    kept = np.minimum(logp, -CLIP)
    return kept - np.log(-np.expm1(kept))


def _as_is(logp: Values) -> Values:
    return logp


_LINKS = {"log-probability": _as_is, "probability": np.exp, "log-odds": _log_odds}
