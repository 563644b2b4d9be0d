"""Holds planted games: games whose set function is known, because it is what values the masks.

It does not know who will look for it. Every maker takes the number of units, a seed or generator
and the shape of one value, and returns a `Planted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError
from whence.game import Game
from whence.masks import Masks
from whence.setfunction import Basis, SetFunction, set_function
from whence.setfunction import constant as constant_function

Floats = NDArray[np.float64]
Rng = int | np.random.Generator
Set = tuple[int, ...]


@dataclass(frozen=True)
class Planted:
    """A game and the function behind it.

    Attributes:
        game: units and values.
        truth: the set function that the game is, or None when noise is added to it.
    """

    game: Game
    truth: SetFunction | None


def sparse(
    n: int, rng: Rng = 0, *, terms: int = 10, degree: int = 3, out: tuple[int, ...] = ()
) -> Planted:
    """A few random Fourier terms of 1 to `degree` units, with normal coefficients."""
    rng = np.random.default_rng(rng)
    degree = min(degree, n)
    sets = _different(n, [int(rng.integers(1, degree + 1)) for _ in range(terms)], rng)
    return _planted(n, sets, rng.normal(size=(len(sets), *out)), "fourier", "sparse")


def hierarchical(
    n: int,
    rng: Rng = 0,
    *,
    terms: int = 4,
    degree: int = 4,
    decay: float = 0.5,
    out: tuple[int, ...] = (),
) -> Planted:
    """Random sets of `degree` units together with every subset of them, in the Fourier basis.

    A set of s units weighs `decay^(s - 1)` times a normal number: the higher, the fainter.
    """
    rng = np.random.default_rng(rng)
    tops = _different(n, [min(degree, n)] * terms, rng)
    below = {s for top in tops for s in _subsets(top) if s}
    sets = sorted(below, key=lambda s: (len(s), s))
    weight = np.array([decay ** (len(s) - 1) for s in sets])
    values = rng.normal(size=(len(sets), *out)) * weight.reshape(-1, *[1] * len(out))
    return _planted(n, sets, values, "fourier", "hierarchical")


def peak(
    n: int, rng: Rng = 0, *, terms: int = 10, degree: int = 5, out: tuple[int, ...] = ()
) -> Planted:
    """Random parities of exactly `degree` units and nothing below them.

    No method that climbs from single units and pairs can find it, and an honest one says so.
    """
    rng = np.random.default_rng(rng)
    sets = _different(n, [min(degree, n)] * terms, rng)
    return _planted(n, sets, rng.choice([-1.0, 1.0], size=(len(sets), *out)), "fourier", "peak")


def and_or(
    n: int, rng: Rng = 0, *, ands: int = 4, ors: int = 4, size: int = 3, out: tuple[int, ...] = ()
) -> Planted:
    """Möbius ANDs (all of a set present) and ORs (any of a set present) of 2 to `size` units."""
    rng = np.random.default_rng(rng)
    wanted = [int(rng.integers(min(2, n), min(size, n) + 1)) for _ in range(ands + ors)]
    drawn = _different(n, wanted, rng)
    weights = rng.normal(size=(len(drawn), *out))
    sets: list[Set] = []
    values: list[Floats] = []
    for row, (units, weight) in enumerate(zip(drawn, weights, strict=True)):
        # any(T) = 1 - prod over T of (1 - x_i) = sum over U ⊆ T, not empty, of -(-1)^#U x_U
        parts = [units] if row < ands else [s for s in _subsets(units) if s]
        sets += parts
        values += [weight if row < ands else -((-1.0) ** len(s)) * weight for s in parts]
    return _planted(n, sets, np.array(values).reshape(-1, *out), "mobius", "AND/OR")


def near_linear(
    n: int, rng: Rng = 0, *, pairs: int = 4, share: float = 0.02, out: tuple[int, ...] = ()
) -> Planted:
    """Single units that carry nearly all, and a few pairs that hold `share` of the variance."""
    rng = np.random.default_rng(rng)
    singles, twos = [(i,) for i in range(n)], _different(n, [2] * pairs, rng)
    heavy, light = rng.normal(size=(n, *out)), rng.normal(size=(len(twos), *out))
    ratio = share / (1.0 - share) * (heavy**2).sum(axis=0) / (light**2).sum(axis=0)
    values = np.concatenate([heavy, light * np.sqrt(ratio)])
    return _planted(n, [*singles, *twos], values, "fourier", "near-linear")


def additive(n: int, rng: Rng = 0, *, out: tuple[int, ...] = ()) -> Planted:
    """A number per unit and a baseline, added up: Möbius terms of one unit."""
    rng = np.random.default_rng(rng)
    sets: list[Set] = [(), *((i,) for i in range(n))]
    return _planted(n, sets, rng.normal(size=(n + 1, *out)), "mobius", "additive")


def constant(n: int, rng: Rng = 0, *, out: tuple[int, ...] = ()) -> Planted:
    """One value `(*out)` for every mask: no unit matters."""
    truth = constant_function(n, np.random.default_rng(rng).normal(size=out))
    return Planted(_game(truth, n, "constant"), truth)


def noisy(inner: Planted, rng: Rng = 0, *, sd: float = 0.1) -> Planted:
    """The same game with normal noise added at every call, so that answers differ.

    Args:
        inner: the game without noise; keep it for its truth.
        rng: what the noise is drawn from, call by call.
        sd: standard deviation of the noise, in the game's units.
    """
    rng = np.random.default_rng(rng)
    game = inner.game

    def value(masks: Masks) -> Floats:
        clean = game(masks)
        return clean + sd * rng.normal(size=clean.shape)

    told = f"{game.description} with noise {sd:g}"
    return Planted(Game(value, game.units, batch=game.batch, description=told), None)


def _planted(n: int, sets: Sequence[Set], values: ArrayLike, basis: Basis, name: str) -> Planted:
    truth = set_function(n, (sets, values), basis)
    return Planted(_game(truth, n, name), truth)


def _game(truth: SetFunction, n: int, name: str) -> Game:
    return Game(truth, n, description=f"planted {name} game of {n} units")


def _subsets(units: Set) -> list[Set]:
    return list(chain.from_iterable(combinations(units, k) for k in range(len(units) + 1)))


def _different(n: int, wanted: Sequence[int], rng: np.random.Generator) -> list[Set]:
    """Distinct random sets of the wanted sizes, fewer where n units have no more of a size."""
    if n < 2:
        raise InputError(f"n={n} came; a planted game has at least 2 units.")
    room = {size: comb(n, size) for size in set(wanted)}
    sets: list[Set] = []
    for size in wanted:
        if room[size] == 0:
            continue
        room[size] -= 1
        new = _draw(n, size, rng)
        while new in sets:
            new = _draw(n, size, rng)
        sets.append(new)
    return sets


def _draw(n: int, size: int, rng: np.random.Generator) -> Set:
    return tuple(sorted(rng.choice(n, size=size, replace=False).tolist()))
