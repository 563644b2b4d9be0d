"""Holds Reader: one output of a fitted head, ready to read bags; and the map it makes.

It does not know how the head was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.dictionaries.quantizer import Quantizer
from whence.prospectors.bags import Bag, units_of
from whence.prospectors.counting import normaliser, parts, token_map
from whence.prospectors.linear import spoken
from whence.prospectors.maps import Map
from whence.prospectors.smoothing import smoothed

Floats = NDArray[np.float64]

#: Numbers of the maps that resampled weights make at once.
NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class Reader:
    """What one output of a head says, with its sign.

    Attributes:
        quantizer: fitted.
        r: hops.
        flat: `(p,)` weights in count units.
        draws: `(R, p)` weights and `(R, d)` betas from resampled bags, or None.
        beta: `(d,)` of the linear term; of no length without one.
        centre: `(d,)` the embedding at which it says nothing.
        output: the class, or what the number is called.
        performance: of the head, in words.
    """

    quantizer: Quantizer
    r: int
    flat: Floats
    draws: tuple[Floats, Floats] | None
    beta: Floats
    centre: Floats
    output: str
    performance: str

    def codes(self, bag: Bag) -> Floats:
        """Codes `(N, k)` of a bag's tokens."""
        return self.quantizer.transform(bag.tokens)

    def alone(self, bag: Bag) -> Floats:
        """What the linear term says of every token, `(N,)`."""
        return self._spoken(bag, self.beta)

    def drawn(self, bag: Bag, codes: Floats, part: slice) -> Floats:
        """Maps `(N, R)` by some of the resampled weights."""
        assert self.draws is not None
        flats, betas = self.draws
        said = token_map(codes, bag.layout, self.r, flats[part].T)
        return said + self._spoken(bag, betas[part].T) if len(self.beta) else said

    def _spoken(self, bag: Bag, beta: Floats) -> Floats:
        if not len(self.beta):
            return np.zeros(len(bag))
        return spoken(bag.tokens, self.centre, beta)


def mapped(reader: Reader, bag: Bag, hops: int) -> Map:
    """The map of one bag, without a probability."""
    codes = reader.codes(bag)
    monograms, pairs = parts(codes, bag.layout, reader.r, reader.flat)
    linear = reader.alone(bag)
    values = monograms + pairs.sum(axis=1) + linear
    total = normaliser(len(bag), bag.layout, reader.r)
    return Map(
        values=values,
        errors=errors(reader, bag, codes, values),
        monograms=monograms,
        pairs=pairs,
        linear=linear,
        concepts=strongest(codes),
        names=reader.quantizer.names,
        units=units_of(bag),
        margin=float(values.sum() / total),
        output=reader.output,
        smoothed=smoothed(values, bag.layout, hops),
        smoothing=hops,
        performance=reader.performance,
        total=total,
    )


def strongest(codes: Floats) -> NDArray[np.intp]:
    """Every token's strongest concept `(N,)`; -1 for a token without any."""
    return np.where((codes != 0).any(axis=1), codes.argmax(axis=1), -1)


def errors(reader: Reader, bag: Bag, codes: Floats, values: Floats) -> Floats | None:
    """Standard errors `(N,)` of a map over resampled bags; None without draws."""
    if reader.draws is None:
        return None
    step = max(1, NUMBERS // len(codes))
    sums, squares = np.zeros(len(codes)), np.zeros(len(codes))
    count = len(reader.draws[0])
    for start in range(0, count, step):
        # From the map itself, so that the difference of large squares is never taken.
        off = reader.drawn(bag, codes, slice(start, start + step)) - values[:, None]
        sums += off.sum(axis=1)
        squares += (off**2).sum(axis=1)
    return np.sqrt(np.maximum(squares - sums**2 / count, 0.0) / (count - 1))
