"""Holds fit_of_head: how far a prospector head can be trusted, in words for a newcomer.

It reads measured numbers and does not know how they came about, nor what the maps show.
"""

from __future__ import annotations

from dataclasses import replace

from whence.prospectors.folds import Performance
from whence.units import plural
from whence.views import words
from whence.views.fit import Fit, Level

#: Of the way from chance to perfect, from which the lower end of the interval is good, and up to
#: which it is barely more than chance.
GOOD, BARELY = 0.5, 0.1

HEADLINES: dict[Level, str] = {
    "good": "Tells them apart well.",
    "fair": "Tells them apart, not well.",
    "poor": "Do not read the map.",
    "constant": "Not measured.",
}
#: A p-value from which shuffled labels do as well.
CHANCE = 0.05


def fit_of_head(
    found: Performance | None,
    p_value: float | None = None,
    shuffles: int = 0,
    *,
    kind: str = "bag",
) -> Fit:
    """The fit of a head, to stand before its maps.

    Args:
        found: its cross-validated performance; None when it was not measured.
        p_value: of the permutation null; None when it was not asked for.
        shuffles: how many times labels were shuffled for it.
        kind: what one bag is called: "text", "picture".
    """
    kinds = plural(kind)
    if found is None:
        said = f"How well the head tells {kinds} apart was not measured; its maps may mean nothing."
        return Fit("constant", HEADLINES["constant"], said, ("Fit it again with folds.",))
    level, way = _level(found), _way(found)
    barely = level == "fair" and way < BARELY
    sentence = f"{_measured(found, kind)} {_null(p_value, shuffles)}".strip()
    headline = "Tells them apart, barely." if barely else HEADLINES[level]
    return Fit(level, headline, sentence, _warnings(level, p_value, kinds, barely=barely))


def short(fit: Fit, performance: str) -> Fit:
    """The same fit in a line, where it has been told in full before."""
    said = words.inert(performance)
    return replace(fit, sentence=f"{said[:1].upper()}{said[1:]}.", warnings=fit.warnings[:1])


def _way(found: Performance) -> float:
    """How far the lower end of the interval is on the way from chance to perfect."""
    return (found.low - found.chance) / (1 - found.chance)


def _level(found: Performance) -> Level:
    if not found.better:
        return "poor"
    return "good" if _way(found) >= GOOD else "fair"


def _measured(found: Performance, kind: str) -> str:
    value, low, high = (
        words.number(v, 2, sign=False) for v in (found.value, found.low, found.high)
    )
    chance = words.number(found.chance, 2, sign=False).rstrip("0").rstrip(".")
    tail = found.words.partition("], ")[2].partition(":")[0]
    on = f", {words.inert(tail)}".replace(" bags", f" {plural(kind)}") if tail else ""
    return (
        f"{plural(kind).capitalize()} left out of the fit are told apart with {found.name} {value} "
        f"(95 % interval {low} to {high}; {chance} is chance, 1 is perfect{on}). It learned from "
        f"labels of whole {plural(kind)}; nobody said where in a {kind} to look."
    )


def _null(p_value: float | None, shuffles: int) -> str:
    if p_value is None:
        return ""
    shown = words.number(p_value, 3, sign=False)
    least = ", the least that so many can show" if p_value <= 1 / (shuffles + 1) else ""
    return (
        f"A head fitted to shuffled labels does as well with p = {shown} "
        f"({words.counted(shuffles, 'shuffle')}{least})."
    )


def _warnings(level: Level, p_value: float | None, kinds: str, *, barely: bool) -> tuple[str, ...]:
    found: list[str] = []
    if level == "poor":
        found.append(f"It tells {kinds} apart no better than chance: what it marks means nothing.")
    elif barely:
        found.append("It is only just better than chance: take its strongest marks as hints.")
    elif level == "fair":
        found.append("Trust the strongest marks, not the weak ones.")
    if p_value is not None and p_value > CHANCE and level != "poor":
        found.append("Shuffled labels do about as well: what it marks may be chance.")
    return tuple(found)
