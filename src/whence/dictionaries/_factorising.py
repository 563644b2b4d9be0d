"""Holds how the components of NMF and semi-NMF are learned: alternating, whole or by batches.

It does not know where tokens come from, nor what their weights are used for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.dictionaries._lloyd import draw, learned
from whence.dictionaries._nonneg import ridged, solved, sweep
from whence.dictionaries._products import blockwise
from whence.dictionaries._tokens import CHUNK, distinct

Floats = NDArray[np.float64]

#: Sweeps over the weights, and over non-negative components, per round.
_SWEEPS = 3

#: Rounds end when one lowers the squared error by less than this share of it.
_STILL = 1e-4

#: Starts that are tried, on how many tokens, for how many rounds.
_STARTS, _TRIED, _TURNS = 3, 4_000, 30


@dataclass(frozen=True)
class Factors:
    """Components, with what more tokens are added to.

    Attributes:
        components: V `(k, d)`, rows of length 1.
        gram: Uᵀ U `(k, k)` over the tokens so far.
        cross: Uᵀ X `(k, d)` over the tokens so far.
    """

    components: Floats
    gram: Floats
    cross: Floats


def factorised(
    tokens: NDArray[Any], k: int, passes: int, nonneg: bool, rng: np.random.Generator
) -> Factors:
    """Components of tokens in memory with at least k distinct rows; the best of some starts.

    Rounds of coordinate descent on the weights, then the components: by the same descent when
    they must be non-negative, else by least squares, exactly.

    Source:
        HALS, Cichocki and Phan (2009); semi-NMF and its start from k-means, Ding, Li and Jordan
        (2010), with these steps in place of their multiplicative updates, and k-means of the
        tokens' directions. NMF also tries the start from singular vectors.
    """
    part = tokens if len(tokens) <= _TRIED else tokens[draw(rng, len(tokens), _TRIED)]
    best, least = np.empty(0), np.inf
    starts = [_start(part, k, rng) for _ in range(_STARTS)]
    if nonneg and k <= min(part.shape):
        starts.append(_singular(part, k))
    for start in starts:
        components, error = _alternated(part, start, _TURNS, nonneg)
        if error < least:
            best, least = components, error
    best, _ = _alternated(tokens, best, passes, nonneg)
    return accumulated(Factors(best, np.zeros((k, k)), np.zeros(best.shape)), tokens, nonneg)


def _start(tokens: NDArray[Any], k: int, rng: np.random.Generator) -> Floats:
    """Centroids of the tokens' directions; of the tokens, where too few of those are distinct."""
    long = np.linalg.norm(tokens, axis=1, keepdims=True)
    directions = (tokens / np.where(long > 0, long, 1))[long[:, 0] > 0]
    enough = distinct(directions, k) >= k
    return _unit(learned(directions if enough else tokens, k, 1, 1, rng))[0]


def _singular(tokens: NDArray[Any], k: int) -> Floats:
    """Non-negative halves of the leading singular vectors, each the half that explains more.

    Source:
        NNDSVD, Boutsidis and Gallopoulos (2008).
    """
    left, _, right = np.linalg.svd(tokens.astype(np.float64), full_matrices=False)
    left, right = left[:, :k].T, right[:k]
    halves = [(np.maximum(s * left, 0), np.maximum(s * right, 0)) for s in (1, -1)]
    sizes = [np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1) for u, v in halves]
    return _unit(np.where((sizes[0] >= sizes[1])[:, None], halves[0][1], halves[1][1]))[0]


def _alternated(
    tokens: NDArray[Any], components: Floats, turns: int, nonneg: bool
) -> tuple[Floats, float]:
    """Components after at most some rounds, and the squared error of the last one."""
    weights = np.asfortranarray(weighed(tokens, components))
    total = float(np.einsum("nd,nd->", tokens, tokens, dtype=np.float64))
    error = np.inf
    for _ in range(turns):
        sums = Factors(components, weights.T @ weights, _cross(weights, tokens))
        components = _refreshed(sums, nonneg).components
        gram, products = components @ components.T, _products(tokens, components)
        for _ in range(_SWEEPS):
            sweep(weights, gram, products)
        last, fit = error, float(np.sum(gram * (weights.T @ weights)))
        error = total - 2 * float(np.sum(weights * products)) + fit
        if last < np.inf and last - error <= _STILL * last:
            break
    return components, error


def accumulated(factors: Factors, tokens: NDArray[Any], nonneg: bool) -> Factors:
    """The factors after one more batch, weighed exactly.

    Source:
        Online dictionary learning, Mairal, Bach, Ponce and Sapiro (2010).
    """
    weights = weighed(tokens, factors.components)
    gram = factors.gram + weights.T @ weights
    cross = factors.cross + _cross(weights, tokens)
    return _refreshed(Factors(factors.components, gram, cross), nonneg)


def weighed(tokens: NDArray[Any], components: Floats) -> Floats:
    """The exact non-negative weights of every token `(N, k)`; a token's do not depend on others."""
    return solved(ridged(components @ components.T), _products(tokens, components))


def _refreshed(factors: Factors, nonneg: bool) -> Factors:
    """Components that fit the sums best; those without weight stay."""
    used = np.diag(factors.gram) > 0
    fresh = factors.components.copy()
    gram = factors.gram[np.ix_(used, used)]
    if nonneg:
        turned = np.asfortranarray(fresh[used].T)
        for _ in range(_SWEEPS):
            sweep(turned, gram, factors.cross[used].T)
        fresh[used] = turned.T
    elif used.any():
        fresh[used] = np.linalg.solve(ridged(gram), factors.cross[used])
    dead = ~(fresh != 0).any(axis=1)
    fresh[dead] = factors.components[dead]
    components, long = _unit(fresh)
    return Factors(components, factors.gram * np.outer(long, long), factors.cross * long[:, None])


def _unit(rows: Floats) -> tuple[Floats, Floats]:
    """Rows of length 1, and how long they were; a row of zeros becomes an even one."""
    long = np.linalg.norm(rows, axis=1)
    zero = long == 0
    rows = np.where(zero[:, None], 1.0, rows)
    long = np.where(zero, np.sqrt(rows.shape[1]), long)
    return rows / long[:, None], long


def _products(tokens: NDArray[Any], components: Floats) -> Floats:
    """`tokens @ components.T` in float64, a part at a time."""
    nothing = np.zeros(tokens.shape[1])
    step = max(1, CHUNK // tokens.shape[1])
    parts = [
        blockwise(tokens[s : s + step], components, nothing) for s in range(0, len(tokens), step)
    ]
    return np.concatenate(parts)


def _cross(weights: Floats, tokens: NDArray[Any]) -> Floats:
    return np.asarray(weights.T.astype(tokens.dtype) @ tokens, dtype=np.float64)
