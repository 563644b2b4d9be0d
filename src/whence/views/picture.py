"""Holds Picture: what is shown of an Explanation and in which words, as plain data.

It does not know how a picture is drawn: text and html read it. Whatever draws it finds the fit
of a section before its findings, in the order of the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from whence.evaluation import inference
from whence.explanation import Explanation
from whence.indices import Interactions
from whence.units import plural
from whence.views import headline, words
from whence.views.fit import CAUTION, Fit, fit_of
from whence.views.tiles import Tile, strengths, tiles

#: Values this many standard errors from zero are told apart from it.
SURE = 2.0
#: Interactions below this share of the largest value are not worth a line.
SMALL = 0.02
#: Values below this share of the largest are zero but for rounding.
ZERO = 1e-9
#: An account that misses the model's own change by more than this part of it is remarked on.
MISSED = 0.1

#: Sets are tested on held-out masks at this false discovery rate, if there are so many masks.
FDR, LEAST_TESTED = 0.1, 20
CONFIRMED = ", confirmed"

#: Labels longer than this are numbered by their place, for shortening may make them equal.
LONG = 24


@dataclass(frozen=True)
class Row:
    """One unit, or one set of units, with its value.

    Attributes:
        units: positions of the units.
        names: the units' names, whole, with controls written out.
        value: in the unit of the output.
        se: standard error, or None when there is none or the run was exact.
        strength: the value relative to the largest of its table, -1 to 1.
        shown: the value in words, with its error.
        said: what to think of it; "" for nothing.
        sure: whether the value can be told from zero.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    value: float
    se: float | None
    strength: float
    shown: str
    said: str = ""
    sure: bool = True

    @property
    def label(self) -> str:
        """The names of all units."""
        return " + ".join(self.names)


@dataclass(frozen=True)
class Table:
    """Some findings, strongest first.

    Attributes:
        title: what they are of.
        note: which index is shown, and what it means.
        rows: the strongest.
        rest: what is not shown, or why there is nothing; "" when all is.
    """

    title: str
    note: str
    rows: tuple[Row, ...] = ()
    rest: str = ""


@dataclass(frozen=True)
class Section:
    """One output.

    Attributes:
        name: of the output; "" when it has none.
        headline: what the model says, with all units and with none.
        fit: how far to trust what follows.
        tiles: the input's running text; () when units have none.
        alone: the units' attributions.
        together: sets of two units or more.
        notes: remarks on the findings.
        unsigned: whether the attributions have no direction, as the influence.
        signs: what a value above zero says, and one below.
    """

    name: str
    headline: str
    fit: Fit
    tiles: tuple[Tile, ...]
    alone: Table | None
    together: Table | None
    notes: tuple[str, ...] = ()
    unsigned: bool = False
    signs: tuple[str, str] = ("raises it", "lowers it")


@dataclass(frozen=True)
class Picture:
    """Everything that is shown.

    Attributes:
        lead: what is explained; "" when the section's headline says it.
        sections: one per output shown.
        hidden: which outputs are not shown; "" when all are.
        cost: what was spent, and the seed.
        made: how to repeat it.
    """

    lead: str
    sections: tuple[Section, ...]
    hidden: str
    cost: str
    made: str


def picture(
    e: Explanation,
    *,
    index: str = "shapley",
    interaction: str = "faith_banzhaf",
    order: int = 2,
    top: int = 8,
    outputs: int = 4,
    characters: int = 1200,
) -> Picture:
    """The picture of an explanation.

    Args:
        e: what is shown.
        index: of single units, see `Explanation.attributions`.
        interaction: of sets, see `Explanation.interactions`.
        order: the largest set shown; 1 shows no sets.
        top: rows per table.
        outputs: how many outputs are shown, those with the highest values.
        characters: how much running text, about, before it is cut to its strongest sentences.

    Raises:
        InputError: an unknown index, or an order below 1.
    """
    chosen, hidden = _outputs(e, outputs)
    if len(chosen) > 1:
        top = min(top, max(3, 2 * top // len(chosen)))
    model, lead = headline.model(e)
    asked = _Asked(index, interaction, order, top, characters)
    if not e.f.out:
        return Picture(lead, (_section(e, asked, model),), "", _cost(e), _made(e))
    sections = tuple(_section(e.output(q), asked, "", q) for q in chosen)
    count = words.counted(len(chosen) + len(hidden), "output")
    lead = f"{lead or model}: {count}"
    return Picture(lead, sections, _hidden(e, hidden), _cost(e), _made(e))


@dataclass(frozen=True)
class _Asked:
    index: str
    interaction: str
    order: int
    top: int
    characters: int


def _section(e: Explanation, asked: _Asked, model: str, place: int = 0) -> Section:
    name = words.inert(e.outputs[0]) if e.outputs else ""
    lead = headline.says(e, model, name) if model else f"{name or f'output {place}'}:"
    first = f"{lead} {headline.value(e)}"
    fit = fit_of(e)
    if fit.level == "constant":
        blank = tiles(e.units, [0.0] * e.n, [""] * e.n, asked.characters)
        return Section(name, first, fit, blank, None, None)
    found = e.attributions(asked.index)
    rows = _rows(e, found, exact=fit.level == "exact")
    shown = tiles(
        e.units,
        [row.strength if row.sure else 0.0 for row in rows],
        [f"{row.label}: {row.shown}{f' ({row.said})' if row.said else ''}" for row in rows],
        asked.characters,
    )
    return Section(
        name,
        first,
        fit,
        shown,
        _alone(e, found, rows, asked.top),
        _together(e, asked, rows, exact=fit.level == "exact"),
        _notes(e, found, rows),
        unsigned=found.index == "influence",
    )


# --- findings ---------------------------------------------------------------------------------


def _rows(e: Explanation, found: Interactions, *, exact: bool) -> list[Row]:
    """One row per set that was found, in the order they came."""
    values = [float(v) for v in found.f.columns[:, 0]]
    errors: list[float | None] = [None] * len(values)
    if found.errors is not None and not exact:
        errors = [float(s) for s in np.reshape(found.errors, -1)]
    digits = words.decimals(values)
    rows: list[Row] = []
    relative = strengths(values)
    for units, value, se, strength in zip(found.sets, values, errors, relative, strict=True):
        sure = se is None or abs(value) > SURE * se
        said = "" if sure else "could be zero"
        if sure and len(units) > 1:
            said = words.togetherness(value, len(units), found.index)
        names = tuple(_label(e, found.names[i], i, len(units)) for i in units)
        shown = words.measured(value, se, digits)
        rows.append(Row(units, names, value, se, strength, shown, said, sure))
    return rows


def _label(e: Explanation, name: str, unit: int, together: int) -> str:
    """A label that stays different when it is shortened: long ones are numbered.

    A column is told from others by its name, so beside others its value is left out.
    """
    if e.units.kind == "column":
        return words.inert(name.partition(" = ")[0] if together > 1 else name)
    return f"{unit + 1}: {words.inert(name)}" if len(name) > LONG else words.inert(name)


def _strongest(rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    """The strongest rows; those that are equal but for rounding stay in their order."""
    return tuple(sorted(rows, key=lambda row: -round(abs(row.strength), 9))[: max(most, 0)])


def _alone(e: Explanation, found: Interactions, rows: list[Row], top: int) -> Table:
    kinds = plural(e.units.kind)
    name, meaning = words.ATTRIBUTIONS.get(
        found.index,
        (f"{words.INTERACTIONS.get(found.index, found.index)} of order 1", "see the glossary"),
    )
    meaning = meaning.format(unit=e.units.kind, units=kinds)
    note = f"{name}: {meaning}{_scale(e, found.index)}"
    if any(row.se is not None for row in rows):
        note += ", ± one standard error"
    shown = tuple(row for row in _strongest(rows, top) if abs(row.strength) > ZERO)
    left = len(rows) - len(shown)
    none = sum(abs(row.strength) <= ZERO for row in rows)
    rest = ""
    if not shown:
        rest = f"No {e.units.kind} has a value of its own."
    elif left:
        how = " of value zero" if none == left else ""
        rest = f"and {words.counted(left, f'more {e.units.kind}')}{how}"
    return Table(kinds.capitalize(), note, shown, rest)


def _scale(e: Explanation, index: str) -> str:
    return f", in {words.inert(e.unit)}" if e.unit and index != "influence" else ""


def _together(e: Explanation, asked: _Asked, alone: list[Row], *, exact: bool) -> Table | None:
    if asked.order < 2:
        return None
    found = e.interactions(asked.interaction, asked.order)
    joint = [row for row in _rows(e, found, exact=exact) if len(row.units) > 1]
    largest = max((abs(row.value) for row in [*alone, *joint]), default=0.0)
    telling = [row for row in joint if row.sure and abs(row.value) > SMALL * largest]
    kinds = plural(e.units.kind)
    name = words.INTERACTIONS[found.index]
    note = f"{name}, sets of up to {found.order} {kinds}{_scale(e, found.index)}"
    shown = _tested(e, _strongest(telling, asked.top), found, exact=exact)
    if any(row.said.endswith(CONFIRMED) for row in shown):
        share = f"{100 * FDR:.0f} %"
        note += f"; confirmed: on the held-out masks too, at most {share} of them falsely"
    if shown:
        left = len(telling) - len(shown)
        rest = f"and {words.counted(left, 'weaker set')}" if left else ""
    elif e.f.degree < 2 and not exact:
        rest = f"This account holds single {kinds} only ({words.inert(e.provenance.fitted_by)})."
    else:
        rest = f"No set of {kinds} matters beyond what its {kinds} do apart."
    return Table("Act together", note, _rescaled(shown), rest)


def _tested(
    e: Explanation, rows: tuple[Row, ...], found: Interactions, *, exact: bool
) -> tuple[Row, ...]:
    """The rows, those said to be confirmed that the held-out masks tell from zero."""
    if exact or not rows or found.index != "faith_banzhaf" or len(e.judged) < LEAST_TESTED:
        return rows
    tested = inference.discoveries(
        e.f, e.judged, e.fitted, index=found.index, order=found.order,
        sets=[row.units for row in rows], fdr=FDR,
    )  # fmt: skip
    sure = {s for s, yes in zip(tested.sets, tested.confirmed, strict=True) if yes}
    return tuple(
        replace(row, said=f"{row.said}{CONFIRMED}" if row.units in sure else row.said)
        for row in rows
    )


def _rescaled(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Rows with strengths relative to the strongest of them."""
    fresh = strengths([row.value for row in rows])
    return tuple(replace(row, strength=strength) for row, strength in zip(rows, fresh, strict=True))


def _notes(e: Explanation, found: Interactions, rows: list[Row]) -> tuple[str, ...]:
    """What the account misses of the model's own change, which Shapley values share out evenly."""
    if found.index != "shapley":
        return ()
    own = float(e.full) - float(e.empty)
    all_present, none_present = np.reshape(e.predict(e.ends.masks), -1).tolist()
    said = all_present - none_present
    scale = max(abs(own), *(abs(row.value) for row in rows))
    if abs(said - own) <= MISSED * scale:
        return ()
    digits = words.decimals([own, said])
    each = words.number((own - said) / e.n, max(digits, words.decimals([(own - said) / e.n])))
    kind = e.units.kind
    return (
        f"From no {plural(kind)} to all the model changes by {words.number(own, digits)}, "
        f"and this account by {words.number(said, digits)}. What it misses is shared out evenly: "
        f"{each} of each {kind}'s value.",
    )


# --- outputs, cost ----------------------------------------------------------------------------


def _outputs(e: Explanation, most: int) -> tuple[list[int], list[int]]:
    """Positions of the outputs shown and of those not, each in their order."""
    ranked = np.argsort(-np.reshape(e.full, -1), kind="stable").tolist()
    return sorted(ranked[:most]), sorted(ranked[most:])


def _hidden(e: Explanation, hidden: list[int]) -> str:
    if not hidden:
        return ""
    names = [words.inert(e.outputs[q]) if e.outputs else str(q) for q in hidden]
    return f"{words.counted(len(hidden), 'more output')}, of lower value: {words.listed(names)}"


def _cost(e: Explanation) -> str:
    cost, seed, stopped = e.cost, e.provenance.seed, e.provenance.stopped
    calls = words.counted(cost.calls, "call")
    if stopped:
        calls = f"{cost.calls:,} of {words.counted(e.provenance.budget, 'call')}"
    spent = [
        f"{calls} ({words.counted(cost.duplicates, 'duplicate')}, "
        f"{words.counted(cost.repeats, 'repeat')})",
        words.seconds(cost.seconds),
    ]
    if cost.tokens is not None:
        spent.append(words.counted(cost.tokens, "token"))
    spent.append("seed not known" if seed is None else f"seed {seed}")
    why = f". Ended early: {words.inert(stopped)}." if stopped else ""
    return ", ".join(spent) + why


def _made(e: Explanation) -> str:
    made = e.provenance
    version = dict(made.versions).get("whence", "")
    fitted = f" ({made.fitted_by})" if made.fitted_by else ""
    told = f"{made.explainer} explainer{fitted}, budget {made.budget:,}"
    told = f"{told}, whence {version}" if version else told
    plain = [f"{n[:1].upper()}{n[1:]}" for n in made.notes if not n.startswith(CAUTION)]
    return words.inert(". ".join([told, *plain]))
