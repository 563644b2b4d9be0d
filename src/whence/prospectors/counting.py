"""Holds the counts of concepts and pairs of concepts in a bag, and the map that weights make.

Order of the p = k + k (k + 1) / 2 features: the k concepts (monograms), then the pairs (skip
bigrams) as the upper triangle with its diagonal, row by row; p = k at r = 0. The count of {a, b},
a != b, is the sum over ordered pairs (v, u in ego(v)) and so counts every pair twice; that of
{a, a} has the tokens' pairs with themselves. It does not know where weights come from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.prospectors.layouts import Layout, radius

Floats = NDArray[np.float64]

BLOCK = 1024


def width(k: int, r: int) -> int:
    """p, the number of features of k concepts at radius r."""
    return k if radius(r) == 0 else k + k * (k + 1) // 2


def counts(codes: Floats, layout: Layout, r: int) -> Floats:
    """The features of one bag `(p,)` from codes `(N, k)`; with soft codes, sums of products.

    One-hot codes give exact whole numbers.

    Raises:
        InputError: codes that do not fit the layout, or r that is negative or not whole.
    """
    codes = np.asarray(codes, dtype=np.float64)
    return _features(codes, layout.neighbourhood(codes, r), r)


def normaliser(size: int, layout: Layout, r: int) -> float:
    """Z: the sum of the counts if every token's codes sum to 1: N, plus at r > 0 the ego pairs."""
    if radius(r) == 0:
        return float(size)
    return float(size + layout.neighbourhood(np.ones((size, 1)), r).sum())


def tally(codes: Floats, layout: Layout, r: int) -> tuple[Floats, float]:
    """`counts` and `normaliser` of one bag, with its neighbourhoods gone through once."""
    codes = np.asarray(codes, dtype=np.float64)
    size, k = codes.shape
    if radius(r) == 0:
        return counts(codes, layout, 0), float(size)
    around = layout.neighbourhood(np.concatenate([codes, np.ones((size, 1))], axis=1), r)
    return _features(codes, around[:, :k], r), float(size + around[:, k].sum())


def weights(flat: Floats, k: int) -> tuple[Floats, Floats]:
    """Unfold flat weights `(p, *c)`: w `(k, *c)` and symmetric W `(k, k, *c)`, 0 if p = k.

    Raises:
        InputError: p is the number of features of other than k concepts.
    """
    flat = np.asarray(flat, dtype=np.float64)
    if len(flat) not in (width(k, 0), width(k, 1)):
        raise InputError(
            f"{len(flat)} weights came for {k} concepts; they need {width(k, 0)} at r = 0 and "
            f"{width(k, 1)} at r > 0."
        )
    pairs = np.zeros((k, k, *flat.shape[1:]))
    if len(flat) > k:
        rows, columns = np.triu_indices(k)
        pairs[rows, columns] = pairs[columns, rows] = flat[k:]
    return flat[:k].copy(), pairs


def token_map(codes: Floats, layout: Layout, r: int, flat: Floats) -> Floats:
    """`P = C w + rowsum((C W) ∘ (N_r C))`, `(N,)`; `(N, c)` for weights `(p, c)`.

    It sums to `counts · flat`, up to rounding.

    Raises:
        InputError: codes that do not fit the layout, weights of other concepts, or weights of
            pairs at r = 0.
    """
    codes = np.asarray(codes, dtype=np.float64)
    alone, pairs = _weights(flat, codes, r)
    around = layout.neighbourhood(codes, r if pairs.any() else 0)
    columns = [
        codes @ w + _pair_sums(codes, W, around) if W.any() else codes @ w
        for w, W in zip(*_columns(alone, pairs), strict=True)
    ]
    return np.stack(columns, axis=1) if alone.ndim > 1 else columns[0]


def parts(codes: Floats, layout: Layout, r: int, flat: Floats) -> tuple[Floats, Floats]:
    """The map split by concept: monograms `(N,)`, and pair terms `(N, k)` by neighbour's concept.

    `token_map == monograms + pairs.sum(1)`; for flat weights `(p,)`.

    Raises:
        InputError: as for `token_map`, or weights of several classes.
    """
    codes = np.asarray(codes, dtype=np.float64)
    alone, pairs = _weights(flat, codes, r)
    if alone.ndim > 1:
        raise InputError(
            f"weights of shape {np.shape(flat)} came; parts are made for one class: flat[:, c]."
        )
    return codes @ alone, codes @ pairs * layout.neighbourhood(codes, r)


def _features(codes: Floats, around: Floats, r: int) -> Floats:
    """Monograms, then pairs, from codes and their neighbourhood sums `(N, k)`."""
    alone = codes.sum(0)
    if r == 0:
        return alone
    ordered = codes.T @ around
    both = ordered + ordered.T
    np.fill_diagonal(both, np.diagonal(ordered))
    return np.concatenate([alone, both[np.triu_indices(len(both))]])


def _pair_sums(codes: Floats, W: Floats, around: Floats) -> Floats:
    """`rowsum((C W) ∘ H)`, in blocks of rows that stay in the cache, and on one thread."""
    out = np.empty(len(codes))
    for start in range(0, len(codes), BLOCK):
        rows = slice(start, start + BLOCK)
        out[rows] = np.einsum("nk,nk->n", codes[rows] @ W, around[rows])
    return out


def _weights(flat: Floats, codes: Floats, r: int) -> tuple[Floats, Floats]:
    """`weights`, refused where they speak of pairs and r = 0 has none."""
    k = codes.shape[-1]
    if radius(r) == 0 and len(flat) == width(k, 1):
        raise InputError(
            f"{len(flat)} weights of {k} concepts and their pairs came with r = 0, where there "
            f"are no pairs; give the first {k}, or the r they were made with."
        )
    return weights(flat, k)


def _columns(alone: Floats, pairs: Floats) -> tuple[Floats, Floats]:
    """Classes first: w `(c, k)` and W `(c, k, k)`, for one class and for more."""
    k = len(alone)
    return alone.reshape(k, -1).T, np.moveaxis(pairs.reshape(k, k, -1), -1, 0)
