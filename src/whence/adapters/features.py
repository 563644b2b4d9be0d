"""Holds FeatureMaps: what chosen layers of a torch module make of images, as numpy maps.

It does not know what the maps are used for, nor what the module answers.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters._torch import device_of, evaluating, fingerprint, require
from whence.adapters.torch import Normalise, Preprocess
from whence.errors import InputError, ShapeError

#: Layer -> its maps of some images, `(b, c, h, w)`.
Maps = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class FeatureMaps:
    """Chosen layers of a module: images in, maps out. Made by `feature_maps`.

    Attributes:
        module: a `torch.nn.Module`; left where it is, and as it is.
        layers: the paths of its parts.
        preprocess: what is done to a batch before the module reads it, or None.
        batch: images that go through at once.
    """

    module: Any
    layers: tuple[str, ...]
    preprocess: Preprocess | None = None
    batch: int = 64

    @property
    def identity(self) -> str | None:
        """A string equal only for features that are alike; None where they cannot be told.

        It covers the module's class, printed form and tensors, the layers and `Normalise`; with
        any other `preprocess`, or tensors that are not in memory, it is None.
        """
        if self.preprocess is not None and not isinstance(self.preprocess, Normalise):
            return None
        said = (repr(self.module), repr(self.layers), repr(self.preprocess))
        own = fingerprint(self.module, *said)
        return None if own is None else f"features:{own}"

    def __call__(self, images: NDArray[Any]) -> Maps:
        """The maps `(b, c, h, w)` of images `(b, channels, height, width)`, by layer, float32.

        Raises:
            InputError: images of another shape, or none; a layer that does not run, or runs more
                than once.
            ShapeError: a layer that gives no maps.
        """
        parts = list(self._parts(images))
        return {name: np.concatenate([part[name] for part in parts]) for name in self.layers}

    def batches(self, images: NDArray[Any]) -> Streamed:
        """The same maps, a batch at a time, computed anew whenever they are gone through.

        For images whose maps are larger than memory; the images may be a memory map.
        """
        return Streamed(self, images)

    def _parts(self, images: NDArray[Any]) -> Iterator[Maps]:
        _check(images)
        for start in range(0, len(images), self.batch):
            yield self._run(np.array(images[start : start + self.batch]))

    def _run(self, images: NDArray[Any]) -> Maps:
        found: dict[str, list[Any]] = {name: [] for name in self.layers}
        with _listening(self.module, found), evaluating(self.module):
            self.module(self._tensor(images))
        return {name: _maps(name, made, len(images)) for name, made in found.items()}

    def _tensor(self, images: NDArray[Any]) -> Any:
        torch = require()
        tensor = torch.from_numpy(images).to(device_of(self.module))
        if self.preprocess is not None:
            tensor = self.preprocess(tensor)
        floats = (t.dtype for t in self.module.parameters() if t.is_floating_point())
        return tensor.to(next(floats, torch.float32))


@dataclass(frozen=True)
class Streamed:
    """Maps of images, batch by batch; may be gone through as often as is needed.

    Attributes:
        features: what makes the maps.
        images: `(b, channels, height, width)`.
    """

    features: FeatureMaps
    images: NDArray[Any]

    def __iter__(self) -> Iterator[Maps]:
        size = self.features.batch
        for start in range(0, len(self.images), size):
            yield self.features(self.images[start : start + size])


def feature_maps(
    module: Any,
    layers: Sequence[str],
    *,
    preprocess: Preprocess | None = None,
    batch: int = 64,
) -> FeatureMaps:
    """Reads what chosen layers of a module make of images.

    The module runs where it is, in inference mode, with dropout and batch statistics off. The
    hooks that listen are removed and all modes put back after every batch, also when an exception
    passes.

    Args:
        module: a `torch.nn.Module` whose forward takes one tensor `(b, channels, height, width)`.
        layers: paths of its parts, as `named_modules` says them: "layer3", "features.8".
        preprocess: `whence.adapters.torch.Normalise(...)`, or any function of a batch; None
            passes numbers on as they came.
        batch: images that go through at once.

    Raises:
        MissingExtra: torch is not installed.
        InputError: not a module, no layers, or a path that it does not have.
    """
    torch = require()
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"module came as {type(module).__name__}; a torch.nn.Module is needed.")
    if isinstance(layers, str) or not len(layers):
        raise InputError(f"layers={layers!r} came; give a sequence of paths, such as ('layer3',).")
    if batch < 1:
        raise InputError(f"batch={batch!r} came; it is images at once, at least 1.")
    known = [name for name, _ in module.named_modules() if name]
    for name in layers:
        if name not in known:
            raise InputError(
                f"layer {name!r} came; {type(module).__name__} has no part of that path. It has: "
                f"{_told(known, name)}."
            )
    return FeatureMaps(module, tuple(dict.fromkeys(layers)), preprocess, batch)


def _told(known: Sequence[str], wanted: str) -> str:
    """The paths that are nearest to what was asked: those below the same part, else the top."""
    above = wanted.rpartition(".")[0]
    near = [name for name in known if name.rpartition(".")[0] == above]
    near = near or [name for name in known if "." not in name]
    return ", ".join(near[:20]) + (", ..." if near[20:] else "")


def _check(images: NDArray[Any]) -> None:
    if np.ndim(images) != 4 or not len(images):
        raise InputError(
            f"images of shape {np.shape(images)} came; (images, channels, height, width) is "
            "needed, at least one image. One alone: image[None]; channels last: "
            "np.moveaxis(images, -1, 1)."
        )


@contextmanager
def _listening(module: Any, found: Mapping[str, list[Any]]) -> Generator[None]:
    """Within, what each named part gives is copied into its list."""
    with ExitStack() as hooks:
        for name, made in found.items():
            handle = module.get_submodule(name).register_forward_hook(partial(_keep, made))
            hooks.callback(handle.remove)
        yield


def _keep(made: list[Any], _module: Any, _inputs: Any, output: Any) -> None:
    # Copied at once: what comes after may change it in place, as an in-place ReLU does.
    torch = require()
    made.append(output.detach().clone() if isinstance(output, torch.Tensor) else output)


def _maps(name: str, made: Sequence[Any], rows: int) -> NDArray[np.float32]:
    torch = require()
    if len(made) != 1:
        times = "did not run" if not made else f"ran {len(made)} times"
        raise InputError(
            f"layer {name!r} {times} in one forward pass; name a part that runs once, such as the "
            "block around it."
        )
    [output] = made
    if not isinstance(output, torch.Tensor) or output.ndim != 4 or len(output) != rows:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ShapeError(
            f"layer {name!r} gave {shape}; maps (b, channels, height, width), one per image, are "
            "needed. Name a convolution or a block before the pooling."
        )
    return output.to(device="cpu", dtype=torch.float32).numpy()
