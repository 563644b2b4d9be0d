"""Holds peeling: sets and coefficients from the bins of a coded design, all bins at a time.

It does not know which masks were asked, nor what the values mean.

Source:
    Kang et al. (2025), "SPEX", ICML, arXiv 2502.13870, section 4 and appendix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence._kernels.bch import Code, Found, correct, syndromes
from whence._kernels.bch_chase import chase
from whence._kernels.gf2 import Ints
from whence._kernels.walsh import walsh

Floats = NDArray[np.float64]

#: A bin is empty when its mean square is below this share of the values' variance. The paper has
#: an absolute 1e-9, which depends on the unit of the values.
EMPTY = 1e-18
#: A set is accepted if it leaves less than this share of its bin's energy.
ACCEPT = 0.9
#: The most rounds, and the most in a row that name no new set.
ROUNDS, PATIENCE = 100, 15
#: Reliabilities that agree to so many digits are tied: rounding must not choose among patterns.
DIGITS = 9


@dataclass(frozen=True)
class Aliasing:
    """Where a set lies in each group, and its signature there.

    Attributes:
        code: the code behind the delays.
        bins: `(groups, n + 1)` bin of each single unit; zero for no unit.
        flips: `(groups, n + 1)` ones where a unit turns the sign of a set in that group.
    """

    code: Code
    bins: Ints
    flips: Ints

    def place(self, units: Ints) -> Ints:
        """Bins of sets `(k, t)`, padded with n: `(groups, k)`."""
        return np.bitwise_xor.reduce(self.bins[:, units], axis=2)

    def sign(self, units: Ints) -> Floats:
        """Signs of sets in every group: `(groups, k)`."""
        return 1.0 - 2.0 * (self.flips[:, units].sum(axis=2) & 1)

    def signature(self, units: Ints) -> Floats:
        """What a set of coefficient one brings to its bin, but for the sign: `(k, p + 1)`."""
        padded = np.pad(self.code.parity.T, ((0, 1), (1, 0)))
        return 1.0 - 2.0 * np.bitwise_xor.reduce(padded[units], axis=1)


def transform(values: Floats) -> Floats:
    """Bins from values `(groups, 2^b, p + 1, q)`: Walsh sums over the second axis, over 2^b."""
    size = values.shape[1]
    return np.moveaxis(walsh(np.moveaxis(values, 1, 0)), 0, 1) / size


def peel(bins: Floats, aliasing: Aliasing, *, soft: bool) -> tuple[Ints, Floats]:
    """Sets and coefficients that explain the bins of values with variance about one.

    In every round all bins that changed are decoded at once; what several bins say of a set is
    averaged, and taken out of its bin in every group.

    Args:
        bins: `(groups, 2^b, p + 1)`, see `transform`.
        aliasing: where sets lie.
        soft: whether to flip unreliable bits where plain decoding fails.

    Returns:
        `(k, t)` units of different sets, increasing, padded with n; and `(k,)` coefficients.
    """
    left = bins.copy()
    flagged = _busy(left)
    known: set[bytes] = set()
    named: list[Ints] = [np.zeros((0, aliasing.code.t), dtype=np.int64)]
    parts: list[Floats] = [np.zeros(0)]
    stale = 0
    for _ in range(ROUNDS):
        units, values = _round(left, flagged, aliasing, soft)
        if not len(units):
            break
        flagged = _subtract(left, units, values, aliasing)
        named.append(units)
        parts.append(values)
        fresh = {row.tobytes() for row in units} - known
        known |= fresh
        stale = 0 if fresh else stale + 1
        if stale >= PATIENCE:
            break
    return _summed(np.concatenate(named), np.concatenate(parts))


def _busy(left: Floats) -> NDArray[np.bool_]:
    return (left**2).mean(axis=-1) > EMPTY


def _round(
    left: Floats, flagged: NDArray[np.bool_], aliasing: Aliasing, soft: bool
) -> tuple[Ints, Floats]:
    """Different sets that the flagged bins name, with their mean coefficients."""
    group, place = np.nonzero(flagged)
    word, units = _decode(left[group, place], group, place, aliasing, soft)
    group, place = group[word], place[word]
    u, s = left[group, place], aliasing.signature(units)
    rho = (u * s).mean(axis=1)
    good = 1.0 - rho**2 / (u**2).mean(axis=1) < ACCEPT
    values = rho * aliasing.sign(units)[group, np.arange(len(units))]
    units, values = units[good], values[good]
    sums, totals = _summed(units, np.stack([values, np.ones(len(values))], axis=1))
    return sums, totals[:, 0] / totals[:, 1]


def _decode(
    u: Floats, group: Ints, place: Ints, aliasing: Aliasing, soft: bool
) -> tuple[NDArray[np.intp], Ints]:
    """For bins `(k, p + 1)` that could be decoded: which, and the set, `(s,)` and `(s, t)`.

    Departure from the paper: a set that does not belong to the bin is no success, so soft
    decoding is tried where plain decoding gives one, and looks on past such sets.
    """
    code = aliasing.code
    bits = (u[:, 1:] < 0) != (u[:, :1] < 0)
    found = _at_home(correct(code, syndromes(code, bits)), group, place, aliasing)
    if not soft:
        return found.word, found.units
    rest = np.setdiff1d(np.arange(len(u)), found.word)
    size = np.abs(u[rest, 1:])
    size /= np.maximum(size.max(axis=1, keepdims=True, initial=0.0), np.finfo(float).tiny)
    tried = chase(code, bits[rest], np.round(size, DIGITS))
    more = tried.found._replace(word=rest[tried.found.word])
    # The fewest corrected bits first, then the likeliest pattern; the first of each word stays.
    order = np.lexsort((tried.rank, more.errors, more.word))
    more = _at_home(Found(*(part[order] for part in more)), group, place, aliasing)
    first = np.unique(more.word, return_index=True)[1]
    words = np.concatenate([found.word, more.word[first]])
    return words, np.concatenate([found.units, more.units[first]])


def _at_home(found: Found, group: Ints, place: Ints, aliasing: Aliasing) -> Found:
    """Only the sets that lie in the bin they were read from."""
    at = aliasing.place(found.units)[group[found.word], np.arange(len(found.word))]
    home = at == place[found.word]
    return Found(*(part[home] for part in found))


def _subtract(left: Floats, units: Ints, values: Floats, aliasing: Aliasing) -> NDArray[np.bool_]:
    """Take sets out of the bins, in place; the bins that changed and are not empty."""
    places, signs, s = aliasing.place(units), aliasing.sign(units), aliasing.signature(units)
    group = np.arange(len(left))[:, None]
    np.subtract.at(left, (group, places), (signs * values)[:, :, None] * s)
    changed = np.zeros(left.shape[:2], dtype=np.bool_)
    changed[group, places] = True
    return changed & _busy(left)


def _summed(units: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Different sets in order, and the sums of their values `(k,)` or `(k, q)`."""
    different, inverse = np.unique(units, axis=0, return_inverse=True)
    total = np.zeros((len(different), *values.shape[1:]))
    np.add.at(total, inverse.reshape(-1), values)
    return different, total
