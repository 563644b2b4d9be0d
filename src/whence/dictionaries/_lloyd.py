"""Holds Lloyd's iterations on tokens in memory: seeding, restarts, empty centroids moved.

It does not know where the tokens come from, nor what the centroids are used for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.cluster import kmeans_plusplus

from whence.dictionaries._products import blockwise

Floats = NDArray[np.float64]
Ids = NDArray[np.intp]

#: Tokens that each restart is tried on; a larger sample is gone through from the best one only.
TRIED = 10_000

#: Iterations of a restart; they end earlier, when no token changes its centroid.
_TURNS = 300

#: A step of all centroids shorter than this share of the tokens' variance ends the iterations.
_STILL = 1e-8

#: Tokens that are valued at once.
_STEP = 16_384


def squares(tokens: NDArray[Any], centers: NDArray[Any], shift: NDArray[Any]) -> Floats:
    """`|x - c|² - |x - shift|²`, `(b, k)`: what tells centroids apart, without the rest."""
    moved = centers - shift
    products = blockwise(tokens, moved, shift)
    products *= -2
    products += (moved * moved).sum(axis=1)
    return products


def learned(
    tokens: NDArray[Any], k: int, restarts: int, passes: int, rng: np.random.Generator
) -> Floats:
    """Centroids `(k, d)` of tokens with at least k distinct rows; the best of some restarts.

    Source:
        Lloyd (1982); seeds by k-means++, Arthur and Vassilvitskii (2007); restarts on a part of
        the sample, the best refined on all of it, after Bradley and Fayyad (1998).
    """
    part = tokens if len(tokens) <= TRIED else tokens[draw(rng, len(tokens), TRIED)]
    shift = part.mean(axis=0, dtype=np.float64).astype(tokens.dtype)
    wide = part.astype(np.float64) - shift  # scikit-learn widens float32 anew for every seed
    best, least = np.empty(0), np.inf
    for _ in range(restarts):
        seeds = (_seeds(wide, k, int(rng.integers(2**31))) + shift).astype(tokens.dtype)
        centers, inertia = _iterated(part, seeds, _TURNS, shift)
        if inertia < least:
            best, least = centers, inertia
    if part is not tokens:
        best, _ = _iterated(tokens, best, passes, shift)
    return best.astype(np.float64)


def assigned(
    tokens: NDArray[Any], centers: NDArray[Any], shift: NDArray[Any]
) -> tuple[Ids, Floats]:
    """The nearest centroid of every token, and its distance² less that to `shift`: `(N,)` each."""
    ids = np.empty(len(tokens), dtype=np.intp)
    nearest = np.empty(len(tokens))
    for start in range(0, len(tokens), _STEP):
        part = slice(start, start + _STEP)
        d = squares(tokens[part], centers, shift)
        ids[part] = d.argmin(axis=1)
        nearest[part] = np.take_along_axis(d, ids[part, None], axis=1)[:, 0]
    return ids, nearest


def sums(tokens: NDArray[Any], ids: Ids, k: int) -> tuple[Floats, Floats]:
    """Sum `(k, d)` and number `(k,)` of the tokens of every centroid."""
    total = np.zeros((k, tokens.shape[1]))
    for start in range(0, len(tokens), _STEP):
        part = ids[start : start + _STEP]
        b = len(part)
        members = csr_array((np.ones(b, tokens.dtype), part, np.arange(b + 1)), shape=(b, k))
        total += members.T @ tokens[start : start + _STEP]
    return total, np.bincount(ids, minlength=k).astype(np.float64)


def lengths(tokens: NDArray[Any], shift: NDArray[Any]) -> Floats:
    """`|x - shift|²` of every token, `(N,)`."""
    moved = (np.subtract(tokens[s : s + _STEP], shift) for s in range(0, len(tokens), _STEP))
    return np.concatenate([np.einsum("nd,nd->n", m, m) for m in moved]).astype(np.float64)


def _iterated(
    tokens: NDArray[Any], centers: NDArray[Any], turns: int, shift: NDArray[Any]
) -> tuple[NDArray[Any], float]:
    """Centroids after at most some turns, and the tokens' summed distance² to those before."""
    long = lengths(tokens, shift)
    spread = float(long.mean())
    last = np.full(len(tokens), -1, dtype=np.intp)
    inertia = np.inf
    for _ in range(turns):
        ids, nearest = assigned(tokens, centers, shift)
        inertia = float((nearest + long).sum())
        if np.array_equal(ids, last):
            break
        last = ids
        total, count = sums(tokens, ids, len(centers))
        fresh = (total / np.maximum(count, 1)[:, None]).astype(tokens.dtype)
        empty = np.flatnonzero(count == 0)
        fresh[empty] = tokens[_farthest(tokens, nearest + long, len(empty))]
        moved = float(((fresh - centers) ** 2).sum())
        centers = fresh
        if moved <= _STILL * spread:
            break
    return centers, inertia


def _farthest(tokens: NDArray[Any], distances: Floats, count: int) -> Ids:
    """The tokens farthest from their centroids, no two of them the same."""
    chosen: list[int] = []
    if count == 0:
        return np.array(chosen, dtype=np.intp)
    for at in np.argsort(-distances, kind="stable"):
        if all((tokens[at] != tokens[c]).any() for c in chosen):
            chosen.append(int(at))
        if len(chosen) == count:
            break
    return np.array(chosen, dtype=np.intp)


def _seeds(tokens: NDArray[Any], k: int, seed: int) -> NDArray[Any]:
    seeds, _ = kmeans_plusplus(tokens, k, random_state=seed)
    return np.asarray(seeds)


def draw(rng: np.random.Generator, n: int, size: int) -> Ids:
    """Rows of a sample without repeats, in their order."""
    return np.sort(rng.choice(n, size, replace=False))
