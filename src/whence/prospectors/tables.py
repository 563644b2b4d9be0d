"""Holds the tables of a fitted head: its concepts and pairs with their weights, and exemplars.

It does not know how weights are fitted, nor how tables are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.dictionaries.exemplars import exemplars as nearest
from whence.dictionaries.quantizer import Quantizer
from whence.errors import InputError
from whence.prospectors._fitting import Tokens, batched, coded
from whence.prospectors.bags import Bag, units_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """One weight of a head.

    Attributes:
        concepts: one position, or two for a pair.
        name: of the concept, or of both joined by " + ".
        weight: in count units: what one count adds to the sum of a map. A pair of two concepts is
            counted once from each side.
        error: standard error over resampled bags, or None.
        p_value: of the kernel, or None.
        q_value: adjusted for how many features were tested, or None.
        effect: the weight times the spread of its frequency over the training bags: how much it
            moves their margins. A rare pair may have a large weight and little effect.
    """

    concepts: tuple[int, ...]
    name: str
    weight: float
    error: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    effect: float = 0.0


@dataclass(frozen=True)
class Exemplar:
    """A token that shows what a concept or a pair is.

    Attributes:
        bag: position among the bags.
        token: position in the bag.
        label: of the token.
        name: of the bag.
        strength: the share of the concept in the token; for a pair, that of the first times what
            of the second lies within reach.
    """

    bag: int
    token: int
    label: str
    name: str
    strength: float


@dataclass(frozen=True, eq=False)
class Column:
    """One output's weights `(p,)` with what is known of each; None where it is not."""

    weights: Floats
    spread: Floats
    errors: Floats | None
    p_values: Floats | None
    q_values: Floats | None


def concepts(column: Column, names: tuple[str, ...]) -> tuple[Entry, ...]:
    """The weights of the k concepts, in their order."""
    return tuple(_entry(column, c, (c,), name) for c, name in enumerate(names))


def bigrams(column: Column, names: tuple[str, ...], top: int) -> tuple[Entry, ...]:
    """The pairs of the largest effect, largest first; zeros are left out."""
    k = len(names)
    rows, columns = np.triu_indices(k)
    strength = np.abs(column.weights * column.spread)[k:]
    order = np.argsort(-strength, kind="stable")[: max(top, 0)]
    chosen = [int(i) for i in order if strength[i] > 0]
    pairs = [(int(rows[i]), int(columns[i])) for i in chosen]
    return tuple(
        _entry(column, k + i, (a, b), f"{names[a]} + {names[b]}")
        for i, (a, b) in zip(chosen, pairs, strict=True)
    )


def exemplars(
    quantizer: Quantizer, r: int, bags: Iterable[Bag], wanted: tuple[int, ...], top: int
) -> tuple[Exemplar, ...]:
    """The tokens of one concept nearest to it, or of a pair where it is strongest.

    Raises:
        InputError: no such concept, or a pair at r = 0.
    """
    for c in wanted:
        if not 0 <= c < quantizer.k:
            raise InputError(f"concept {c} came; there are {quantizer.k}, numbered from 0.")
    if len(wanted) == 1:
        return _of_concept(quantizer, bags, wanted[0], top)
    if len(wanted) != 2 or r == 0:
        raise InputError(
            f"{wanted} came with r={r}; exemplars are of one concept, or of two at r > 0."
        )
    return _of_pair(quantizer, r, bags, wanted, top)


def _entry(column: Column, i: int, which: tuple[int, ...], name: str) -> Entry:
    known = (column.errors, column.p_values, column.q_values)
    error, p_value, q_value = (None if table is None else float(table[i]) for table in known)
    weight = float(column.weights[i])
    effect = weight * float(column.spread[i])
    return Entry(which, name, weight, error, p_value, q_value, effect)


def _of_concept(
    quantizer: Quantizer, bags: Iterable[Bag], concept: int, top: int
) -> tuple[Exemplar, ...]:
    rows = nearest(quantizer, Tokens(bags), top)[concept]
    found: dict[int, Exemplar] = {}
    start = 0
    for i, bag in enumerate(bags):
        for row in rows[(rows >= start) & (rows < start + len(bag))]:
            token = int(row - start)
            share = float(quantizer.transform(bag.tokens[token : token + 1])[0, concept])
            label = units_of(bag).labels[token]
            found[int(row)] = Exemplar(i, token, label, bag.name, share)
        start += len(bag)
    return tuple(found[int(row)] for row in rows)


def _of_pair(
    quantizer: Quantizer, r: int, bags: Iterable[Bag], pair: tuple[int, ...], top: int
) -> tuple[Exemplar, ...]:
    a, b = pair
    best: list[Exemplar] = []
    i = 0
    for batch in batched(bags):
        for bag, codes, _ in coded(batch, quantizer, 0):
            near = bag.layout.neighbourhood(codes[:, [b]], r)[:, 0]
            near -= codes[:, b] if a == b else 0.0
            strength = codes[:, a] * near
            for token in np.argsort(-strength, kind="stable")[:top]:
                if strength[token] > 0:
                    label = units_of(bag).labels[token]
                    made = Exemplar(i, int(token), label, bag.name, float(strength[token]))
                    best.append(made)
            i += 1
        best = sorted(best, key=lambda e: -e.strength)[:top]
    return tuple(best)
