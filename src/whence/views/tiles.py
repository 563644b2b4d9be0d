"""Holds Tile: the input's running text in pieces, each with the strength of its unit.

It does not know how strengths were found. Where the text is long, it keeps the sentences around
the strongest units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from whence.lenses.inputs.rules import sentences
from whence.units import Units
from whence.views.words import inert

Span = tuple[int, int]

#: What stands where text was left out.
ELISION = " [...] "


@dataclass(frozen=True)
class Tile:
    """A piece of the running text.

    Attributes:
        text: what is shown; controls are written out, line breaks are kept.
        unit: position of the unit that it shows, or None for what is no unit (spaces, pinned text).
        strength: the unit's attribution relative to the strongest one, -1 to 1; 0 for no unit.
        title: the unit's value in words; "" for no unit.
    """

    text: str
    unit: int | None = None
    strength: float = 0.0
    title: str = ""


def strengths(values: Sequence[float]) -> tuple[float, ...]:
    """Values relative to the largest magnitude, -1 to 1; 0 where a value is not finite."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if largest == 0:
        return (0.0,) * len(values)
    return tuple(v / largest if math.isfinite(v) else 0.0 for v in values)


def tiles(
    units: Units, strength: Sequence[float], titles: Sequence[str], most: int
) -> tuple[Tile, ...]:
    """The running text in tiles; () when units have no text.

    Args:
        units: with or without a text.
        strength: one per unit.
        titles: one per unit.
        most: characters; a longer text is cut to half as many, in the sentences around the
            strongest units.
    """
    if units.text is None or units.spans is None:
        return ()
    places = _in_order(units.spans, len(units.text))
    windows = _windows(units.text, places, strength, most)
    shown: list[Tile] = []
    at = 0
    for start, end in windows:
        if units.text[at:start].strip():
            shown.append(Tile(ELISION))
        shown += _between(units.text, places, (start, end), strength, titles)
        at = end
    return (*shown, Tile(ELISION)) if units.text[at:].strip() else tuple(shown)


def _in_order(spans: Sequence[Span], length: int) -> list[tuple[int, int, int]]:
    """`(start, end, unit)` by place, cut so that none overlap and all are in the text."""
    places: list[tuple[int, int, int]] = []
    at = 0
    for start, end, unit in sorted((s, e, i) for i, (s, e) in enumerate(spans)):
        first, last = max(start, at), min(end, length)
        if first < last:
            places.append((first, last, unit))
            at = last
    return places


def _between(
    text: str,
    places: list[tuple[int, int, int]],
    window: Span,
    strength: Sequence[float],
    titles: Sequence[str],
) -> list[Tile]:
    at, stop = window
    found: list[Tile] = []
    for start, end, unit in places:
        first, last = max(start, at), min(end, stop)
        if first >= last:
            continue
        if first > at:
            found.append(Tile(inert(text[at:first], lines=True)))
        shown = inert(text[first:last], lines=True)
        found.append(Tile(shown, unit, strength[unit], titles[unit]))
        at = last
    if at < stop:
        found.append(Tile(inert(text[at:stop], lines=True)))
    return found


def _windows(
    text: str, places: list[tuple[int, int, int]], strength: Sequence[float], most: int
) -> list[Span]:
    """Spans of the text to show, in order: all of it, or the sentences that matter most."""
    if len(text) <= most:
        return [(0, len(text))]
    kept: list[Span] = []
    left = most // 2
    for span in _by_strength(_cut(text, places, most // 4), places, strength):
        if span[1] - span[0] <= left:
            kept.append(span)
            left -= span[1] - span[0]
    return _joined(sorted(kept), text)


def _cut(text: str, places: list[tuple[int, int, int]], most: int) -> list[Span]:
    """Sentences; those longer than `most` characters in stretches, cut between units if can be."""
    edges = [start for start, _, _ in places]
    cut: list[Span] = []
    for start, end in sentences(text):
        while end - start > most:
            inside = [edge for edge in edges if start + most // 2 < edge <= start + most]
            stop = inside[-1] if inside else start + most
            cut.append((start, stop))
            start = stop
        cut.append((start, end))
    return cut


def _by_strength(
    spans: list[Span], places: list[tuple[int, int, int]], strength: Sequence[float]
) -> list[Span]:
    """Spans by the strongest unit that begins in each, strongest first."""
    best = [0.0] * len(spans)
    at = 0
    for start, _, unit in places:
        while at < len(spans) - 1 and start >= spans[at][1]:
            at += 1
        best[at] = max(best[at], abs(strength[unit]))
    return [spans[i] for i in sorted(range(len(spans)), key=lambda i: (-best[i], i))]


def _joined(spans: list[Span], text: str) -> list[Span]:
    """Spans with only whitespace between them, as one."""
    whole: list[Span] = []
    for start, end in spans:
        if whole and not text[whole[-1][1] : start].strip():
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole
