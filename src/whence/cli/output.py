"""Holds how a result leaves: which indices are read, in which form, to the screen or to files.

It does not know how an Explanation is drawn (views), nor where it came from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from whence.cli.common import plain, say
from whence.errors import InputError
from whence.explanation import DEFAULT_ATTRIBUTION, DEFAULT_INTERACTION, Explanation
from whence.indices import canonical

FORMATS = ("text", "json", "html")
#: A file's suffix -> what is written to it.
SUFFIXES = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html", ".npz": "npz"}
PER_UNIT = ("shapley", "banzhaf", "influence")

Index = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Index to read: shapley, banzhaf or influence for each unit, any other for sets "
        "of units. May be given once of each kind. `whence indices` lists them.  "
        "[default: shapley, and faith_banzhaf for sets]",
    ),
]
Order = Annotated[
    int, typer.Option(min=1, metavar="N", help="Largest set of units looked at together.")
]
Top = Annotated[int, typer.Option(min=1, metavar="N", help="How many findings are listed.")]
Form = Annotated[
    str | None,
    typer.Option("--format", metavar="text|json|html", help="What is written.  [default: text]"),
]
Out = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="Write to this file instead of the screen; .txt, .json and .html say the format. "
        "A .npz keeps the explanation for `whence show`, beside what is shown. Repeatable.",
    ),
]
Width = Annotated[
    int | None,
    typer.Option(min=40, metavar="N", help="Columns of text.  [default: the terminal's]"),
]
NoColour = Annotated[
    bool,
    typer.Option("--no-colour", "--no-color", help="Plain text. So do NO_COLOR and a pipe."),
]


@dataclass(frozen=True)
class Output:
    """How a result is shown, and where.

    Attributes:
        index: the index of each unit.
        interaction: the index of sets of units.
        order: the largest set.
        top: how many findings are listed.
        form: "text", "json" or "html" for the screen.
        files: what goes where: `(path, "text", "json", "html" or "npz")`.
        width: columns of text, or None for the terminal's.
        plain: whether the user asked for no colour.
        quiet: whether notes on stderr are left out.
    """

    index: str
    interaction: str
    order: int
    top: int
    form: str
    files: tuple[tuple[Path, str], ...]
    width: int | None
    plain: bool
    quiet: bool

    def write(self, e: Explanation) -> None:
        """Show an explanation, and write the files that were asked for.

        Raises:
            InputError: a file that cannot be written.
        """
        for path, form in self.files:
            written = e.save(path) if form == "npz" else _written(path, self._filed(e, form))
            if not self.quiet:
                say(f"wrote {written} ({written.stat().st_size / 1000:,.0f} kB)")
        if all(form == "npz" for _, form in self.files):
            dull = self.plain or os.environ.get("TERM") == "dumb"
            plain(self._drawn(e, self.form, self.width, False if dull else None))

    def _filed(self, e: Explanation, form: str) -> str:
        """As `_drawn`, the same whatever the terminal."""
        return self._drawn(e, form, self.width or 80, False)

    def _drawn(self, e: Explanation, form: str, width: int | None, colour: bool | None) -> str:
        """An explanation as text, JSON or a page; None lets the view look at the terminal."""
        from whence.views import document, html, text

        if form == "json":
            return in_lines(
                document.document(
                    e, index=self.index, interaction=self.interaction, order=self.order
                )
            )
        if form == "html":
            return html.page(
                e, index=self.index, interaction=self.interaction, order=self.order, top=self.top
            )
        return text.text(
            e,
            index=self.index,
            interaction=self.interaction,
            order=self.order,
            top=self.top,
            width=width,
            colour=colour,
        )


def in_lines(found: Any, indent: str = "") -> str:
    """Strict JSON in ASCII, to be read, searched and compared: each entry of a list on a line."""
    inner = indent + "  "
    if isinstance(found, dict):
        entries = cast("dict[str, Any]", found).items()
        lines = [f"{json.dumps(key)}: {in_lines(value, inner)}" for key, value in entries]
        brackets = "{}"
    elif isinstance(found, list) and any(isinstance(entry, dict) for entry in found):
        lines = [json.dumps(entry, allow_nan=False) for entry in cast("list[Any]", found)]
        brackets = "[]"
    else:
        return json.dumps(found, allow_nan=False)
    body = ",\n".join(inner + line for line in lines)
    return f"{brackets[0]}\n{body}\n{indent}{brackets[1]}"


def output(
    index: Sequence[str] | None,
    order: int,
    top: int,
    form: str | None,
    out: Sequence[Path] | None,
    width: int | None,
    no_colour: bool,
    quiet: bool,
) -> Output:
    """The options of showing, checked before anything is spent.

    Raises:
        InputError: an unknown index or format, two indices of a kind, or a path that cannot be.
    """
    if form is not None and form not in FORMATS:
        raise InputError(f"--format {form} came; it must be one of {', '.join(FORMATS)}.")
    single, several = _indices(index or ())
    files = tuple((path, _form_of(path, form)) for path in out or ())
    return Output(single, several, order, top, form or "text", files, width, no_colour, quiet)


def _indices(names: Sequence[str]) -> tuple[str, str]:
    """One index for each unit, and one for sets."""
    keys = [name.lower() for name in names]
    single = [key for key in keys if key in PER_UNIT]
    several = [canonical(name) for name in names if name.lower() not in PER_UNIT]
    for found, what in ((single, "each unit"), (several, "sets of units")):
        if len(found) > 1:
            raise InputError(
                f"--index {' and --index '.join(found)} came, all of them for {what}; give one "
                f"for {what}. `whence show FILE.npz --index NAME` reads another without a call."
            )
    return (single or [DEFAULT_ATTRIBUTION])[0], (several or [DEFAULT_INTERACTION])[0]


def _form_of(path: Path, form: str | None) -> str:
    named = SUFFIXES.get(path.suffix.lower())
    if not path.parent.is_dir():
        raise InputError(f"--out {path} came; there is no folder {path.parent}. Make it first.")
    if path.is_dir():
        raise InputError(f"--out {path} came, which is a folder; name a file in it.")
    if named is None and form is None:
        raise InputError(
            f"--out {path} came; its suffix must say what to write ({', '.join(SUFFIXES)}), or "
            "give --format."
        )
    if named not in (None, "npz") and form not in (None, named):
        raise InputError(
            f"--out {path} came with --format {form}; the suffix says {named}. Leave out one."
        )
    return named or form or "text"


def _written(path: Path, content: str) -> Path:
    try:
        path.write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"--out {path} cannot be written ({error.strerror}). Give a path in a folder where "
            "you may write."
        ) from error
    return path
