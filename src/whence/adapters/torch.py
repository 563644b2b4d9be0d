"""Holds TorchScorer: any torch module on tensors as a callable that scores arrays.

Knows nothing of masks or games: images, series or other arrays come in, the module's numbers go
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from whence.adapters._batches import Size, in_batches
from whence.adapters._torch import device_of, evaluating, fingerprint, out_of_memory, require
from whence.adapters.options import Options
from whence.errors import InputError, ShapeError
from whence.game import Values
from whence.scoring import Facts, Part, in_order

#: Layout -> the kinds of items it reads.
LAYOUTS = {
    "image": frozenset({"image", "array"}),
    "series": frozenset({"array"}),
    "as is": frozenset({"image", "array"}),
}
#: Layout -> the axes of an item that has no axis for channels.
PLAIN = {"image": 2, "series": 1}
#: Arrays that go through the module together at most, and numbers in them, if nothing is said.
ARRAYS, ELEMENTS = 256, 2**22

#: Tensors `(b, ...)` on the module's device -> what the module reads.
Preprocess = Callable[[Any], Any]


@dataclass(frozen=True)
class Normalise:
    """Bytes to 0 .. 1, then less the mean and over the standard deviation of each channel.

    Floats are taken as they are: on the scale that `mean` is on.

    Attributes:
        mean: one number, or one per channel.
        std: likewise; not 0.
        size: `(h, w)` that images are resized to first, by straight lines and without aliasing;
            None leaves them.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Refuses what is no normalisation."""
        one_each = np.ndim(self.mean) == np.ndim(self.std) == 1
        if not one_each or len(self.mean) == 0 or len(self.std) == 0 or not np.all(self.std):
            raise InputError(
                f"mean={self.mean} and std={self.std} came; give each as a tuple of one number, or "
                "of one per channel, and no 0 among the standard deviations."
            )

    def __call__(self, batch: Any) -> Any:
        """Floats of the same shape, `(b, c, ...)`, but for `size`.

        Raises:
            InputError: more or fewer channels than numbers.
        """
        torch = require()
        floats = batch.float() / 255 if batch.dtype == torch.uint8 else batch.float()
        if self.size is not None:
            floats = torch.nn.functional.interpolate(
                floats, self.size, mode="bilinear", antialias=True
            )
        return (floats - self._each(self.mean, floats)) / self._each(self.std, floats)

    def _each(self, numbers: tuple[float, ...], batch: Any) -> Any:
        channels = batch.shape[1]
        if len(numbers) not in (1, channels):
            raise InputError(
                f"{numbers} came for {channels} channel{'s' if channels > 1 else ''}; give one "
                "number, or one per channel (a grey image has one)."
            )
        shape = (-1, *(1 for _ in batch.shape[2:]))
        return batch.new_tensor(numbers).reshape(shape)


@dataclass(frozen=True)
class TorchScorer:
    """A torch module; call it with arrays, get its numbers. Made by `scorer`.

    Attributes:
        module: a `torch.nn.Module`; left on its device, in its modes.
        facts: what it says of itself.
        layout: how arrays become tensors, a key of `LAYOUTS`.
        preprocess: what is done to a batch before the module reads it, or None.
        elements: how many numbers of arrays go through it at once at most; None does not limit.
        size: how many arrays do; shrinks where memory runs out.
    """

    module: Any
    facts: Facts
    layout: str
    preprocess: Preprocess | None
    elements: int | None
    size: Size = field(compare=False)

    def __call__(self, items: Sequence[NDArray[Any]]) -> Values:
        """The module's numbers `(b, *out)` for b arrays of one shape, in their order.

        Raises:
            InputError, ShapeError, ModelError: as `stream`.
        """
        return in_order(self.stream(items))

    def stream(self, items: Sequence[NDArray[Any]]) -> Iterator[Part]:
        """See `Executor`.

        Raises:
            InputError: arrays of different shapes, or of a shape that the layout does not read.
            ShapeError: the module returned no tensor with a row per array.
            ModelError: one array alone does not fit in memory.
        """
        if len(items) == 0:
            return
        self._check(items)
        if self.elements is not None:
            self.size.tokens = min(self.size.tokens, max(1, self.elements // items[0].size))
        yield from in_batches(
            np.ones(len(items), dtype=np.int64),
            partial(self._run, items),
            self.size,
            out_of_memory,
            named=lambda row: f"an array of shape {items[row].shape}",
        )

    def _check(self, items: Sequence[NDArray[Any]]) -> None:
        shapes = {item.shape for item in items}
        if len(shapes) > 1:
            raise InputError(
                f"arrays of shapes {sorted(shapes)[:4]} came together; give arrays of one shape."
            )
        if items[0].ndim - PLAIN.get(self.layout, items[0].ndim) not in (0, 1):
            raise InputError(
                f"an array of shape {items[0].shape} came, which layout={self.layout!r} does not "
                "read: 'image' is (h, w) or (h, w, c), 'series' is (t,) or (t, c), and 'as is' "
                "passes any array on as it came."
            )

    def _run(self, items: Sequence[NDArray[Any]], rows: NDArray[np.intp]) -> Values:
        with evaluating(self.module):
            answer = self.module(self._tensor(np.stack([items[row] for row in rows])))
            return _numbers(answer, len(rows))

    def _tensor(self, batch: NDArray[Any]) -> Any:
        """What the module reads, on its device and, of bytes and floats, in its type."""
        torch = require()
        if self.layout != "as is":
            alone = batch.ndim - 1 == PLAIN[self.layout]
            batch = batch[:, None] if alone else np.moveaxis(batch, -1, 1)
        tensor = torch.from_numpy(np.ascontiguousarray(batch)).to(device_of(self.module))
        if self.preprocess is not None:
            tensor = self.preprocess(tensor)
        indices = not tensor.is_floating_point() and tensor.dtype not in (torch.uint8, torch.bool)
        return tensor if indices else tensor.to(_dtype(self.module))


def scorer(
    module: Any,
    *,
    labels: Sequence[str] = (),
    preprocess: Preprocess | None = None,
    scores: str = "logits",
    layout: str = "image",
    name: str = "",
    identity: str | None = None,
    batch: int | None = None,
) -> TorchScorer:
    """A module as a scorer of arrays, for `image_game`, `series_game` and `array_game`.

    The module runs where it is, in inference mode, with dropout and batch statistics off, and is
    put back in the modes it was found in. Arrays become tensors of its floating-point type; whole
    numbers other than bytes stay whole, as an embedding wants them.

    Args:
        module: a `torch.nn.Module` whose forward takes one tensor `(b, ...)` and returns a tensor
            `(b, classes)`, `(b,)` or `(b, *out)`, or a mapping that holds one as "logits".
        labels: the classes' names, in the order of its outputs.
        preprocess: `Normalise(...)`, or any function of a tensor `(b, ...)` (a torchvision
            transform of batches, say), which then gets bytes as bytes. None passes numbers on as
            they came: bytes 0 to 255 stay so.
        scores: what it returns: "logits" or "probabilities" of classes, or "values".
        layout: "image": `(h, w)` -> `(b, 1, h, w)`, `(h, w, c)` -> `(b, c, h, w)`; "series":
            `(t,)` -> `(b, 1, t)`, `(t, c)` -> `(b, c, t)`; "as is": `(b, *shape)`.
        name: for people; "" takes the name of its class.
        identity: a string equal only for models that score alike. None makes one of the module's
            class, printed form and tensors, and of `Normalise`; not when `preprocess` is another
            function, so that a journal on disk then needs this. The code of `forward` is not part
            of it: say an identity of your own when you edit that between runs.
        batch: arrays that go through at once; None chooses by their size. Halved, and kept so,
            where memory runs out.

    Raises:
        MissingExtra: torch is not installed.
        InputError: not a module, or a layout, scores or batch that does not exist.
    """
    torch = require()
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"module came as {type(module).__name__}; a torch.nn.Module is needed. A plain "
            "function needs no adapter: give it to the game as it is."
        )
    if layout not in LAYOUTS:
        raise InputError(f"layout={layout!r} came; it must be one of {', '.join(LAYOUTS)}.")
    if scores not in ("logits", "probabilities", "values"):
        raise InputError(f"scores={scores!r} came; give 'logits', 'probabilities' or 'values'.")
    if batch is not None and batch < 1:
        raise InputError(f"batch={batch!r} came; it is arrays at once, at least 1.")
    facts = Facts(
        name=name or type(module).__name__,
        identity=_identity(module, layout, preprocess) if identity is None else identity,
        scores=scores,
        labels=_labels(labels),
        reads=LAYOUTS[layout],
        batch=batch or ARRAYS,
    )
    elements = ELEMENTS if batch is None else None
    return TorchScorer(module, facts, layout, preprocess, elements, Size(facts.batch))


def opened(rest: str, options: Options) -> NoReturn:
    """Refuses, whatever is named: no file of torch's holds a module that is safe to load.

    TorchScript (`torch.jit.load`) and exported programs (`torch.export.load`) unpickle what they
    read, by their own documentation, and a checkpoint holds tensors without their module.

    Raises:
        InputError: always; it says what to do instead.
    """
    options.only("a torch file")
    raise InputError(
        f"{rest!r} came as a torch module. A checkpoint (.pt, .pth, .safetensors) holds tensors "
        "without the module that they belong to, and to load TorchScript or an exported program "
        "(.ts, .pt2) can run code that somebody put into it. Build the module in a file of yours, "
        "and name a function there that gives whence.adapters.torch.scorer(module): "
        "--model 'python:your_file.py:your_function()'."
    )


def _labels(labels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise InputError(f"labels={labels!r} came; a sequence is needed, one label per class.")
    return tuple(labels)


def _identity(module: Any, layout: str, preprocess: Preprocess | None) -> str | None:
    if preprocess is not None and not isinstance(preprocess, Normalise):
        return None
    # Modules of one class can differ in what they hold: a Sequential with ReLU or with GELU.
    own = fingerprint(module, repr(module), layout, repr(preprocess))
    return None if own is None else f"torch:{own}"


def _dtype(module: Any) -> Any:
    """The floating-point type that a module computes in: that of its first such tensor."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            return tensor.dtype
    return require().float32


def _numbers(answer: Any, rows: int) -> Values:
    """What a module returned for some arrays, as floats `(rows, *out)`.

    Raises:
        ShapeError: no real tensor, or not a row per array.
    """
    torch = require()
    named = isinstance(answer, Mapping) and "logits" in answer
    found: Any = answer["logits"] if named else answer
    if not isinstance(found, torch.Tensor) or found.is_complex():
        raise ShapeError(
            f"the module returned {_described(found)}; a tensor of real numbers, one row per "
            "input, is needed. Wrap it in a module whose forward returns that tensor alone."
        )
    if found.ndim == 0 or len(found) != rows:
        raise ShapeError(
            f"the module returned a tensor of shape {tuple(found.shape)} for {rows} inputs; one "
            "row per input is needed. Does its forward take a mean over the batch?"
        )
    return found.double().cpu().numpy()


def _described(answer: Any) -> str:
    if isinstance(answer, Mapping):
        return f"a {type(answer).__name__} of {', '.join(map(str, answer)) or 'nothing'}"
    if isinstance(answer, tuple | list):
        return f"a {type(answer).__name__} of {len(answer)}"
    return f"a {type(answer).__name__}"
