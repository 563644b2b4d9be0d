"""Holds Map: what a fitted head says of each token of one bag, and which pairs say it.

It does not know how the head was fitted, nor how a map is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.units import Units, plural

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairTerm:
    """What a token says together with its neighbours of one concept.

    Attributes:
        concept: of the neighbours, its position.
        name: of that concept.
        value: in the units of the map.
    """

    concept: int
    name: str
    value: float


@dataclass(frozen=True, eq=False)
class Map:
    """One number per token of a bag, for one class, with its account.

    The account is complete: `values == monograms + pairs.sum(1) + linear`, and
    `values.sum() / total == margin`, both up to rounding. Read `performance` first: a head that
    cannot tell bags apart has nothing to say of tokens.

    Attributes:
        values: `(N,)` what each token adds to the bag, in the units of the kernel times counts:
            comparable between bags of any size. Divided by `total` they sum to `margin`.
        errors: `(N,)` standard errors, over resampled training bags with the concepts held fixed;
            None if not asked for.
        monograms: `(N,)` what a token says alone, by its concepts.
        pairs: `(N, k)` what it says with the neighbours of each concept; a token within reach of
            itself is its own neighbour.
        linear: `(N,)` what the linear term on its embedding says; zeros without one.
        concepts: `(N,)` every token's strongest concept; -1 for a token of none (a name that was
            not seen in training), which says nothing.
        names: of the k concepts.
        units: labels and places of the tokens.
        margin: of the bag, as `decision_function` gives it.
        output: the class that is mapped, or what the number is called.
        smoothed: `(N,)` the values averaged over `smoothing` hops, for reading; the values
            themselves when `smoothing` is 0.
        smoothing: hops.
        performance: the head's own cross-validated performance, in words with its interval, for
            every view must show it beside the map.
        total: Z, the tokens and the ordered pairs within reach: what the bag's margin is per.
        probability: of `output`, calibrated; None for a number.
    """

    values: Floats
    errors: Floats | None
    monograms: Floats
    pairs: Floats
    linear: Floats
    concepts: NDArray[np.intp]
    names: tuple[str, ...]
    units: Units
    margin: float
    output: str
    smoothed: Floats
    smoothing: int
    performance: str
    total: float = 1.0
    probability: float | None = None

    def __len__(self) -> int:
        return len(self.values)

    def concept_of(self, token: int) -> str:
        """The name of a token's strongest concept; "(unknown)" for a token of none.

        Raises:
            InputError: no such token.
        """
        c = int(self.concepts[self._place(token)])
        return self.names[c] if c >= 0 else "(unknown)"

    def top_pairs(self, token: int, n: int = 3) -> tuple[PairTerm, ...]:
        """The neighbours' concepts with which a token says most, strongest first, zeros left out.

        Raises:
            InputError: no such token.
        """
        row = self.pairs[self._place(token)]
        order = np.argsort(-np.abs(row), kind="stable")[: max(n, 0)]
        return tuple(
            PairTerm(int(c), self.names[int(c)], float(row[c])) for c in order if row[c] != 0
        )

    def top(self, n: int = 5) -> NDArray[np.intp]:
        """Positions of the n tokens that say most for `output`, by the smoothed values."""
        return np.argsort(-self.smoothed, kind="stable")[: max(n, 0)]

    def __repr__(self) -> str:
        tokens = f"{len(self)} {plural(self.units.kind)}"
        words = [f"Map of {tokens} for {self.output!r}: {self.performance}"]
        share = "" if self.probability is None else f", probability {self.probability:.2f}"
        words.append(f"  margin {self.margin:+.4g}{share}")
        for v in self.top():
            error = "" if self.errors is None else f" ± {self.errors[v]:.2g}"
            label = self.units.labels[v]
            shown = label if len(label) <= 60 else label[:57] + "..."
            words.append(f"  {self.values[v]:+.4g}{error}  {shown} ({self.concept_of(int(v))})")
        return "\n".join(words)

    def _place(self, token: int) -> int:
        if not 0 <= token < len(self):
            raise InputError(
                f"token {token} came; this map has {len(self)} tokens, numbered from 0."
            )
        return token
