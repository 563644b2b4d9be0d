"""Holds summary: what a prospector head learned, as lines for a terminal.

It lays out a Report and does not know how its numbers came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from whence.prospectors.tables import Entry
from whence.views import words
from whence.views.cells import shortened
from whence.views.picture import Row, Section, Table
from whence.views.prospect_fit import short
from whence.views.prospect_report import NOTHING, Example, Found, Learned, Report
from whence.views.text import Line, columns_of, drawn, said, section_lines, wanted
from whence.views.tiles import strengths

#: Concepts whose examples are shown.
SHOWN = 4


def summary(
    shown: Report, *, top: int = 8, width: int | None = None, colour: bool | None = None
) -> str:
    """A report in lines of text: the fit, then the strongest concepts and pairs with examples.

    Args:
        shown: the report.
        top: rows per table.
        width: cells per line, at least 40; None takes the terminal's, up to 100.
        colour: with ANSI colours; None asks NO_COLOR, FORCE_COLOR, and whether a terminal reads.
    """
    coloured = wanted() if colour is None else colour
    return drawn(list(_lines(shown, top, columns_of(width), marks=not coloured)), coloured)


def _lines(shown: Report, top: int, width: int, *, marks: bool) -> Iterator[Line]:
    yield from said(words.inert(shown.lead), width, "bold")
    for line in shown.notes:
        yield from said(words.inert(line), width, "dim")
    for place, learned in enumerate(shown.learned):
        yield []
        what = _section(shown, learned, top, first=place == 0)
        yield from section_lines(what, width, marks=marks, first=place == 0)
        yield from _examples(shown, learned, width)


def _section(shown: Report, learned: Learned, top: int, *, first: bool) -> Section:
    name = words.inert(learned.output)
    fit = shown.fit if first else short(shown.fit, f"for {name} as above")
    alone = _table(
        "Concepts", f"what one token of each adds for {name}", learned.concepts, top, "concept"
    )
    together = _table(
        "Pairs of concepts", "what two tokens add by being near each other", learned.pairs, top, ""
    )
    return Section(name, f"What marks {name}", fit, (), alone, together if learned.pairs else None)


def _table(title: str, note: str, found: Sequence[Found], top: int, kind: str) -> Table:
    known = [one for one in found if one.moves]
    ordered = sorted(known, key=lambda one: -abs(one.moves))
    relative = strengths([one.moves for one in ordered])
    digits = words.decimals([one.entry.weight for one in ordered[:top]])
    if any(one.entry.error is not None for one in known):
        note += ", ± one standard error"
    note += "; in order of how much that moves the margins"
    rows = tuple(
        _row(one, share, digits) for one, share in zip(ordered[:top], relative, strict=False)
    )
    left = len(ordered) - len(rows)
    rest = f"and {words.counted(left, f'more {kind}')}" if left and kind else ""
    return Table(title, note, rows, rest if rows else NOTHING)


def _row(found: Found, share: float, digits: int) -> Row:
    entry = found.entry
    shown = words.measured(entry.weight, entry.error, digits)
    label = "" if found.sure else "could be zero"
    # A pair's name is one label here: its parts are not cut separately.
    names = (words.inert(entry.name),)
    return Row(entry.concepts, names, entry.weight, entry.error, share, shown, label, found.sure)


def _examples(shown: Report, learned: Learned, width: int) -> Iterator[Line]:
    """What the strongest concepts look like: a line for each example."""
    strongest = sorted(learned.concepts, key=lambda one: -abs(one.moves))[:SHOWN]
    found = [(one.entry, _telling(shown, one.entry)) for one in strongest if one.moves]
    found = [(entry, examples) for entry, examples in found if examples]
    if not found:
        return
    yield []
    yield from said("Examples: tokens nearest to the strongest concepts", width, "bold")
    for entry, examples in found:
        style = "more1" if entry.weight > 0 else "less1"
        yield [("  ", ""), (shortened(words.inert(entry.name), width - 2), style)]
        for example in examples:
            where = f"{example.bag}: " if example.pixels is not None else ""
            text = words.inert(f"{where}{example.label}")
            yield [("    ", ""), (shortened(text, width - 4), "")]


def _telling(shown: Report, entry: Entry) -> list[Example]:
    """Examples of a concept that say more than its name."""
    return [one for one in shown.examples.get(entry.concepts[0], ()) if one.label != entry.name]
