"""Holds masks as plain arrays: every subset, random subsets, packing, duplicates, folds.

A mask is a boolean row of length n; `True` means present. This file does not know what a mask
is worth, nor what its units are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError

Masks = NDArray[np.bool_]

#: The most units for which all 2^n masks are ever written out.
MAX_EVERY = 24


def as_masks(masks: ArrayLike, n: int) -> Masks:
    """The given rows as a `(b, n)` boolean array; one mask `(n,)` becomes `(1, n)`.

    Raises:
        InputError: the rows are not boolean (or 0/1), or do not have n columns.
    """
    array = np.asarray(masks)
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2 or array.shape[1] != n:
        raise InputError(
            f"masks of shape {np.shape(masks)} came; this game has {n} units and needs (b, {n}). "
            "Give one row per mask and one column per unit."
        )
    if array.dtype != np.bool_:
        if array.size and not np.isin(array, (0, 1)).all():
            raise InputError(
                f"masks of type {array.dtype} with values other than 0 and 1 came; masks are "
                "boolean, True meaning present. Convert them with `masks.astype(bool)`."
            )
        array = array.astype(np.bool_)
    return array


def every(n: int) -> Masks:
    """All 2^n masks `(2^n, n)`; row r holds unit i when bit i of r is set.

    Raises:
        InputError: n exceeds `MAX_EVERY`.
    """
    if n > MAX_EVERY:
        raise InputError(
            f"all masks of {n} units would be 2^{n} rows; at most {MAX_EVERY} units are written "
            "out. Sample masks instead (whence.samplers)."
        )
    rows = np.arange(2**n, dtype=np.uint32)
    return (rows[:, None] >> np.arange(n, dtype=np.uint32)) & 1 == 1


def pack(masks: Masks) -> NDArray[np.uint8]:
    """Masks `(b, n)` as bits, `(b, ceil(n / 8))` bytes; unit 0 is the lowest bit of byte 0."""
    return np.packbits(masks, axis=1, bitorder="little")


def unpack(packed: NDArray[np.uint8], n: int) -> Masks:
    """The masks `(b, n)` that `pack` turned into bits."""
    return np.unpackbits(packed, axis=1, count=n, bitorder="little").astype(np.bool_)


def keys(masks: Masks) -> NDArray[np.void]:
    """One comparable, hashable key per mask, `(b,)`; equal keys mean equal masks."""
    packed = np.ascontiguousarray(pack(masks))
    if packed.shape[1] == 0:
        return np.zeros(len(masks), dtype="V1")
    return packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]


def distinct(masks: Masks) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each different mask first occurs, and which of those every row is.

    Returns:
        `first` (d,) increasing row numbers, and `inverse` (b,) with
        `masks[first][inverse] == masks`.
    """
    _, first, inverse = np.unique(keys(masks), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.reshape(-1)]


def among(masks: Masks, others: Masks) -> NDArray[np.bool_]:
    """Which rows of `masks` `(b, n)` also occur in `others` `(c, n)`: a `(b,)` boolean array."""
    if len(masks) == 0 or len(others) == 0:
        return np.zeros(len(masks), dtype=np.bool_)
    return np.isin(keys(masks), keys(others))


def uniform(n: int, count: int, rng: np.random.Generator, avoid: Masks | None = None) -> Masks:
    """Distinct masks drawn uniformly, without replacement, from those not in `avoid`.

    Returns:
        `(min(count, number left), n)` masks in random order.
    """
    avoid = np.zeros((0, n), dtype=np.bool_) if avoid is None else avoid
    if n <= 16 or (n <= MAX_EVERY and 2**n <= 4 * (count + len(avoid))):
        left = every(n)
        left = left[~among(left, avoid)]
        return left[rng.permutation(len(left))[:count]]
    drawn = np.zeros((0, n), dtype=np.bool_)
    while len(drawn) < count:
        fresh = rng.random((count - len(drawn) + 8, n)) < 0.5
        drawn = np.concatenate([drawn, fresh[~among(fresh, avoid)]])
        drawn = drawn[distinct(drawn)[0]]
    return drawn[:count]


def ends(n: int) -> Masks:
    """The full and the empty mask, `(2, n)`, in that order."""
    return np.array([[True] * n, [False] * n], dtype=np.bool_).reshape(2, n)


def folds(masks: Masks, groups: int) -> NDArray[np.int64]:
    """Fold of every mask, `(m,)`: balanced, set by content alone.

    In a design of complementary pairs (each mask comes with its complement) a pair is in one fold:
    it was drawn as one. Elsewhere a mask is alone, since pairs that met by chance are no draw.

    Order, batch and worker count therefore change nothing. The two ends are in fold -1: every
    design has them, so they are never left out. The folds in use are 0, 1, ... without a gap.
    """
    n = masks.shape[1]
    size = masks.sum(axis=1)
    inner = (size > 0) & (size < n)
    paired = bool(among(~masks[inner], masks).all())
    flip = ((2 * size > n) | ((2 * size == n) & ~masks[:, 0])) & paired
    packed = pack(masks ^ flip[:, None]).astype(np.uint64)
    odd = np.random.default_rng(20250213).integers(0, 2**64, packed.shape[1], dtype=np.uint64)
    mixed = (packed + np.uint64(1)) @ (odd | np.uint64(1))
    mixed ^= mixed >> np.uint64(29)
    code = mixed * np.uint64(0xBF58476D1CE4E5B9)
    code ^= code >> np.uint64(32)
    group = np.full(len(masks), -1, dtype=np.int64)
    group[inner] = np.unique(code[inner], return_inverse=True)[1].reshape(-1) % groups
    return group
