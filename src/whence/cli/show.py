"""Holds `whence show`, `explainers` and `indices`: what needs no model.

It does not know how an explanation was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whence import recipes
from whence.cli import output as out
from whence.cli.common import Debug, Quiet, plain, reported
from whence.explanation import Explanation

#: Index -> what it says, for `whence indices`; tests hold it against `whence.indices.INDICES`.
MEANINGS = {
    "shapley": "mean marginal contribution over all orders; sums to f(all) - f(none)",
    "banzhaf": "mean marginal contribution over all sets of the other units",
    "influence": "share of the variance under random masks that the unit touches; no sign",
    "mobius": "what the set adds beyond all its subsets; the function's own coefficients",
    "co_mobius": "(or) what the function holds as long as any unit of the set is there",
    "shapley_interaction": "(sii) mean joint effect over all orders; Shapley for single units",
    "banzhaf_interaction": "(bii) mean joint effect over all sets of the other units",
    "k_sii": "(ksii) shapley_interaction, corrected so that all sets up to the order sum up",
    "shapley_taylor": "(stii) sums up; what is of higher order is given to the largest sets",
    "faith_shap": "(fsii) the best fit of sets up to the order, under Shapley's weights",
    "faith_banzhaf": "(fbii) the best fit of sets up to the order, all masks weighted alike",
}


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What --out run.npz saved.")],
    which: Annotated[
        str | None,
        typer.Option("--output", metavar="CLASS", help="One of several outputs, by name."),
    ] = None,
    index: out.Index = None,
    order: out.Order = 2,
    top: out.Top = 8,
    form: out.Form = None,
    to: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Write to this file instead of the screen; .txt, .json, .html, .npz. Repeatable.",
        ),
    ] = None,
    width: out.Width = None,
    no_colour: out.NoColour = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show a saved explanation again, without the model.

    Other indices, another order or form, or one output of several, at no cost.
    """
    with reported(debug):
        shown = out.output(index, order, top, form, to, width, no_colour, quiet)
        e = Explanation.load(file)
        shown.write(e if which is None else e.output(which))


def explainers() -> None:
    """List what `--explainer` takes, a line each."""
    with reported():
        for name, make in recipes.RECIPES.items():
            plain(f"{name:<12} {_first_sentence(make.__doc__ or '')}")
        plain("\nA degree may follow faith, faith_shap, lasso and ridge: --explainer faith:3")


def indices() -> None:
    """List what `--index` takes, a line each."""
    with reported():
        plain("for each unit")
        for name in out.PER_UNIT:
            plain(f"  {name:<20} {MEANINGS[name]}")
        plain("for sets of units, up to --order")
        for name in MEANINGS:
            if name not in out.PER_UNIT:
                plain(f"  {name:<20} {MEANINGS[name]}")


def adapters() -> None:
    """List what `--model` opens, a line each."""
    from whence.adapters.opening import adapters as known

    with reported():
        for one in known():
            by = "" if one.source == "whence" else f" (from {one.source})"
            plain(f"{one.scheme:<14} {one.opens}{by}")


def _first_sentence(doc: str) -> str:
    return " ".join(doc.split()).partition(". ")[0].rstrip(".")
