"""Holds the solver of coded designs: recognise the design, decode it, refit what was found.

It does not know who drew the masks, beyond what they say themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence._kernels.gf2 import Bits, Ints
from whence._kernels.peeling import Aliasing, peel, transform
from whence._kernels.peeling_design import LEAST_B, MOST_B, MOST_T, Design, delays, first_masks
from whence._kernels.peeling_design import MOST_GROUPS as GROUPS
from whence._kernels.peeling_refit import Terms, refit
from whence.errors import InputError
from whence.masks import folds, pack
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.low_degree import uniform_weights

Floats = NDArray[np.float64]

#: Folds that judge a refit.
FOLDS = 5
#: With so many groups found, the search for a design ends.
ENOUGH = 3


class Decoded(NamedTuple):
    """What one output's bins say.

    Attributes:
        terms: different sets and coefficients, the constant among them.
        refined: share of the largest penalty at which a refit was kept, or None.
    """

    terms: Terms
    refined: float | None


@dataclass(frozen=True)
class Peeling:
    """Decodes the coded design that the samples hold; other samples only enter the refit.

    Each output is decoded on its own. Values are centred and scaled first, so that the answer
    does not depend on the game's unit or zero.

    Attributes:
        decoding: "soft" flips unreliable parity bits where plain decoding fails; "hard" does not.
        refine: whether to refit, see `refit`.

    Source:
        Kang et al. (2025), "SPEX", ICML, arXiv 2502.13870.
    """

    decoding: Literal["soft", "hard"] = "soft"
    refine: bool = True

    def __post_init__(self) -> None:
        if self.decoding not in ("soft", "hard"):
            raise InputError(f"decoding={self.decoding!r} came; it is 'soft' or 'hard'.")

    def fit(self, samples: Samples) -> SetFunction:
        """The decoded function, in the Fourier basis, without standard errors.

        Raises:
            InputError: the samples hold no coded design.
        """
        index = _index(pack(samples.masks))
        if len(index) < len(samples):
            samples = samples.distinct()
            index = _index(pack(samples.masks))
        design = _recognise(samples.n, index)
        if design is None:
            raise InputError(
                f"{len(samples)} samples of {samples.n} units came, and they hold no complete "
                "coded design, which is all that Spex can decode. Ask for the masks with Spex.ask "
                "and value every one, or use another explainer (default, lasso)."
            )
        parts = self._decoded(design, samples, index)
        return _joined(samples.n, parts, samples.out, self._told(design, parts))

    def _decoded(self, design: Design, samples: Samples, index: dict[bytes, int]) -> list[Decoded]:
        rows = _rows(design.packed(), index)
        values = samples.columns[rows]
        centre, scale = values.mean(axis=0), values.std(axis=0)
        still = np.ptp(values, axis=0) == 0
        centre, scale = np.where(still, values[0], centre), np.where(still, 1.0, scale)
        shape = (design.groups, 2**design.b, design.code.p + 1, -1)
        bins = transform(((values - centre) / scale).reshape(shape))
        aliasing = Aliasing(design.code, design.bins(), design.flips())
        ordered = samples.take(np.array([index[key] for key in sorted(index)], dtype=np.intp))
        scaled = Samples(ordered.masks, (ordered.columns - centre) / scale)
        found = [
            Terms(*peel(part, aliasing, soft=self.decoding == "soft"))
            for part in np.moveaxis(bins, -1, 0)
        ]
        parts = self._refined(found, scaled, still)
        return [
            Decoded(_moved(part.terms, samples.n, s, c), part.refined)
            for part, s, c in zip(parts, scale, centre, strict=True)
        ]

    def _refined(
        self, found: Sequence[Terms], samples: Samples, still: NDArray[np.bool_]
    ) -> list[Decoded]:
        """Every output's terms, refitted where that is wanted and better."""
        group, weights = folds(samples.masks, FOLDS), uniform_weights(samples.masks)
        parts: list[Decoded] = []
        for terms, y, constant in zip(found, samples.columns.T, still, strict=True):
            part = Decoded(terms, None)
            if self.refine and not constant:
                part = Decoded(*refit(terms, samples.masks, y, weights, group))
            parts.append(part)
        return parts

    def _told(self, design: Design, parts: Sequence[Decoded]) -> str:
        kept = [p.refined for p in parts if p.refined is not None]
        refined = "not refined"
        if kept:
            share = " or ".join(sorted({f"{at:.2%}" for at in kept}))
            refined = f"refined at {share} of the largest penalty"
            refined += f" in {len(kept)} of {len(parts)} outputs" if len(parts) > 1 else ""
        return (
            f"Spex, b={design.b}, t={design.t}, {design.groups} groups, {self.decoding} decoding, "
            f"{refined}"
        )


def recognise(samples: Samples) -> Design | None:
    """The coded design whose masks are all among the samples; None if there is none.

    Cheap: every design is known by its first mask, and most fail there. Of several (few units,
    nearly all masks valued) it is the first with three groups, or else the one with the most
    rows; where two t have the same code, it is the larger t.
    """
    return _recognise(samples.n, _index(pack(samples.masks)))


def _index(packed: Bits) -> dict[bytes, int]:
    """Row of every packed mask."""
    width = packed.shape[1]
    raw = packed.tobytes()
    return {raw[i * width : (i + 1) * width]: i for i in range(len(packed))}


def _rows(packed: Bits, index: dict[bytes, int]) -> NDArray[np.intp]:
    width, raw = packed.shape[1], packed.tobytes()
    found = (index[raw[i : i + width]] for i in range(0, len(raw), width))
    return np.fromiter(found, dtype=np.intp, count=len(packed))


def _held(packed: Bits, index: dict[bytes, int]) -> bool:
    width = packed.shape[-1]
    raw = packed.tobytes()
    return all(raw[i : i + width] in index for i in range(0, len(raw), width))


def _recognise(n: int, index: dict[bytes, int]) -> Design | None:
    if n < 1:
        return None
    best: Design | None = None
    for number, first in enumerate(first_masks(n)):
        if first.tobytes() not in index:
            continue
        for t in range(MOST_T, 0, -1):
            if _held(first ^ delays(n, t), index):
                best = _larger(best, _largest(number, n, t, index))
        if best is not None and best.groups >= ENOUGH:
            break
    return best


def _largest(number: int, n: int, t: int, index: dict[bytes, int]) -> Design | None:
    """The design of this number and t with the most rows that are all held."""
    best: Design | None = None
    for b in range(min(LEAST_B, n), min(MOST_B, n) + 1):
        design = Design(number, n, b, t, GROUPS)
        corners = design.shifts()[0] ^ design.columns()[:, 0]
        if not _held(corners, index):
            break
        held = 0
        while held < GROUPS and _held(design.group(held), index):
            held += 1
        if held == 0:
            break
        best = _larger(best, Design(number, n, b, t, held))
    return best


def _larger(a: Design | None, b: Design | None) -> Design | None:
    if a is None or b is None:
        return b if a is None else a
    return b if b.rows > a.rows else a


def _moved(terms: Terms, n: int, scale: float, centre: float) -> Terms:
    """The terms in the game's unit, with a constant."""
    units = np.concatenate([np.full((1, terms.units.shape[1]), n), terms.units])
    return Terms(units, np.append(centre, terms.values * scale))


def _joined(n: int, parts: Sequence[Decoded], out: tuple[int, ...], told: str) -> SetFunction:
    """One function of all outputs; a set that an output lacks has coefficient zero there."""
    stacked = np.concatenate([p.terms.units for p in parts])
    units, inverse = np.unique(stacked, axis=0, return_inverse=True)
    values = np.zeros((len(units), len(parts)))
    output = np.repeat(np.arange(len(parts)), [len(p.terms.units) for p in parts])
    np.add.at(
        values, (inverse.reshape(-1), output), np.concatenate([p.terms.values for p in parts])
    )
    sizes = (units < n).sum(axis=1)
    order = np.lexsort((*units.T[::-1], sizes))
    units, values, sizes = units[order], values[order], sizes[order]
    indptr: Ints = np.concatenate([[0], np.cumsum(sizes)])
    flat = values.reshape(len(values), *out)
    return SetFunction(n, indptr, units[units < n], flat, fitted_by=told)
