"""Holds `whence explain`: an input, a model and options in, an explanation on stdout out.

It does not know how an input becomes a game (games), how a model is opened (asking), nor how an
explanation is drawn (views).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from whence.cli import options as o
from whence.cli import output as shown
from whence.cli.common import Debug, Quiet, reported, say
from whence.cli.games import Cut, Source, is_conversation, messages_of
from whence.cli.reading import read_text
from whence.errors import InputError

EPILOG = """\b
Examples:
  whence explain "Her acting never fails to impress"
  whence explain --file review.txt --units sentence --out review.html
  whence explain "The capital of France is" --model FOLDER --target " Paris"
  whence explain "Why is the sky blue?" --chat --model openai:NAME
  whence explain --model pipeline.skops --table rows.csv --row 7
  whence explain --model FOLDER --image picture.png --units patches:8
  whence explain --model CLIP --image picture.png "two cats on a sofa"
"""


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
    image: o.Image = None,
    table: o.Table = None,
    row: o.Row = None,
    background: o.Background = None,
    size: o.Size = None,
    group: o.Group = None,
    model: o.Model = "",
    target: o.Target = None,
    contrast: o.Contrast = None,
    write: o.Write = None,
    question: o.Asked = "",
    chat: o.Chat = False,
    system: o.System = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What is switched off. Of a text: word, sentence, paragraph, line, token, "
            "document, function, json, or marked (what stands in {braces}); of a conversation: "
            "turn or these; of a picture: patches:8 or slic:50.  [default: word, turn, patches:8; "
            "of a row its columns]",
        ),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A piece of the text that is one unit; repeat it for each, in their order. "
            "Everything else stays.",
        ),
    ] = None,
    absent: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="What stands in an absent unit's place. In a text: drop, mask:[UNK], hide (from "
            "attention), or baseline: and a text of as many units; in a picture: blur, mean, "
            "constant:0 or noise; in a row: marginal, gaussian, copula, neighbours:20 or "
            "baseline.  [default: drop, blur, marginal]",
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="A piece, or a column, that is always there. Repeatable."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Class to explain, all, or a contrast such as positive-negative; of a "
            "continuation: tokens, or a phrase of it.  [default: the class the model predicts, "
            "or the whole continuation]",
        ),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(
            metavar="SCALE",
            help="Scale: log-odds, log-probability, probability or logit.  [default: log-odds of "
            "a class, log-probability of a continuation]",
        ),
    ] = None,
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
            help="The most different inputs the model is asked.  [default: every mask of up to "
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
    refine: o.Refine = None,
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
        bool,
        typer.Option("--dry-run", help="Say what the run would cost, from a few calls, and stop."),
    ] = False,
    price: o.Price = None,
    workers: o.Workers = "",
    task: o.Task = "",
    labels: o.Labels = "",
    scores: o.Scores = "",
    method: o.Method = "",
    trust: o.Trust = None,
    tokenizer: o.Tokenizer = None,
    device: o.Device = "",
    dtype: o.Dtype = "",
    base_url: o.BaseUrl = "",
    key_variable: o.KeyVariable = "",
    concurrency: o.Concurrency = 0,
    timeout: o.Timeout = 0.0,
    tier: o.Tier = "",
    width: shown.Width = None,
    no_colour: shown.NoColour = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Explain what a model says of TEXT, a picture, or a row of a table."""
    with reported(debug):
        look = shown.output(index, order, top, form, out, width, no_colour, quiet)
        from whence.adapters.options import Options
        from whence.cli.asking import Question, answer

        told = Options(
            task=task,
            target=target,
            contrast=contrast,
            question=question,
            chat=chat,
            system=system,
            tokenizer=tokenizer,
            labels=tuple(labels.split(",")) if labels else (),
            scores=scores,
            trusted=tuple(trust or ()),
            method=method,
            device=device,
            dtype=dtype,
            base_url=base_url,
            key_variable=key_variable,
            concurrency=concurrency,
            timeout=timeout,
            tier=tier,
        )
        source = _source(text or [], file, image, table, chat)
        of_table = {"--row": row, "--background": background, "--size": size, "--group": group}
        if table is not None:
            source = Source(
                table=table,
                row=row or 0,
                background=background,
                size=size or 100,
                groups=tuple(group or ()),
            )
        else:
            _unread(of_table, "without --table, which is what it is about")
        if target is not None:
            _unread({"--write": write}, "with --target, which says what is explained")
        asked = Question(
            source,
            Cut(units, tuple(part or ()), absent, tuple(pin or ())),
            model,
            told,
            workers,
            write or 16,
            output,
            link,
            explainer,
            budget,
            held_out,
            target_r2,
            separate,
            refine,
            seed,
            journal,
        )
        answer(asked, look, dry_run=dry_run, price=price)


def _unread(options: Mapping[str, object], why: str) -> None:
    """Refuses options that say something of what did not come."""
    came = [option for option, value in options.items() if value is not None]
    if came:
        raise InputError(f"{' and '.join(came)} came {why}. Leave it out.")


def _source(
    text: list[str], file: Path | None, image: Path | None, table: Path | None, chat: bool
) -> Source:
    """What is explained: one thing, or how well a picture and a text match.

    Raises:
        InputError: two things came, or none.
    """
    given = {"--table": table, "--image": image, "--file": file, "TEXT": text or None}
    came = [name for name, value in given.items() if value is not None]
    if len(came) > 1 and table is not None:
        raise InputError(f"{' and '.join(came)} came together; give one of them.")
    if image is not None:
        return Source(image=image, text=read_text(text, file) if text or file else None)
    if table is not None:
        return Source(table=table)
    read = read_text(text, file)
    if chat and file is not None and file.suffix == ".json":
        return Source(messages=messages_of(read))
    if not chat and is_conversation(read):
        say("note: this is a conversation in JSON, read as plain text; --chat reads it as one.")
    return Source(text=read)
