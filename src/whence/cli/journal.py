"""Holds `whence journal`: list, show, export and prune what a journal's file remembers.

It does not know SQLite, nor how values are put into the file.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from whence.cli.common import Debug, Help, plain, reported, say
from whence.errors import InputError
from whence.journal import GameRecord, Journal

app = typer.Typer(
    help="Look into a journal, the file of answers that --journal keeps.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_help_option=False,
)

File = Annotated[Path, typer.Argument(metavar="PATH", help="The journal's file.")]
Which = Annotated[
    str | None,
    typer.Option("--game", metavar="ID", help="One game: its id in `list`, or how it begins."),
]


@app.callback()
def _group(show_help: Help = False) -> None:
    """Look into a journal, the file of answers that --journal keeps."""


@app.command("list")
def list_games(path: File, debug: Debug = False) -> None:
    """List the games it holds.

    A line each: id, units, answers, size, last use, model and text.
    """
    with reported(debug), _opened(path) as journal:
        games = journal.games()
        answers = sum(game.values for game in games)
        plain(
            f"{journal.path}: {_count(len(games), 'game')}, {_count(answers, 'answer')}, "
            f"{_size(journal.size())} on disk"
        )
        for game in games:
            plain(
                f"{_id(game)}  {game.n:>5} units {game.values:>8,} answers "
                f"{_size(game.bytes):>9}  {game.used[:10]}  {_line(game.description)}"
            )


@app.command()
def show(
    path: File,
    game: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Its id in `list`, or how it begins; else all."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Show all that is known of one game, or of each."""
    with reported(debug), _opened(path) as journal:
        for record in _chosen(journal, game):
            plain(_described(record))


@app.command()
def export(
    path: File,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="Where the JSON lines go.")],
    game: Which = None,
    debug: Debug = False,
) -> None:
    """Write the games, or one of them, to a file as JSON lines."""
    with reported(debug), _opened(path) as journal:
        identity = None if game is None else _chosen(journal, game)[0].identity
        count = journal.export(to, identity)
        say(f"wrote {_count(count, 'answer')} to {to}")


@app.command()
def prune(
    path: File,
    game: Which = None,
    older_than: Annotated[
        float | None,
        typer.Option(min=0, metavar="DAYS", help="Games not used for so many days; 0 is all."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    debug: Debug = False,
) -> None:
    """Remove games and their answers for good, after asking."""
    with reported(debug), _opened(path) as journal:
        if game is None and older_than is None:
            raise InputError(
                "prune came without a choice; give --game ID, --older-than DAYS, or both."
            )
        identity = None if game is None else _chosen(journal, game)[0].identity
        _agree(path, game, older_than, yes)
        removed = journal.prune(identity, older_than)
        say(f"removed {_count(removed, 'answer')}; {_size(journal.size())} on disk now")


def _opened(path: Path) -> Journal:
    if not path.exists():
        raise InputError(
            f"journal {path}: there is no such file. Give the path that --journal was given."
        )
    return Journal(path)


def _agree(path: Path, game: str | None, older_than: float | None, yes: bool) -> None:
    what = "" if game is None else f"game {game}"
    age = "" if older_than is None else f"not used for {older_than:g} days"
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("prune removes answers for good and nobody is here to ask; add --yes.")
    if not typer.confirm(f"Remove from {path} {' if '.join(filter(None, (what, age)))}?", err=True):
        say("nothing was removed.")
        raise typer.Exit


def _chosen(journal: Journal, game: str | None) -> list[GameRecord]:
    """The games whose id begins so; all of them for None.

    Raises:
        InputError: an id that is no game's, or the beginning of several.
    """
    games = journal.games()
    if game is None:
        return games
    found = [
        record for record in games if _id(record, 64).startswith(game) or record.identity == game
    ]
    if len(found) != 1:
        many = f"{len(found)} games" if found else "no game"
        raise InputError(
            f"game {game!r} came; {many} in {journal.path} begin{'' if found else 's'} so. "
            f"`whence journal list {journal.path}` shows their ids."
        )
    return found


def _id(record: GameRecord, length: int = 12) -> str:
    return hashlib.sha256(record.identity.encode()).hexdigest()[:length]


def _described(record: GameRecord) -> str:
    rows: dict[str, Any] = {
        "id": _id(record),
        "game": record.description,
        "units": record.n,
        "outputs": "x".join(map(str, record.out)) or "1 number",
        "answers": f"{record.values:,} of {_masks(record.n)} masks",
        "repeats": record.repeats,
        "size": _size(record.bytes),
        "created": record.created,
        "used": record.used,
        **_parts(record.identity),
    }
    return "\n".join(f"{name:<9} {value}" for name, value in rows.items()) + "\n"


def _parts(identity: str) -> dict[str, Any]:
    """The model and the absent policy, where the identity is that of a text game."""
    try:
        parts = json.loads(identity)
        return {"model": parts["model"], "absent": parts["absent"]}
    except (ValueError, KeyError, TypeError):
        return {"identity": _line(identity)}


def _masks(n: int) -> str:
    return f"{2**n:,}" if n <= 40 else f"2^{n}"


def _line(text: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= 100 else short[:99] + "\u2026"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _size(number: int) -> str:
    return f"{number / 1000:,.1f} kB" if number < 1_000_000 else f"{number / 1e6:,.1f} MB"
