"""Holds Inpainted: absent pixels filled in from the present ones around them, with a little noise.

It knows pixels and which of them are present; it does not know how units were cut, nor a model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.lenses.inputs.masked import as_type, present
from whence.masks import Masks

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Pixels up to which the linear system is solved exactly; larger images are halved first.
EXACT = 64 * 64
#: Sweeps that smooth what a halved image gave, at each doubling.
SWEEPS = 8
#: Standard deviation of the noise, as a share of the range of the image's values.
NOISE = 0.01


@dataclass(frozen=True)
class Inpainted:
    """Noisy linear imputation: an absent pixel is the weighted mean of its eight neighbours.

    The four beside it weigh 1/6 each and the four diagonal ones 1/12; absent neighbours are
    unknowns themselves, so this is a sparse linear system for each mask. Gaussian noise is added,
    so that the smoothness does not show where something is absent. Where nothing is present, the
    mean colour stands. An image of more than `EXACT` pixels is halved until it is small, solved
    there, and doubled again with `SWEEPS` sweeps of the same means: a departure, for speed.

    Attributes:
        whole: the image, `(h, w)` or `(h, w, c)`.
        grid: `(h, w)` unit of each pixel, -1 for what is always present.
        seed: of the noise; the noise of a mask depends on this and the mask alone.

    Source:
        Rong, Leemann, Borisov, Kasneci and Kasneci (2022), "A consistent and efficient evaluation
        strategy for attribution methods" (ROAD). At the image's edge the weights are those of the
        neighbours that exist, in the same proportion.
    """

    whole: NDArray[Any]
    grid: NDArray[np.int32]
    seed: int

    def __call__(self, masks: Masks) -> NDArray[Any]:
        """`(b, *shape)`; only the elements of absent units mean something."""
        image = np.atleast_3d(self.whole).astype(np.float64)
        scale = NOISE * float(image.max() - image.min())
        filled = np.empty((len(masks), *image.shape))
        for row, there in enumerate(present(self.grid, masks)):
            noise = generator(self.seed, masks[row]).standard_normal(image.shape)
            filled[row] = imputed(image, there) + scale * noise
        return as_type(filled.reshape(len(masks), *self.whole.shape), self.whole.dtype)

    def describe(self) -> str:
        """`noise:` and the seed."""
        return f"noise:{self.seed}"


def generator(seed: int, mask: Masks) -> np.random.Generator:
    """The random numbers of one mask: the same in any batch and order."""
    own = hashlib.sha256(np.packbits(mask).tobytes()).digest()[:16]
    return np.random.default_rng([seed, int.from_bytes(own, "little")])


def imputed(image: Floats, there: Bools) -> Floats:
    """An image `(h, w, c)` whose absent pixels are the weighted means of their neighbours."""
    if not there.any():
        return np.broadcast_to(image.mean(axis=(0, 1)), image.shape)
    if there.all():
        return image
    if there.size <= EXACT:
        return _solved(image, there)
    h, w = there.shape
    rough = _doubled(imputed(*_halved(image, there)))[:h, :w]
    return _swept(np.where(there[..., None], image, rough), there)


def _solved(image: Floats, there: Bools) -> Floats:
    """The exact solution, by a banded Cholesky factorisation."""
    from scipy.linalg import solveh_banded

    if there.shape[1] > there.shape[0]:  # the band is as wide as a row
        return _solved(image.swapaxes(0, 1), there.T).swapaxes(0, 1)
    # Unknowns are counted from 0; -1 is a known pixel, -2 lies outside.
    number = np.where(there, -1, np.cumsum(~there).reshape(there.shape) - 1)
    around = np.pad(number, 1, constant_values=-2)
    y, x = np.nonzero(~there)
    own = np.arange(len(y))
    band = np.zeros((there.shape[1] + 2, len(y)))
    right = np.zeros((len(y), image.shape[2]))
    for dy, dx, weight in _NEIGHBOURS:
        other = around[y + 1 + dy, x + 1 + dx]
        band[0] += weight * (other != -2)
        known, later = other == -1, other > own
        right[known] += weight * image[y[known] + dy, x[known] + dx]
        band[(other - own)[later], own[later]] = -weight
    filled = image.copy()
    width = int(np.flatnonzero(band.any(axis=1)).max()) + 1
    filled[y, x] = solveh_banded(band[:width], right, lower=True, check_finite=False)
    return filled


_NEIGHBOURS = [
    (dy, dx, (1 / 6 if dy == 0 or dx == 0 else 1 / 12))
    for dy in (-1, 0, 1)
    for dx in (-1, 0, 1)
    if (dy, dx) != (0, 0)
]


def _halved(image: Floats, there: Bools) -> tuple[Floats, Bools]:
    """Means of what is present in each two by two pixels, and whether anything is."""
    h, w = there.shape
    odd = ((0, h % 2), (0, w % 2))
    weight = np.pad(there, odd)[..., None].astype(np.float64)
    known = np.pad(image, (*odd, (0, 0))) * weight
    total, count = (sum(a[i::2, j::2] for i in (0, 1) for j in (0, 1)) for a in (known, weight))
    return np.divide(total, np.maximum(count, 1)), np.asarray(count)[..., 0] > 0


def _doubled(image: Floats) -> Floats:
    """Twice the size, with straight lines between the middles of pixels."""
    for axis in (0, 1):
        lines = np.moveaxis(image, axis, 0)
        before, after = np.roll(lines, 1, axis=0), np.roll(lines, -1, axis=0)
        before[0], after[-1] = lines[0], lines[-1]
        pairs = np.stack([0.75 * lines + 0.25 * before, 0.75 * lines + 0.25 * after], axis=1)
        image = np.moveaxis(pairs.reshape(-1, *lines.shape[1:]), 0, axis)
    return image


def _swept(image: Floats, there: Bools) -> Floats:
    """The image after `SWEEPS` times putting its neighbours' mean in each absent pixel's place."""
    # The weights are (1, 2, 1) x (1, 2, 1) less the middle, over 12; at the edge less than 12.
    weight = _spread(np.ones((*there.shape, 1))) - 4.0
    step = np.where(there[..., None], 0.0, 1.0 / weight)
    for _ in range(SWEEPS):
        image = image + step * (_spread(image) - (4.0 + weight) * image)
    return image


def _spread(image: Floats) -> Floats:
    """Sums with weights 1, 2, 1 along both axes, nothing beyond the edges."""
    down = 2.0 * image
    down[1:] += image[:-1]
    down[:-1] += image[1:]
    both = 2.0 * down
    both[:, 1:] += down[:, :-1]
    both[:, :-1] += down[:, 1:]
    return both
