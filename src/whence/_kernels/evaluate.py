"""Holds the evaluation of many sets on many masks in bounded memory.

The work is done on packed bits: a unit is one bit per mask, a set is the XOR (parity) or the AND
(all present) of its units' bits, and eight sets at a time become a byte that indexes a table of
their 256 possible sums. That is about ten times less arithmetic than the dense product of masks
and sets. It knows nothing of bases or games.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence._kernels.terms import Ints, sizes

Floats = NDArray[np.float64]

#: Bytes of scratch that one chunk of masks may use.
SCRATCH = 32 * 2**20
#: Above this many outputs a dense product beats the tables.
TABLE_OUTPUTS = 8


def evaluate(
    masks: NDArray[np.bool_], indptr: Ints, indices: Ints, values: Floats, parity: bool
) -> Floats:
    """`sum_T values[T] * e_T(mask)` for every mask.

    Args:
        masks: `(b, n)` booleans.
        indptr: `(k + 1,)`, with `indices` the k sets in CSR form.
        indices: `(nnz,)` units.
        values: `(k, q)`.
        parity: `e_T = (-1)^(number present in T)` when true, else 1 if all of T is present.

    Returns:
        `(b, q)` floats. Scratch memory is bounded whatever b is.
    """
    b, k, q = len(masks), len(values), values.shape[1]
    out = np.zeros((b, q))
    if k == 0 or b == 0:
        return out
    padded, counts, rank = _by_size(indptr, indices, masks.shape[1])
    ordered = values[rank]
    groups = -(-k // 8)
    per_mask = groups * 4 if q <= TABLE_OUTPUTS else k * 9
    chunk = max(64, min(2**16, SCRATCH // per_mask) // 64 * 64)
    sums = _tables(ordered, groups, parity) if q <= TABLE_OUTPUTS else None
    for start in range(0, b, chunk):
        rows = masks[start : start + chunk]
        bits = _set_bits(rows, padded, counts, parity)
        if sums is None:
            dense = np.unpackbits(bits, axis=1, count=len(rows), bitorder="little").T
            sign = 1.0 - 2.0 * dense if parity else dense.astype(np.float64)
            out[start : start + chunk] = sign @ ordered
        else:
            out[start : start + chunk] = _look_up(_bytes_of_sets(bits, groups), sums, len(rows))
    return out


def _by_size(indptr: Ints, indices: Ints, n: int) -> tuple[Ints, list[int], NDArray[np.intp]]:
    """Sets, largest first, padded to one table; how many have more than d units, for each d."""
    size = sizes(indptr)
    rank = np.argsort(-size, kind="stable")
    widest = int(size.max(initial=0))
    column = np.arange(widest)
    inside = column < size[rank][:, None]
    position = np.minimum(indptr[rank][:, None] + column, max(len(indices) - 1, 0))
    padded = np.where(inside, indices[position] if widest else 0, n)
    return padded, inside.sum(axis=0).tolist(), rank


def _set_bits(
    masks: NDArray[np.bool_], padded: Ints, counts: list[int], parity: bool
) -> NDArray[np.uint8]:
    """One packed bit per set and mask: `(k, ceil(b / 8))` bytes."""
    units = np.packbits(masks.T, axis=1, bitorder="little")
    bits = np.full((len(padded), units.shape[1]), 0 if parity else 255, dtype=np.uint8)
    combine = np.bitwise_xor if parity else np.bitwise_and
    for d, count in enumerate(counts):
        head = bits[:count]
        combine(head, units[padded[:count, d]], out=head)
    return bits


def _bytes_of_sets(bits: NDArray[np.uint8], groups: int) -> NDArray[np.uint8]:
    """From bits (set, mask) to one byte of eight sets per mask: `(groups, 8 * bytes)`."""
    width = bits.shape[1]
    full = np.zeros((groups * 8, width), dtype=np.uint8)
    full[: len(bits)] = bits
    block = np.ascontiguousarray(full.reshape(groups, 8, width).transpose(0, 2, 1))
    return _transpose8(block.view("<u8")[:, :, 0]).view(np.uint8).reshape(groups, width * 8)


def _transpose8(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Transpose of 8x8 bit matrices held in 64-bit words (Hacker's Delight, section 7-3)."""
    for shift, mask in (
        (7, 0x00AA00AA00AA00AA),
        (14, 0x0000CCCC0000CCCC),
        (28, 0x00000000F0F0F0F0),
    ):
        step = np.uint64(shift)
        swap = (x ^ (x >> step)) & np.uint64(mask)
        x = x ^ swap ^ (swap << step)
    return np.ascontiguousarray(x)


def _tables(values: Floats, groups: int, parity: bool) -> Floats:
    """Sums of eight sets for each of the 256 bytes: `(groups, 256, q)`."""
    padded = np.zeros((groups * 8, values.shape[1]))
    padded[: len(values)] = values
    byte = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    factor = 1.0 - 2.0 * byte if parity else byte.astype(np.float64)
    return factor @ padded.reshape(groups, 8, -1)


def _look_up(codes: NDArray[np.uint8], sums: Floats, b: int) -> Floats:
    """Sum over groups of the table entry that each mask's byte names: `(b, q)`."""
    if sums.shape[2] == 1:
        flat = np.zeros(b)
        for code, table in zip(codes, sums[:, :, 0], strict=True):
            flat += table[code[:b]]
        return flat[:, None]
    total = np.zeros((b, sums.shape[2]))
    for code, table in zip(codes, sums, strict=True):
        total += table[code[:b]]
    return total
