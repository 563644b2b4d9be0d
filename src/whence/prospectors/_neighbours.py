"""Holds how neighbourhoods are summed: prefix sums, boxes and diamonds, and sparse products.

Arrays in, arrays out. It does not know layouts, nor what the summed numbers are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Rows that are summed at once: a block stays in the cache, and a sum that starts anew in each
# block loses no digits on long sequences.
BLOCK = 1024
# Entries of N_r that are held at once where they are too many for memory.
ENTRIES = 1 << 21


def window_sums(x: Floats, reach: int, axis: int = 0) -> Floats:
    """Sums of `x[i - reach : i + reach + 1]` for every i along an axis, by prefix sums."""
    moved = np.moveaxis(x, axis, 0)
    out = np.empty_like(x)
    target = np.moveaxis(out, axis, 0)
    size = len(moved)
    reach = min(reach, size - 1)
    block = max(BLOCK, 4 * reach)
    for start in range(0, size, block):
        stop = min(start + block, size)
        sums = _prefix(moved, start - reach, stop + reach)
        count = stop - start
        np.subtract(sums[2 * reach + 1 :], sums[:count], out=target[start:stop])
    return out


def _prefix(x: Floats, first: int, last: int) -> Floats:
    """Prefix sums of `x[first:last]`, zeros standing for what lies outside x."""
    low, high = max(first, 0), min(last, len(x))
    sums = np.zeros((last - first + 1, *x.shape[1:]))
    np.cumsum(x[low:high], axis=0, out=sums[low - first + 1 : high - first + 1])
    sums[high - first + 1 :] = sums[high - first]
    return sums


def box_sums(x: Floats, reach: int) -> Floats:
    """Sums over `|di|, |dj| <= reach` on `(h, w, k)`: an integral image, one axis at a time."""
    height = len(x)
    reach = min(reach, max(x.shape[:2]))
    out = np.empty_like(x)
    rows = max(64, 4 * reach)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        first, last = max(0, start - reach), min(height, stop + reach)
        wide = window_sums(x[first:last], reach, axis=1)
        out[start:stop] = window_sums(wide, reach)[start - first : stop - first]
    return out


def diamond_sums(x: Floats, reach: int) -> Floats:
    """Sums over `|di| + |dj| <= reach` on `(h, w, k)`: windows of a row's prefix sums."""
    height, width = x.shape[:2]
    reach = min(reach, height + width - 2)
    out = np.empty_like(x)
    rows = max(1, min(height, (1 << 16) // max(1, width * x.shape[2])), reach // 2)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        out[start:stop] = _diamond_rows(x, start, stop, reach)
    return out


def _diamond_rows(x: Floats, start: int, stop: int, reach: int) -> Floats:
    """`diamond_sums` of the centres in rows `start:stop`."""
    height, width = x.shape[:2]
    first, last = max(0, start - reach), min(height, stop + reach)
    sums = np.zeros((last - first, width + 1, x.shape[2]))
    np.cumsum(x[first:last], axis=1, out=sums[:, 1:])
    out = np.zeros((stop - start, width, x.shape[2]))
    columns = np.arange(width)
    for away in range(max(-reach, first - stop + 1), min(reach, last - start - 1) + 1):
        a, b = max(start + away, first), min(stop + away, last)
        side = reach - abs(away)
        high = np.minimum(columns + side + 1, width)
        low = np.maximum(columns - side, 0)
        rows = sums[a - first : b - first]
        out[a - away - start : b - away - start] += rows[:, high] - rows[:, low]
    return out


def adjacency(edges: Ints, nodes: int, weights: Floats | None, directed: bool) -> Any:
    """A + I as `csr_array (nodes, nodes)`: booleans, or weights with the largest of repeats."""
    edges = edges[edges[:, 0] != edges[:, 1]] if weights is None else edges
    loops = np.arange(nodes)
    ends = [edges] if directed else [edges, edges[:, ::-1]]
    rows = np.concatenate([*(e[:, 0] for e in ends), loops])
    columns = np.concatenate([*(e[:, 1] for e in ends), loops])
    if weights is None:
        values = np.ones(len(rows), dtype=np.bool_)
        made = sparse.csr_array((values, (rows, columns)), shape=(nodes, nodes))
        made.sum_duplicates()
        return made
    values = np.concatenate([*(weights for _ in ends), np.ones(nodes)])
    return _largest(rows, columns, values, (nodes, nodes))


def reached(near: Any, hops: int, rows: Ints | None = None) -> Any:
    """The given rows of N_r (all for None) as `csr_array (rows, nodes)` from `near` = A + I."""
    rows = np.arange(near.shape[0]) if rows is None else rows
    parts = [part for _, part in _chunks(near, hops, rows)]
    made: Any = sparse.vstack(parts, format="csr") if len(parts) > 1 else parts[0]
    made.sort_indices()
    return made


def spread(near: Any, x: Floats, hops: int, rows: Ints | None = None) -> Floats:
    """`N_r x` at the given rows; N_r is made and dropped in parts, so memory stays bounded."""
    rows = np.arange(near.shape[0]) if rows is None else rows
    out = np.empty((len(rows), x.shape[1]))
    for places, part in _chunks(near, hops, rows):
        out[places] = part @ x
    return out


def _chunks(near: Any, hops: int, rows: Ints) -> Iterator[tuple[slice, Any]]:
    """Parts of N_r of at most ENTRIES entries (or one row), in order, with their places."""
    nodes = near.shape[0]
    degree = np.diff(near.indptr)
    begin = near[rows] if hops else _identity(rows, nodes)
    waiting = [(0, len(rows), begin, min(hops, 1))]
    while waiting:
        low, high, part, done = waiting.pop()
        while done < hops:
            bound = min(int(degree[part.indices].sum(dtype=np.int64)), (high - low) * nodes)
            if bound > ENTRIES and high - low > 1:
                break
            part = _hop(part, near)
            done += 1
        if done == hops:
            yield slice(low, high), part
            continue
        middle = (high - low) // 2
        waiting.append((low + middle, high, part[middle:], done))
        waiting.append((low, low + middle, part[:middle], done))


def _identity(rows: Ints, nodes: int) -> Any:
    """The given rows of N_0."""
    data = np.ones(len(rows))
    return sparse.csr_array((data, rows, np.arange(len(rows) + 1)), shape=(len(rows), nodes))


def _hop(part: Any, near: Any) -> Any:
    """One hop further: an OR of booleans, or the largest product of weights."""
    if near.dtype == np.bool_:
        return part @ near
    counts = np.diff(near.indptr)[part.indices]
    ends = np.cumsum(counts)
    places = np.arange(ends[-1]) + np.repeat(near.indptr[part.indices] - (ends - counts), counts)
    owner = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
    values = np.repeat(part.data, counts) * near.data[places]
    return _largest(np.repeat(owner, counts), near.indices[places], values, part.shape)


def _largest(rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> Any:
    """A `csr_array` that keeps the largest of the values that share a place."""
    key = rows.astype(np.int64) * shape[1] + columns
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    values = np.maximum.reduceat(values[order], first)
    key = key[first]
    pointers = np.searchsorted(key, np.arange(shape[0] + 1) * shape[1])
    return sparse.csr_array((values, key % shape[1], pointers), shape=shape)


def band(size: int, reach: int) -> Any:
    """`csr_array (size, size)` of ones where `|i - j| <= reach`."""
    low = np.maximum(np.arange(size) - reach, 0)
    counts = np.minimum(np.arange(size) + reach + 1, size) - low
    pointers = np.concatenate([[0], np.cumsum(counts)])
    columns = np.arange(pointers[-1]) + np.repeat(low - pointers[:-1], counts)
    return sparse.csr_array((np.ones(len(columns)), columns, pointers), shape=(size, size))
