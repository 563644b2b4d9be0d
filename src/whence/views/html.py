"""Holds fragment and page: an Explanation as HTML, for a notebook and as one file.

It lays out a Picture and does not know how its words and numbers came about. Nothing is loaded
from elsewhere, nothing runs, and every word of the input is escaped.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files

from whence.explanation import Explanation
from whence.views.cells import joined, shortened
from whence.views.fit import Fit
from whence.views.picture import Picture, Row, Section, Table, picture
from whence.views.tiles import Tile
from whence.views.words import inert

#: Depths of colour per sign.
SHADES = 8
#: The darkest shade is this opaque, so that the words on it stay readable.
DARKEST = 0.55
#: Longer labels are shortened in the middle; the whole is in the title.
LABEL = 80
#: Running text and rows of a page with one output; several outputs share them.
CHARACTERS, ROWS = 40_000, 20
LIGHTS = {"exact": "●", "good": "●", "fair": "◐", "poor": "○", "constant": "–"}


def fragment(
    e: Explanation,
    *,
    index: str = "shapley",
    interaction: str = "faith_banzhaf",
    order: int = 2,
    top: int = ROWS,
) -> str:
    """A piece of HTML with its own style, for a notebook or another page.

    Args:
        e: what is shown.
        index: of single units, see `Explanation.attributions`.
        interaction: of sets, see `Explanation.interactions`.
        order: the largest set shown.
        top: rows per table.

    Raises:
        InputError: an unknown index, or an order below 1.
    """
    outputs = 4
    share = CHARACTERS // (min(outputs, e.f.columns.shape[1]) if e.f.out else 1)
    shown = picture(
        e,
        index=index,
        interaction=interaction,
        order=order,
        top=top,
        outputs=outputs,
        characters=share,
    )
    return styled(_body(shown))


def page(
    e: Explanation,
    *,
    index: str = "shapley",
    interaction: str = "faith_banzhaf",
    order: int = 2,
    top: int = ROWS,
) -> str:
    """A whole page in one file, to keep, send or print; as `fragment`.

    Raises:
        InputError: an unknown index, or an order below 1.
    """
    inner = fragment(e, index=index, interaction=interaction, order=order, top=top)
    name = inert(e.provenance.game) or f"{e.n} units"
    return whole(name, "Where this output came from", inner)


def styled(inner: str, more: str = "") -> str:
    """HTML with the style sheet that it needs, and more rules."""
    return f'<div class="whence"><style>{_style()}{more}</style>\n{inner}</div>'


def whole(name: str, heading: str, inner: str) -> str:
    """A page in one file around a fragment.

    Args:
        name: what the window is called, as plain text.
        heading: its first line, as plain text.
        inner: HTML.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>whence: {escape(shortened(name, 120))}</title>\n"
        f"<style>{_css('page.css')}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(heading)}</h1>\n{inner}\n"
        "</main>\n</body>\n</html>\n"
    )


@cache
def _css(name: str) -> str:
    return files("whence.views").joinpath(name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    """The style sheet, with one class per shade: m1 .. m8 for more, l1 .. l8 for less."""
    rules = [
        f".whence b.{sign[0]}{shade}{{background:rgba(var(--{sign}),"
        f"{DARKEST * shade / SHADES:.3f});border-bottom-{line}}}"
        for sign, line in (
            ("more", "color:rgb(var(--more))"),
            ("less", "color:rgb(var(--less));border-bottom-style:dashed"),
        )
        for shade in range(1, SHADES + 1)
    ]
    return _css("style.css") + "".join(rules)


# --- layout -----------------------------------------------------------------------------------


def _body(shown: Picture) -> str:
    parts = [f'<p class="lead">{escape(shown.lead)}</p>\n'] if shown.lead else []
    parts += [f"<section>\n{section_html(section)}</section>\n" for section in shown.sections]
    if shown.hidden:
        parts.append(f'<p class="rest">{escape(shown.hidden)}</p>\n')
    parts.append(f"<footer><p>{escape(shown.cost)}</p><p>{escape(shown.made)}</p></footer>\n")
    return "".join(parts)


def section_html(section: Section, figure: str = "") -> str:
    """What is inside a section: its headline, the fit, the findings.

    Args:
        section: what is shown.
        figure: HTML that stands between the fit and the findings.
    """
    tables = "".join(table(t) for t in (section.alone, section.together) if t is not None)
    notes = "".join(f'<p class="note">{escape(note)}</p>\n' for note in section.notes)
    return (
        f"<h2>{escape(section.headline)}</h2>\n{fit_box(section.fit)}{figure}"
        f"{_words(section)}{tables}{notes}"
    )


def fit_box(fit: Fit) -> str:
    """The fit, in a box with its traffic light."""
    warnings = "".join(f"<p><strong>{escape(warning)}</strong></p>" for warning in fit.warnings)
    return (
        f'<div class="fit {fit.level}"><p><span class="light" aria-hidden="true">'
        f"{LIGHTS[fit.level]}</span> <strong>{escape(fit.headline)}</strong> "
        f"{escape(fit.sentence)}</p>{warnings}</div>\n"
    )


def _words(section: Section) -> str:
    if not section.tiles:
        return ""
    words = "".join(_tile(tile) for tile in section.tiles)
    more, less = (escape(sign) for sign in section.signs)
    signs = f'<b class="m5">{more}</b> <b class="l5">{less}</b>'
    said = '<b class="m5">matters, either way</b>' if section.unsigned else signs
    key = f'<p class="key">{said} Hover for its value.</p>\n'
    return f'<p class="words" dir="auto">{words}</p>\n{key if _coloured(section.tiles) else ""}'


def _coloured(tiles: tuple[Tile, ...]) -> bool:
    return any(_shade(tile.strength) for tile in tiles)


def _tile(tile: Tile) -> str:
    if tile.unit is None:
        return escape(tile.text)
    shade = _shade(tile.strength)
    sign = "m" if tile.strength > 0 else "l"
    kind = f' class="{sign}{shade}"' if shade else ""
    return f'<b{kind} title="{escape(shortened(tile.title, LABEL * 2))}">{escape(tile.text)}</b>'


def _shade(strength: float) -> int:
    return round(abs(strength) * SHADES)


# --- tables -----------------------------------------------------------------------------------


def table(shown: Table) -> str:
    """Some findings, with a bar each."""
    head = f'<h3>{escape(shown.title)}</h3>\n<p class="note">{escape(shown.note)}</p>\n'
    rest = f'<p class="rest">{escape(shown.rest)}</p>\n' if shown.rest else ""
    if not shown.rows:
        return head + rest
    both = min(row.value for row in shown.rows) < 0 < max(row.value for row in shown.rows)
    said = any(row.said for row in shown.rows)
    names = (shown.title, "Value", *(["Which is"] if said else []), "Beside the others")
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in names[:-1])
    columns += f'<th scope="col" class="bar">{names[-1]}</th>'
    rows = "".join(_row(row, both, said) for row in shown.rows)
    return (
        f'{head}<div class="rows"><table>\n<thead><tr>{columns}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n"
        f"{rest}"
    )


def _row(row: Row, both: bool, said: bool) -> str:
    short = joined(row.names, LABEL)
    title = "" if short == row.label else f' title="{escape(row.label)}"'
    unsure = "" if row.sure else ' class="unsure"'
    return (
        f'<tr{unsure}><th scope="row"{title}>{escape(short)}</th>'
        f'<td class="value">{escape(row.shown)}</td>'
        f"{_said(row) if said else ''}"
        f'<td class="bar">{_bar(row, both)}</td></tr>\n'
    )


def _said(row: Row) -> str:
    return f'<td class="said">{escape(row.said)}</td>'


def _bar(row: Row, both: bool) -> str:
    """A bar from the left; where there are both signs, from the middle to either side."""
    whole = 50 if both else 100
    size = whole * abs(row.strength)
    start = 0.0 if not both else 50.0 if row.value > 0 else 50 - size
    kind = "more" if row.value > 0 else "less"
    return f'<i class="{kind}" style="width:{size:.1f}%;margin-left:{start:.1f}%"></i>'
