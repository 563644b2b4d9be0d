"""In: what a person types after `whence`; out: an exit code, results on stdout, words on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from whence._version import __version__
from whence.cli import explain, journal, prospect, show
from whence.cli.common import Help, plain

_EPILOG = """\b
whence explain "Her acting never fails to impress"
whence explain --help

Exit codes: 0 done, 2 what you gave cannot be used, 1 whence or the model failed, 130 Ctrl-C.
"""

app = typer.Typer(
    name="whence",
    help="Which parts of an input a model's output came from, and which act only together.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_help_option=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("explain", epilog=explain.EPILOG)(explain.command)
app.command("show")(show.command)
app.command("explainers")(show.explainers)
app.command("indices")(show.indices)
app.command("adapters")(show.adapters)
app.add_typer(journal.app, name="journal")
app.add_typer(prospect.app, name="prospect")


def _version(asked: bool) -> None:
    if asked:
        plain(f"whence {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    show_help: Help = False,
) -> None:
    """Which parts of an input a model's output came from, and which act only together."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: what follows `whence`; None takes it from the process.
    """
    app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="whence")
