"""Holds mixed units: some units of a cut text opened into finer ones, the others as they are.

It does not know which of them are worth opening (refine).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from whence.lenses.inputs.layout import Span, Wrapper
from whence.lenses.inputs.segment import Segmented
from whence.lenses.inputs.structure import inside
from whence.units import Units


@dataclass(frozen=True)
class Inside:
    """What a coarse unit holds: finer units, and the text around them."""

    spans: tuple[Span, ...]
    labels: tuple[str, ...]
    wrappers: tuple[Wrapper, ...]


def opened_by(cut: Segmented, cutter: Callable[[str], Segmented]) -> list[Inside | None]:
    """What each unit of a cut text holds; None for those of a single finer unit."""
    return [_inside(cut, unit, cutter) for unit in range(len(cut.units))]


def _inside(cut: Segmented, unit: int, cutter: Callable[[str], Segmented]) -> Inside | None:
    """The finer units of a coarse one, a document's title first; None when there is only one."""
    text = cut.units.text or ""
    start, end = (cut.units.spans or ())[unit]
    title, body = None, (0, end - start)
    if cut.units.kind == "document":
        title, body = inside(text[start:end])
    finer = cutter(text[start:end][slice(*body)])
    spans = [(a + start + body[0], b + start + body[0]) for a, b in finer.units.spans or ()]
    labels = list(finer.units.labels)
    if title is not None:
        spans.insert(0, (start + title[0], start + title[1]))
        labels.insert(0, text[start:end][slice(*title)])
    if len(spans) < 2:
        return None
    first, last = spans[0][0], start + body[1]
    around = () if (first, last) == (start, end) else (Wrapper(start, first, last, end),)
    return Inside(tuple(spans), tuple(labels), around)


def mixed(cut: Segmented, insides: Sequence[Inside | None], opened: Collection[int]) -> Segmented:
    """The opened units cut finer, and all others as they are.

    A mask of the coarse units makes the same text as the mask of the mixed ones that has all or
    none of each opened unit's inside, when absent units are dropped or hidden.
    """
    spans: list[Span] = []
    labels: list[str] = []
    wrappers = list(cut.layout.wrappers)
    for unit, (label, span) in enumerate(zip(cut.units.labels, cut.units.spans or (), strict=True)):
        inner = insides[unit] if unit in opened else None
        spans += [span] if inner is None else inner.spans
        labels += [label] if inner is None else inner.labels
        wrappers += () if inner is None else inner.wrappers
    units = Units(tuple(labels), tuple(spans), cut.units.text, "part")
    layout = replace(cut.layout, wrappers=tuple(sorted(wrappers)))
    return Segmented(units, tuple(sorted([*spans, *cut.pinned])), None, layout)
