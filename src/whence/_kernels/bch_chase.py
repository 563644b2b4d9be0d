"""Holds soft decoding of BCH codes: the least reliable bits are flipped in the likeliest ways.

It does not know where the bits come from, nor which of several answers is wanted.

Source:
    Chase (1972), algorithm 2, with the flip patterns of least summed reliability.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence._kernels.bch import Code, Found, correct, syndromes
from whence._kernels.gf2 import bits_of

Floats = NDArray[np.float64]

#: Words that are decoded in one go; bounds the scratch memory.
BATCH = 2**16


class Chased(NamedTuple):
    """Corrected words, each pattern on its own.

    Attributes:
        found: as by `correct`; `found.word` repeats where several patterns succeed.
        rank: `(s,)` place of the pattern in its word's order, likeliest first.
    """

    found: Found
    rank: NDArray[np.intp]


@lru_cache(maxsize=8)
def patterns(t: int) -> NDArray[np.float64]:
    """Subsets of 2t bits, sorted by reliability, that can be among the t (2t + 1) least sums.

    A subset that at least so many others undercut, whatever the reliabilities are, is left out:
    A undercuts B if B has as many of the bits from i on as A, or more, for every i.

    Returns:
        `(r, 2t)` zeros and ones.
    """
    every = bits_of(np.arange(4**t), 2 * t)
    tails = np.cumsum(every[:, ::-1], axis=1, dtype=np.int8)
    under = np.ones((len(every), len(every)), dtype=np.bool_)
    for tail in tails.T:
        under &= tail[:, None] <= tail
    return every[under.sum(axis=0) <= t * (2 * t + 1)].astype(np.float64)


def chase(code: Code, words: NDArray[np.bool_], reliability: Floats) -> Chased:
    """Decode parity words `(k, p)` under the t (2t + 1) likeliest flips of their 2t weakest bits.

    Args:
        code: the code; with p at most 2t all parity bits may be flipped.
        words: hard bits.
        reliability: `(k, p)`, not negative; only the order of sums within a word matters.
    """
    step = max(1, BATCH // (code.t * (2 * code.t + 1)))
    parts = [
        _chase(code, words[i : i + step], reliability[i : i + step], i)
        for i in range(0, max(len(words), 1), step)
    ]
    founds, ranks = zip(*parts, strict=True)
    return Chased(Found(*map(np.concatenate, zip(*founds, strict=True))), np.concatenate(ranks))


def _chase(code: Code, words: NDArray[np.bool_], reliability: Floats, start: int) -> Chased:
    width = min(2 * code.t, code.p)
    weakest = np.argsort(reliability, axis=1, kind="stable")[:, :width]
    flips = patterns(code.t)
    flips = flips[~flips[:, width:].any(axis=1), :width]
    sums = np.take_along_axis(reliability, weakest, axis=1) @ flips.T
    count = min(code.t * (2 * code.t + 1), len(flips))
    order = np.argsort(sums, axis=1, kind="stable")[:, :count]
    base = syndromes(code, words)
    single = syndromes(code, np.eye(code.p, dtype=np.bool_))[weakest]
    odd = np.repeat(base[:, None], count, axis=1)
    for place in range(width):
        chosen = flips[order, place].astype(np.int64)
        odd ^= chosen[:, :, None] * single[:, place, None, :]
    found = correct(code, odd.reshape(-1, code.t))
    word, rank = np.divmod(found.word, count)
    return Chased(Found(word + start, found.units, found.errors), rank)
