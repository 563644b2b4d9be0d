"""Holds Masked: masks -> arrays whose absent elements are something else.

It does not know what the array shows, what its units are called, nor a model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError
from whence.masks import Masks

#: Bytes of masked arrays that are drawn at a time.
CACHE = 2**18


class Fill(Protocol):
    """What stands at the elements of absent units."""

    def __call__(self, masks: Masks) -> NDArray[Any]:
        """Elements of the array's type for masks `(b, n)`, each row by its mask alone.

        Returns:
            `(b, *shape)`, or `(1, *shape)` when they are the same for every mask.
        """
        ...

    def describe(self) -> str:
        """A stable string: equal for two fills only if they fill alike."""
        ...


@dataclass(frozen=True)
class Fixed:
    """The same elements for every mask.

    Attributes:
        whole: broadcastable to the array's shape.
    """

    whole: NDArray[Any]

    def __call__(self, masks: Masks) -> NDArray[Any]:
        """`(1, *shape)`, whatever the masks."""
        return self.whole[None]

    def describe(self) -> str:
        """`fixed:` and the digest of the elements."""
        return f"fixed:{digest(self.whole)}"


def present(grid: NDArray[np.int32], masks: Masks) -> NDArray[np.bool_]:
    """Whether each element is present: masks `(b, n)` -> `(b, *grid.shape)`."""
    # The last column, always true, is where -1 points.
    return np.pad(masks, ((0, 0), (0, 1)), constant_values=True)[:, grid]


@dataclass(frozen=True)
class Masked:
    """Masks -> arrays.

    Attributes:
        whole: the array, with every unit present.
        grid: the unit of each element, broadcastable to the array; -1 is always present.
        fill: what stands at the elements of absent units.
    """

    whole: NDArray[Any]
    grid: NDArray[np.int32]
    fill: Fill

    def __call__(self, masks: Masks) -> NDArray[Any]:
        """`(b, *shape)`, of the array's type, for masks `(b, n)`."""
        # Chosen bit by bit, a cache's worth at a time: several times faster than numpy.where.
        bits = np.dtype(f"i{self.whole.itemsize}")
        there = -np.pad(masks, ((0, 0), (0, 1)), constant_values=True).astype(bits)
        out = np.empty((len(masks), *self.whole.shape), bits)
        step = max(1, CACHE // self.whole.nbytes)
        for start in range(0, len(masks), step):
            rows = slice(start, start + step)
            fill = as_type(self.fill(masks[rows]), self.whole.dtype).view(bits)
            np.bitwise_and(there[rows][:, self.grid], self.whole.view(bits) ^ fill, out=out[rows])
            np.bitwise_xor(out[rows], fill, out=out[rows])
        return out.view(self.whole.dtype)

    def idle(self, n: int) -> NDArray[np.bool_]:
        """Which of n units look the same absent as present, whatever the other units are."""
        if not isinstance(self.fill, Fixed):
            return np.zeros(n, dtype=np.bool_)
        differs = np.any(self.whole[None] != self.fill.whole[None], axis=0)
        touched = np.unique(np.broadcast_to(self.grid, self.whole.shape)[differs])
        return ~np.isin(np.arange(n), touched)


def digest(array: NDArray[Any]) -> str:
    """A hash of an array's type, shape and elements."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def as_finite(array: ArrayLike, what: str) -> NDArray[Any]:
    """Numbers, as an array of one's own.

    Raises:
        InputError: what came is no array of finite real numbers, or is empty.
    """
    try:
        own = np.array(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{what} came as {type(array).__name__}, which is no array ({error}); an array of "
            "numbers is needed. For a tensor give tensor.detach().cpu().numpy()."
        ) from error
    if own.dtype.kind not in "biuf" or own.size == 0:
        raise InputError(
            f"{what} came with type {own.dtype} and shape {own.shape}; real numbers, at least one "
            "of them, are needed."
        )
    own = own.astype(np.float64 if own.itemsize > 8 else own.dtype.newbyteorder("="))
    bad = own.size - int(np.isfinite(own).sum())
    if bad:
        raise InputError(
            f"{what} holds nan or inf in {bad} of {own.size} elements; every one must be finite. "
            "Fill the gaps before explaining."
        )
    return own


def as_type(numbers: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers as another type: whole ones are rounded, and kept within what the type holds."""
    if numbers.dtype == dtype:
        return numbers
    if dtype.kind in "iu":
        held = np.iinfo(dtype)
        numbers = np.clip(np.rint(numbers), held.min, held.max)
    return numbers.astype(dtype)
