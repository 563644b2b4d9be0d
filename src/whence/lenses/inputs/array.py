"""Holds array_game: a model's callable and an array -> a Game over groups of the array's elements.

It does not know what the array shows (image, series) nor where the callable came from (adapters).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError
from whence.game import Game, Values
from whence.lenses.inputs.making import game_of, told
from whence.lenses.inputs.masked import Fill, Fixed, Masked, as_finite, as_type, digest
from whence.masks import Masks
from whence.scoring import Executor, Facts, InProcess, Part, Score, facts_of, in_order
from whence.units import Units, plural

#: Bytes of masked arrays that are made at a time: bounds memory when a run asks for very many.
WINDOW_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Drawn:
    """A scorer of masks: each is drawn as an array, a bounded number at a time, and scored.

    Attributes:
        score: the model, which scores arrays.
        render: masks -> arrays.
        batch: arrays per call of a bare callable.
    """

    score: Score
    render: Masked
    batch: int

    @property
    def facts(self) -> Facts:
        """What the model says of itself."""
        return facts_of(self.score)

    def __call__(self, items: Sequence[bytes]) -> Values:
        """Raw scores `(b, *raw)`, one row per mask."""
        return in_order(self.stream(items))

    def stream(self, items: Sequence[bytes]) -> Iterator[Part]:
        """See `Executor`; an item is the bytes of a mask `(n,)`."""
        executor = _executor(self.score, self.batch)
        window = max(1, min(len(items), WINDOW_BYTES // self.render.whole.nbytes))
        for start in range(0, len(items), window):
            chunk = items[start : start + window]
            masks = np.frombuffer(b"".join(chunk), dtype=np.bool_).reshape(len(chunk), -1)
            for where, values in executor.stream(list(self.render(masks))):
                yield where + start, values


@dataclass(frozen=True)
class Rows:
    """Masks as items, those that draw the same array made equal.

    Attributes:
        idle: units whose absence changes no element; they count as present.
    """

    idle: NDArray[np.bool_]

    def __call__(self, masks: Masks) -> list[bytes]:
        """One item per mask."""
        return [row.tobytes() for row in masks | self.idle]


def array_game(
    score: Score,
    array: ArrayLike,
    grid: ArrayLike,
    *,
    fill: Fill | ArrayLike = 0,
    units: Units | Sequence[str] = (),
    output: str | int | None = None,
    link: str | None = None,
    scores: str | None = None,
    labels: Sequence[str] = (),
    identity: str | None = None,
    batch: int | None = None,
) -> Game:
    """A game whose units are groups of an array's elements.

    The model is called here only to find the class that it predicts, once. Masks
    that draw the same array (a unit that equals its fill) are scored once.

    Args:
        score: arrays -> raw scores `(b, classes)`, or plain numbers `(b,)`. A bare callable gets
            one array `(b, *shape)`; an adapter's gets a list of arrays `(*shape)`.
        array: finite numbers of any shape.
        grid: whole numbers, broadcastable to the array: the unit of each element, 0 to n - 1, or
            -1 for what is always present.
        fill: what stands at absent elements: numbers broadcastable to the array, or a `Fill`.
        units: labels, one per unit, or `Units`; () counts them.
        output: a class by label or index, a contrast "a-b", or "all"; None for the class that
            the model predicts, and for plain numbers.
        link: "log-odds" (as None means), "log-probability", "probability" or "logit".
        scores: "logits", "probabilities" or "values" (plain numbers); None asks the adapter, and
            takes a bare callable's for logits.
        labels: the classes' names, in the order of the scores; () asks the adapter.
        identity: a string equal only for models that score alike; None asks the adapter.
        batch: arrays per call of a bare callable, and values kept at a time; None asks the adapter.

    Raises:
        InputError: an array, grid, fill or output that cannot be used as it came.
    """
    whole = as_finite(array, "the array")
    laid = _as_grid(grid, whole)
    stand_in = fill if callable(fill) else Fixed(_as_fill(fill, whole))
    said = Told(scores, labels, identity, batch)
    named = _named(units, int(laid.max(initial=-1)) + 1)
    return masked_game(
        score, Masked(whole, laid, stand_in), named, said, kind="array", output=output, link=link
    )


@dataclass(frozen=True)
class Told:
    """What a caller says of a model; see `array_game`."""

    scores: str | None = None
    labels: Sequence[str] = ()
    identity: str | None = None
    batch: int | None = None

    def over(self, own: Facts, kind: str) -> Facts:
        """All that is known: what was said, and else what the model says of itself."""
        bare = own == Facts()
        return replace(
            own,
            name=self.identity if bare and self.identity is not None else own.name,
            scores=own.scores if self.scores is None else self.scores,
            labels=self.labels
            if isinstance(self.labels, str)
            else tuple(self.labels) or own.labels,
            identity=own.identity if self.identity is None else self.identity,
            batch=own.batch if self.batch is None else self.batch,
            reads=frozenset({kind}) if bare else own.reads,
            count_tokens=None,
        )


def masked_game(
    score: Score,
    render: Masked,
    units: Units,
    said: Told,
    *,
    kind: str,
    output: str | int | None,
    link: str | None,
) -> Game:
    """The game of a model and of what masks make of an array; for lenses.

    Args:
        score: as `array_game`.
        render: masks -> arrays.
        units: what masks switch.
        said: what the caller says of the model.
        kind: "image" or "array": what the model must read.
        output, link: as `array_game`.
    """
    facts = said.over(told(score), kind)
    drawn = Drawn(score, render, facts.batch)
    identity = identified(facts.identity, render)
    rows = Rows(render.idle(len(units)))
    game = game_of(drawn, facts, units, rows, kind, identity, output=output, link=link)
    size = " x ".join(map(str, render.whole.shape))
    what = f"{facts.name} on {len(units)} {plural(units.kind)} of an {kind} of {size}"
    return replace(game, description=what)


def _executor(score: Score, batch: int) -> Executor:
    """An adapter's own, or one that gives a bare callable one array `(b, *shape)` at a time."""
    return score if isinstance(score, Executor) else InProcess(partial(stacked, score), batch)


def stacked(score: Callable[[Any], Any], items: Sequence[NDArray[Any]]) -> Any:
    """What a bare callable says of arrays, given to it as one array `(b, *shape)`."""
    return score(np.stack(items))


def as_seed(rng: int | np.random.Generator) -> int:
    """A seed that can be written into a game's identity.

    Raises:
        InputError: neither a whole number from 0 on nor a Generator.
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**62))
    whole = isinstance(rng, int | np.integer)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not whole or rng < 0:
        raise InputError(f"rng={rng!r} came; a numpy Generator, or a whole number from 0 on.")
    return int(rng)


def many_enough(n: int, kind: str, knob: str) -> None:
    """Nothing, if there are two units or more.

    Raises:
        InputError: there are fewer; `knob` says how to get more.
    """
    if n < 2:
        raise InputError(
            f"{n} unit{'' if n == 1 else 's'} ({kind}) came; at least 2 are needed to say which of "
            f"them matter. {knob}"
        )


def _as_grid(grid: ArrayLike, whole: NDArray[Any]) -> NDArray[np.int32]:
    given = np.asarray(grid)
    needed = (
        "whole numbers, broadcastable to the array, are needed: the unit of each element, 0 to "
        "n - 1 with none left out, or -1 for what is always present."
    )
    if given.dtype.kind not in "iu" or given.ndim > whole.ndim:
        raise InputError(f"the grid came with type {given.dtype}, shape {given.shape}; {needed}")
    try:
        np.broadcast_to(given, whole.shape)
    except ValueError as error:
        raise InputError(
            f"the grid came with shape {given.shape} for an array of shape {whole.shape}; {needed}"
        ) from error
    # As many axes as the array, so that a batch of grids broadcasts against it.
    laid = given.astype(np.int32).reshape((1,) * (whole.ndim - given.ndim) + given.shape)
    used = np.unique(laid[laid != -1])
    if not np.array_equal(used, np.arange(len(used))):
        raise InputError(f"the grid names units {used[:8].tolist()}...; {needed}")
    return laid


def _named(units: Units | Sequence[str], n: int) -> Units:
    many_enough(n, "group of elements", "Give a grid with more of them.")
    named = units if isinstance(units, Units) else Units(tuple(map(str, units or range(n))))
    if len(named) != n:
        raise InputError(f"{len(named)} labels came for the {n} units of the grid; give one each.")
    return named


def _as_fill(fill: ArrayLike, whole: NDArray[Any]) -> NDArray[Any]:
    given = as_finite(fill, "the fill")
    try:
        spread = np.broadcast_to(given, whole.shape)
    except ValueError as error:
        raise InputError(
            f"a fill of shape {given.shape} came for an array of shape {whole.shape}; give one "
            "number, or numbers that broadcast to that shape."
        ) from error
    return as_type(spread, whole.dtype)


def identified(model: str | None, render: Masked) -> str | None:
    """Equal for two games only if the same masks give the same raw scores."""
    if model is None:
        return None
    return json.dumps(
        {
            "model": model,
            # Raised when the rules of rendering change, so that old answers are not taken for new.
            "render": 1,
            "array": digest(render.whole),
            "grid": digest(render.grid),
            "absent": render.fill.describe(),
        },
        sort_keys=True,
    )
