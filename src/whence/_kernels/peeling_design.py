"""Holds the coded design: masks on a few random subspaces, moved by the parity rows of a code.

It works on packed masks (bytes, unit 0 the lowest bit of byte 0). It does not know what the masks
are worth.

Source:
    Kang et al. (2025), "SPEX", ICML, arXiv 2502.13870, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from whence._kernels.bch import Code, code
from whence._kernels.gf2 import Bits, Ints, numbers

#: Different designs there are for each number of units.
NUMBERS = 1024
#: The most subsampling groups, and the least and the most subspace dimensions.
MOST_GROUPS, LEAST_B, MOST_B = 4, 3, 12
#: The most errors of a code.
MOST_T = 6


@dataclass(frozen=True)
class Design:
    """Group c asks, for every l in GF(2)^b and delay d_i: `M_c l + d_i + a_c` over GF(2).

    The delays are zero and the p rows of the code's parity matrix. Designs of one number are
    nested: a smaller b, or fewer groups, asks a subset of the masks.

    Departures from the paper: the shift a_c, one random mask per group. Without it the empty mask
    and the bare delays are in every design, the same in every group. An empty mask that is an
    outlier then spoils the one delay against which all signs are read, and shared masks are spent
    twice. A shift multiplies F(T) by a known sign, and changes nothing else.

    Attributes:
        number: 0 .. 1023, what the random masks are drawn from (with n).
        n: units.
        b: dimension of the subspaces, 2^b bins per group.
        t: errors the code corrects: the largest set, less wrong parity bits.
        groups: subspaces.
    """

    number: int
    n: int
    b: int
    t: int
    groups: int = 3

    @property
    def code(self) -> Code:
        """The code behind the delays."""
        return code(self.n, self.t)

    @property
    def rows(self) -> int:
        """Masks asked for, repeats counted."""
        return self.groups * 2**self.b * (self.code.p + 1)

    def shifts(self) -> Bits:
        """`(groups, bytes)`: a_c, packed."""
        return random_bits(self.number, self.n, 1)[0, : self.groups]

    def columns(self) -> Bits:
        """`(b, groups, bytes)`: the columns of every M_c, packed."""
        return random_bits(self.number, self.n, 1 + self.b)[1:, : self.groups]

    def delays(self) -> Bits:
        """`(p + 1, bytes)`, packed; the first is zero."""
        return delays(self.n, self.t)

    def group(self, c: int) -> Bits:
        """Packed masks of one group: `(2^b, p + 1, bytes)`."""
        span = self.shifts()[c][None]
        for column in self.columns()[:, c]:
            span = np.concatenate([span, span ^ column])
        return span[:, None] ^ self.delays()

    def packed(self) -> Bits:
        """All masks, packed: `(rows, bytes)`; row `(c * 2^b + l) * (p + 1) + i`."""
        groups = [self.group(c) for c in range(self.groups)]
        return np.concatenate(groups).reshape(self.rows, -1)

    def bins(self) -> Ints:
        """Bin of every single unit in every group: `(groups, n + 1)`, zero for no unit.

        A set lies in the bin that is the xor of its units' bins.
        """
        bits = _unpacked(self.columns(), self.n)
        return np.pad(numbers(np.moveaxis(bits, 0, -1)), ((0, 0), (0, 1)))

    def flips(self) -> Ints:
        """Whether a unit is in a_c: `(groups, n + 1)` zeros and ones."""
        return np.pad(_unpacked(self.shifts(), self.n), ((0, 0), (0, 1))).astype(np.int64)


def random_bits(number: int, n: int, count: int) -> Bits:
    """The design's random masks, packed: `(count, MOST_GROUPS, bytes)`; the first are the shifts.

    Raw bits of PCG64, whose stream does not change with the version of numpy.
    """
    words = -(-n // 64)
    raw = np.random.PCG64([number, n]).random_raw(count * MOST_GROUPS * words)
    width = -(-n // 8)
    packed = raw.astype("<u8").view(np.uint8).reshape(count, MOST_GROUPS, words * 8)[..., :width]
    return packed & _last(n)


@lru_cache(maxsize=8)
def first_masks(n: int) -> Bits:
    """The first mask of every design of n units, packed: `(NUMBERS, bytes)`."""
    return np.stack([random_bits(number, n, 1)[0, 0] for number in range(NUMBERS)])


@lru_cache(maxsize=16)
def delays(n: int, t: int) -> Bits:
    """Zero and the rows of the parity matrix, packed: `(p + 1, bytes)`."""
    rows = np.packbits(code(n, t).parity, axis=1, bitorder="little")
    return np.pad(rows, ((1, 0), (0, 0)))


def _unpacked(packed: Bits, n: int) -> NDArray[np.uint8]:
    return np.unpackbits(packed, axis=-1, count=n, bitorder="little")


def _last(n: int) -> Bits:
    """A byte mask that clears what lies beyond the last unit."""
    return np.packbits(np.ones(n, dtype=np.bool_), bitorder="little")
