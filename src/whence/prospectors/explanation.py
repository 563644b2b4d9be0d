"""Holds a bag's map as a SetFunction of tokens or of concepts, and as an Explanation.

With the neighbourhoods held fixed a head's margin is a function of degree 2 of the tokens that
are present, so nothing is estimated here. It does not know how the head was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from whence.errors import InputError
from whence.explain import explain as run
from whence.explanation import Explanation
from whence.game import Game
from whence.masks import Masks
from whence.prospectors._reading import Reader
from whence.prospectors.bags import Bag, units_of
from whence.prospectors.counting import counts, normaliser, token_map, weights
from whence.prospectors.linear import spoken
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.units import Units

Floats = NDArray[np.float64]
Over = Literal["tokens", "concepts"]

#: The most numbers (pairs times resamples) that a function of tokens may hold.
MAX_NUMBERS = 20_000_000
#: Masks on which the function is held against the head's own margin.
JUDGED = 128
#: Numbers of codes that are multiplied at once.
CHUNK = 2**22


@dataclass(frozen=True, eq=False)
class Known:
    """An Explainer that asks for nothing, for its function is known."""

    f: SetFunction

    def ask(self, n: int, budget: int, rng: np.random.Generator, seen: Samples) -> Masks:
        """No masks."""
        return np.zeros((0, n), dtype=np.bool_)

    def fit(self, samples: Samples) -> SetFunction:
        """The function."""
        return self.f

    def __repr__(self) -> str:
        return "Prospector"


@dataclass(frozen=True, eq=False)
class Masked:
    """The head's own account of a bag of which parts are absent: a Game's value function.

    A token that is absent has no concepts, and with its place its neighbours stay where they are;
    a concept that is absent is taken from every token.
    """

    reader: Reader
    bag: Bag
    over: Over

    def __call__(self, masks: Masks) -> Floats:
        """Sums of the masked maps, `(b,)`."""
        codes, alone = self.reader.codes(self.bag), self.reader.alone(self.bag)
        sums = np.empty(len(masks))
        for i, mask in enumerate(masks):
            kept = codes * (mask[:, None] if self.over == "tokens" else mask)
            said = token_map(kept, self.bag.layout, self.reader.r, self.reader.flat).sum()
            sums[i] = said + (alone[mask].sum() if self.over == "tokens" else alone.sum())
        return sums


def set_function(reader: Reader, bag: Bag, over: Over = "tokens") -> SetFunction:
    """The sum of a bag's map, as a Möbius function of degree 2 of what is present.

    Of tokens: `f(S) = sum over v in S of w·C_v + sum over v, u in S of N_vu C_v W C_u`, so a
    token's coefficient is what it says alone and with itself, a pair's what both say of each
    other. Where reach goes both ways its Shapley values are the map, for hard and soft codes; in
    a directed graph they split between the two what the map gives to the first. Of concepts: the
    same sum with the codes of absent concepts at zero; a linear term is then its constant.

    Deviations are those of the resampled weights, if there are any.

    Raises:
        InputError: too many pairs; or over is neither "tokens" nor "concepts".
    """
    if over == "concepts":
        return _of_concepts(reader, bag)
    if over != "tokens":
        raise InputError(f'over={over!r} came; it is "tokens" or "concepts".')
    return _of_tokens(reader, bag)


def explain(reader: Reader, bag: Bag, over: Over, seed: int) -> Explanation:
    """`set_function`, held against the head's own margin on masks it has not seen."""
    f = set_function(reader, bag, over)
    total = normaliser(len(bag), bag.layout, reader.r)
    units = _units(reader, bag, over)
    game = Game(
        Masked(reader, bag, over),
        units,
        outputs=(reader.output,),
        unit="margin × Z",
        description=bag.name or f"a bag of {len(bag)} tokens",
        # Where the reader looks first: the fit below is of the map to the head, not of the head.
        model=f"a prospector head ({reader.performance})",
        notes=lambda: (
            f"the sum of the map; over Z = {total:g} (tokens and ordered pairs) it is the margin",
        ),
    )
    return run(game, Known(f), budget=2 + JUDGED + 2, held_out=JUDGED, rng=seed, repeats=0)


def _units(reader: Reader, bag: Bag, over: Over) -> Units:
    if over == "concepts":
        return Units(reader.quantizer.names, kind="concept")
    return units_of(bag)


def _of_tokens(reader: Reader, bag: Bag) -> SetFunction:
    codes, n = reader.codes(bag), len(bag)
    fitted = [reader.flat] if reader.draws is None else [reader.flat, *reader.draws[0]]
    # Counted before they are written out. Weights of edges count for less than one each.
    reached = bag.layout.neighbourhood(np.ones((n, 1)), reader.r).sum()
    _refuse_many(n, int(reached - n) // 2, len(fitted), reader.r)
    reach = bag.layout.reach(n, reader.r)
    both = sparse.triu(reach + reach.T, k=1, format="coo")
    _refuse_many(n, both.nnz, len(fitted), reader.r)
    loops = reach.diagonal()
    columns = [_coefficients(codes, flat, loops, both) for flat in fitted]
    columns[0][:n] += reader.alone(bag)
    if reader.draws is not None and len(reader.beta):
        for column, beta in zip(columns[1:], reader.draws[1], strict=True):
            column[:n] += spoken(bag.tokens, reader.centre, beta)
    indptr = np.concatenate([np.arange(n), n + 2 * np.arange(both.nnz + 1)])
    pairs = np.stack([both.row, both.col], axis=1)
    order = np.lexsort((both.col, both.row))
    table = np.stack(columns)
    table[:, n:] = table[:, n:][:, order]
    indices = np.concatenate([np.arange(n), pairs[order].reshape(-1)])
    return _function(n, indptr, indices, table)


def _refuse_many(tokens: int, pairs: int, fitted: int, r: int) -> None:
    if pairs * fitted > MAX_NUMBERS:
        raise InputError(
            f"{tokens:,} tokens have {pairs:,} pairs within r={r} hops, times {fitted} "
            f"for the weights and their resamples; at most {MAX_NUMBERS:,} are written out. Cut "
            "the bag, lower r, fit with bootstrap=0, or read attribute(bag), which has no limit."
        )


def _coefficients(codes: Floats, flat: Floats, loops: Floats, both: Any) -> Floats:
    """Of the n tokens, then of the pairs `both` (row, col, how often they reach each other)."""
    w, W = weights(flat, codes.shape[1])
    said = codes @ W
    single = codes @ w + loops * np.einsum("nk,nk->n", said, codes)
    together = np.empty(both.nnz)
    step = max(1, CHUNK // codes.shape[1])
    for start in range(0, both.nnz, step):
        part = slice(start, start + step)
        together[part] = np.einsum("nk,nk->n", said[both.row[part]], codes[both.col[part]])
    return np.concatenate([single, together * both.data])


def _of_concepts(reader: Reader, bag: Bag) -> SetFunction:
    codes = reader.codes(bag)
    k = codes.shape[1]
    found = counts(codes, bag.layout, reader.r)
    fitted = [reader.flat] if reader.draws is None else [reader.flat, *reader.draws[0]]
    terms = np.stack(fitted) * found
    rows, columns = np.triu_indices(k)
    single, paired = terms[:, :k].copy(), terms[:, k:]
    if paired.shape[1]:
        single += paired[:, rows == columns]
        paired = paired[:, rows != columns]
    apart = rows != columns if paired.shape[1] else np.zeros(len(rows), dtype=np.bool_)
    constant = np.zeros((len(terms), 1))
    constant[0] = reader.alone(bag).sum()
    if reader.draws is not None and len(reader.beta):
        constant[1:, 0] = spoken(bag.tokens, reader.centre, reader.draws[1].T).sum(axis=0)
    pairs = np.stack([rows[apart], columns[apart]], axis=1)
    indptr = np.concatenate([[0], np.arange(k), k + 2 * np.arange(len(pairs) + 1)])
    indices = np.concatenate([np.arange(k), pairs.reshape(-1)])
    return _function(k, indptr, indices, np.concatenate([constant, single, paired], axis=1))


def _function(n: int, indptr: NDArray[Any], indices: NDArray[Any], table: Floats) -> SetFunction:
    """A function from sets in canonical order and values `(1 + R, sets)`, resamples below."""
    deviations = None
    if len(table) > 1:
        drawn = table[1:]
        deviations = (drawn - drawn.mean(axis=0)) / np.sqrt(len(drawn) - 1)
    return SetFunction(
        n,
        indptr.astype(np.int64),
        indices.astype(np.int64),
        table[0],
        "mobius",
        deviations,
        "the head's own weights",
    )
