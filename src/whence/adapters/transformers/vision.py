"""Holds vision: an image classifier and its image processor -> a scorer of images.

It does not know how images are masked, nor how batches are run (_batches).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters import _torch
from whence.adapters._batches import Size, in_batches
from whence.adapters.transformers.running import class_names, identity_of, name_of
from whence.errors import InputError
from whence.game import Values
from whence.scoring import Facts, Part, in_order

#: Images that go through the model at once: on a processor, and on anything faster.
IMAGES, IMAGES_FAST = 8, 64


@dataclass(frozen=True)
class ImageScorer:
    """A scorer of images; made by `scorer`.

    Attributes:
        model: a transformers model; left where it is, and as it is.
        processor: its image processor.
        channels: how many channels the model reads.
        facts: what it says of itself.
        size: images of one batch; halved, and kept so, when that was too much for the memory.
    """

    model: Any
    processor: Any
    channels: int
    facts: Facts
    size: Size

    def __call__(self, items: Sequence[NDArray[Any]]) -> Values:
        """`(b, classes)` logits of images, in their order.

        Raises:
            InputError: an item that is no image, or of the wrong mode.
            ModelError: an image that does not fit in memory.
        """
        return in_order(self.stream(items))

    def stream(self, items: Sequence[NDArray[Any]]) -> Iterator[Part]:
        """See `whence.scoring.Executor`."""
        images = [pixels(item, self.channels) for item in items]

        def run(rows: NDArray[np.intp]) -> Values:
            given = processed(self.processor, [images[i] for i in rows.tolist()], self.model)
            with _torch.evaluating(self.model):
                logits = self.model(pixel_values=given, return_dict=True).logits
                return as_floats(logits)

        return in_image_batches(len(images), run, self.size)


def scorer(
    model: Any,
    processor: Any,
    *,
    labels: Sequence[str] = (),
    name: str = "",
    images_per_batch: int | None = None,
) -> ImageScorer:
    """A scorer of images by an image classifier: `(b, classes)` logits.

    An image is an array `(h, w)` or `(h, w, c)`, of whole numbers from 0 to 255 or of floats from
    0 to 1; floats are rounded to the nearest of 256 levels, which is what resizing reads. The
    processor resizes and normalises. A grey image is read by a colour model as three equal
    channels, and three equal channels by a grey one as grey, which is exact; what is not exact
    (colour to grey, transparency) is refused.

    Args:
        model: a transformers model with a head for image classification.
        processor: its image processor.
        labels: the classes' names; () takes the model's own.
        name: what to call the model.
        images_per_batch: images that go through the model at once; None leaves it to the device.

    Raises:
        InputError: labels that do not fit.
    """
    names = class_names(model, labels)
    identity = identity_of(model, [prints(processor)], "image-classification")
    size = image_size(model, images_per_batch)
    facts = Facts(
        name=name_of(model, name),
        identity=identity,
        scores="logits" if len(names) > 1 else "values",
        labels=names,
        reads=frozenset({"image"}),
        batch=64,
    )
    return ImageScorer(model, processor, channels_of(model), facts, size)


def pixels(item: Any, channels: int) -> NDArray[np.uint8]:
    """An image as bytes `(h, w, channels)`.

    Raises:
        InputError: no image, numbers out of range, or a mode that the model does not read.
    """
    image = np.asarray(item)
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise InputError(
            f"an image of shape {image.shape} came; (height, width) or (height, width, channels) "
            "is needed."
        )
    return _bytes(_in_mode(image if image.ndim == 3 else image[:, :, None], channels))


def _in_mode(image: NDArray[Any], channels: int) -> NDArray[Any]:
    have = image.shape[2]
    if have == channels:
        return image
    if have == 1 and channels == 3:
        return np.repeat(image, 3, axis=2)
    if have == 3 and channels == 1 and bool((image == image[:, :, :1]).all()):
        return image[:, :, :1]
    modes = {1: "grey", 2: "grey with transparency", 3: "colour", 4: "colour with transparency"}
    raise InputError(
        f"an image of {have} channels ({modes.get(have, 'of no known mode')}; shape "
        f"{image.shape}) came and the model reads {channels} ({modes.get(channels, 'channels')}), "
        "last in the shape. Convert it first: for instance PIL's image.convert('RGB')."
    )


def _bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    whole = np.issubdtype(image.dtype, np.integer)
    top = 255 if whole else 1
    if not (low >= 0 and high <= top and np.isfinite(high)):
        raise InputError(
            f"an image of {image.dtype} from {low:g} to {high:g} came; whole numbers must lie from "
            "0 to 255, and floats from 0 to 1. Give bytes: image.astype('uint8')."
        )
    return (image if whole else np.rint(image * 255.0)).astype(np.uint8)


def processed(processor: Any, images: Sequence[NDArray[np.uint8]], model: Any) -> Any:
    """`(b, channels, height, width)` tensor as the model reads it, where the model is."""
    torch = _torch.require()
    # The layout is said: it would be guessed from the shape otherwise.
    given = processor(images=list(images), input_data_format="channels_last", return_tensors="np")
    first = next(iter(model.parameters()))
    values = torch.as_tensor(np.stack(list(given["pixel_values"])))
    return values.to(device=_torch.device_of(model), dtype=first.dtype)


def in_image_batches(
    images: int, run: Callable[[NDArray[np.intp]], Values], size: Size
) -> Iterator[Part]:
    """The values of images, batch by batch; every image is one token long."""
    ones = np.ones(images, dtype=np.int64)
    return in_batches(
        ones, run, size, _torch.out_of_memory, named=lambda row: f"image {row}", overhead=0
    )


def image_size(model: Any, images: int | None) -> Size:
    """Images of a batch: as said, or as the device suggests."""
    fast = _torch.device_of(model).type != "cpu"
    return Size(max(1, images) if images is not None else (IMAGES_FAST if fast else IMAGES))


def channels_of(model: Any) -> int:
    """How many channels a model's images have: what its first convolution reads.

    Raises:
        InputError: it has none.
    """
    for module in model.modules():
        channels = vars(module).get("in_channels")
        if isinstance(channels, int):
            return channels
    raise InputError(
        f"{type(model).__name__} has no convolution that says how many channels its images have; "
        "score it with a function of your own."
    )


def prints(processor: Any) -> str:
    """Equal for two processors only if they prepare images alike."""
    return f"{type(processor).__qualname__} {processor.to_json_string()}"


def as_floats(tensor: Any) -> Values:
    """A tensor as float64, in the machine's memory."""
    torch = _torch.require()
    return np.asarray(tensor.detach().to(dtype=torch.float64, device="cpu").numpy())
