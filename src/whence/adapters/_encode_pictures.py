"""Holds PictureStates and PictureMaps: pictures as grids of what a vision model makes of places.

The first are hidden states of a transformers model, the second maps of any function. It does not
know which model it is, nor what is learned from the bags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from whence.adapters import _torch
from whence.adapters._encode_texts import scaled, states_of, trunk_of
from whence.adapters.transformers.running import identity_of
from whence.adapters.transformers.vision import channels_of, pixels, prints
from whence.errors import InputError, MissingExtra, ShapeError
from whence.prospectors._grids import grid_units
from whence.prospectors.bags import Bag
from whence.prospectors.layouts import Grid

#: Pictures `(1, channels, height, width)` -> maps `(1, d, h, w)`, an array, a tensor, or one layer
#: of a mapping.
Extract = Callable[[NDArray[Any]], Any]


@dataclass(frozen=True, eq=False)
class PictureStates:
    """A transformers vision model as an encoder of pictures: one token per patch, at length 1.

    The whole picture is stretched to the size that the model reads, without cropping. Class and
    register tokens, which stand before the patches, are left out.

    Attributes:
        model: a transformers model; left where it is, and as it is.
        processor: its image processor.
        layer: which hidden states: -1 the last, else as `hidden_states` counts them.
        neighbours: of the grid: 8 or 4.
        name: as `open_encoder` takes it.
        options: what else was said to it.
    """

    model: Any
    processor: Any
    layer: int
    neighbours: int
    name: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def fit(self, things: Iterable[Any], y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def encode(self, thing: NDArray[Any], name: str = "") -> Bag:
        """The bag of one picture, `(h, w)` or `(h, w, c)`; see `pixels` for its numbers.

        Raises:
            InputError: no picture, or of the wrong mode.
            ShapeError: states that are no grid of patches.
        """
        torch = _torch.require()
        picture = pixels(thing, channels_of(self.model))
        given = self._read(picture)
        with _torch.evaluating(self.model):
            found = states_of(trunk_of(self.model, "vision_model"), self.layer, pixel_values=given)
            states = found[0].to(device="cpu", dtype=torch.float32).numpy()
        maps = states if states.ndim == 3 else self._laid(states, tuple(given.shape[2:]))
        bag = bag_of(maps, picture.shape[:2], self.neighbours, name)
        return Bag(scaled(bag.tokens), bag.layout, bag.units, name)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Its name, options and identity; the model itself stays where it is."""
        return {}, {"encoder": self.name, "options": self.options, "identity": self.identity}

    @property
    def identity(self) -> str | None:
        """Equal only for encoders that embed alike; None if that is not known."""
        return identity_of(self.model, [prints(self.processor)], "states", self.layer)

    def _read(self, picture: NDArray[np.uint8]) -> Any:
        """What the model reads of the whole picture, `(1, c, h, w)`."""
        height, width = self._prepared(picture).shape[2:]
        return self._prepared(_stretched(picture, height, width), resize=False)

    def _prepared(self, picture: NDArray[np.uint8], resize: bool = True) -> Any:
        torch = _torch.require()
        as_it_is = {} if resize else {"do_resize": False, "do_center_crop": False}
        given = self.processor(
            images=[picture], input_data_format="channels_last", return_tensors="np", **as_it_is
        )
        values = torch.as_tensor(np.stack(list(given["pixel_values"])))
        first = next(iter(self.model.parameters()))
        return values.to(device=_torch.device_of(self.model), dtype=first.dtype)

    def _laid(self, states: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
        """States `(t, d)` of patches, and of tokens before them, as maps `(d, rows, columns)`."""
        rows, columns = self._grid(len(states), size)
        return states[len(states) - rows * columns :].T.reshape(-1, rows, columns)

    def _grid(self, tokens: int, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns: the configuration's patches, or squares that come out even."""
        told = self.model.config.to_dict()
        side = told.get("vision_config", told).get("patch_size")
        tall, wide = side if isinstance(side, list | tuple) else (side, side)
        if isinstance(tall, int) and isinstance(wide, int):
            grid = size[0] // tall, size[1] // wide
            if grid[0] * grid[1] <= tokens:
                return grid
        # Stages that merge patches leave squares of a larger side, and no other tokens.
        side = isqrt(size[0] * size[1] // tokens)
        if side and (size[0] // side) * (size[1] // side) == tokens:
            return size[0] // side, size[1] // side
        raise ShapeError(
            f"{type(self.model).__name__} gave {tokens} states for {size[0]} x {size[1]} pixels, "
            "which are no grid of patches; take another layer= or model."
        )


@dataclass(frozen=True, eq=False)
class PictureMaps:
    """A function of yours as an encoder of pictures: one token per place of its maps.

    Attributes:
        extract: pictures -> maps.
        identity: equal only for functions that embed alike; None if that is not known.
        neighbours: of the grid: 8 or 4.
        name: as `open_encoder` takes it.
        options: what else was said to it.
    """

    extract: Extract
    identity: str | None
    neighbours: int
    name: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def fit(self, things: Iterable[Any], y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def encode(self, thing: NDArray[Any], name: str = "") -> Bag:
        """The bag of one picture, `(h, w)` or `(h, w, c)`, whose numbers go in as they are.

        Raises:
            InputError: no picture.
            ShapeError: the function gave no maps.
        """
        picture = np.asarray(thing)
        if picture.ndim not in (2, 3) or 0 in picture.shape:
            raise InputError(
                f"{name or 'what came'} has shape {picture.shape}; a picture (h, w) or (h, w, c) "
                "is needed."
            )
        channels = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
        maps = _as_maps(self.extract(np.ascontiguousarray(channels[None])), self.name)
        return bag_of(maps, picture.shape[:2], self.neighbours, name)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Its name, options and identity; the function itself stays where it is."""
        return {}, {"encoder": self.name, "options": self.options, "identity": self.identity}


def bag_of(maps: NDArray[Any], size: tuple[int, ...], neighbours: int, name: str) -> Bag:
    """The bag of maps `(d, h, w)` of a picture of `size` pixels, `(height, width)`."""
    d, rows, columns = maps.shape
    places = (np.arange(side) * n // side for side, n in zip(size, (rows, columns), strict=True))
    units = grid_units(*places) if size[0] >= rows and size[1] >= columns else None
    tokens = np.ascontiguousarray(maps.reshape(d, -1).T)
    return Bag(tokens, Grid(rows, columns, neighbours=neighbours), units, name)


def _as_maps(found: Any, name: str) -> NDArray[Any]:
    """The maps of one picture, `(d, h, w)`, from what a function gave."""
    if isinstance(found, Mapping):
        if len(found) != 1:
            raise ShapeError(
                f"{name} gave {len(found)} layers ({', '.join(map(str, found))}); one is needed. "
                "Name one layer, or join them in the function."
            )
        [found] = found.values()
    torch = _torch.require()
    if isinstance(found, torch.Tensor):
        found = found.detach().to(device="cpu", dtype=torch.float32).numpy()
    maps = np.asarray(found)
    if maps.ndim != 4 or len(maps) != 1 or 0 in maps.shape:
        raise ShapeError(
            f"{name} gave shape {maps.shape} for one picture; maps (1, d, h, w) are needed."
        )
    return maps[0]


def _stretched(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if picture.shape[:2] == (height, width):
        return picture
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra(
            'Pillow is not installed, and resizing a picture needs it: pip install "whence[image]"'
        ) from error
    parts = [
        np.asarray(Image.fromarray(channel).resize((width, height), Image.Resampling.BICUBIC))
        for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.stack(parts, axis=-1)
