"""Holds the first line of a picture: which model gives what, and on which scale.

It does not know what was found, nor how far it can be trusted.
"""

from __future__ import annotations

from whence.explanation import Explanation
from whence.units import plural
from whence.views import words

#: Units that are counted in nats, and what is counted.
NATS = {
    "log-probability (nats)": "log-probability",
    "log-ratio of two probabilities": "log of how many times likelier",
}


def says(e: Explanation, model: str, name: str) -> str:
    """A model says what it finds likelier than not; of anything else it gives a number."""
    if not name:
        return f"{model} gives"
    full = float(e.full)
    likely = (e.unit == "log-odds" and full > 0) or (e.unit == "probability" and full > 0.5)
    return f"{model} {'says' if likely else 'gives'} {name}:"


def value(e: Explanation) -> str:
    """What the model gives with everything present, and with nothing."""
    full, empty = float(e.full), float(e.empty)
    digits = words.decimals([full, empty])
    none = f"with no {plural(e.units.kind)}"
    if e.unit == "probability":
        return f"{words.percent(full)} ({words.percent(empty)} {none})"
    before, after = words.number(empty, digits), words.number(full, digits)
    if e.unit in NATS:
        return f"{after} nats ({NATS[e.unit]}; {before} {none})"
    if e.unit == "log-odds":
        share = words.percent(words.probability(full))
        return f"{share} (log-odds {after}; {before} {none})"
    return f"{after}{f' {words.inert(e.unit)}' if e.unit else ''} ({before} {none})"


def model(e: Explanation) -> tuple[str, str]:
    """The model's name where it is known, and what is explained where the name does not say it."""
    made = e.provenance
    name = words.inert(made.model)
    shown = e.units.text is not None and bool(name)
    return (
        "The model" if name in ("", "a callable") else name,
        "" if shown else words.inert(made.game),
    )
