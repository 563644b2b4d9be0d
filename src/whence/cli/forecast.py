"""Holds forecast: what a run would cost, in words or as JSON, before it is paid.

It does not know how masks are chosen. It times the model on a few of the inputs. A journal keeps
their answers, so that nothing is paid for twice; without one they are lost.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from whence.cli.output import in_lines
from whence.errors import InputError
from whence.explain import Plan
from whence.game import Game, raw_values
from whence.journal import Journal
from whence.masks import Masks
from whence.scoring import Facts

#: Masks that are timed, and repeats for noise that `explain` asks by default.
TIMED, REPEATS = 8, 3


@dataclass(frozen=True)
class Forecast:
    """What a run would cost.

    Attributes:
        game: model and input.
        units: how many units.
        budget: the most distinct masks allowed.
        calls: distinct masks the run values.
        held_out: how many of them measure the fit only; 0 when all masks are valued.
        exhaustive: whether they are all masks.
        duplicates: masks asked for more than once, free.
        known: how many of the calls the journal answers.
        paid: calls that the model answers.
        repeats: further calls that look for noise, at most.
        tokens: tokens the model reads for the paid calls, or None when not known.
        seconds: how long the paid calls take.
        timed: masks the seconds were measured on, just now.
        looks: how many intervals are taken, where the run may stop and at its end; with any, the
            numbers are at most.
        cost: what the tokens cost at the price that was given, or None.
    """

    game: str
    units: int
    budget: int
    calls: int
    held_out: int
    exhaustive: bool
    duplicates: int
    known: int
    paid: int
    repeats: int
    tokens: int | None
    seconds: float
    timed: int
    looks: int
    cost: float | None


def forecast(
    game: Game,
    design: Plan,
    journal: Path | None,
    form: str,
    price: float | None = None,
    facts: Facts = Facts(),  # noqa: B008  frozen
) -> str:
    """What the run of that design would cost: JSON for form "json", else lines of text.

    `price` is of a million tokens; `facts` are the model's.

    Raises:
        InputError: a price, and a model that does not count its tokens.
    """
    if price is not None and game.tokens is None:
        raise InputError(
            f"price={price:g} came, and {game.model or 'this model'} does not count the tokens it "
            "reads, so there is nothing to multiply. Leave --price out."
        )
    missing = design.masks[~_known(game, design.masks, journal)]
    tokens = None if game.tokens is None else game.tokens(missing)
    kept = journal if journal is not None and journal.exists() and len(missing) else None
    with nullcontext() if kept is None else Journal(kept) as opened:
        asked = game if opened is None else opened.remember(game)
        seconds, timed = _seconds(asked, missing, tokens)
    seconds = round(seconds * lanes_used(timed, facts) / facts.lanes, 3)
    total = None if tokens is None else int(tokens.sum())
    found = Forecast(
        game.description,
        game.n,
        design.budget,
        design.calls,
        0 if design.exhaustive else len(design.judging),
        design.exhaustive,
        design.duplicates,
        design.calls - len(missing),
        len(missing),
        min(REPEATS, design.calls),
        total,
        seconds,
        timed,
        design.looks,
        None if price is None or total is None else total * price / 1e6,
    )
    return in_lines(asdict(found)) if form == "json" else _in_words(found, facts.paid)


def lanes_used(timed: int, facts: Facts) -> int:
    """How many of the model's lanes the timed calls could fill: a run fills them all."""
    asked = max(timed - 1, 1)  # the first is not timed
    return min(facts.lanes, -(-asked // facts.lane))


def _known(game: Game, masks: Masks, journal: Path | None) -> np.ndarray:
    """Which masks the journal answers; a journal that is not there yet is not made."""
    if journal is None or not journal.exists():
        return np.zeros(len(masks), dtype=np.bool_)
    with Journal(journal) as opened:
        return opened.known(game, masks)


def _seconds(game: Game, missing: Masks, tokens: np.ndarray | None) -> tuple[float, int]:
    """Seconds for the missing masks, from a few of them spread over their lengths."""
    if not len(missing):
        return 0.0, 0
    sizes = missing.sum(axis=1) if tokens is None else tokens
    some = np.argsort(sizes, kind="stable")[np.linspace(0, len(missing) - 1, TIMED).astype(int)]
    some = np.unique(some)
    raw_values(game.value, missing[some[:1]])  # what a first call sets up is not counted
    timed = some[1:] if len(some) > 1 else some
    started = time.perf_counter()
    raw_values(game.value, missing[timed])
    each = (time.perf_counter() - started) / max(float(np.sum(sizes[timed])), 1.0)
    return round(each * float(np.sum(sizes)), 3), len(some)


def _in_words(found: Forecast, paid: bool) -> str:
    every = ", every mask there is" if found.exhaustive else ""
    most = "at most " if found.looks else ""
    held = f", {found.held_out:,} of them held out to measure the fit" if found.held_out else ""
    seconds = (
        f"about {found.seconds:.1f} of model time, timed on {found.timed} of these calls just now"
    )
    rows = {
        "game": found.game,
        "calls": f"{most}{found.calls:,} of a budget of {found.budget:,}{every}{held}",
        "duplicates": f"{found.duplicates:,}, free",
        "known": f"{found.known:,} in the journal, free",
        "to pay": f"{most}{found.paid:,}, and up to {found.repeats} repeats to look for noise",
        "tokens": "not known" if found.tokens is None else f"{found.tokens:,}",
        "cost": "" if found.cost is None else f"{most}{found.cost:,.4g} at the price given",
        "seconds": seconds if found.paid else "none",
    }
    lines = [f"{name:<11} {words}" for name, words in rows.items() if words]
    spent = f"Only the {found.timed} timed calls were made" if found.timed else "No call was made"
    spent += ", beside those that opened the model." if paid else "."
    return "\n".join([*lines, f"{spent} Run it again without --dry-run."])
