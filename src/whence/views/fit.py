"""Holds Fit: how far an explanation can be trusted, in words that a newcomer understands.

It reads the explanation of one output. It does not know what was found, nor how it is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whence.explanation import Explanation
from whence.units import plural
from whence.views import words
from whence.views.words import counted, decimals, number, percent

Level = Literal["exact", "good", "fair", "poor", "constant"]

#: Lower ends of the interval from which a fit is good, and fair.
GOOD, FAIR = 0.8, 0.5
#: A fit on all masks that misses less than this share of the variance is exact.
EXACT = 1e-9
#: An interval wider than this says that too few masks were held out.
WIDE = 0.25
#: How a note begins that a reader must see before the numbers.
CAUTION = "Caution: "
#: Noise above this share of the spread of the model's values is worth a warning.
NOISE = 0.02

HEADLINES: dict[Level, str] = {
    "exact": "Exact.",
    "good": "Good fit.",
    "fair": "Fair fit.",
    "poor": "Poor fit.",
    "constant": "Nothing to explain.",
}


@dataclass(frozen=True)
class Fit:
    """The measured fit of one output, as it is said.

    Attributes:
        level: the traffic light: "exact" and "good" are green, "fair" amber, "poor" red, and
            "constant" has nothing to fit.
        headline: the level in a word or two.
        sentence: what was measured, on which masks, for how many calls.
        warnings: what a reader must know before believing a number.
    """

    level: Level
    headline: str
    sentence: str
    warnings: tuple[str, ...] = ()


def fit_of(e: Explanation) -> Fit:
    """The fit of an explanation of one output."""
    level = level_of(e)
    told = {"exact": _exact, "constant": _constant}.get(level, _measured)
    warnings = [*_by_level(e, level), *_noisy(e), *_stopped(e), *_cautions(e)]
    headline = HEADLINES[level] if _judged(e) else "Fit not known."
    return Fit(level, headline, told(e), tuple(warnings))


def _judged(e: Explanation) -> bool:
    """Whether enough masks were held out for an interval."""
    fit = e.fidelity
    return fit.exhaustive or bool(fit.constant) or math.isfinite(float(fit.low))


def level_of(e: Explanation) -> Level:
    """The traffic light of an explanation of one output."""
    fit, r2, low = e.fidelity, float(e.fidelity.r2), float(e.fidelity.low)
    if bool(fit.constant):
        return "constant" if _same_ends(e) else "poor"
    if fit.exhaustive and r2 >= 1 - EXACT:
        return "exact"
    if low >= GOOD:
        return "good"
    return "fair" if low >= FAIR else "poor"


def _same_ends(e: Explanation) -> bool:
    full, empty = float(e.full), float(e.empty)
    return abs(full - empty) <= 1e-9 * max(abs(full), abs(empty), 1e-300)


def _exact(e: Explanation) -> str:
    return (
        f"All {e.fidelity.masks:,} combinations of the {counted(e.n, e.units.kind)} were tried "
        f"({_calls(e)}); this account reproduces every one (R² 1, {e.fidelity.distribution})."
    )


def _constant(e: Explanation) -> str:
    masks = f"{e.fidelity.masks:,}"
    tried = f"all {masks}" if e.fidelity.exhaustive else f"{masks} held-out"
    return (
        f"The output is the same whichever {plural(e.units.kind)} are removed: in {tried} "
        f"combinations ({e.fidelity.distribution}; {_calls(e)}), so R² is not defined."
    )


def _measured(e: Explanation) -> str:
    fit = e.fidelity
    if bool(fit.constant):
        return (
            f"The output was the same in all {fit.masks:,} combinations held out "
            f"({fit.distribution}; {_calls(e)}), so no fit could be measured (R² is not defined)."
        )
    r2 = float(fit.r2)
    share = percent(r2, 0) if r2 > 0 else "none"
    what = f"This account explains {share} of how the output changes when {plural(e.units.kind)} "
    if fit.exhaustive:
        return (
            f"{what}are removed; {_unexplained(e)} (R² {_r2(r2)}, measured on all "
            f"{fit.masks:,} combinations, {fit.distribution}; {_calls(e)})."
        )
    return (
        f"{what}are removed; {_unexplained(e)} (R² {_r2(r2)}, 95 % interval {_interval(e)}, "
        f"measured on {fit.masks:,} combinations it had not seen: {fit.distribution}; {_calls(e)})."
    )


def _unexplained(e: Explanation) -> str:
    """What the account leaves out, with its interval unless that is a point."""
    fit = e.fidelity
    share, least, most = (min(max(1.0 - float(r2), 0.0), 1.0) for r2 in (fit.r2, fit.high, fit.low))
    if share == 1.0:
        return "all of it is unexplained"
    told, low, high = percent(share, 0), percent(least, 0), percent(most, 0)
    known = not fit.exhaustive and math.isfinite(float(fit.low)) and not told == low == high
    return f"{told}{f' ({low} to {high})' if known else ''} is unexplained"


def _calls(e: Explanation) -> str:
    return counted(e.cost.calls, "call")


def _r2(value: float) -> str:
    return number(value, 3 if 0.985 <= value < 1.5 else 2, sign=False)


def _interval(e: Explanation) -> str:
    low, high = float(e.fidelity.low), float(e.fidelity.high)
    return f"{_r2(low)} to {_r2(high)}" if math.isfinite(low) else "not known"


def _by_level(e: Explanation, level: Level) -> list[str]:
    fit = e.fidelity
    if not _judged(e):
        return [
            f"Do not trust the numbers below: {fit.masks:,} held-out combinations are too few to "
            f"judge them. {_remedy(e)}"
        ]
    if level == "poor":
        return [f"Do not trust the numbers below. {_remedy(e)}"]
    if level == "fair":
        return [f"Trust the large numbers below, not the small ones. {_remedy(e)}"]
    if level == "good" and float(fit.high) - float(fit.low) > WIDE:
        return [f"The interval is wide. {_remedy(e)}"]
    return []


def _remedy(e: Explanation) -> str:
    if e.fidelity.exhaustive:
        return (
            "Every combination was tried, so more calls will not help: "
            f"{e.provenance.explainer} is too simple for this model. Use the default explainer."
        )
    if e.provenance.interrupted:
        return "Let it run on."
    if e.provenance.stopped:
        return "It ended early: ask for more, or leave out what it ended for."
    fewer = "" if e.n <= 10 else ", or explain fewer, larger units"
    return f"Raise --budget (budget= in Python) above {e.provenance.budget:,}{fewer}."


def _noisy(e: Explanation) -> list[str]:
    noise = float(e.fidelity.noise)
    if not noise > NOISE * float(np.std(e.judged.values)):
        return []
    shown = number(noise, decimals([noise]), sign=False)
    return [
        f"The model answers differently to the same input (standard deviation {shown}, found by "
        f"{counted(e.fidelity.repeats, 'repeat')}): "
        "differences of that size mean nothing."
    ]


def _cautions(e: Explanation) -> list[str]:
    """What the model's adapter warns of."""
    return [words.inert(note) for note in e.provenance.notes if note.startswith(CAUTION)]


def _stopped(e: Explanation) -> list[str]:
    if not e.provenance.interrupted:
        return []
    return [f"Stopped early, after {e.cost.calls:,} of {e.provenance.budget:,} calls."]
