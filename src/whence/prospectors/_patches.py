"""Holds PatchEncoder: pictures as bags of patches, each embedded by its colours alone.

It does not know labels, nor a network, nor how a picture's file is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from whence.errors import InputError
from whence.prospectors._grids import grid_units
from whence.prospectors.bags import Bag
from whence.prospectors.layouts import Grid

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]

#: Cells of a patch along each side, whose mean colours are read.
CELLS = 4
#: Weight of a patch's standard deviations beside its cells.
CONTRAST = 2.0
#: Below this share of the largest there is, it is rounding in the sums over 50 million pixels; one
#: pixel of a patch that is one level of a byte off gives 60 times as much.
ROUNDING = 1e-9


class PatchEncoder(BaseEstimator):
    """Pictures as grids of patches: 4 x 4 mean colours and the deviation of each channel, by PCA.

    There is one patch for every `stride` pixels, centred on them; the picture is mirrored at its
    edges. Bytes are read as 0 to 1, floats as they are.

    Args:
        size: pixels along a side of a patch; a multiple of 4.
        stride: pixels from one patch to the next, at most `size`; a patch is drawn as these.
        dims: dimensions, at most.
        drop: patches that become holes of the grid: "" none, "zero" those that are black
            throughout, "constant" those of one colour.
        neighbours: of the grid: 8 or 4.
    """

    def __init__(
        self,
        size: int = 16,
        stride: int = 8,
        *,
        dims: int = 24,
        drop: str = "",
        neighbours: int = 8,
    ) -> None:
        self.size = size
        self.stride = stride
        self.dims = dims
        self.drop = drop
        self.neighbours = neighbours

    @property
    def name(self) -> str:
        """As `open_encoder` takes it: "patches"."""
        return "patches"

    def fit(self, things: Iterable[NDArray[Any]], y: Any = None) -> Self:
        """Learn the PCA from pictures, `(h, w)` or `(h, w, 3)`, which are gone through once.

        Only sums are kept: the patches of all pictures never stand in memory together.

        Raises:
            InputError: options that do not fit, no pictures, or what is no picture; pictures of
                different channels.
        """
        self._check()
        count, channels, total, square = 0, 0, np.zeros(0), np.zeros((0, 0))
        for at, thing in enumerate(things):
            picture = _picture(thing, f"picture {at}")
            found = self._kept(picture)[0]
            if not count:
                channels, d = picture.shape[2], found.shape[1]
                total, square = np.zeros(d), np.zeros((d, d))
            elif found.shape[1] != len(total):
                raise InputError(
                    f"picture {at} has {picture.shape[2]} channels, and the first {channels}; "
                    "give all of them in one mode."
                )
            count += len(found)
            total += found.sum(axis=0)
            square += found.T @ found
        if count < 2:
            raise InputError(f"{count} patches came; give at least one picture that is not blank.")
        self.channels_ = channels
        self.mean_ = total / count
        self.components_ = _principal(square / count - np.outer(self.mean_, self.mean_), self.dims)
        return self

    def encode(self, thing: NDArray[Any], name: str = "") -> Bag:
        """The bag of one picture; its units say which pixels each patch stands for.

        Raises:
            InputError: no picture, one of other channels, or one with nothing but holes.
        """
        check_is_fitted(self)
        called = name or "the picture"
        picture = _picture(thing, called)
        if picture.shape[2] == 1 and self.channels_ == 3:
            picture = np.repeat(picture, 3, axis=2)
        if picture.shape[2] != self.channels_:
            raise InputError(
                f"{called} has {picture.shape[2]} channels; learned from {self.channels_}."
            )
        found, there = self._kept(picture)
        if not len(found):
            raise InputError(
                f"{called} has nothing but holes (drop={self.drop!r}); leave it out, or drop less."
            )
        tokens = ((found - self.mean_) @ self.components_.T).astype(np.float32)
        down, along = (np.arange(side) // self.stride for side in picture.shape[:2])
        holes = None if there.all() else there
        return Bag(
            tokens,
            Grid(there.shape[0], there.shape[1], holes, self.neighbours),
            grid_units(down, along, holes),
            name,
        )

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """What was learned, as arrays and plain JSON; see `whence.prospectors.encoders`."""
        check_is_fitted(self)
        arrays = {"mean": self.mean_, "components": self.components_}
        return arrays, {
            "encoder": self.name,
            "options": self.get_params(),
            "channels": self.channels_,
        }

    def restore(self, arrays: Arrays, meta: dict[str, Any]) -> Self:
        """Take what `state` gave, in place of fitting."""
        self.mean_, self.components_ = arrays["mean"], arrays["components"]
        self.channels_ = int(meta["channels"])
        return self

    def _check(self) -> None:
        if self.size < CELLS or self.size % CELLS or not 1 <= self.stride <= self.size:
            raise InputError(
                f"size={self.size}, stride={self.stride} came; size must be a multiple of {CELLS}, "
                "and stride from 1 to size."
            )
        if self.drop not in ("", "zero", "constant"):
            raise InputError(f"drop={self.drop!r} came; it is '', 'zero' or 'constant'.")
        if self.dims < 1:
            raise InputError(f"dims={self.dims!r} came; at least 1 is needed.")

    def _kept(self, picture: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """What is read of the patches that are no holes `(n, d)`, and where they are."""
        cells, deviations = _statistics(picture, self.size, self.stride)
        there = np.ones(deviations.shape[:2], dtype=np.bool_)
        if self.drop:
            there[:] = (deviations > 0).any(axis=2)
        if self.drop == "zero":
            there |= (np.abs(cells) > ROUNDING * np.abs(picture).max()).any(axis=2)
        return np.concatenate([cells, CONTRAST * deviations], axis=2)[there], there


def _statistics(picture: Floats, size: int, stride: int) -> tuple[Floats, Floats]:
    """Of every patch the mean colours of its cells, and the deviation of every channel.

    Returns:
        `(rows, columns, 16 * channels)` and `(rows, columns, channels)`.
    """
    rows, columns = (-(-side // stride) for side in picture.shape[:2])
    padded = _padded(picture, size, stride)
    cell = size // CELLS
    starts = [
        (np.arange(n)[:, None] * stride + np.arange(CELLS) * cell).ravel() for n in (rows, columns)
    ]
    # Less the mean, so that the sums of squares do not swallow a small deviation.
    middle = picture.mean(axis=(0, 1))
    padded -= middle
    means = _boxes(padded, starts[0], starts[1], cell)
    squares = _boxes(padded**2, starts[0], starts[1], cell)
    shape = (rows, CELLS, columns, CELLS, picture.shape[2])
    means, squares = (one.reshape(shape).swapaxes(1, 2) for one in (means, squares))
    whole = means.mean(axis=(2, 3))
    variance = squares.mean(axis=(2, 3)) - whole**2
    least = ROUNDING * float(np.abs(padded).max()) ** 2
    deviations = np.sqrt(np.where(variance > least, variance, 0.0))
    return (means + middle).reshape(rows, columns, -1), deviations


def _padded(picture: Floats, size: int, stride: int) -> Floats:
    """The picture mirrored at its edges, so that each patch is centred on its own pixels."""
    before = (size - stride) // 2
    sides = [
        (before, (-(-side // stride) - 1) * stride + size - side - before)
        for side in picture.shape[:2]
    ]
    return np.pad(picture, (sides[0], sides[1], (0, 0)), mode="reflect")


def _boxes(picture: Floats, tops: NDArray[np.intp], lefts: NDArray[np.intp], side: int) -> Floats:
    """Means over squares that begin at every pair of `tops` and `lefts`, by an integral image."""
    sums = np.pad(picture.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))
    low, high = sums[tops], sums[tops + side]
    return (high[:, lefts + side] - high[:, lefts] - low[:, lefts + side] + low[:, lefts]) / side**2


def _principal(covariance: Floats, dims: int) -> Floats:
    """The strongest directions `(dims, d)`, each with its largest entry positive."""
    directions = np.linalg.eigh(covariance)[1][:, ::-1][:, :dims].T
    largest = np.abs(directions).argmax(axis=1)
    return directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]


def _picture(thing: Any, called: str) -> Floats:
    """A picture as floats `(h, w, channels)`.

    Raises:
        InputError: no picture, or not one of 1 or 3 channels; nan; whole numbers that are no bytes.
    """
    picture = np.asarray(thing)
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise InputError(
            f"{called} came with shape {np.shape(thing)}; (height, width) or (height, width, 3) is "
            "needed, without transparency."
        )
    if picture.dtype == np.uint8:
        return picture / 255.0
    if picture.dtype.kind not in "bf":
        raise InputError(
            f"{called} came as {picture.dtype}; bytes from 0 to 255 are needed, or floats."
        )
    floats = picture.astype(np.float64)
    if not np.isfinite(floats).all():
        raise InputError(f"{called} holds nan or inf.")
    return floats
