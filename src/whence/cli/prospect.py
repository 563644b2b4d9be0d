"""Holds `whence prospect`: fit a head to labelled bags, map new ones, and report what it learned.

It does not know how data is read (prospect_data), how a head is fitted (prospect_fit), nor how
anything is drawn (views).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from whence.cli import options as o
from whence.cli import output as shown
from whence.cli.common import Debug, Help, Quiet, plain, reported, say
from whence.errors import InputError

app = typer.Typer(
    help="Learn from whole texts, pictures or graphs where in them is what marks their class.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_help_option=False,
)

_FIT = """\b
Examples:
  whence prospect fit letters/ --out head.npz          (letters/yes/*.txt, letters/no/*.txt)
  whence prospect fit slides/ --units patches:16 --out head.npz
  whence prospect fit cases.csv --text body --label outcome --group court --out head.npz
  whence prospect fit embeddings.npz --select --null 200 --out head.npz
"""

Text = Annotated[
    str | None, typer.Option("--text", metavar="COLUMN", help="Of a table: the column of texts.")
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="COLUMN",
        help="Of a table: the column of lists, of names or of vectors.",
    ),
]
Label = Annotated[
    str | None,
    typer.Option("--label", metavar="COLUMN", help="Of a table: the column of labels."),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="PATH",
        help="A .csv with the columns name, label and perhaps group, of a folder's files.",
    ),
]
Window = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="In texts and lists, tokens up to N apart are a hop."),
]
Class = Annotated[
    str | None,
    typer.Option(
        "--class",
        metavar="NAME",
        help="The class that is mapped.  [default: of two the one not called no, none, 0 ..., or "
        "the later one; of more each text's likeliest]",
    ),
]
Moved = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="Where the encoder's model is now, if it has moved: transformers:FOLDER.",
    ),
]
Rows = Annotated[
    list[int] | None,
    typer.Option("--row", min=0, metavar="N", help="Only bag N of each file, from 0. Repeatable."),
]


@app.callback()
def _group(show_help: Help = False) -> None:
    """Learn from whole texts, pictures or graphs where in them is what marks their class."""


@app.command(epilog=_FIT)
def fit(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder with a folder of .txt files or pictures for each class; a folder with "
            "--labels; a table (.csv, .jsonl, .parquet, .arrow) with --label; or an .npz of "
            "embeddings.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="PATH", help="The head's file, an .npz.")],
    text: Text = None,
    tokens: Tokens = None,
    label: Label = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Of a table: whose bags belong together (a patient), and are left out together.",
        ),
    ] = None,
    labels: Labels = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Labels are numbers to be told, not classes.")
    ] = False,
    output: Class = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How tokens are embedded: tfidf or patches (no model), none (letters or words as "
            "they are), transformers:FOLDER, torch:python:file.py:make().  [default: tfidf for "
            "texts, patches for pictures]",
        ),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Of texts: sentence, word, line, paragraph, letter; of pictures: patches:16, one "
            "for every 8 pixels.  "
            "[default: sentence, patches:16]",
        ),
    ] = None,
    device: o.Device = "",
    k: Annotated[
        str | None,
        typer.Option(metavar="N", help="Concepts; several, as 10,20,40, with --select."),
    ] = None,
    radius: Annotated[
        str | None,
        typer.Option(
            "--radius",
            "-r",
            metavar="N",
            help="Hops within which two tokens are a pair, 0 for no pairs; several with --select.",
        ),
    ] = None,
    window: Window = 1,
    kernel: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How weights are fitted: ridge, welch, dirichlet ..."),
    ] = None,
    soft: Annotated[
        float | None,
        typer.Option(min=0, metavar="T", help="Softness of concepts; 0 gives each token one."),
    ] = None,
    linear: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="A linear term on the embeddings beside the concepts: token, bag, instance, or "
            "auto for all that help.",
        ),
    ] = None,
    smoothing: Annotated[
        str | None,
        typer.Option(metavar="HOPS|cv", help="Hops that maps are averaged over, or cv: chosen."),
    ] = None,
    choose: Annotated[
        bool, typer.Option("--select", help="Choose --k and --radius, by bags left out.")
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, metavar="N", help="Resamples for standard errors; 0 for none.")
    ] = 50,
    null: Annotated[
        int,
        typer.Option(
            "--null", min=0, metavar="N", help="Fit to shuffled labels N times, to compare."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Same seed, same result.")] = 0,
    top: shown.Top = 8,
    width: shown.Width = None,
    no_colour: shown.NoColour = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Learn a head from labelled bags.

    Shows how good it is and what it learned, and keeps it in a file.
    """
    with reported(debug):
        _writable(out, (".npz",))
        from whence.cli import prospect_fit
        from whence.cli.prospect_data import Columns, labelled
        from whence.cli.prospect_encoding import Wanted
        from whence.cli.prospect_report import report_of
        from whence.views.prospect_summary import summary

        if out.resolve() == data.resolve():
            raise InputError(f"--out {out} is the data itself; give the head a file of its own.")
        asked = prospect_fit.Asked(
            Wanted(encoder, units, window, device or None, seed),
            _whole("--k", k),
            _whole("--radius", radius),
            kernel,
            soft,
            linear,
            int(smoothing) if smoothing is not None and smoothing.isdecimal() else smoothing,
            bootstrap,
            choose,
            null,
            seed,
            numbers,
            label or "number",
            output,
            quiet,
        )
        found = labelled(data, Columns(text, tokens, label, group, labels, window, numbers))
        prospect_fit.remark(found, quiet)
        kept, bags = prospect_fit.fit(found, asked)
        written = kept.save(out)
        told = report_of(kept, found, None, bags=bags, maps=False)
        plain(summary(told, top=top, width=width, colour=_colour(no_colour)))
        if not quiet:
            size = written.stat().st_size / 1000
            say(
                f"wrote {written} ({size:,.0f} kB); whence prospect map {written} FILE maps a new "
                f"{kept.noun}"
            )


@app.command("map")
def map_(
    head: Annotated[Path, typer.Argument(metavar="HEAD", help="What `prospect fit` wrote.")],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Texts, pictures, folders, tables or .npz of bags."),
    ],
    output: Class = None,
    text: Text = None,
    tokens: Tokens = None,
    label: Label = None,
    row: Rows = None,
    encoder: Moved = None,
    device: o.Device = "",
    most: Annotated[
        int, typer.Option(min=1, metavar="N", help="Maps shown as text or html; json has all.")
    ] = 10,
    top: shown.Top = 8,
    form: shown.Form = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write to this file: .txt, .json or .html."),
    ] = None,
    width: shown.Width = None,
    no_colour: shown.NoColour = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show where in new data a head finds its class."""
    with reported(debug):
        what = _form(out, form)
        from whence.cli.prospect_data import Columns
        from whence.cli.prospect_kept import Kept
        from whence.cli.prospect_maps import drawn, read_all

        kept = Kept.load(head, encoder, device or None)
        output = kept.checked(output)
        window, numbers = kept.about["window"], not kept.outputs
        columns = Columns(text, tokens, label, window=window, numbers=numbers)
        data = read_all(files, columns, row or ())
        result = drawn(
            kept, data, output, what, (top, most), width, False if out else _colour(no_colour)
        )
        _deliver(result, out, quiet)


@app.command()
def report(
    head: Annotated[Path, typer.Argument(metavar="HEAD", help="What `prospect fit` wrote.")],
    out: Annotated[Path, typer.Option(metavar="PATH", help="The page: .html.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="Bags that examples and maps are taken from, as for fit."
        ),
    ] = None,
    output: Class = None,
    text: Text = None,
    tokens: Tokens = None,
    label: Label = None,
    labels: Labels = None,
    encoder: Moved = None,
    device: o.Device = "",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a page of what a head learned.

    Its fit, concepts and pairs; with --data also examples and maps.
    """
    with reported(debug):
        _writable(out, (".html", ".htm"))
        from whence.cli.prospect_data import Columns, read
        from whence.cli.prospect_kept import Kept
        from whence.cli.prospect_report import report_of
        from whence.views.prospect_report import report as page

        kept = Kept.load(head, encoder, device or None)
        kept.checked(output)
        columns = Columns(text, tokens, label, None, labels, kept.about["window"], not kept.outputs)
        found = None if data is None else read(data, columns)
        _deliver(page(report_of(kept, found, output)), out, quiet)


# --- options ----------------------------------------------------------------------------------


def _whole(option: str, given: str | None) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    if given is None:
        return ()
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"{option} {given} came; a whole number is needed, or several: 10,20,40.")
    return tuple(int(part) for part in parts)


def _colour(no_colour: bool) -> bool | None:
    """No colours where the user or the terminal wants none; None lets the view look."""
    return False if no_colour or os.environ.get("TERM") == "dumb" else None


def _form(out: Path | None, form: str | None) -> str:
    """The one form that is written, checked before anything is read."""
    paths: Sequence[Path] = () if out is None else (out,)
    look: Any = shown.output(None, 1, 1, form, paths, None, False, True)
    if any(kind == "npz" for _, kind in look.files):
        raise InputError(f"--out {out} came; a map is written as .txt, .json or .html.")
    return look.files[0][1] if look.files else look.form


def _writable(out: Path, suffixes: tuple[str, ...]) -> None:
    if not out.parent.is_dir():
        raise InputError(f"--out {out} came; there is no folder {out.parent}. Make it first.")
    if out.is_dir() or out.suffix.lower() not in suffixes:
        raise InputError(f"--out {out} came; name a file that ends in {' or '.join(suffixes)}.")


def _deliver(result: str, out: Path | None, quiet: bool) -> None:
    if out is None:
        plain(result)
        return
    try:
        out.write_text(result + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror}).") from error
    if not quiet:
        say(f"wrote {out} ({out.stat().st_size / 1000:,.0f} kB)")
