"""Holds the exact Fourier spectrum of a forest of binary trees on binary units.

A tree that splits on unit i at node v, when v is reached by the path P (d different units, each
with a sign: +1 absent, -1 present), adds `delta_v chi_i` there, with `delta_v` half the difference
of the mean values below. So v brings `delta_v / 2^d * product of signs of A` to the set `A + i`
for every A ⊆ P, and the root its mean to the empty set: a quarter of the work of going leaf by
leaf. All nodes of one depth are done at once. This file does not know how a forest was grown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence._kernels.terms import Family, Floats, Ints, merge

Keys = NDArray[np.uint64]

#: Contributions held at once; equal sets are added up between two such chunks.
CHUNK = 2**21


class Forest(NamedTuple):
    """Trees in flat arrays; a node is a row, children are rows.

    Attributes:
        roots: `(t,)` root of every tree.
        left: `(nodes,)` the child for "unit absent"; ignored at leaves.
        right: `(nodes,)` the child for "unit present"; ignored at leaves.
        unit: `(nodes,)` the unit split on; -1 at leaves.
        value: `(nodes,)` the leaf's value; ignored elsewhere.
    """

    roots: Ints
    left: Ints
    right: Ints
    unit: Ints
    value: Floats


class Level(NamedTuple):
    """The nodes that are reached after d different units, and which of them split.

    Attributes:
        tree: `(k,)` the tree of each node.
        node: `(k,)` its row in the forest.
        path: `(k, d)` units on the way.
        sign: `(k, d)` +1 where the unit is absent, -1 where present.
        inner: `(k,)` whether it splits on a further unit.
    """

    tree: Ints
    node: Ints
    path: Ints
    sign: NDArray[np.int8]
    inner: NDArray[np.bool_]


class Block(NamedTuple):
    """The splits of one depth: the units `(k, d + 1)` they touch, and the subsets they feed.

    Attributes:
        start: number of the first contribution of this block.
        units: the path, then the unit split on.
        sign: `(k, d)` of the path.
        delta: `(k,)` half the difference below, over 2^d.
        group: `(k,)` the group of the tree.
        subset: `(c, d + 1)` which of the units are in each set fed; the last always is.
    """

    start: int
    units: Ints
    sign: NDArray[np.int8]
    delta: Floats
    group: Ints
    subset: NDArray[np.bool_]


@dataclass(frozen=True)
class Spectra:
    """Fourier coefficients of groups of trees over one family of sets, not in order.

    Attributes:
        n: number of units.
        values: `(k, groups)`; row 0 is the empty set.
        sizes: `(k,)` size of each set.
        item: `(k,)` a contribution that names the set; see `family`.
        blocks: where contributions are looked up.
    """

    n: int
    values: Floats
    sizes: Ints
    item: Ints
    blocks: list[Block]

    def family(self, rows: Ints, values: Floats) -> Family:
        """The sets of some rows with the values `(r, q)` given for them, in canonical order."""
        lengths = self.sizes[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        indices = np.empty(int(indptr[-1]), dtype=np.int64)
        starts = np.array([b.start for b in self.blocks], dtype=np.int64)
        owner = np.searchsorted(starts, self.item[rows], side="right") - 1
        owner[lengths == 0] = -1
        for j, block in enumerate(self.blocks):
            mine = np.flatnonzero(owner == j)
            if len(mine):
                node, column = np.divmod(self.item[rows[mine]] - block.start, len(block.subset))
                spread = np.repeat(indptr[mine], lengths[mine])
                step = np.arange(len(spread)) - np.repeat(
                    np.cumsum(lengths[mine]) - lengths[mine], lengths[mine]
                )
                far = np.int64(self.n)
                table = np.where(block.subset[column], block.units[node], far)
                table.sort(axis=1)
                indices[spread + step] = table[table < far]
        return merge(indptr, indices, values, self.n)


def tree_spectra(
    forest: Forest, n: int, group: Ints, groups: int, degree: int | None = None
) -> Spectra:
    """The summed spectra of groups of trees, exactly.

    A unit may occur several times on a path: a split that the path has already decided is stepped
    over. Groups cost little: with a group per fold, output or hundred trees, one call serves all
    of them, and sums over groups are partial forests.

    Args:
        forest: the trees.
        n: number of units.
        group: `(t,)` the group of each tree.
        groups: number of groups.
        degree: leave out sets of more units than this; the others stay exact.

    Returns:
        At most `count(...)` sets. Up to 64 units sets are told apart by their bits; beyond, by 64
        random bits per unit (k different sets are confused with chance below k² / 2^65).
    """
    constant, blocks = _blocks(forest, group, groups, degree)
    code = _unit_keys(n)
    keys, item = np.zeros(1, dtype=np.uint64), np.full(1, -1, dtype=np.int64)
    sizes, values = np.zeros(1, dtype=np.int64), constant[None]
    for chunk in _chunks(blocks, code, groups):
        merged = np.concatenate([keys, chunk[0]])
        first, inverse = _same(merged)
        total = np.zeros((len(first), groups))
        total[inverse[: len(keys)]] = values
        total[inverse[len(keys) :]] += chunk[3]
        keys, values = merged[first], total
        item = np.concatenate([item, chunk[1]])[first]
        sizes = np.concatenate([sizes, chunk[2]])[first]
    return Spectra(n, values, sizes, item, blocks)


def count(forest: Forest, degree: int | None = None) -> int:
    """Contributions that `tree_spectra` would add up: a bound on the sets, and its cost."""
    total = 1
    for level in levels(forest):
        depth = level.path.shape[1]
        reach = depth if degree is None else min(depth, degree - 1)
        total += int(level.inner.sum()) * sum(comb(depth, a) for a in range(reach + 1))
    return total


def outputs(forest: Forest, masks: NDArray[np.bool_]) -> Floats:
    """The value of every tree at every mask: `(t, b)`."""
    b = len(masks)
    flat = np.ascontiguousarray(masks.T).reshape(-1)
    node = np.repeat(forest.roots[:, None], b, axis=1)
    unit = forest.unit[node]
    column = np.arange(b)
    while (inner := unit >= 0).any():
        present = flat[np.maximum(unit, 0) * b + column]
        child = np.where(present, forest.right[node], forest.left[node])
        node = np.where(inner, child, node)
        unit = forest.unit[node]
    return forest.value[node]


def levels(forest: Forest) -> Iterator[Level]:
    """The nodes by how many different units decide them, from the roots down."""
    node = forest.roots
    tree = np.arange(len(node))
    path = np.zeros((len(node), 0), dtype=np.int64)
    sign = np.zeros((len(node), 0), dtype=np.int8)
    while len(node):
        node = _step_over(forest, node, path, sign)
        inner = forest.unit[node] >= 0
        yield Level(tree, node, path, sign, inner)
        split = node[inner]
        grown = np.concatenate([path[inner], forest.unit[split][:, None]], axis=1)
        side = np.tile(np.array([1, -1], dtype=np.int8), len(split))
        path = np.repeat(grown, 2, axis=0)
        sign = np.concatenate([np.repeat(sign[inner], 2, axis=0), side[:, None]], axis=1)
        node = np.stack([forest.left[split], forest.right[split]], axis=1).reshape(-1)
        tree = np.repeat(tree[inner], 2)


def _step_over(forest: Forest, node: Ints, path: Ints, sign: NDArray[np.int8]) -> Ints:
    """The first nodes at or below these whose split the path has not decided."""
    while path.shape[1]:
        known = path == forest.unit[node][:, None]
        decided = known.any(axis=1)
        if not decided.any():
            break
        absent = sign[known] > 0
        at = node[decided]
        node = node.copy()
        node[decided] = np.where(absent, forest.left[at], forest.right[at])
    return node


def _blocks(
    forest: Forest, group: Ints, groups: int, degree: int | None
) -> tuple[Floats, list[Block]]:
    """The constant of each group `(groups,)`, and the splits of every depth."""
    ladder = list(levels(forest))
    below = np.zeros(0)
    deltas: list[Floats] = []
    for level in reversed(ladder):
        pairs = below.reshape(-1, 2)
        below = forest.value[level.node].astype(np.float64)
        below[level.inner] = pairs.mean(axis=1)
        deltas.append((pairs[:, 0] - pairs[:, 1]) / 2)
    constant = np.zeros(groups)
    np.add.at(constant, group, below)
    blocks: list[Block] = []
    start = 0
    for level, delta in zip(ladder, reversed(deltas), strict=True):
        rows = np.flatnonzero(level.inner)[delta != 0]
        depth = level.path.shape[1]
        if not len(rows) or degree == 0:
            continue
        block = Block(
            start,
            np.concatenate([level.path[rows], forest.unit[level.node[rows]][:, None]], axis=1),
            level.sign[rows],
            delta[delta != 0] * 0.5**depth,
            group[level.tree[rows]],
            _subsets(depth, depth + 1 if degree is None else degree),
        )
        blocks.append(block)
        start += len(rows) * len(block.subset)
    return constant, blocks


def _subsets(depth: int, degree: int) -> NDArray[np.bool_]:
    """Subsets of `depth` units and one that is always in, of at most `degree`: `(c, depth + 1)`.

    In the order that doubling makes them, as in `_spread`.
    """
    table = np.zeros((1, depth + 1), dtype=np.bool_)
    table[:, depth] = True
    for d in range(depth):
        more = table[table.sum(axis=1) < degree]
        more[:, d] = True
        table = np.concatenate([table, more])
    return table


def _chunks(
    blocks: list[Block], code: Keys, groups: int
) -> Iterator[tuple[Keys, Ints, Ints, Floats]]:
    """Contributions with equal sets added up: keys, items, sizes, values `(k, groups)`."""
    held: list[tuple[Keys, Ints, Ints, Ints, Floats]] = []
    waiting = 0
    for block in blocks:
        c = len(block.subset)
        step = max(1, CHUNK // c)
        for a in range(0, len(block.units), step):
            rows = slice(a, a + step)
            keys, values = _spread(block, rows, code)
            k = len(keys)
            held.append(
                (
                    keys.reshape(-1),
                    block.start + a * c + np.arange(k * c),
                    np.tile(block.subset.sum(axis=1), k),
                    np.repeat(block.group[rows], c),
                    values.reshape(-1),
                )
            )
            waiting += k * c
            if waiting >= CHUNK:
                yield _compact(held, groups)
                held, waiting = [], 0
    if held:
        yield _compact(held, groups)


def _spread(block: Block, rows: slice, code: Keys) -> tuple[Keys, Floats]:
    """Keys and values `(k, c)` of the sets that some splits feed."""
    units, sign = block.units[rows], block.sign[rows]
    keys = np.empty((len(units), len(block.subset)), dtype=np.uint64)
    values = np.empty(keys.shape)
    keys[:, 0], values[:, 0] = code[units[:, -1]], block.delta[rows]
    degree, done = int(block.subset.sum(axis=1).max()), 1
    size = block.subset.sum(axis=1)
    for d in range(units.shape[1] - 1):
        small = np.flatnonzero(size[:done] < degree)
        more = slice(done, done + len(small))
        keys[:, more] = keys[:, small] ^ code[units[:, d]][:, None]
        values[:, more] = values[:, small] * sign[:, d, None]
        done += len(small)
    return keys, values


def _compact(
    held: list[tuple[Keys, Ints, Ints, Ints, Floats]], groups: int
) -> tuple[Keys, Ints, Ints, Floats]:
    keys = np.concatenate([h[0] for h in held])
    item = np.concatenate([h[1] for h in held])
    size = np.concatenate([h[2] for h in held])
    group = np.concatenate([h[3] for h in held])
    values = np.concatenate([h[4] for h in held])
    first, inverse = _same(keys)
    k = len(first)
    sums = np.bincount(inverse * groups + group, weights=values, minlength=k * groups)
    # With nothing to count, bincount returns integers.
    table = sums.astype(np.float64).reshape(k, groups)
    return keys[first], item[first], size[first], table


def _same(keys: Keys) -> tuple[Ints, Ints]:
    """Where each different key first occurs, by increasing key, and which of them every row is."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)


def _unit_keys(n: int) -> Keys:
    """A key per unit such that sets have different XORs: bits, or random words beyond 64 units."""
    if n <= 64:
        return np.uint64(1) << np.arange(n, dtype=np.uint64)
    return np.random.default_rng(20250520).integers(0, 2**64, n, dtype=np.uint64)
