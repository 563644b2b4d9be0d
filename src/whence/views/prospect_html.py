"""Holds page: prospector maps as one HTML file, with highlighted text, heated pictures and graphs.

It does not know how words and numbers came about. Nothing is loaded from elsewhere, nothing runs,
and every word of a label or a bag is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files

from whence.prospectors import Graph
from whence.views import words
from whence.views.fit import Fit
from whence.views.html import section_html, styled, whole
from whence.views.overlay import overlay, places
from whence.views.prospect_fit import short
from whence.views.prospect_graph import MOST, bag_graph
from whence.views.prospect_map import Mapped, section, strength, titles

#: Running text of a page, shared by its maps.
CHARACTERS = 40_000


def page(
    shown: Sequence[Mapped], fit: Fit, *, heading: str, top: int = 12, footer: Sequence[str] = ()
) -> str:
    """A whole page of maps, to keep, send or print.

    Args:
        shown: the maps, one head's.
        fit: how far to trust the head; told in full beside the first map, in a line beside others.
        heading: the first line.
        top: rows per table.
        footer: the last lines: how the head was made.
    """
    said = "".join(f"<p>{escape(words.inert(line))}</p>" for line in footer if line)
    inner = maps(shown, fit, top=top) + f"<footer>{said}</footer>\n"
    return whole(heading, heading, styled(inner, sheet()))


def maps(shown: Sequence[Mapped], fit: Fit, *, top: int = 12, told: bool = False) -> str:
    """Maps as sections of HTML, for a page with the styles of `sheet`.

    Args:
        shown: the maps, one head's.
        fit: how far to trust the head.
        top: rows per table.
        told: whether the page tells the fit in full already.
    """
    share = CHARACTERS // max(len(shown), 1)
    return "".join(
        _section(one, fit if not (place or told) else short(fit, one.map.performance), top, share)
        for place, one in enumerate(shown)
    )


@cache
def sheet() -> str:
    """The styles of figures, beside those of every page."""
    return files("whence.views").joinpath("prospect.css").read_text(encoding="utf-8")


def _section(shown: Mapped, fit: Fit, top: int, characters: int) -> str:
    what = section(shown, fit, top=top, characters=characters)
    return f"<section>\n{section_html(what, figure(shown, what.signs))}</section>\n"


def figure(shown: Mapped, signs: tuple[str, str]) -> str:
    """The heated picture or the graph of a map with its key; "" for text and sequences."""
    at = places(shown.map.units, shown.layout)
    drawn = ""
    if at is not None:
        drawn = overlay(strength(shown.map), titles(shown.map), at, shown.picture)
    elif isinstance(shown.layout, Graph) and len(shown.map) <= MOST:
        labels = [words.inert(label) for label in shown.map.units.labels]
        edges = shown.layout.edges_of(len(shown.map))
        drawn = bag_graph(edges, labels, strength(shown.map), titles(shown.map))
    return drawn + key(signs) if drawn else ""


def key(signs: tuple[str, str]) -> str:
    """What the two colours say."""
    more, less = (escape(sign) for sign in signs)
    return (
        f'<p class="key"><i class="swatch more"></i>{more}<i class="swatch less"></i>{less}. '
        "Point at a place for its value.</p>\n"
    )
