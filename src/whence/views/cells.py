"""Holds the measuring, shortening and wrapping of text in terminal cells.

It knows the width of a character, through rich, and nothing of what a text means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from whence.views.tiles import Tile

#: A piece of a line, and the tile it came from.
Piece = tuple[str, Tile]

_WORDS = re.compile(r"\n|[^\S\n]+|[^\s]+")


def width_of(text: str) -> int:
    """Cells that a text takes in a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit_in(text: str, width: int) -> int:
    """How many leading characters of a text fit in `width` cells."""
    if width_of(text) <= width:
        return len(text)
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width_of(text[:middle]) <= width else (low, middle - 1)
    return low


def shortened(text: str, width: int) -> str:
    """A text in at most `width` cells, with an ellipsis in its middle when it is longer."""
    if width_of(text) <= width:
        return text
    if width < 3:
        return text[: fit_in(text, width)]
    left = width // 2
    tail = text[::-1]
    right = fit_in(tail, width - left - 1)
    return f"{text[: fit_in(text, left)]}\u2026{text[len(text) - right :]}"


def joined(names: Sequence[str], width: int) -> str:
    """Names with " + " between them in at most `width` cells, the longest shortened first."""
    room = width - 3 * (len(names) - 1)
    sizes = [width_of(name) for name in names]
    most = max(sizes)
    while most > 1 and sum(min(size, most) for size in sizes) > room:
        most -= 1
    return shortened(" + ".join(shortened(name, most) for name in names), width)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """A text shortened or filled with spaces to exactly `width` cells."""
    text = shortened(text, width)
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def paragraph(text: str, width: int, indent: str = "", hanging: str = "") -> list[str]:
    """A text in lines of at most `width` cells, cut at spaces where it can be."""
    lines: list[str] = []
    line = indent
    for word in text.split():
        room = width - width_of(line)
        if line.strip() and width_of(word) + 1 > room:
            lines.append(line)
            line, room = hanging, width - width_of(hanging)
        elif line.strip():
            line += " "
            room -= 1
        while width_of(word) > room:
            at = max(1, fit_in(word, room))
            lines.append(line + word[:at])
            line, word, room = hanging, word[at:], width - width_of(hanging)
        line += word
    return [*lines, line] if line.strip() else lines


def running(tiles: Sequence[Tile], width: int) -> Iterator[list[Piece]]:
    """Tiles in lines of at most `width` cells, cut at spaces where they can be.

    A line break of the text ends a line; several in a row leave one empty line.
    """
    line: list[Piece] = []
    used = 0
    empty = 0
    for word in _unbroken(tiles):
        text = "".join(piece for piece, _ in word)
        if text == "\n":
            empty = 0 if line else empty + 1
            if line or empty == 1:
                yield line
            line, used = [], 0
            continue
        if used + width_of(text) > width and line:
            yield _stripped(line)
            line, used = [], 0
        if text.isspace() and not line:
            continue
        for part in _pieces(word, width):
            size = width_of(part[0])
            if used + size > width:
                yield line
                line, used = [], 0
            line.append(part)
            used += size
    if line:
        yield _stripped(line)


def _unbroken(tiles: Sequence[Tile]) -> Iterator[list[Piece]]:
    """Runs that are not cut: words across tiles, spaces, and single line breaks."""
    word: list[Piece] = []
    for tile in tiles:
        for found in _WORDS.finditer(tile.text):
            text = found[0]
            solid = not text.isspace()
            if word and not (solid and _may_join(word[-1], tile, text)):
                yield word
                word = []
            word.append((text, tile))
            if not solid:
                yield word
                word = []
    if word:
        yield word


def _may_join(before: Piece, tile: Tile, text: str) -> bool:
    """Whether two pieces stay on one line: not so for two units in a script without spaces."""
    both = before[1].unit is not None and tile.unit is not None
    return not (both and before[1].unit != tile.unit and not (before[0] + text).isascii())


def _pieces(word: list[Piece], width: int) -> Iterator[Piece]:
    """A word's pieces, each cut to at most `width` cells."""
    for text, tile in word:
        while width_of(text) > width:
            at = max(1, fit_in(text, width))
            yield text[:at], tile
            text = text[at:]
        yield text, tile


def _stripped(line: list[Piece]) -> list[Piece]:
    while line and line[-1][0].isspace():
        line = line[:-1]
    return line
