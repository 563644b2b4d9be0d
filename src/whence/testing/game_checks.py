"""Holds check_game: the contract of a Game, one named check per promise.

It does not know what the game plays. A game need not answer for zero masks; whence never asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from whence.game import Game, Values, arriving, raw_values
from whence.testing.contract import close, gap, require, run, some_masks, untouched

GameCheck = Callable[[Game, int | np.random.Generator], None]

#: Random masks asked besides the two ends.
ROWS = 12


def check_game(
    game: Game,
    rng: int | np.random.Generator = 0,
    *,
    tolerance: float = 1e-6,
    noisy: bool = False,
) -> None:
    """Hold a game to every promise of `Game`; asks its model about 150 times.

    Args:
        game: any Game.
        rng: seed or generator for the masks that are asked.
        tolerance: how far two answers for one mask may lie apart, relative to the largest value
            (at least 1): batching changes the rounding of a neural network.
        noisy: the model is known to answer differently every time (it samples, say): then equal
            answers are not asked for.

    Raises:
        AssertionError: the promise that is broken, and how.
    """
    for _, check in game_checks(tolerance=tolerance, noisy=noisy):
        check(game, rng)


def game_checks(*, tolerance: float = 1e-6, noisy: bool = False) -> Iterator[tuple[str, GameCheck]]:
    """The checks of `check_game`, as (name, check): call `check(game, rng)`.

    Example:
        >>> [name for name, _ in game_checks(noisy=True)]
        ['shapes', 'outputs', 'masks', 'identity', 'tokens']
    """
    yield "shapes", _shapes
    yield "outputs", _outputs
    yield "masks", _masks
    yield "identity", _identity
    yield "tokens", _tokens
    if not noisy:
        yield "repeats", partial(_repeats, tolerance=tolerance)
        yield "neighbours", partial(_neighbours, tolerance=tolerance)
        yield "duplicates", partial(_duplicates, tolerance=tolerance)
        yield "batches", partial(_batches, tolerance=tolerance)
        yield "stream", partial(_stream, tolerance=tolerance)
        yield "again", partial(_again, tolerance=tolerance)


def _masks_for(game: Game, rng: int | np.random.Generator) -> Any:
    return some_masks(game.n, ROWS, np.random.default_rng(rng))


def _answer(game: Game, rows: Any) -> Values:
    told = "b masks are worth (b,) or (b, *out) finite numbers, raw and as read out."
    return run(told, lambda: game(rows))


def _shapes(game: Game, rng: int | np.random.Generator) -> None:
    """One mask or many, the ends included: finite numbers, the same outputs for each."""
    rows = _masks_for(game, rng)
    many, one = _answer(game, rows), _answer(game, rows[:1])
    require(
        many.shape[1:] == one.shape[1:],
        "every call returns the same outputs per mask.",
        f"outputs of shape {one.shape[1:]} for one mask and {many.shape[1:]} for {len(rows)}.",
    )


def _outputs(game: Game, rng: int | np.random.Generator) -> None:
    """Names of outputs, where there are any, are as many as the outputs."""
    out = _answer(game, _masks_for(game, rng)[:1]).shape[1:]
    count = int(np.prod(out, dtype=int))
    require(
        len(game.outputs) in (0, count),
        "`outputs` names every output, flattened, or none.",
        f"{len(game.outputs)} names came for outputs of shape {out}, which are {count}.",
    )


def _masks(game: Game, rng: int | np.random.Generator) -> None:
    """The value function leaves its argument and global random state alone."""
    rows = _masks_for(game, rng)
    with untouched(rows):
        run("value answers for a plain array of masks.", lambda: game.value(rows))


def _identity(game: Game, rng: int | np.random.Generator) -> None:
    """The identity is a string that says something, or None."""
    require(
        game.identity is None or (type(game.identity) is str and game.identity != ""),
        "`identity` is a string, equal only for equal games, or None.",
        f"identity={game.identity!r} came.",
    )


def _tokens(game: Game, rng: int | np.random.Generator) -> None:
    """A count of tokens is one whole number per mask, none negative."""
    if game.tokens is None:
        return
    rows, count = _masks_for(game, rng), game.tokens
    told = "`tokens` counts what the model reads: (b,) whole numbers for b masks."
    with untouched(rows):
        answer = np.asarray(run(told, lambda: count(rows)))
    require(answer.shape == (len(rows),), told, f"shape {answer.shape} for {len(rows)} masks.")
    require(answer.dtype.kind in "iu", told, f"numbers of type {answer.dtype}.")
    require(bool((answer >= 0).all()), told, f"{answer.min()} tokens for some mask.")


def _repeats(game: Game, rng: int | np.random.Generator, *, tolerance: float) -> None:
    """The same masks asked twice have the same values."""
    rows = _masks_for(game, rng)
    first, second = _answer(game, rows), _answer(game, rows)
    require(
        close(first, second, tolerance),
        "the same masks have the same values (a model that samples is checked with noisy=True).",
        f"{gap(first, second)} between two calls with equal masks.",
    )


def _neighbours(game: Game, rng: int | np.random.Generator, *, tolerance: float) -> None:
    """A mask is worth the same alone, in a crowd, and in another order."""
    rows = _masks_for(game, rng)
    told = "a mask is valued independently of the other rows of its call."
    together = _answer(game, rows)
    alone = np.concatenate([_answer(game, row[None]) for row in rows])
    require(
        close(together, alone, tolerance),
        told,
        f"{gap(together, alone)} between one call of {len(rows)} masks and one call each.",
    )
    turned = _answer(game, rows[::-1])[::-1]
    require(
        close(together, turned, tolerance),
        told,
        f"{gap(together, turned)} when the same masks came in reverse order.",
    )


def _duplicates(game: Game, rng: int | np.random.Generator, *, tolerance: float) -> None:
    """A mask that occurs twice in one call has one value."""
    rows = _masks_for(game, rng)
    values = _answer(game, np.concatenate([rows, rows]))
    first, second = values[: len(rows)], values[len(rows) :]
    require(
        close(first, second, tolerance),
        "equal masks in one call have equal values.",
        f"{gap(first, second)} between the first and the second time.",
    )


def _batches(game: Game, rng: int | np.random.Generator, *, tolerance: float) -> None:
    """`batch` changes how many masks come per call, and nothing else."""
    rows = _masks_for(game, rng)
    whole, small = _answer(game, rows), _answer(replace(game, batch=3), rows)
    require(
        close(whole, small, tolerance),
        "the batch size changes no value.",
        f"{gap(whole, small)} between batch={game.batch} and batch=3.",
    )


def _stream(game: Game, rng: int | np.random.Generator, *, tolerance: float) -> None:
    """What arrives in parts is every mask once, worth what `value` says."""
    rows = _masks_for(game, rng)
    told = "`stream` gives every row once, by its position, with the value that `value` gives."
    parts = run(told, lambda: list(arriving(game, rows)))
    order = np.argsort(np.concatenate([where for where, _ in parts]))
    streamed = np.concatenate([values for _, values in parts])[order]
    whole = run(told, lambda: raw_values(game.value, rows))
    require(
        close(whole, streamed, tolerance),
        told,
        f"{gap(whole, streamed)} between the stream and the value function.",
    )


def _again(game: Game, rng: int | np.random.Generator, *, tolerance: float) -> None:
    """A fresh answer has the shape, and for a model without noise the value, of the first."""
    if game.again is None:
        return
    rows = _masks_for(game, rng)
    first, fresh = _answer(game, rows), _answer(replace(game, value=game.again), rows)
    require(
        close(first, fresh, tolerance),
        "`again` answers as `value` does.",
        f"{gap(first, fresh)} between the two.",
    )
