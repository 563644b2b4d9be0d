"""Holds the drawing of a map over its picture: heat on a grid of tokens, as pixels and as SVG.

It does not know what the strengths mean, nor how a page is laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from whence.prospectors import Grid
from whence.units import Units
from whence.views.png import data_uri, grey, smaller

#: The colours of `style.css`, which colour-blind readers can tell apart: more, and less.
MORE, LESS = (37, 99, 201), (226, 110, 10)
#: The strongest token is this opaque, so that the picture can be seen below it.
DARKEST = 0.8
#: Pixels a side of a picture that a page carries, and tokens that can be pointed at.
LARGEST, POINTED = 512, 300


def places(units: Units, layout: object) -> NDArray[np.int64] | None:
    """The token of each pixel or place, `(h, w)`, -1 for none; None for tokens on no grid."""
    if units.grid is not None and units.grid.ndim == 2:
        return units.grid.astype(np.int64)
    if not isinstance(layout, Grid):
        return None
    present = np.ones((layout.height, layout.width), dtype=bool)
    if layout.present is not None:
        present = layout.present
    held = np.full(present.shape, -1, dtype=np.int64)
    held[present] = np.arange(int(present.sum()))
    return held


def heat(strength: Sequence[float], at: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Strengths as `(h, w, 4)` pixels: blue above zero, orange below, clear at zero."""
    values = np.append(np.asarray(strength, dtype=np.float64), 0.0)[at]  # -1 is the appended zero
    pixels = np.zeros((*at.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(values[..., None] >= 0, MORE, LESS)
    pixels[..., 3] = (255 * DARKEST * np.abs(values)).round().astype(np.uint8)
    return pixels


def overlay(
    strength: Sequence[float],
    titles: Sequence[str],
    at: NDArray[np.int64],
    picture: NDArray[np.uint8] | None,
) -> str:
    """The picture, and beside it its grey form under the heat; titles where a reader points.

    Args:
        strength: one per token, -1 to 1.
        titles: one per token.
        at: from `places`.
        picture: `(h, w, 3)`, of any size; None draws the heat alone.
    """
    height, width = at.shape if picture is None else picture.shape[:2]
    heated = _image(heat(strength, at), width, height, "heat")
    pointed = _pointed(strength, titles, at, width / at.shape[1], height / at.shape[0])
    if picture is None:
        return f'<div class="pictures">{_svg(heated + pointed, width, height)}</div>\n'
    small = smaller(picture, LARGEST)
    own = _image(small, width, height, "picture")
    # Lightened, so that the heat is seen on what is dark too.
    below = _image((80 + grey(small) * (175 / 255)).astype(np.uint8), width, height, "picture")
    return (
        f'<div class="pictures">{_svg(own, width, height)}'
        f"{_svg(below + heated + pointed, width, height)}</div>\n"
    )


def _svg(inner: str, width: int, height: int) -> str:
    # A small grid is drawn large enough to be seen.
    shown = max(width, round(280 * min(1.0, width / height)))
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{shown}" role="img" '
        f'preserveAspectRatio="xMidYMid meet">{inner}</svg>'
    )


def _image(pixels: NDArray[np.uint8], width: int, height: int, kind: str) -> str:
    return (
        f'<image class="{kind}" href="{data_uri(pixels)}" width="{width}" height="{height}" '
        'preserveAspectRatio="none"/>'
    )


def _pointed(
    strength: Sequence[float],
    titles: Sequence[str],
    at: NDArray[np.int64],
    across: float,
    down: float,
) -> str:
    """Clear boxes over the strongest tokens, each with its title."""
    from scipy.ndimage import find_objects

    boxes = find_objects(at + 1, max_label=len(strength))
    chosen = sorted(range(len(strength)), key=lambda i: -abs(strength[i]))[:POINTED]
    drawn: list[str] = []
    for token in sorted(chosen):
        box = boxes[token]
        if box is None:
            continue
        rows, columns = box
        drawn.append(
            f'<rect x="{columns.start * across:.1f}" y="{rows.start * down:.1f}" '
            f'width="{(columns.stop - columns.start) * across:.1f}" '
            f'height="{(rows.stop - rows.start) * down:.1f}">'
            f"<title>{escape(titles[token])}</title></rect>"
        )
    return f'<g class="points">{"".join(drawn)}</g>'
