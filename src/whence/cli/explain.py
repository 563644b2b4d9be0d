"""Holds `whence explain`: a text and options in, an explanation on stdout out.

It does not know how a text becomes a game (the lens), how a game is explained (explain), nor how
an explanation is drawn (views).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whence.cli import output as shown
from whence.cli.common import STOPPED, Debug, Quiet, plain, reported, say
from whence.cli.forecast import forecast
from whence.cli.progress import Bar
from whence.cli.reading import read_text
from whence.cli.remembering import FullOnce
from whence.errors import InputError, Interrupted
from whence.explain import Plan, explain, plan
from whence.explanation import Explanation
from whence.game import Game
from whence.journal import Journal
from whence.lenses.inputs.readouts import predicted_class, with_output
from whence.lenses.inputs.text import text_game

if TYPE_CHECKING:
    from whence.adapters.onnx import OnnxClassifier

EPILOG = """\b
Examples:
  whence explain "Her acting never fails to impress"
  whence explain --file review.txt --units sentence --out review.html
  cat review.txt | whence explain - --format json --journal answers.db
"""


@dataclass(frozen=True)
class Question:
    """What is asked of the model, as the command line gave it; see the options of `command`."""

    text: str
    units: str
    parts: tuple[str, ...]
    absent: str
    pin: tuple[str, ...]
    output: str | None
    link: str
    explainer: str | None
    budget: int | None
    held_out: int | None
    target_r2: float | None
    separate: int | None
    seed: int
    journal: Path | None

    def plan(self, game: Game) -> Plan:
        """The masks that `explain` would value, at most; calls nothing."""
        return plan(
            game,
            self.explainer,
            budget=self.budget,
            rng=self.seed,
            held_out=self.held_out,
            target_r2=self.target_r2,
            separate=self.separate,
        )

    def explain(self, game: Game, progress: Bar) -> Explanation:
        """The explanation of the game."""
        return explain(
            game,
            self.explainer,
            budget=self.budget,
            rng=self.seed,
            held_out=self.held_out,
            progress=progress,
            target_r2=self.target_r2,
            separate=self.separate,
        )


def command(
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="The text, in quotes; - reads standard input. A text that begins with a dash "
            "goes last, after --.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Read the text from this UTF-8 file.")
    ] = None,
    units: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="What is switched off: word, sentence, paragraph, line, token, or marked (what "
            "stands in {braces}).",
        ),
    ] = "word",
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A piece of the text that is one unit; repeat it for each, in their order. "
            "Everything else stays.",
        ),
    ] = None,
    absent: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="What stands in an absent unit's place: drop, mask:[UNK], or baseline: and a "
            "text of as many units.",
        ),
    ] = "drop",
    pin: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A piece that is always there. Repeatable."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Class to explain, all, or a contrast such as positive-negative.  "
            "[default: the class the model predicts]",
        ),
    ] = None,
    link: Annotated[
        str,
        typer.Option(
            metavar="SCALE", help="Scale: log-odds, log-probability, probability or logit."
        ),
    ] = "log-odds",
    explainer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:DEGREE]",
            help="How to explain, such as faith:3; `whence explainers` lists them.  [default: "
            "all masks if the budget covers them, else the best fit]",
        ),
    ] = None,
    index: shown.Index = None,
    order: shown.Order = 2,
    budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="The most different texts the model is asked.  [default: every mask of up to "
            "10 units, else 16 a unit and at least 1024]",
        ),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="How many of them measure the fit only.  [default: a fifth]"
        ),
    ] = None,
    target_r2: Annotated[
        float | None,
        typer.Option(
            "--target-r2",
            metavar="R2",
            help="Stop early when the fit surely clears this R², such as 0.9.",
            show_default=False,
        ),
    ] = None,
    separate: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Stop early when the K strongest units stand apart from the rest.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Same seed, same result.")] = 0,
    top: shown.Top = 8,
    form: shown.Form = None,
    out: shown.Out = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Keep every answer in this file, and ask only for what it lacks: another "
            "--output, --link, --explainer or --index costs little or nothing.  [default: none]",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the run would cost, and stop.")
    ] = False,
    width: shown.Width = None,
    no_colour: shown.NoColour = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Explain what the embedded sentiment model says of TEXT."""
    with reported(debug):
        look = shown.output(index, order, top, form, out, width, no_colour, quiet)
        asked = Question(
            read_text(text or (), file),
            units,
            tuple(part or ()),
            absent,
            tuple(pin or ()),
            output,
            link,
            explainer,
            budget,
            held_out,
            target_r2,
            separate,
            seed,
            journal,
        )
        model = _model()
        game = _game(asked, model)
        design = asked.plan(game)
        _check_length(game, model)
        if dry_run:
            plain(forecast(game, design, journal, look.form))
        else:
            _run(asked, model, game, look)


def _model() -> OnnxClassifier:
    """The model that is asked: for now, always the embedded one.

    Raises:
        MissingExtra: what runs it is not installed.
    """
    from whence.models import sentiment

    return sentiment.load()


def _game(asked: Question, model: OnnxClassifier) -> Game:
    """The game of the text; where no output was asked for, of every class."""
    from whence.models import sentiment

    game = text_game(
        model,
        asked.text,
        units=asked.units,
        parts=asked.parts or None,
        absent=asked.absent,
        pin=asked.pin,
        tokenizer=model.token_spans,
        output=_class(asked.output, model.labels),
        link=asked.link,
        labels=model.labels,
        identity=model.identity,
        count_tokens=model.count_tokens,
    )
    told = game.description.replace(model.identity, sentiment.NAME, 1)
    return replace(game, description=told)


def _class(output: str | None, labels: Sequence[str]) -> str | int:
    if output is None:
        return "all"
    return int(output) if output.isdecimal() and output not in labels else output


def _check_length(game: Game, model: OnnxClassifier) -> None:
    tokens = int(model.count_tokens([game.units.text or ""])[0])
    if tokens > model.max_tokens:
        raise InputError(
            f"the text is {tokens:,} tokens long; the model reads at most {model.max_tokens:,}, "
            "the special ones included. Shorten it, or explain its parts one by one."
        )


def _run(asked: Question, model: OnnxClassifier, game: Game, look: shown.Output) -> None:
    with nullcontext() if asked.journal is None else Journal(asked.journal) as journal:
        kept = FullOnce.around(game if journal is None else journal.remember(game))
        try:
            with Bar(look.quiet) as bar:
                e = asked.explain(_with_class(asked, model, kept), bar)
        except KeyboardInterrupt as stop:
            _stopped(stop, look, journal)
            raise typer.Exit(STOPPED) from None
        look.write(e)
        if journal is not None and not look.quiet:
            say(
                f"journal {asked.journal}: {journal.paid:,} answers paid for, "
                f"{journal.recalled:,} known before"
            )


def _with_class(asked: Question, model: OnnxClassifier, game: Game) -> Game:
    """The game of the class the model predicts, unless another was asked for.

    The call it takes is of the full text, which every run needs; `game` must remember it.
    """
    if asked.output is not None:
        return game
    best = predicted_class(game, model.labels)
    return with_output(game, best, link=asked.link, labels=model.labels)


def _stopped(stop: KeyboardInterrupt, look: shown.Output, journal: Journal | None) -> None:
    """Show what can be said of the masks that were valued, and say what became of them."""
    if not isinstance(stop, Interrupted):  # before the first answer, or after the last
        say("\nstopped early, while nothing could be said yet.")
    elif isinstance(stop.explanation, Explanation):
        say(f"\nstopped early: what follows is fitted to the {stop.calls:,} answers so far.")
        look.write(stop.explanation)
    else:
        say(f"\nstopped early: {stop.calls:,} answers are too few to say anything.")
    if journal is None:
        say("the answers are not kept; --journal PATH would keep them.")
    else:
        say(f"the answers are kept in {journal.path}; the same command goes on from there.")
