"""Holds the coarse-to-fine run of the command line: `--units document --refine sentence`.

It does not know what is opened, nor how the budget is shared (refine).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import typer

from whence.cli import output as shown
from whence.cli.asking import Question, say_kept, stopped
from whence.cli.common import STOPPED, plain, say
from whence.cli.forecast import forecast
from whence.cli.games import chosen_output
from whence.cli.progress import Bar
from whence.errors import InputError, WhenceError
from whence.explain import EXACT_BUDGET
from whence.journal import Journal
from whence.lenses.inputs.refine import Refined, refine
from whence.scoring import Scorer
from whence.units import plural

#: Characters of a unit's name that are told.
SHORT = 48


def refined(
    asked: Question, model: Scorer, look: shown.Output, *, dry_run: bool, price: float | None
) -> None:
    """Explain coarse units and the insides of those that matter; or say what it would cost.

    Raises:
        InputError: as `refine`.
    """
    asked = replace(asked, budget=EXACT_BUDGET if asked.budget is None else asked.budget)
    if dry_run:
        # What is opened is not known yet; with everything open no more is asked than the budget.
        whole = replace(asked, cut=replace(asked.cut, units=asked.refine))
        game = whole.game(model)
        if not look.quiet:
            say("a coarse-to-fine run takes at most what this would:")
        plain(forecast(game, whole.plan(game), asked.journal, look.form, price, model.facts))
        return
    with nullcontext() if asked.journal is None else Journal(asked.journal) as journal:
        try:
            with Bar(look.quiet) as bar:
                found = _run(asked, model, journal, bar)
        except KeyboardInterrupt as stop:
            stopped(stop, look, journal)
            raise typer.Exit(STOPPED) from None
        except WhenceError:
            say_kept(journal)
            raise
        if not look.quiet:
            say(_told(found))
        look.write(found.best)


def _run(asked: Question, model: Scorer, journal: Journal | None, bar: Bar) -> Refined:
    chosen = None if asked.output is None else chosen_output(asked.output, model.facts)
    given: dict[str, Any] = {"link": asked.link, "pin": asked.cut.pin, "output": chosen}
    if asked.cut.absent is not None:
        given["absent"] = asked.cut.absent
    assert asked.refine is not None
    assert asked.budget is not None
    return refine(
        model,
        asked.source.messages or asked.source.text or "",
        coarse=asked.cut.units or ("turn" if asked.source.messages else "paragraph"),
        fine=asked.refine,
        budget=asked.budget,
        explainer=asked.explainer,
        rng=asked.seed,
        remember=None if journal is None else journal.remember,
        progress=bar,
        **given,
    )


def check(asked: Question) -> None:
    """Refuses what a coarse-to-fine run does not read.

    Raises:
        InputError: a picture or a row, or an option of other runs.
    """
    whole = asked.source.messages or asked.source.text
    if whole is None or asked.source.image is not None:
        raise InputError("--refine came with a picture or a row; it opens units of a text.")
    unread = {
        "--part": asked.cut.parts,
        "--held-out": asked.held_out,
        "--target-r2": asked.target_r2,
        "--separate": asked.separate,
    }
    for option, value in unread.items():
        if value not in (None, ()):
            raise InputError(f"{option} came with --refine, which does not read it. Leave it out.")


def _told(found: Refined) -> str:
    """What was opened, in a line or two, before the explanation of it."""
    units = found.coarse.units
    names = units.names()
    kinds = plural(units.kind)
    known = np.ravel(found.coarse.fidelity.r2)
    known = known[np.isfinite(known)]
    fit = f"R² {known.min():.2f}" if len(known) else "R² is not defined"
    fit += " at least" if len(known) > 1 else ""
    lines = [
        f"first the {len(units)} {kinds}, in {found.coarse.cost.calls:,} calls ({fit}); "
        f"{found.calls:,} calls in all"
    ]
    if found.opened:
        lines.append("opened, being told from zero: " + _listed(names, found.opened))
    else:
        lines.append(f"none of the {kinds} is told from zero, so none was opened")
    if found.closed:
        lines.append(f"told from zero too, and left whole: {_listed(names, found.closed)}")
    return "\n".join(lines)


def _listed(names: Sequence[str], which: Sequence[int]) -> str:
    """Units by the beginnings of their names."""
    return "; ".join(n if len(n) <= SHORT else f"{n[:SHORT]}…" for n in (names[i] for i in which))
