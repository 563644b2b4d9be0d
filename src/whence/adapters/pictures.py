"""Holds read_picture: a picture's file -> its pixels, the right way up.

It does not know what is done with the pixels (lenses).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra

#: Formats that are decoded in this process, without the help of another program.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
#: Pixels of the largest picture that is decoded.
MOST = 50_000_000
#: Modes whose pixels have one meaning as red, green and blue.
PLAIN = frozenset({"1", "L", "P", "RGB", "YCbCr"})


def read_picture(path: str | Path, *, most: int = MOST) -> NDArray[np.uint8]:
    """The pixels of a picture, as a person sees it.

    It is turned as its EXIF orientation says. Grey, black-and-white and palette pictures become
    red, green and blue. A transparent one is refused unless every pixel is opaque, for a
    background is a choice that the model sees; so are CMYK, 16-bit and float pictures, and
    animations. Colour profiles are not applied.

    Args:
        path: a PNG, JPEG, WebP, BMP, GIF, TIFF or PPM file.
        most: pixels of the largest picture that is decoded.

    Returns:
        `(h, w, 3)` bytes, red, green and blue.

    Raises:
        MissingExtra: Pillow is not installed.
        InputError: no such file, no such picture, one too large, or one of another mode.
    """
    image, failures = _pillow()
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes, which are checked here, and of oddities that change no pixel.
            warnings.simplefilter("ignore")
            with image.open(path, formats=FORMATS) as picture:
                _check(path, picture, most)
                return _pixels(path, picture)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path} came as a picture; there is no such file.") from error
    except failures as error:
        raise InputError(
            f"{path} cannot be read as a picture ({error}). Give a whole file in one of "
            f"{', '.join(FORMATS)}."
        ) from error


def _pillow() -> tuple[Any, tuple[type[Exception], ...]]:
    """Pillow's Image module, and what it raises on files that it cannot read."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra(
            'Pillow is not installed, and reading a picture needs it: pip install "whence[image]"'
        ) from error
    damaged = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
    return Image, damaged


def _check(path: str | Path, picture: Any, most: int) -> None:
    """Refuses what is not to be decoded, from its header alone."""
    width, height = picture.size
    if width * height > most:
        raise InputError(
            f"{path} is {width:,} x {height:,} pixels; at most {most:,} in all are decoded. Make "
            "it smaller first, to about the size that the model reads."
        )
    if _animated(picture):
        raise InputError(f"{path} is an animation; save the one frame that is meant.")


def _animated(picture: Any) -> bool:
    """Whether there is a second frame; in a camera's JPEG (called MPO) it is only a preview."""
    if picture.format == "MPO":
        return False
    try:
        picture.seek(1)
    except EOFError:
        picture.seek(0)
        return False
    return True


def _pixels(path: str | Path, picture: Any) -> NDArray[np.uint8]:
    from PIL import ImageOps

    turned: Any = ImageOps.exif_transpose(picture)
    if turned.has_transparency_data:
        turned = turned.convert("RGBA")
        if turned.getextrema()[3][0] < 255:
            raise InputError(
                f"{path} has transparent pixels; lay it over a background that you choose, for "
                "the model will see that background."
            )
        turned = turned.convert("RGB")
    if turned.mode not in PLAIN:
        raise InputError(
            f"{path} is a picture of mode {turned.mode}; 8-bit grey, palette or RGB is needed. "
            "Convert it to RGB with a program that knows its colours."
        )
    return np.array(turned.convert("RGB"), dtype=np.uint8)
