"""Holds check_scorer: the contract of a Scorer, one named check per promise.

It does not know what the scorer runs, nor what its items are: they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from whence.scoring import Executor, Facts, Scorer, scores_of
from whence.testing.contract import close, gap, require, run, untouched

ScorerCheck = Callable[[Scorer, Sequence[Any]], None]

KINDS = ("logits", "probabilities", "log-probabilities", "values")


def check_scorer(
    scorer: Scorer, items: Sequence[Any], *, tolerance: float = 1e-4, noisy: bool = False
) -> None:
    """Hold a scorer to every promise of `Scorer`, and of `Executor` if it streams.

    Args:
        scorer: what an adapter made.
        items: four or more different inputs that it reads, of different lengths if they have any.
        tolerance: how far two scores of one item may lie apart, relative to the largest (at least
            1): batching changes the rounding of a neural network.
        noisy: the model is known to answer differently every time: then equal answers are not
            asked for.

    Raises:
        AssertionError: the promise that is broken, and how.
    """
    for _, check in scorer_checks(tolerance=tolerance, noisy=noisy):
        check(scorer, items)


def scorer_checks(
    *, tolerance: float = 1e-4, noisy: bool = False
) -> Iterator[tuple[str, ScorerCheck]]:
    """The checks of `check_scorer`, as (name, check): call `check(scorer, items)`.

    Example:
        >>> [name for name, _ in scorer_checks()]
        ['facts', 'scores', 'tokens', 'state', 'stream', 'early end', 'alone']
    """
    yield "facts", _facts
    yield "scores", _scores
    yield "tokens", _tokens
    yield "state", _state
    yield "stream", _stream
    yield "early end", _early_end
    if not noisy:
        yield "alone", partial(_alone, tolerance=tolerance)


def _answer(scorer: Scorer, items: Sequence[Any]) -> Any:
    told = "items are worth one number, or one row of numbers, each; all of them finite."
    scores = run(told, lambda: scores_of(scorer(items), len(items)))
    require(bool(np.isfinite(scores).all()), told, "nan or inf.")
    return scores


def _facts(scorer: Scorer, items: Sequence[Any]) -> None:
    """It says what it is, the same each time, and its scores are of a kind there is."""
    told = "`facts` are Facts, equal each time they are asked for."
    first, second = run(told, lambda: scorer.facts), scorer.facts
    require(isinstance(first, Facts) and first == second, told, f"{first!r}, then {second!r}.")
    require(
        first.scores in KINDS,
        f"`facts.scores` is one of {', '.join(KINDS)}.",
        f"{first.scores!r} came.",
    )
    require(
        first.identity is None or (type(first.identity) is str and first.identity != ""),
        "`facts.identity` is a string, equal only for equal models, or None.",
        f"{first.identity!r} came.",
    )
    require(first.name != "" and first.batch >= 1, "it has a name and a batch.", f"{first!r}.")


def _scores(scorer: Scorer, items: Sequence[Any]) -> None:
    """One item or many: the same columns, named one by one or not at all."""
    many, one = _answer(scorer, items), _answer(scorer, items[:1])
    require(
        many.shape[1:] == one.shape[1:],
        "every call returns the same columns per item.",
        f"{one.shape[1:]} for one item and {many.shape[1:]} for {len(items)}.",
    )
    labels = scorer.facts.labels
    columns = many.shape[1] if many.ndim == 2 else 1
    require(
        len(labels) in (0, columns),
        "`facts.labels` names every column, or none.",
        f"{len(labels)} names for {columns} columns.",
    )


def _tokens(scorer: Scorer, items: Sequence[Any]) -> None:
    """A count of tokens is one whole number per item, none above the most it reads."""
    count, most = scorer.facts.count_tokens, scorer.facts.max_tokens
    if count is None:
        return
    told = "`facts.count_tokens` gives (b,) whole numbers for b items."
    counted = np.asarray(run(told, lambda: count(items)))
    require(counted.shape == (len(items),), told, f"shape {counted.shape}.")
    require(counted.dtype.kind in "iu", told, f"numbers of type {counted.dtype}.")
    require(
        most is None or bool((counted <= most).all()),
        "an item that is scored is no longer than `facts.max_tokens`.",
        f"{counted.max(initial=0)} tokens, and at most {most} are said to be read.",
    )


def _state(scorer: Scorer, items: Sequence[Any]) -> None:
    """Scoring leaves global random state alone."""
    with untouched():
        _answer(scorer, items)


def _stream(scorer: Scorer, items: Sequence[Any]) -> None:
    """What arrives in parts is every position once, with the scores of a whole call's shape."""
    if not isinstance(scorer, Executor):
        return
    told = "`stream` gives every position once, with one row of scores each."
    parts = run(told, lambda: list(scorer.stream(items)))
    where = np.concatenate([np.asarray(at) for at, _ in parts])
    require(
        sorted(where.tolist()) == list(range(len(items))),
        told,
        f"positions {sorted(where.tolist())[:12]} of {len(items)}.",
    )
    shapes = {np.shape(values)[1:] for _, values in parts}
    require(shapes == {_answer(scorer, items).shape[1:]}, told, f"rows of shapes {shapes}.")


def _early_end(scorer: Scorer, items: Sequence[Any]) -> None:
    """A stream that is closed early leaves the scorer able to answer."""
    if not isinstance(scorer, Executor):
        return
    for _ in scorer.stream(items):
        break
    _answer(scorer, items[:2])


def _alone(scorer: Scorer, items: Sequence[Any], *, tolerance: float) -> None:
    """An item is worth the same alone, in a crowd, in another order, and twice."""
    told = "an item is scored independently of the others of its call."
    together = _answer(scorer, items)
    alone = np.concatenate([_answer(scorer, [item]) for item in items])
    require(close(together, alone, tolerance), told, f"{gap(together, alone)} alone.")
    turned = _answer(scorer, list(items)[::-1])[::-1]
    require(close(together, turned, tolerance), told, f"{gap(together, turned)} in another order.")
    twice = _answer(scorer, [*items, *items])
    require(
        close(twice[: len(items)], twice[len(items) :], tolerance),
        "equal items in one call have equal scores.",
        f"{gap(twice[: len(items)], twice[len(items) :])} between them.",
    )
