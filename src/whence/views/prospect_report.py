"""Holds report: what a prospector head learned, as one HTML page: its fit, concepts, pairs, maps.

It does not know how the head was fitted, nor where examples were found. Nothing is loaded from
elsewhere, nothing runs, and every word of a label or a bag is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from whence.prospectors.tables import Entry
from whence.views import words
from whence.views.cells import shortened
from whence.views.fit import Fit
from whence.views.html import fit_box, styled, whole
from whence.views.picture import SURE
from whence.views.png import data_uri
from whence.views.prospect_graph import Link, concept_graph
from whence.views.prospect_html import maps, sheet
from whence.views.prospect_map import Mapped

#: Pairs and concepts that the graph shows.
PAIRS, ALONE = 14, 5
#: Concepts in the first table; the others are behind a click.
CONCEPTS = 12
#: Letters of one example.
EXAMPLE = 120
#: What is said where a linear term makes the maps alone.
NOTHING = "No concept has a weight in this head."
#: A q-value up to which a weight is said to be found.
FOUND = 0.05


#: Examples want more room than running text.
WIDE = "main, .whence { max-width: 60rem; }"


@dataclass(frozen=True)
class Example:
    """A token that shows what a concept is: its words, or its pixels."""

    label: str
    bag: str = ""
    pixels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Found:
    """A weight, and how much it matters.

    A concept that is met once may have a large weight and move nothing: `moves` is the weight
    times how much the concept's frequency differs between bags (its standard deviation).
    """

    entry: Entry
    moves: float

    @property
    def error(self) -> float | None:
        """The standard error of `moves`, or None."""
        weight, error = self.entry.weight, self.entry.error
        return None if error is None or weight == 0 else error * abs(self.moves / weight)

    @property
    def sure(self) -> bool:
        """Whether the weight can be told from zero, as far as is known."""
        return self.entry.error is None or abs(self.entry.weight) > SURE * self.entry.error


@dataclass(frozen=True)
class Learned:
    """What a head learned of one class, or of a number.

    Attributes:
        output: its name.
        concepts: one per concept, in order.
        pairs: those of pairs that move most, in that order.
        maps: of some bags, for this class.
    """

    output: str
    concepts: Sequence[Found]
    pairs: Sequence[Found]
    maps: Sequence[Mapped] = ()


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        heading: its first line.
        lead: what was learned from what, in a sentence.
        fit: how far to trust the head.
        learned: one per class that is shown.
        notes: what of that is told first, in sentences.
        facts: what was chosen and why, as names and values.
        names: short names of the concepts, for the graph.
        shares: of each concept among the tokens, 0 to 1; () when not known.
        examples: of each concept.
        made: the last line.
    """

    heading: str
    lead: str
    fit: Fit
    learned: Sequence[Learned]
    notes: Sequence[str]
    facts: Sequence[tuple[str, str]]
    names: Sequence[str]
    shares: Sequence[float] = ()
    examples: Mapping[int, Sequence[Example]] = field(default_factory=dict[int, Sequence[Example]])
    made: str = ""


def report(shown: Report) -> str:
    """The whole page."""
    several = len(shown.learned) > 1
    parts = [f'<p class="lead">{_safe(shown.lead)}</p>\n', fit_box(shown.fit)]
    parts += [f'<p class="note">{_safe(note)}</p>\n' for note in shown.notes]
    parts.append(_facts(shown.facts))
    for place, learned in enumerate(shown.learned):
        inner = _learned(shown, learned)
        if several:
            opened = " open" if place == 0 else ""
            title = f"<summary>What marks {_safe(learned.output)}</summary>\n"
            inner = f"<details{opened}>{title}{inner}</details>\n"
        parts.append(inner)
    parts.append(f"<footer><p>{_safe(shown.made)}</p></footer>\n")
    inner = f'<div class="report">{"".join(parts)}</div>'
    return whole(shown.heading, shown.heading, styled(inner, sheet() + WIDE))


def _safe(text: str) -> str:
    return escape(words.inert(text))


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_safe(name)}</th><td>{_safe(value)}</td></tr>\n'
        for name, value in facts
    )
    return (
        '<details><summary>How it was learned</summary>\n<div class="rows"><table class="facts">'
        f"<tbody>\n{rows}</tbody></table></div></details>\n"
    )


def _learned(shown: Report, learned: Learned) -> str:
    told = maps(learned.maps, shown.fit, told=True)
    heading = "<h2>Maps</h2>\n" if told else ""
    if told:
        heading += (
            '<p class="note">Of the bags where the head is surest for and against '
            f"{_safe(learned.output)}. They are bags of this data; if it learned from them, they "
            "flatter it.</p>\n"
        )
    return (
        f"<h2>Concepts</h2>\n{_monograms(shown, learned)}{_bigrams(shown, learned)}{heading}{told}"
    )


# --- concepts ---------------------------------------------------------------------------------


def _monograms(shown: Report, learned: Learned) -> str:
    note = (
        f'<p class="note">The weight is what one token of a concept adds for '
        f"{_safe(learned.output)}{_errors(learned.concepts)}; the bar is how much that moves the "
        "margins of whole bags, given how often the concept occurs. Striped orange speaks against "
        "it.</p>\n"
    )
    if not any(found.moves for found in learned.concepts):
        return f'<p class="note">{NOTHING}</p>\n'
    ranked = sorted(learned.concepts, key=lambda found: -abs(found.moves))
    largest = _largest(ranked)
    digits = words.decimals([found.entry.weight for found in ranked])
    first, rest = (
        "".join(
            _concept(shown, found, largest, digits)
            for found in sorted(part, key=lambda found: -found.moves)
        )
        for part in (ranked[:CONCEPTS], ranked[CONCEPTS:])
    )
    names = ["Concept", "Weight", "How much it moves"]
    names += ["Share"] if shown.shares else []
    names += ["Examples"] if shown.examples else []
    if not rest:
        return f"{note}{_table(names, first)}"
    left = words.counted(len(ranked) - CONCEPTS, "more concept")
    more = f"<details><summary>{left}, which move less</summary>\n{_table(names, rest)}</details>\n"
    return f"{note}{_table(names, first)}{more}"


def _errors(found: Sequence[Found]) -> str:
    known = any(one.entry.error is not None for one in found)
    return ", ± one standard error" if known else ""


def _largest(found: Sequence[Found]) -> float:
    """What fills half a bar, with its error."""
    return max((abs(one.moves) + (one.error or 0.0) for one in found), default=0.0) or 1.0


def _table(names: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<div class="rows"><table class="concepts">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )


def _concept(shown: Report, found: Found, largest: float, digits: int) -> str:
    c = found.entry.concepts[0]
    cells = _first(found, largest, digits)
    if shown.shares:
        cells.append(f'<td class="value">{words.percent(shown.shares[c])}</td>')
    if shown.examples:
        cells.append(f"<td>{_examples(shown.examples.get(c, ()))}</td>")
    return _row(found, cells)


def _first(found: Found, largest: float, digits: int) -> list[str]:
    """The cells of a name, a weight and a bar."""
    entry = found.entry
    return [
        f'<th scope="row">{_safe(entry.name)}</th>',
        f'<td class="value">{words.measured(entry.weight, entry.error, digits)}</td>',
        f'<td class="bar">{_whisker(found, largest)}</td>',
    ]


def _row(found: Found, cells: Sequence[str]) -> str:
    faded = "" if found.sure else ' class="unsure"'
    return f"<tr{faded}>{''.join(cells)}</tr>\n"


def _whisker(found: Found, largest: float) -> str:
    """A bar from the middle to its side, and over it a line of one standard error each way."""
    size = 50 * abs(found.moves) / largest
    left = 50.0 if found.moves >= 0 else 50.0 - size
    kind = "more" if found.moves >= 0 else "less"
    line = ""
    if found.error is not None and math.isfinite(found.error):
        start = 50 + 50 * (found.moves - found.error) / largest
        line = f'<u style="left:{start:.1f}%;width:{100 * found.error / largest:.1f}%"></u>'
    return (
        f'<div class="whisker"><i class="{kind}" style="left:{left:.1f}%;width:{size:.1f}%"></i>'
        f'{line}<s style="left:50%"></s></div>'
    )


def _examples(examples: Sequence[Example]) -> str:
    if not examples:
        return "none"
    if all(one.pixels is not None for one in examples):
        return '<div class="examples">' + "".join(map(_thumbnail, examples)) + "</div>"
    items = "".join(
        f'<li title="{_safe(one.bag)}">{escape(shortened(words.inert(one.label), EXAMPLE))}</li>'
        for one in examples
    )
    return f'<ul class="examples">{items}</ul>'


def _thumbnail(one: Example) -> str:
    assert one.pixels is not None
    said = f"{one.label}, {one.bag}"
    return f'<img src="{data_uri(one.pixels)}" alt="{_safe(said)}" title="{_safe(said)}">'


# --- pairs ------------------------------------------------------------------------------------


def _bigrams(shown: Report, learned: Learned) -> str:
    pairs = [found for found in learned.pairs if found.moves][:PAIRS]
    if not pairs:
        return '<h2>Pairs</h2>\n<p class="note">This head has no pairs of concepts.</p>\n'
    return (
        "<h2>Pairs that are near each other</h2>\n"
        f'<p class="note">What two tokens add for {_safe(learned.output)} by being within reach of '
        "each other, beside what each adds alone: the thicker the line, the more it moves; dashed "
        "orange speaks against it. Circles are concepts, larger where they are frequent, coloured "
        f"by what they do alone.</p>\n{_drawn(shown, learned, pairs)}{_pairs(pairs)}"
    )


def _drawn(shown: Report, learned: Learned, pairs: Sequence[Found]) -> str:
    strongest = sorted(learned.concepts, key=lambda found: -abs(found.moves))[:ALONE]
    kept = sorted({c for found in (*pairs, *strongest) for c in found.entry.concepts})
    at = {c: place for place, c in enumerate(kept)}
    alone = {found.entry.concepts[0]: found for found in learned.concepts}
    most = max((abs(found.moves) for found in learned.concepts), default=0.0) or 1.0
    largest = abs(pairs[0].moves)
    common = max((shown.shares[c] for c in kept), default=0.0) if shown.shares else 0.0
    return concept_graph(
        [words.inert(shown.names[c]) for c in kept],
        [shown.shares[c] / common if common else 0.3 for c in kept],
        [alone[c].moves / most for c in kept],
        [
            Link(
                at[found.entry.concepts[0]],
                at[found.entry.concepts[-1]],
                found.moves / largest,
                _said(found),
            )
            for found in pairs
        ],
        [f"{_said(alone[c])} alone" for c in kept],
    )


def _said(found: Found) -> str:
    entry = found.entry
    shown = words.measured(entry.weight, entry.error, words.decimals([entry.weight]))
    return f"{words.inert(entry.name)}: {shown}"


def _pairs(pairs: Sequence[Found]) -> str:
    digits = words.decimals([found.entry.weight for found in pairs])
    known = any(found.entry.q_value is not None for found in pairs)
    largest = _largest(pairs)
    rows = "".join(_pair(found, largest, digits, known) for found in pairs)
    more = ["Could be chance"] if known else []
    return _table(["Pair", "Weight", "How much it moves", *more], rows)


def _pair(found: Found, largest: float, digits: int, known: bool) -> str:
    q = found.entry.q_value
    cells = _first(found, largest, digits)
    if known:
        title = "" if q is None else f' title="q = {q:.3g}"'
        said = "" if q is None else "no" if q <= FOUND else "yes"
        cells.append(f"<td{title}>{said}</td>")
    return _row(found, cells)
