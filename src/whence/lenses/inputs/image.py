"""Holds image_game: a model's callable and an image -> a Game over patches or segments of it.

It does not know how files are read (adapters), how a mask becomes an array (array), nor what
noise inpainting solves (inpaint).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError, MissingExtra
from whence.game import Game
from whence.lenses.inputs.array import Told, as_seed, many_enough, masked_game
from whence.lenses.inputs.inpaint import Inpainted
from whence.lenses.inputs.masked import Fill, Fixed, Masked, as_finite, as_type
from whence.scoring import Score
from whence.units import Units

#: Where something is always present: `(top, left, bottom, right)` in pixels, ends not included.
Box = tuple[int, int, int, int]
Grid = NDArray[np.int32]

#: The default blur's standard deviation, as a share of the image's shorter side.
BLUR = 0.25
#: SLIC's weight of nearness against colour. At scikit-image's own, 10, photographs fall into as few
#: as a third of the segments that were asked for.
COMPACT = 20.0
POLICIES = (
    "'blur', 'blur:' and its standard deviation in pixels, 'mean', 'constant:' and one number or "
    "one per channel ('constant:0', 'constant:124,116,104'), 'noise', or an image of the same shape"
)
KINDS = (
    "'patches:8' (8 rows of 8), 'patches:8x6' (8 rows of 6), 'slic:50' (about 50 segments), or "
    "whole numbers (h, w), the unit of each pixel, -1 for what is always present"
)


def image_game(
    score: Score,
    image: ArrayLike,
    *,
    units: str | ArrayLike = "patches:8",
    absent: str | ArrayLike = "blur",
    pin: Sequence[Box] = (),
    output: str | int | None = None,
    link: str | None = None,
    scores: str | None = None,
    labels: Sequence[str] = (),
    identity: str | None = None,
    batch: int | None = None,
    rng: int | np.random.Generator = 0,
) -> Game:
    """A game whose units are regions of an image, valued by a model's scores without some of them.

    The model is called here only to find the class that it predicts, once. A
    masked image has the type and range of the image: whole numbers are rounded.

    Args:
        score: images -> raw scores `(b, classes)`, or plain numbers `(b,)`. A bare callable gets
            one array `(b, h, w)` or `(b, h, w, 3)`; an adapter's gets a list of images.
        image: `(h, w)` grey or `(h, w, 3)` colour, bytes (uint8) or floats.
        units: "patches:R" for R rows of R patches, "patches:RxC" for R rows of C; "slic:N" for
            about N superpixels (needs scikit-image); or whole numbers `(h, w)`, the unit of each
            pixel: each different number is a unit, in increasing order, and -1 is always present.
        absent: what stands at the pixels of absent units. "blur": the image after a Gaussian blur
            with a standard deviation of `BLUR` of the shorter side, or "blur:SIGMA" in pixels;
            "mean": its mean colour; "constant:0" or "constant:r,g,b", in the image's own numbers;
            "noise": inpainted from what is present, see `Inpainted`; or another image.
        pin: boxes `(top, left, bottom, right)` of pixels that are always present, ends not
            included. A unit loses those pixels; one that has no others is no unit.
        output: a class by label or index, a contrast "a-b", or "all"; None for the class that
            the model predicts, and for plain numbers.
        link: "log-odds" (as None means), "log-probability", "probability" or "logit".
        scores: "logits", "probabilities" or "values" (plain numbers); None asks the adapter, and
            takes a bare callable's for logits.
        labels: the classes' names, in the order of the scores; () asks the adapter.
        identity: a string equal only for models that score alike; None asks the adapter.
        batch: images per call of a bare callable, and values kept at a time; None asks the adapter.
        rng: seed or generator of the noise of absent="noise". A mask's noise depends on the seed
            and the mask alone.

    Raises:
        InputError: an image, units, policy or output that cannot be used as it came.
        MissingExtra: "slic" without scikit-image.

    Source:
        SLIC: Achanta et al. (2012), as in scikit-image. Noise: see `Inpainted`. A blurred image in
        the place of what is absent: Fong and Vedaldi (2017); Petsiuk, Das and Saenko (2018), who
        blur by 5 pixels for 224. We blur more: a patch must not show through.
    """
    render, named = masked_image(image, units=units, absent=absent, pin=pin, rng=rng)
    said = Told(scores, labels, identity, batch)
    return masked_game(score, render, named, said, kind="image", output=output, link=link)


def masked_image(
    image: ArrayLike,
    *,
    units: str | ArrayLike = "patches:8",
    absent: str | ArrayLike = "blur",
    pin: Sequence[Box] = (),
    rng: int | np.random.Generator = 0,
) -> tuple[Masked, Units]:
    """What masks make of an image, and its units; the arguments are those of `image_game`.

    Raises:
        InputError: as `image_game`, for the image and its units.
    """
    whole = as_image(image)
    cut = pinned(regions(whole, units), pin)
    kind, grid, labelled = _numbered(cut, units)
    many_enough(len(labelled), kind, f"Cut it finer, or pin less: units= {KINDS}.")
    fill = stand_in(whole, grid, absent, as_seed(rng))
    depth = grid if whole.ndim == 2 else grid[..., None]
    return Masked(whole, depth, fill), Units(labelled, kind=kind, grid=grid)


def as_image(image: ArrayLike) -> NDArray[Any]:
    """The image, as an array of one's own.

    Raises:
        InputError: of another mode, shape or type, or with numbers that are not finite.
    """
    own = as_finite(image, "the image")
    fault = _fault(own.shape)
    if fault:
        raise InputError(
            f"an image of shape {own.shape} came: {fault}. Needed is (h, w) for grey or (h, w, 3) "
            "for colour; an array of another kind goes through array_game."
        )
    if own.dtype.kind != "f" and own.dtype != np.uint8:
        raise InputError(
            f"an image of type {own.dtype} came; bytes (uint8) or floats are needed. Convert it: "
            "image.astype('float32'), on the scale that the model reads."
        )
    return own


def _fault(shape: tuple[int, ...]) -> str:
    """What is wrong with an image's shape; "" when nothing is."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
        return ""
    if len(shape) == 4:
        return "that is a batch; give one image, such as images[0]"
    if len(shape) != 3:
        return "an image has two axes, or three"
    if shape[0] in (1, 3):
        return "its channels come first; turn it with image.transpose(1, 2, 0)"
    if shape[2] == 1:
        return "a grey image needs no third axis; drop it with image[..., 0]"
    if shape[2] in (2, 4):
        return "it has an alpha channel, it seems; lay it over a background that you choose"
    return f"it has {shape[2]} channels"


# --- units ------------------------------------------------------------------------------------


def regions(image: NDArray[Any], units: str | ArrayLike) -> Grid:
    """The region of each pixel, `(h, w)`, -1 for none; see `image_game`.

    Raises:
        InputError: units that do not exist, or do not fit.
    """
    if not isinstance(units, str):
        return _as_map(np.asarray(units), image.shape[:2])
    found = re.fullmatch(r"(patches|slic):([0-9]{1,6})(?:x([0-9]{1,6}))?", units)
    if not found or (found[1] == "slic" and found[3]):
        raise InputError(f"units={units!r} came; it must be {KINDS}.")
    count = int(found[2])
    if found[1] == "slic":
        return superpixels(image, count)
    return patches(image.shape[:2], count, int(found[3] or count))


def patches(shape: tuple[int, ...], rows: int, columns: int) -> Grid:
    """A grid of patches, numbered row by row, whose sides differ by at most one pixel.

    Raises:
        InputError: no patches, or more than pixels.
    """
    h, w = shape
    if not (1 <= rows <= h and 1 <= columns <= w):
        raise InputError(
            f"units='patches:{rows}x{columns}' came for an image of {h} x {w} pixels; rows of "
            f"patches must be 1 to {h} and columns 1 to {w}."
        )
    down, along = np.arange(h) * rows // h, np.arange(w) * columns // w
    return (down[:, None] * columns + along).astype(np.int32)


def superpixels(image: NDArray[Any], count: int) -> Grid:
    """SLIC superpixels, about `count`; a grey image is cut as its colour version would be.

    Raises:
        MissingExtra: scikit-image is not installed.
    """
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise MissingExtra(
            'scikit-image is not installed, and units="slic:..." needs it: '
            'pip install "whence[image]". Or cut a grid: units="patches:8".'
        ) from error
    if not 1 <= count <= image.shape[0] * image.shape[1]:
        raise InputError(f"units='slic:{count}' came; give 1 to {image.shape[0] * image.shape[1]}.")
    colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    cut = slic(colour, n_segments=count, compactness=COMPACT, start_label=0)
    return np.asarray(cut, dtype=np.int32)


def _as_map(given: NDArray[Any], shape: tuple[int, ...]) -> Grid:
    if given.dtype.kind not in "iu" or given.shape != shape:
        raise InputError(
            f"units came with type {given.dtype} and shape {given.shape} for an image of "
            f"{shape[0]} x {shape[1]} pixels; it must be {KINDS}."
        )
    if given.min() < -1 or given.max() > np.iinfo(np.int32).max:
        raise InputError(
            f"units holds numbers from {given.min()} to {given.max()}; 0 and up name units, and "
            "-1 is always present."
        )
    return given.astype(np.int32)


def pinned(grid: Grid, boxes: Sequence[Box]) -> Grid:
    """The grid with -1 in the boxes.

    Raises:
        InputError: a box that is not in the image.
    """
    h, w = grid.shape
    grid = grid.copy()
    for box in boxes:
        top, left, bottom, right = _sides(box)
        if not (0 <= top < bottom <= h and 0 <= left < right <= w):
            raise InputError(
                f"pin={tuple(box)} came for an image of {h} x {w} pixels; a box is (top, left, "
                f"bottom, right) with 0 <= top < bottom <= {h} and 0 <= left < right <= {w}."
            )
        grid[top:bottom, left:right] = -1
    return grid


def _sides(box: object) -> Box:
    sides = np.asarray(box)
    if sides.shape != (4,) or sides.dtype.kind not in "iu":
        raise InputError(
            f"pin holds {box!r}; boxes are needed, each (top, left, bottom, right) in whole "
            "pixels: pin=[(0, 0, 8, 8)]."
        )
    top, left, bottom, right = sides.tolist()
    return top, left, bottom, right


def _numbered(cut: Grid, units: str | ArrayLike) -> tuple[str, Grid, tuple[str, ...]]:
    """What a unit is called, the grid with units counted from 0, and their labels."""
    used = np.unique(cut[cut >= 0])
    grid = np.where(cut < 0, -1, np.searchsorted(used, cut)).astype(np.int32)
    if isinstance(units, str) and units.startswith("patches"):
        columns = int(units.partition(":")[2].split("x")[-1])
        places = [divmod(int(one), columns) for one in used]
        return "patch", grid, tuple(f"row {r + 1}, column {c + 1}" for r, c in places)
    middles = _middles(grid, len(used))
    pairs = zip(used.tolist(), middles.tolist(), strict=True)
    return "segment", grid, tuple(f"segment {one} (at {y}, {x})" for one, (y, x) in pairs)


def _middles(grid: Grid, n: int) -> NDArray[np.intp]:
    """`(n, 2)` row and column of the mean of each unit's pixels."""
    free = grid >= 0
    sizes = np.bincount(grid[free], minlength=n)
    sums = [np.bincount(grid[free], weights=axis, minlength=n) for axis in np.nonzero(free)]
    return np.rint(np.stack(sums, axis=1) / sizes[:, None]).astype(np.intp)


# --- absent pixels ----------------------------------------------------------------------------


def stand_in(image: NDArray[Any], grid: Grid, absent: str | ArrayLike, seed: int) -> Fill:
    """What stands at absent pixels; see `image_game`.

    Raises:
        InputError: a policy that does not exist, or does not fit.
    """
    if not isinstance(absent, str):
        return Fixed(_other(np.asarray(absent), image))
    name, colon, rest = absent.partition(":")
    numbers = _numbers(rest) if colon else []
    channels = 1 if image.ndim == 2 else 3
    colour = np.array(numbers if channels > 1 else numbers[:1])
    if absent == "mean":
        return _same(image, np.asarray(image.mean(axis=(0, 1))))
    if absent == "noise":
        return Inpainted(image, grid, seed)
    if name == "constant" and len(numbers) in (1, channels) and _held(colour, image.dtype):
        return _same(image, colour)
    if absent == "blur":
        return Fixed(blurred(image, BLUR * min(image.shape[:2])))
    if name == "blur" and len(numbers) == 1 and numbers[0] > 0:
        return Fixed(blurred(image, numbers[0]))
    raise InputError(
        f"absent={absent!r} came for an image of {channels} channel{'s'[: channels - 1]} and type "
        f"{image.dtype}; it must be {POLICIES}. A colour is in the image's own numbers: bytes are "
        "whole, 0 to 255."
    )


def blurred(image: NDArray[Any], sigma: float) -> NDArray[Any]:
    """The image after a Gaussian blur of `sigma` pixels; beyond its edge, its mirror image."""
    from scipy.ndimage import gaussian_filter

    wide = (sigma, sigma, 0)[: image.ndim]
    return as_type(gaussian_filter(image.astype(np.float64), wide, mode="reflect"), image.dtype)


def _same(image: NDArray[Any], colour: NDArray[Any]) -> Fixed:
    return Fixed(as_type(np.broadcast_to(colour, image.shape).astype(np.float64), image.dtype))


def _held(colour: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether a type holds a colour as it is: bytes are not to be rounded in silence."""
    return dtype.kind == "f" or bool(np.array_equal(as_type(colour, dtype), colour))


def _other(given: NDArray[Any], image: NDArray[Any]) -> NDArray[Any]:
    bytes_differ = (given.dtype == np.uint8) != (image.dtype == np.uint8)
    if given.shape != image.shape or given.dtype.kind not in "uf" or bytes_differ:
        raise InputError(
            f"absent came as an array of type {given.dtype}, shape {given.shape}, for an image of "
            f"shape {image.shape} and type {image.dtype}; give an image like it, or {POLICIES}."
        )
    return as_type(as_finite(given, "absent").astype(np.float64), image.dtype)


def _numbers(text: str) -> list[float]:
    """Finite numbers with commas between them; none when it is anything else."""
    try:
        numbers = [float(one) for one in text.split(",")]
    except ValueError:
        return []
    return numbers if np.isfinite(numbers).all() else []
