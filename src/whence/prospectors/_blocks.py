"""Holds the reading of feature maps: several blocks of a CNN on one grid, each on one scale.

It does not know what made the maps, nor what is learned from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError

#: Layer -> its maps of some images, `(b, c, h, w)`.
Maps = Mapping[str, NDArray[Any]]
Locations = NDArray[np.float32]

#: Numbers of one batch of aligned maps: 32 MB.
NUMBERS = 1 << 23


def batches(maps: Any, layers: Sequence[str]) -> Iterator[Maps]:
    """Checked batches of maps, each small enough to be laid on one grid.

    Args:
        maps: layer -> `(b, c, h, w)`, or an iterable of such mappings that may be gone through
            more than once.
        layers: those that are read; () takes all of them.

    Raises:
        InputError: no maps, a layer that is not there, maps of another shape, or an iterable that
            can be gone through only once.
    """
    if not isinstance(maps, Mapping | Iterable) or iter(maps) is maps:
        raise InputError(
            f"maps came as {type(maps).__name__}; a mapping of layers to arrays (b, c, h, w) is "
            "needed, or batches of such mappings that can be gone through more than once: a list, "
            "or whence.adapters.features.FeatureMaps.batches(images)."
        )
    found = False
    for batch in [maps] if isinstance(maps, Mapping) else maps:
        names = layers_of(batch, layers)
        rows = _checked(batch, names)
        step = max(1, NUMBERS // _numbers(batch, names))
        for start in range(0, rows, step):
            found = True
            yield {name: np.asarray(batch[name][start : start + step]) for name in names}
    if not found:
        raise InputError("no maps came; at least one image is needed.")


def layers_of(batch: Any, layers: Sequence[str]) -> tuple[str, ...]:
    """The layers that are read of a batch, in their order.

    Raises:
        InputError: a batch that is no mapping, or lacks one of them.
    """
    if not isinstance(batch, Mapping) or not batch:
        raise InputError(
            f"a {type(batch).__name__} came among the maps; each batch is a mapping of layers to "
            "arrays (b, c, h, w)."
        )
    for name in layers:
        if name not in batch:
            raise InputError(
                f"layer {name!r} is not among the maps: {', '.join(map(str, batch))}. Correct "
                "layers=, or read it too: feature_maps(module, layers)."
            )
    return tuple(layers) or tuple(batch)


def _checked(batch: Maps, names: Sequence[str]) -> int:
    """How many images there are."""
    for name in names:
        shape = np.shape(batch[name])
        if len(shape) != 4 or 0 in shape[1:]:
            raise InputError(f"maps of {name!r} have shape {shape}; (b, c, h, w) is needed.")
    rows = {len(batch[name]) for name in names}
    if len(rows) > 1:
        raise InputError(f"maps of {', '.join(names)} are of {sorted(rows)} images; one number.")
    return rows.pop()


def _numbers(batch: Maps, names: Sequence[str]) -> int:
    """Numbers of one image, once its maps lie on one grid."""
    height, width = grid_of(batch, names)
    return height * width * sum(np.shape(batch[name])[1] for name in names)


def grid_of(batch: Maps, names: Sequence[str]) -> tuple[int, int]:
    """Height and width of the finest of the maps."""
    shapes = [np.shape(batch[name]) for name in names]
    return max(shape[2] for shape in shapes), max(shape[3] for shape in shapes)


def scales(maps: Any, layers: Sequence[str]) -> dict[str, float]:
    """Of each layer the root of its total variance over all locations; 1 where it is constant.

    Maps over their scale have total variance 1, so that every block weighs alike in a distance.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    squares: dict[str, float] = {}
    count: dict[str, int] = {}
    for batch in batches(maps, layers):
        for name, values in batch.items():
            exact = values.astype(np.float64)
            sums[name] = sums.get(name, 0.0) + exact.sum(axis=(0, 2, 3))
            squares[name] = squares.get(name, 0.0) + float(np.vdot(exact, exact))
            count[name] = count.get(name, 0) + exact[:, 0].size
    variances = {
        name: squares[name] / n - float((sums[name] / n) @ (sums[name] / n))
        for name, n in count.items()
    }
    # Below this share of the square it is rounding, and the layer constant.
    least = {name: 1e-10 * squares[name] / n for name, n in count.items()}
    return {name: v**0.5 if v > least[name] else 1.0 for name, v in variances.items()}


def aligned(batch: Maps, scale: Mapping[str, float]) -> Locations:
    """The maps of a batch on the grid of the finest, over their scales, `(b, h, w, d)`.

    A coarser block is repeated, each of its locations over those it lies above, so that the mean
    over the grid is the block's own where the sizes divide.
    """
    names = tuple(scale)
    height, width = grid_of(batch, names)
    blocks = [
        np.moveaxis(_grown(batch[name], height, width), 1, -1) / np.float32(scale[name])
        for name in names
    ]
    return np.concatenate(blocks, axis=-1, dtype=np.float32)


def _grown(maps: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Maps `(b, c, h, w)` repeated onto a grid that is as fine or finer."""
    h, w = maps.shape[2:]
    down, along = np.arange(height) * h // height, np.arange(width) * w // width
    return maps[:, :, down][:, :, :, along]
