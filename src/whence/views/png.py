"""Holds the writing of small pictures as PNG, for pages that carry them along.

It does not know what the pixels show. Reading pictures is an adapter's work.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

#: Channels -> the colour type of the format: grey, red-green-blue, and the same with opacity.
_TYPES = {1: 0, 3: 2, 4: 6}


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file, 8 bits a channel.

    Args:
        pixels: `(h, w)` grey, `(h, w, 3)` red, green and blue, or `(h, w, 4)` with opacity.

    Source:
        Portable Network Graphics (PNG) Specification, third edition, W3C (2025).
    """
    held = pixels[:, :, None] if pixels.ndim == 2 else pixels
    height, width, channels = held.shape
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)  # filter 0 before each row
    rows[:, 1:] = held.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _TYPES[channels], 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", body), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Pixels (see `png`) as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")


def smaller(pixels: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """A picture of at most `most` pixels a side, by the mean of square blocks."""
    step = -(-max(pixels.shape[:2]) // most)
    if step <= 1:
        return pixels
    height, width = (max(1, side // step) for side in pixels.shape[:2])
    cut = pixels[: height * step, : width * step]
    if cut.shape[0] < step or cut.shape[1] < step:  # a strip thinner than a block
        return pixels[::step, ::step]
    blocks = cut.reshape(height, step, width, step, *pixels.shape[2:])
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lightness `(h, w)` of a picture `(h, w, 3)` (weights of ITU-R BT.601)."""
    return (pixels @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
