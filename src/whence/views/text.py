"""Holds text: an Explanation as lines for a terminal, coloured or plain.

It lays out a Picture and does not know how its words and numbers came about. Lines are never
longer than the width.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

from whence.explanation import Explanation
from whence.views.cells import Piece, joined, padded, paragraph, running, width_of
from whence.views.picture import Picture, Row, Section, Table, picture
from whence.views.tiles import Tile

#: A piece of a line and its style: a key of `STYLES`.
Styled = tuple[str, str]
Line = list[Styled]

NARROWEST, WIDEST = 40, 100

#: Blue for more and orange for less, which colour-blind readers can tell apart; weak values are
#: coloured, middling ones bold, strong ones on a coloured ground. All read on light and dark.
STYLES = {
    "": "",
    "bold": "bold",
    "dim": "dim",
    "more1": "#4f8ff0",
    "more2": "bold underline #4f8ff0",
    "more3": "bold #ffffff on #2563c9",
    "less1": "#d9822b",
    "less2": "bold underline #d9822b",
    "less3": "bold #ffffff on #b45309",
    "exact": "bold #2a9d8f",
    "good": "bold #2a9d8f",
    "fair": "bold #c9971c",
    "poor": "bold #e0533d",
    "constant": "bold",
}
#: Strengths from which a word is weak, middling, strong.
SHADES = (0.1, 0.35, 0.7)
#: For terminals of 16 colours, which have no orange.
BASIC = {
    "more1": "bright_blue",
    "more2": "bold underline bright_blue",
    "more3": "bold white on blue",
    "less1": "yellow",
    "less2": "bold underline yellow",
    "less3": "bold black on yellow",
    "exact": "bold cyan",
    "good": "bold cyan",
    "fair": "bold yellow",
    "poor": "bold magenta",
}
#: What the marks and the colours of the running text say.
MARKS = "+ {0}, - {1}; the more marks, the more"
COLOURS = "blue {0}, orange {1}"
UNSIGNED = "the more marks, the more it matters, either way"
UNSIGNED_COLOUR = "the stronger the blue, the more it matters, either way"
#: A light beside the fit, told apart by its shape too.
LIGHTS = {"exact": "●", "good": "●", "fair": "◐", "poor": "○", "constant": "–"}


def text(
    e: Explanation,
    *,
    index: str = "shapley",
    interaction: str = "faith_banzhaf",
    order: int = 2,
    top: int = 8,
    width: int | None = None,
    colour: bool | None = None,
) -> str:
    """An explanation in lines of text: what the model says, the fit, the findings, the cost.

    Args:
        e: what is shown.
        index: of single units, see `Explanation.attributions`.
        interaction: of sets, see `Explanation.interactions`.
        order: the largest set shown.
        top: rows per table.
        width: cells per line, at least 40; None takes the terminal's, up to 100.
        colour: with ANSI colours; None asks NO_COLOR, FORCE_COLOR, and whether a terminal reads.

    Raises:
        InputError: an unknown index, or an order below 1.
    """
    coloured = wanted() if colour is None else colour
    shown = picture(e, index=index, interaction=interaction, order=order, top=top)
    return drawn(list(_lines(shown, columns_of(width), marks=not coloured)), coloured)


def columns_of(width: int | None) -> int:
    """Cells per line: as asked, but at least 40; None takes the terminal's, up to 100."""
    columns = shutil.get_terminal_size().columns if width is None else width
    return max(NARROWEST, min(columns, WIDEST) if width is None else columns)


def drawn(lines: list[Line], coloured: bool) -> str:
    """Lines as one text, with ANSI colours or plain."""
    return _ansi(lines) if coloured else "\n".join(_plain(line) for line in lines)


def wanted() -> bool:
    """Whether colours are wanted: as NO_COLOR, FORCE_COLOR, or else the terminal says."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _plain(line: Line) -> str:
    return "".join(piece for piece, _ in line).rstrip()


def _ansi(lines: list[Line]) -> str:
    from rich.color import ColorSystem
    from rich.console import Console
    from rich.style import Style

    names = {"256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}
    system = names.get(Console(force_terminal=True).color_system or "", ColorSystem.STANDARD)
    palette = STYLES | BASIC if system is ColorSystem.STANDARD else STYLES
    styles = {name: Style.parse(style) for name, style in palette.items()}
    return "\n".join(
        "".join(styles[style].render(piece, color_system=system) for piece, style in line)
        for line in lines
    )


# --- layout -----------------------------------------------------------------------------------


def _lines(shown: Picture, width: int, *, marks: bool) -> Iterator[Line]:
    if shown.lead:
        yield from said(shown.lead, width, "bold")
    for place, section in enumerate(shown.sections):
        if place or (shown.lead and len(shown.sections) > 1):
            yield []
        yield from section_lines(section, width, marks=marks, first=place == 0)
    if shown.hidden:
        yield []
        yield from said(shown.hidden, width)
    yield []
    yield from said(shown.cost, width)
    yield from said(shown.made, width, "dim")


def said(words: str, width: int, style: str = "", indent: str = "") -> Iterator[Line]:
    """A text in lines of one style."""
    for line in paragraph(words, width, indent, indent):
        yield [(line, style)]


def section_lines(
    section: Section, width: int, *, marks: bool, first: bool, figure: Iterable[Line] = ()
) -> Iterator[Line]:
    """One output; what the signs and indices mean is said in the first only.

    Args:
        section: what is shown.
        width: cells per line.
        marks: whether marks under the words stand in for colours.
        first: whether it is the first section.
        figure: lines that stand between the fit and the findings.
    """
    yield from said(section.headline, width, "bold")
    yield []
    yield from _fit(section, width)
    yield from figure
    if section.tiles:
        yield []
        yield from _text(section.tiles, width - 2, marks=marks)
        if first and any(_shade(tile.strength) for tile in section.tiles):
            yield from said(_key(section, marks=marks), width, "dim", "  ")
    for table in (section.alone, section.together):
        if table is not None:
            yield []
            yield from _table(table, width, noted=first)
    for note in section.notes:
        yield []
        yield from said(note, width)


def _key(section: Section, *, marks: bool) -> str:
    if section.unsigned:
        return UNSIGNED if marks else UNSIGNED_COLOUR
    return (MARKS if marks else COLOURS).format(*section.signs)


def _fit(section: Section, width: int) -> Iterator[Line]:
    fit = section.fit
    light = LIGHTS[fit.level]
    first, *more = paragraph(f"{light} {fit.headline} {fit.sentence}", width, "", "  ")
    head = f"{light} {fit.headline}"
    yield [(head, fit.level), (first[len(head) :], "")]
    for line in more:
        yield [(line, "")]
    style = "poor" if fit.level == "poor" else "fair"
    for warning in fit.warnings:
        yield from said(warning, width, style, "  ")


def _text(tiles: tuple[Tile, ...], width: int, *, marks: bool) -> Iterator[Line]:
    """The running text; under each line, unless there are colours, marks for sign and strength."""
    for line in running(tiles, width):
        yield [("  ", ""), *((piece, _style(tile.strength)) for piece, tile in line)]
        if marks and any(_shade(tile.strength) for _, tile in line):
            yield [("  " + _marks(line), "")]


def _shade(strength: float) -> int:
    return sum(abs(strength) >= least for least in SHADES)


def _style(strength: float) -> str:
    shade = _shade(strength)
    return f"{'more' if strength > 0 else 'less'}{shade}" if shade else ""


def _marks(line: list[Piece]) -> str:
    ruler = ""
    at = 0
    for tile, pieces in groupby(line, key=lambda piece: piece[1]):
        size = sum(width_of(piece) for piece, _ in pieces)
        mark = ("+" if tile.strength > 0 else "-") * min(_shade(tile.strength), size)
        ruler += " " * (at - len(ruler)) + mark
        at += size
    return ruler


# --- tables -----------------------------------------------------------------------------------


def _table(table: Table, width: int, *, noted: bool) -> Iterator[Line]:
    head = f"{table.title} ({table.note})" if noted else table.title
    first, *more = paragraph(head, width, "", "  ")
    yield [(table.title, "bold"), (first[len(table.title) :], "dim")]
    for line in more:
        yield [(line, "dim")]
    if table.rows:
        yield from _rows(table.rows, width)
    if table.rest:
        yield from said(table.rest, width, "dim" if table.rows else "", "  ")


def _rows(rows: tuple[Row, ...], width: int) -> Iterator[Line]:
    values = max(width_of(row.shown) for row in rows)
    said = max(width_of(row.said) for row in rows)
    longest = max(width_of(row.label) for row in rows)
    least = min(longest, 18)
    # What does not fit is left out: first the words, then the bar.
    room = width - 2 - 2 - values
    if said and room - least < said + 2:
        said = 0
    # A long label takes room from the bar, down to half of it.
    left = room - (said + 2 if said else 0)
    bar = 0 if len(rows[0].units) > 1 else min(24, max(12, left - longest - 2), left - least - 2)
    bar = bar if bar >= 5 else 0
    label = min(longest, room - (said + 2 if said else 0) - (bar + 2 if bar else 0))
    for row in rows:
        yield _row(row, (label, values, bar, said), _both(rows))


def _both(rows: tuple[Row, ...]) -> bool:
    return min(row.value for row in rows) < 0 < max(row.value for row in rows)


def _row(row: Row, sizes: tuple[int, int, int, int], both: bool) -> Line:
    label, values, bar, said = sizes
    quiet = "" if row.sure else "dim"
    line: Line = [("  ", ""), (padded(joined(row.names, label), label), quiet), ("  ", "")]
    line.append((padded(row.shown, values), quiet or ("" if bar else _sign(row))))
    if bar:
        line += [("  ", ""), *_bar(row, bar, both)]
    if said and row.said:
        line += [("  ", ""), (row.said, "dim")]
    return line


def _bar(row: Row, width: int, both: bool) -> Line:
    """A bar from the left; where there are both signs, from the middle to either side."""
    half = width // 2 if both else width
    size = min(half, max(1, round(abs(row.strength) * half)))
    style = _sign(row) if row.sure else "dim"
    block = ("━" if row.value > 0 else "╍") * size
    before = "" if not both else " " * (half if row.value > 0 else half - size)
    after = width - len(before) - size
    return [(before, ""), (block, style), (" " * after, "")]


def _sign(row: Row) -> str:
    return "more1" if row.value > 0 else "less1"
