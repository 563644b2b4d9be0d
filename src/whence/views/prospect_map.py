"""Holds Mapped, and section: what is shown of a prospector's Map, as the Section that views draw.

It does not know how a section is drawn, nor how the head was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.prospectors import Layout, Map, Sequence
from whence.units import Units, plural
from whence.views import words
from whence.views.fit import Fit
from whence.views.picture import LONG, SURE, Row, Section, Table
from whence.views.tiles import Tile, strengths, tiles

Floats = NDArray[np.float64]

#: Parts below this share of the largest are not worth a line.
SMALL = 0.02
#: Pairs named where a token is hovered over.
NAMED = 3


@dataclass(frozen=True)
class Mapped:
    """A map, and what stands beside it in a view.

    Attributes:
        map: of one bag, for one class.
        layout: of the bag's tokens.
        name: of the bag; "" for none.
        predicted: the class that the head gives the bag, or the number, in words.
        picture: `(h, w, 3)` the pixels that the bag was made of; None for other bags.
        label: the bag's own label, where it is known.
    """

    map: Map
    layout: Layout
    name: str = ""
    predicted: str = ""
    picture: NDArray[np.uint8] | None = None
    label: str = ""


def section(shown: Mapped, fit: Fit, *, top: int = 8, characters: int = 1200) -> Section:
    """What is shown of one map.

    Args:
        shown: the map.
        fit: how far to trust the head.
        top: rows per table.
        characters: of running text, about, before it is cut to its strongest sentences.
    """
    kind = words.inert(shown.map.units.kind)
    rows = _rows(shown.map)
    marks = (f"marks {words.inert(shown.map.output)}", "speaks against it")
    return Section(
        words.inert(shown.name),
        headline(shown),
        fit,
        _tiles(shown, rows, characters),
        _alone(shown.map, rows, top, kind),
        _together(shown.map, top, kind),
        _notes(shown.map, kind),
        signs=marks,
    )


def headline(shown: Mapped) -> str:
    """Which bag it is, what the head says of it, and what is mapped."""
    output = words.inert(shown.map.output)
    parts = [f"{words.inert(shown.name)}:"] if shown.name else []
    likely = shown.map.probability
    if likely is None:
        parts.append(f"{output} {words.inert(shown.predicted)}".strip())
    else:
        parts.append(f"{output} {words.percent(likely, 0)}")
    digits = words.decimals([shown.map.margin])
    aside = [f"margin {words.number(shown.map.margin, digits)}"]
    if likely is not None and shown.predicted not in ("", shown.map.output):
        aside.append(f"the head says {words.inert(shown.predicted)}")
    if shown.label:
        aside.append(f"labelled {words.inert(shown.label)}")
    return f"{' '.join(parts)} ({'; '.join(aside)})"


def strength(found: Map) -> tuple[float, ...]:
    """How strongly each token is coloured, -1 to 1; 0 where the value could be zero."""
    values = found.smoothed
    if found.errors is not None and not found.smoothing:
        values = np.where(np.abs(values) > SURE * found.errors, values, 0.0)
    return strengths(values.tolist())


def titles(found: Map) -> tuple[str, ...]:
    """What is said of each token when a reader points at it."""
    return tuple(_title(found, row) for row in _rows(found))


def concept_pairs(found: Map) -> list[tuple[int, int, float]]:
    """`(a, b, value)`, a <= b: the pair terms summed over the bag, strongest first.

    Each token is counted under its strongest concept; with soft codes that is its main part.
    """
    k = found.pairs.shape[1]
    total = np.zeros((k, k))
    known = found.concepts >= 0
    np.add.at(total, found.concepts[known], found.pairs[known])
    both = np.triu(total) + np.tril(total, -1).T
    at = np.argwhere(both != 0)
    pairs = [(int(a), int(b), float(both[a, b])) for a, b in at]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


# --- rows -------------------------------------------------------------------------------------


def _rows(found: Map) -> list[Row]:
    values = found.smoothed.tolist()
    errors: list[float | None] = [None] * len(values)
    if found.errors is not None and not found.smoothing:
        errors = found.errors.tolist()
    digits = words.decimals(values)
    return [
        _row(found, unit, name, value, se, relative, digits)
        for unit, (name, value, se, relative) in enumerate(
            zip(found.units.names(), values, errors, strengths(values), strict=True)
        )
    ]


def _row(
    found: Map,
    unit: int,
    name: str,
    value: float,
    se: float | None,
    relative: float,
    digits: int,
) -> Row:
    sure = se is None or abs(value) > SURE * se
    label = words.inert(name)
    label = f"{unit + 1}: {label}" if len(name) > LONG else label
    why = _why(found, unit) if sure else "could be zero"
    return Row((unit,), (label,), value, se, relative, words.measured(value, se, digits), why, sure)


def _why(found: Map, unit: int) -> str:
    """Whether a token's value is mostly its own, or which neighbour's concept it comes with."""
    near = found.top_pairs(unit, 1)
    if not near:
        return ""
    own = float(found.monograms[unit] + found.linear[unit])
    sign = np.sign(found.values[unit])
    if own * sign >= near[0].value * sign:
        return "by itself"
    if near[0].concept == found.concepts[unit]:
        return "among its like"
    return f"beside {words.inert(near[0].name)}"


def _title(found: Map, row: Row) -> str:
    unit = row.units[0]
    parts = [f"{row.label}: {row.shown}"]
    if found.smoothing:
        parts.append(f"its own value {_plain(found.values[unit])}")
    parts.append(f"is {words.inert(found.concept_of(unit))}")
    parts.append(f"by itself {_plain(found.monograms[unit] + found.linear[unit])}")
    for near in found.top_pairs(unit, NAMED):
        parts.append(f"beside {words.inert(near.name)} {_plain(near.value)}")
    return "; ".join(parts)


def _plain(value: float) -> str:
    return words.number(float(value), words.decimals([float(value)]))


def _tiles(shown: Mapped, rows: list[Row], characters: int) -> tuple[Tile, ...]:
    units = shown.map.units
    if units.text is None and isinstance(shown.layout, Sequence):
        units = _written_out(units)
    said = [_title(shown.map, row) for row in rows] if units.text is not None else []
    return tiles(units, strength(shown.map), said, characters)


def _written_out(units: Units) -> Units:
    """Tokens in a row that are of no text, as one: letters side by side, names with spaces."""
    between = "" if all(len(label) == 1 for label in units) else " "
    ends = np.cumsum([len(label) + len(between) for label in units]) - len(between)
    spans = tuple((int(end) - len(label), int(end)) for label, end in zip(units, ends, strict=True))
    return Units(units.labels, spans, between.join(units), units.kind)


# --- tables -----------------------------------------------------------------------------------


def _alone(found: Map, rows: list[Row], top: int, kind: str) -> Table:
    # The margin is per token and pair, so that bags of any size can be compared.
    note = f"what each {kind} adds; all of them make the margin, times {found.total:,.0f}"
    if found.smoothing:
        note += f", averaged over {words.counted(found.smoothing, 'hop')}"
    elif found.errors is not None:
        note += ", ± one standard error"
    telling = [row for row in rows if abs(row.strength) > SMALL]
    shown = tuple(sorted(telling, key=lambda row: -round(abs(row.strength), 9))[:top])
    left = len(rows) - len(shown)
    rest = f"and {words.counted(left, f'more {kind}')}" if left else ""
    return Table(
        plural(kind).capitalize(),
        note,
        shown,
        rest if shown else f"No {kind} has a value: the map is flat.",
    )


def _together(found: Map, top: int, kind: str) -> Table | None:
    pairs = concept_pairs(found)
    if not pairs:
        return None
    largest = abs(pairs[0][2])
    shown = [pair for pair in pairs if abs(pair[2]) > SMALL * largest][:top]
    digits = words.decimals([largest])
    relative = strengths([value for _, _, value in shown])
    rows = tuple(
        Row(
            (a, b),
            (words.inert(found.names[a]), words.inert(found.names[b])),
            value,
            None,
            share,
            words.number(value, digits),
        )
        for (a, b, value), share in zip(shown, relative, strict=True)
    )
    left = len(pairs) - len(shown)
    rest = f"and {words.counted(left, 'more pair')}" if left else ""
    note = f"what {plural(kind)} of two concepts add because they are near each other, in all"
    return Table("Pairs of concepts", note, rows, rest)


def _notes(found: Map, kind: str) -> tuple[str, ...]:
    if not found.smoothing:
        return ()
    hops = words.counted(found.smoothing, "hop")
    return (
        f"The values shown are averaged over {hops}; the {plural(kind)}' own values, which make "
        "up the margin, are in the JSON form.",
    )
