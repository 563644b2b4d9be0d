"""Holds the maps that `whence prospect map` shows: files read, mapped, and written in one form.

It does not know how a head was fitted, nor how maps are drawn (views).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from whence.cli.output import in_lines
from whence.cli.prospect_data import Columns, Data, read
from whence.cli.prospect_kept import Kept
from whence.cli.prospect_report import facts, learned_from
from whence.errors import InputError
from whence.units import plural
from whence.views.words import counted


def read_all(files: Sequence[Path], columns: Columns, rows: Sequence[int]) -> list[Data]:
    """The data of each file, perhaps only some of its bags.

    Raises:
        InputError: a file that cannot be read, or a row that is not there.
    """
    return [_chosen(read(path, columns), rows) for path in files]


def _chosen(data: Data, rows: Sequence[int]) -> Data:
    if not rows:
        return data
    if max(rows) >= len(data):
        raise InputError(
            f"--row {max(rows)} came; {data.source} has {counted(len(data), 'bag')}, numbered from "
            "0."
        )
    return data.take(rows)


def drawn(
    kept: Kept,
    data: Sequence[Data],
    output: str | None,
    form: str,
    limits: tuple[int, int],
    width: int | None,
    colour: bool | None,
) -> str:
    """The maps of data in one form.

    Args:
        kept: the head.
        data: what is mapped.
        output: the class, or None.
        form: "text", "json" or "html".
        limits: rows per table, and maps shown as text or html.
        width: columns of text, or None for the terminal's.
        colour: of text; None lets the view look.
    """
    top, most = limits
    found = (one for part in data for one in kept.mapped(part, output))
    total = sum(len(part) for part in data)
    if form == "json":
        from whence.views.prospect_document import document

        return in_lines(document(list(found), kept.head.performance_, head=_made(kept), top=top))
    maps = list(islice(found, most))
    left = total - len(maps)
    rest = (
        f"and {counted(left, f'more {kept.noun}')}: --most {total} shows all, --row N one"
        if left
        else ""
    )
    if form == "html":
        from whence.views.prospect_html import page

        heading = f"What marks {output}" if output else f"Maps of {plural(kept.noun)}"
        return page(maps, kept.fit, heading=heading, top=top, footer=[rest, learned_from(kept)])
    from whence.views.prospect_text import text

    shown = text(maps, kept.fit, top=top, width=width, colour=colour)
    return f"{shown}\n\n{rest}" if rest else shown


def _made(kept: Kept) -> dict[str, object]:
    """How the head was made, as plain JSON."""
    about = kept.about
    return {
        "classes": list(kept.outputs),
        "bags": about["bags"],
        "tokens": about["tokens"],
        "counts": about["counts"],
        "concepts": list(kept.names),
        "settings": dict(facts(kept)),
        "null": about["null"],
    }
