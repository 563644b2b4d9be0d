"""Holds binary BCH codes, shortened to n message bits, and decoding of many words at once.

A word here is `(n zeros, p parity bits)`, so what is corrected among the zeros is a set of units.
It does not know where the bits come from nor how sure they are.

Source:
    Bose and Ray-Chaudhuri (1960); Hocquenghem (1959); Berlekamp (1968), in the form without
    divisions for binary codes, two steps at a time; Chien (1964) by tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence._kernels.gf2 import Bits, Field, Ints, bits_of, field, numbers

#: Bytes of table values that one chunk of the root search works on: it stays in the cache.
CHUNK = 2**19


@dataclass(frozen=True, eq=False)
class Code:
    """A systematic BCH code of designed distance 2t + 1, shortened to n message bits.

    Attributes:
        n: message bits.
        t: errors it corrects.
        field: its field; the full length is `field.order`.
        parity: `(p, n)` bits; a message x has parity bits `parity @ x mod 2`.
        checks: `(p, t * mu)` bits: those of the syndromes 1, 3, ..., 2t - 1 of each parity bit.
        roots: per power 1..t and half of an element's bits, that part times each position's
            inverse to the power: `(t, 2, 2^ceil(mu / 2), p + n)`.
    """

    n: int
    t: int
    field: Field
    parity: Bits
    checks: NDArray[np.float32]
    roots: NDArray[np.uint8 | np.uint16]

    @property
    def p(self) -> int:
        """Number of parity bits."""
        return len(self.parity)


class Found(NamedTuple):
    """Words that were corrected; those with too many errors are missing.

    Attributes:
        word: `(s,)` which word.
        units: `(s, t)` the message bits corrected, increasing, padded with n.
        errors: `(s,)` how many bits were corrected, parity bits included.
    """

    word: NDArray[np.intp]
    units: Ints
    errors: Ints


@lru_cache(maxsize=64)
def parity_bits(n: int, t: int) -> int:
    """Parity bits p of the code for n units and t errors; builds no tables."""
    return _generator(n, t)[1].bit_length() - 1


@lru_cache(maxsize=8)
def code(n: int, t: int) -> Code:
    """The shortest BCH code with at least n message bits that corrects t errors."""
    mu, generator = _generator(n, t)
    f, p = field(mu), generator.bit_length() - 1
    columns: list[int] = []
    remainder = generator ^ (1 << p)
    for _ in range(n):
        columns.append(remainder)
        remainder <<= 1
        if remainder >> p:
            remainder ^= generator
    parity = np.array([[c >> i & 1 for c in columns] for i in range(p)], dtype=np.uint8)
    odd = 2 * np.arange(t) + 1
    checks = bits_of(f.power(np.arange(p)[:, None] * odd), mu).reshape(p, t * mu)
    return Code(n, t, f, parity, checks.astype(np.float32), _roots(f, p + n, t))


def _generator(n: int, t: int) -> tuple[int, int]:
    """The field's mu and the generator polynomial (bits of an integer)."""
    mu = max(2, int(2 * t + 1).bit_length())
    while True:
        order = 2**mu - 1
        classes = {frozenset(j * 2**i % order for i in range(mu)) for j in range(1, 2 * t, 2)}
        if order - sum(map(len, classes)) >= n:
            break
        mu += 1
    product = 1
    for exponents in sorted(classes, key=min):
        product = _carryless(product, _minimal(field(mu), exponents))
    return mu, product


def _minimal(f: Field, exponents: frozenset[int]) -> int:
    """The product of (x - generator^e): a polynomial over GF(2), as bits."""
    poly = np.array([1], dtype=np.int64)
    for e in exponents:
        shifted = np.append(0, poly)
        shifted[:-1] ^= f.times(poly, f.exp[e])
        poly = shifted
    return int(numbers(poly))


def _carryless(a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
    return product


def _roots(f: Field, length: int, t: int) -> NDArray[np.uint8 | np.uint16]:
    half = (f.mu + 1) // 2
    low = np.arange(2**half)
    parts = np.stack([low, (low << half) & f.order])
    powers = f.power(-np.arange(1, t + 1)[:, None] * np.arange(length))
    small = np.uint8 if f.mu <= 8 else np.uint16
    return f.times(parts[None, :, :, None], powers[:, None, None, :]).astype(small)


def syndromes(code: Code, words: NDArray[np.bool_] | Bits) -> Ints:
    """Syndromes 1, 3, ..., 2t - 1 of parity words `(k, p)`: `(k, t)`, one matrix product."""
    sums = (np.asarray(words, dtype=np.float32) @ code.checks).astype(np.int64) & 1
    return numbers(sums.reshape(len(words), code.t, code.field.mu))


def correct(code: Code, odd: Ints) -> Found:
    """Correct words, given their odd syndromes `(k, t)`.

    Every word within t errors of a codeword of the shortened code is corrected, no other is.
    """
    locators = _berlekamp(code, odd)
    degree = ((locators != 0) * np.arange(code.t + 1)[:, None]).max(axis=0)
    words, positions = _search(code, locators, degree)
    errors = degree[words]
    padded = np.full((len(words), code.t), -1, dtype=np.int64)
    padded[np.arange(code.t) < errors[:, None]] = positions
    right = _explained(code, padded, odd[words])
    units = np.sort(np.where(padded < code.p, code.n, padded - code.p), axis=1)
    return Found(words[right], units[right], errors[right])


def _berlekamp(code: Code, odd: Ints) -> Ints:
    """Error locator polynomials `(t + 1, k)`, up to a factor each."""
    f, t, k = code.field, code.t, len(odd)
    s = np.zeros((2 * t, k), dtype=np.int64)
    s[1::2] = odd.T
    for j in range(2, 2 * t, 2):
        s[j] = f.times(s[j // 2], s[j // 2])
    locator = np.zeros((t + 1, k), dtype=np.int64)
    # `last` is the earlier locator, already multiplied by x.
    last = np.zeros((t + 1, k), dtype=np.int64)
    locator[0] = last[1] = scale = np.ones(k, dtype=np.int64)
    gap = np.zeros(k, dtype=np.int64)
    for r in range(t):
        terms = [f.times(locator[i], s[2 * r + 1 - i]) for i in range(min(t, 2 * r) + 1)]
        wrong = np.bitwise_xor.reduce(terms)
        swap = (wrong != 0) & (gap >= 0)
        moved = np.zeros_like(last)
        moved[2:] = np.where(swap, locator[:-2], last[:-2])
        locator = f.times(locator, scale) ^ f.times(last, wrong)
        last = moved
        scale = np.where(swap, wrong, scale)
        gap = np.where(swap, -gap, gap + 2)
    return locator


def _search(code: Code, locators: Ints, degree: Ints) -> tuple[NDArray[np.intp], Ints]:
    """Words whose locator has as many roots as its degree; the positions, word after word.

    A chunk of words is evaluated at all positions by xor of table rows (Chien's search).
    """
    length = code.roots.shape[-1]
    step = max(1, CHUNK // (length * code.roots.itemsize))
    half = (code.field.mu + 1) // 2
    words: list[NDArray[np.intp]] = []
    positions: list[NDArray[np.intp]] = []
    for start in range(0, locators.shape[1], step):
        some = locators[:, start : start + step]
        total = np.repeat(some[0][:, None], length, axis=1).astype(code.roots.dtype)
        for coefficient, table in zip(some[1:], code.roots, strict=True):
            total ^= table[0][coefficient & (2**half - 1)]
            total ^= table[1][coefficient >> half]
        zero = total == 0
        full = np.flatnonzero(zero.sum(axis=1) == degree[start : start + step])
        words.append(full + start)
        positions.append(np.nonzero(zero[full])[1])
    if not words:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
    return np.concatenate(words), np.concatenate(positions)


def _explained(code: Code, positions: Ints, odd: Ints) -> NDArray[np.bool_]:
    """Whether errors at the positions (-1 for none) `(s, t)` have these odd syndromes `(s, t)`."""
    powers = positions[:, :, None] * (2 * np.arange(code.t) + 1)
    parts = np.where(positions[:, :, None] < 0, 0, code.field.power(powers))
    return (np.bitwise_xor.reduce(parts, axis=1) == odd).all(axis=1)
