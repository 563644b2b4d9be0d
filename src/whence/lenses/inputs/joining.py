"""Holds the pieces of a cut text, and how those that are left are joined into what a model reads.

It does not know which absent policy says what stands in a unit's place (render), nor how the text
was cut (segment).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.lenses.inputs.layout import Span, Wrapper, edges, indented, stripped
from whence.lenses.inputs.segment import Segmented
from whence.masks import Masks
from whence.scoring import HiddenText


class Piece(NamedTuple):
    """A unit, or pinned text.

    Attributes:
        shown: what stands there when it is present, its own indentation included.
        absent: what stands there when it is absent; "" leaves it out with the glue beside it.
        glue: what follows it when something else does.
        column: its unit; -1 when it is pinned.
        span: where it is, in the text.
    """

    shown: str
    absent: str
    glue: str
    column: int
    span: Span


class Box(NamedTuple):
    """Pieces with text around them.

    Attributes:
        opening: text before them.
        inside: the pieces.
        closing: text after them.
        glue: as of a piece.
        apart: whether glue that is left of absent units parts the opening from what follows.
        wrapper: where it is, and whether it stays when nothing is left inside.
    """

    opening: str
    inside: tuple[Piece | Box, ...]
    closing: str
    glue: str
    apart: bool
    wrapper: Wrapper


@dataclass(frozen=True)
class Renderer:
    """Masks -> texts.

    Between two kept neighbours stands one piece of glue, the first (or widest) that stands between
    them in the text, or none if none does. Whitespace at the ends of the text stays.

    Attributes:
        before: what the text begins with, whatever is absent.
        pieces: units and pinned text, in the order of the text.
        after: what the text ends with.
        widest: as of the layout.
    """

    before: str
    pieces: tuple[Piece | Box, ...]
    after: str
    widest: bool = False

    def __call__(self, masks: Masks) -> list[str]:
        """The text of each mask `(b, n)`, in order."""
        # Pinned pieces have column -1, which is the last one.
        present = np.ones((len(masks), masks.shape[1] + 1), dtype=np.bool_)
        present[:, :-1] = masks
        return [
            f"{self.before}{_joined(self.pieces, row, self.widest)[0]}{self.after}"
            for row in present.tolist()
        ]


def _joined(
    pieces: tuple[Piece | Box, ...], present: list[bool], widest: bool, apart: bool = False
) -> tuple[str, bool]:
    """The text of some pieces, and whether a unit, or what replaces one, is in it.

    With `apart` they follow something, and glue may stand before the first that is left.
    """
    out: list[str] = []
    between = ""
    live = False
    for piece in pieces:
        if isinstance(piece, Piece):
            shown, absent, glue, column, _ = piece
            text = shown if present[column] else absent
            live = live or (column >= 0 and bool(text))
        else:
            text, lives = _boxed(piece, present, widest)
            glue, live = piece.glue, live or lives
        if text:
            if out or apart:
                out.append(between)
            out.append(text)
            between = glue
        elif not between or (widest and glue.count("\n") > between.count("\n")):
            between = glue
    return "".join(out), live


def _boxed(box: Box, present: list[bool], widest: bool) -> tuple[str, bool]:
    inside, live = _joined(box.inside, present, widest, box.apart)
    if not live and not box.wrapper.stays:
        return "", False
    if not inside:
        return box.opening.rstrip() + box.closing.lstrip(), live
    return f"{box.opening}{inside}{box.closing}", live


def renderer(cut: Segmented, fill: Sequence[str]) -> Renderer:
    """The renderer of a cut text, `fill[i]` standing in for unit i when it is absent."""
    text = cut.units.text or ""
    before, pieces, after = _Builder(cut, fill).between(0, len(text))
    return Renderer(before, pieces, after, cut.layout.widest)


class _Builder:
    """Makes the pieces of a cut text, from left to right."""

    def __init__(self, cut: Segmented, fill: Sequence[str]) -> None:
        self.text, self.layout = cut.units.text or "", cut.layout
        columns = {span: i for i, span in enumerate(cut.units.spans or ())}
        self.columns, self.fill = columns, fill
        # Where whitespace alone is glue, pinned text is what lies between the units.
        leaves = list(cut.cut) if self.layout.joined else list(columns)
        self.elements: list[Span | Wrapper] = sorted([*leaves, *self.layout.wrappers])
        self.at = 0

    def between(self, start: int, end: int) -> tuple[str, tuple[Piece | Box, ...], str]:
        """What the text from `start` to `end` begins with, its pieces, and what it ends with."""
        pieces: list[Piece | Box] = []
        before = ""
        while self.at < len(self.elements) and self.elements[self.at][0] < end:
            element = self.elements[self.at]
            self.at += 1
            first, own = self._gap(pieces, start, element[0])
            before = first or before
            pieces.append(self._made(element, own))
            start = element.end if isinstance(element, Wrapper) else element[1]
        *pinned, (after, _) = self._parts(start, end)
        if pinned:
            # The last space is no glue: it is what the text ends with.
            before = self._gap(pieces, start, end - len(after))[0] or before
        return before, tuple(pieces), after

    def _gap(self, pieces: list[Piece | Box], start: int, end: int) -> tuple[str, str]:
        """Adds what is pinned between two units, and the glue to the piece before.

        Returns:
            What the text begins with, if no piece was there before, and the next one's indentation.
        """
        before, own = "", ""
        for space, pinned in self._parts(start, end):
            glue, own = (space, "")
            if self.layout.lines:
                glue, own = indented(space, not pieces)
            if pieces:
                pieces[-1] = pieces[-1]._replace(glue=glue)
            else:
                before = glue
            if pinned[0] < pinned[1]:
                shown = own + self.text[slice(*pinned)]
                pieces.append(Piece(shown, shown, "", -1, pinned))
        return before, own

    def _parts(self, start: int, end: int) -> list[tuple[str, Span]]:
        """The whitespace between two units, and what is pinned after each; the last is nothing."""
        gap = self.text[start:end]
        if self.layout.joined or not gap.strip():
            return [(gap, (end, end))]
        before, after = edges(gap)
        pinned = (start + len(before), end - len(after))
        return [(before, pinned), (after, (end, end))]

    def _made(self, element: Span | Wrapper, own: str) -> Piece | Box:
        if isinstance(element, Wrapper):
            before, inside, after = self.between(element.first, element.last)
            opening = f"{own}{self.text[element.start : element.first]}{before}"
            closing = after + self.text[element.last : element.end]
            apart = not self.layout.joined and not opening[-1:].isspace()
            return Box(opening, inside, closing, "", apart, element)
        column = self.columns.get(element, -1)
        shown = own + self.text[slice(*element)]
        absent = shown if column < 0 else self.fill[column]
        return Piece(shown, own + absent if absent and column >= 0 else absent, "", column, element)


# --- hidden text ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hider:
    """Masks -> the whole text, with what is absent hidden.

    Attributes:
        text: the text.
        atoms: where each unit, pinned text, opening or closing is, and the units of which one
            must be present for it to show; () when it always does. Between them is glue.
    """

    text: str
    atoms: tuple[tuple[Span, tuple[int, ...]], ...]

    def __call__(self, masks: Masks) -> list[HiddenText]:
        """The text of each mask `(b, n)`, in order; glue between two hidden atoms is hidden."""
        hidden = self._hidden(masks)
        return [HiddenText(self.text, self._spans(row)) for row in hidden]

    def _hidden(self, masks: Masks) -> NDArray[np.bool_]:
        shown = [
            masks[:, list(units)].any(axis=1) if units else np.ones(len(masks), dtype=np.bool_)
            for _, units in self.atoms
        ]
        return ~np.stack(shown, axis=1)

    def _spans(self, hidden: NDArray[np.bool_]) -> tuple[Span, ...]:
        spans: list[Span] = []
        last = -2
        for at in np.flatnonzero(hidden).tolist():
            start, end = self.atoms[at][0]
            spans.append((spans.pop()[0] if at == last + 1 else start, end))
            last = at
        return tuple(spans)


def hider(cut: Segmented) -> Hider:
    """What hides the absent units of a cut text."""
    pieces = renderer(cut, ("",) * len(cut.units)).pieces
    text = cut.units.text or ""
    return Hider(text, tuple(_atoms(text, pieces, None)))


def _atoms(
    text: str, pieces: Sequence[Piece | Box], around: tuple[int, ...] | None
) -> Iterator[tuple[Span, tuple[int, ...]]]:
    """Atoms of some pieces; `around` are the units of the wrapper they are in, if it may go."""
    for piece in pieces:
        if isinstance(piece, Piece):
            units = (piece.column,) if piece.column >= 0 else (around or ())
            yield piece.span, units
            continue
        start, first, last, end, stays = piece.wrapper
        inner = around if stays else tuple(_columns(piece.inside))
        for span in (stripped(text, start, first), None, stripped(text, last, end)):
            if span is None:
                yield from _atoms(text, piece.inside, inner)
            elif span[0] < span[1]:
                yield span, inner or ()


def _columns(pieces: Sequence[Piece | Box]) -> Iterator[int]:
    for piece in pieces:
        if isinstance(piece, Box):
            yield from _columns(piece.inside)
        elif piece.column >= 0:
            yield piece.column
