"""Holds the finite fields GF(2^mu) as tables of powers and logarithms, and bits as numbers.

It does not know of codes, of masks, or of what is multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint8]

#: A primitive polynomial for every field size, bit i the coefficient of x^i (Lin and Costello,
#: "Error Control Coding", table 2.7).
PRIMITIVE = {
    2: 0x7, 3: 0xB, 4: 0x13, 5: 0x25, 6: 0x43, 7: 0x89, 8: 0x11D, 9: 0x211, 10: 0x409,
    11: 0x805, 12: 0x1053, 13: 0x201B, 14: 0x4443,
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """GF(2^mu): element v is the polynomial whose coefficients are the bits of v.

    Attributes:
        mu: bits of an element.
        exp: powers of the generator, twice round, then zeros, so that a product is one look-up.
        log: `(2^mu,)` exponents; that of zero points at the zeros of `exp`.
    """

    mu: int
    exp: Ints
    log: Ints

    @property
    def order(self) -> int:
        """Number of elements that are not zero."""
        return 2**self.mu - 1

    def times(self, a: Ints, b: Ints | np.int64) -> Ints:
        """Products, element by element."""
        return self.exp[self.log[a] + self.log[b]]

    def power(self, exponents: ArrayLike) -> Ints:
        """Powers of the generator, for exponents of any sign."""
        return self.exp[np.asarray(exponents) % self.order]


@lru_cache(maxsize=16)
def field(mu: int) -> Field:
    """The field with 2^mu elements, 2 <= mu <= 14."""
    order = 2**mu - 1
    exp = np.zeros(4 * order + 1, dtype=np.int64)
    log = np.full(order + 1, 2 * order, dtype=np.int64)
    element = 1
    for i in range(order):
        exp[i] = exp[i + order] = element
        log[element] = i
        element <<= 1
        if element > order:
            element ^= PRIMITIVE[mu]
    return Field(mu, exp, log)


def numbers(bits: ArrayLike) -> Ints:
    """Rows of bits `(..., w)`, lowest first, as integers; w at most 62."""
    array = np.asarray(bits)
    return array.astype(np.int64) @ (np.int64(1) << np.arange(array.shape[-1], dtype=np.int64))


def bits_of(values: ArrayLike, width: int) -> Bits:
    """Integers as bits `(..., width)`, lowest first."""
    return ((np.asarray(values)[..., None] >> np.arange(width)) & 1).astype(np.uint8)
