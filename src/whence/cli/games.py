"""Holds the game that the command line asks for: of a text, a conversation, a picture or a row.

It does not know how the model was opened, nor what is concluded of the game.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whence.errors import InputError
from whence.game import Game
from whence.scoring import Facts, Message, Messages, Score


@dataclass(frozen=True)
class Source:
    """What is explained, as the command line gave it: one of the first four fields, or two.

    A text beside an image is what the image is matched with.

    Attributes:
        text: a text.
        messages: a conversation.
        image: a picture's file.
        table: a table's file.
        row: which of its rows.
        background: a file of rows that stand in for absent columns.
        size: how many of them.
        groups: columns that come and go together, `NAME=COLUMN,COLUMN`.
    """

    text: str | None = None
    messages: Messages | None = None
    image: Path | None = None
    table: Path | None = None
    row: int = 0
    background: Path | None = None
    size: int = 100
    groups: tuple[str, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether a picture and a text came."""
        return self.image is not None and self.text is not None

    @property
    def item(self) -> str | Messages:
        """What a language model reads when everything is present.

        Raises:
            InputError: a picture or a row.
        """
        whole = self.messages or self.text
        if whole is None:
            raise InputError(
                "a language model came with a picture or a row; it reads text. Give a text, or "
                "the model that goes with the input."
            )
        return whole


@dataclass(frozen=True)
class Cut:
    """How the input is cut, and what stands in for what is absent; None leaves it to the lens.

    Attributes:
        units: a kind of unit.
        parts: the units themselves.
        absent: a policy.
        pin: what is always there.
    """

    units: str | None
    parts: tuple[str, ...]
    absent: str | None
    pin: tuple[str, ...]


def messages_of(text: str) -> Messages:
    """A conversation from JSON: a list of objects with "role" and "content".

    The list may also be the value of "messages" in an object.

    Raises:
        InputError: it is none.
    """
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise InputError(f"--chat with a .json file came, and it is no JSON ({error}).") from error
    turns = found.get("messages") if isinstance(found, dict) else found
    if not isinstance(turns, list) or not turns or not all(map(_is_turn, turns)):
        raise InputError(
            "--chat with a .json file came, and it is no conversation; needed is a list of "
            'objects like {"role": "user", "content": "..."}.'
        )
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def is_conversation(text: str) -> bool:
    """Whether a text is a conversation in JSON."""
    if not text.lstrip().startswith(("[", "{")):
        return False
    try:
        messages_of(text)
    except InputError:
        return False
    return True


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and all(
        isinstance(turn.get(key), str) for key in ("role", "content")
    )


def game_of(
    source: Source,
    cut: Cut,
    score: Score,
    facts: Facts,
    output: str | None,
    link: str | None,
    seed: int,
) -> Game:
    """The game; where no output was asked for and there are classes, of every class."""
    chosen = chosen_output(output, facts)
    if source.matched:
        return _of_match(source, cut, score, seed)
    if source.image is not None:
        return _of_picture(source.image, cut, score, chosen, link, seed)
    if source.table is not None:
        return _of_row(source, cut, score, chosen, link, seed)
    given: dict[str, Any] = {"pin": cut.pin, "output": chosen, "link": link}
    if cut.absent is not None:
        given["absent"] = cut.absent
    if source.messages is not None:
        from whence.lenses.inputs.conversation import conversation_game

        _none("--part", cut.parts, "a conversation")
        return conversation_game(score, source.messages, units=cut.units or "turn", **given)
    from whence.lenses.inputs.text import text_game

    return text_game(
        score, source.text or "", units=cut.units or "word", parts=cut.parts or None, **given
    )


def has_classes(facts: Facts) -> bool:
    """Whether one of several classes is explained, the predicted one if none was named."""
    return facts.scores in ("logits", "probabilities")


def chosen_output(output: str | None, facts: Facts) -> str | int | None:
    """The output as a lens takes it: a class index where no label says the same."""
    if output is None:
        return "all" if has_classes(facts) else None
    return int(output) if output.isdecimal() and output not in facts.labels else output


def _of_picture(
    path: Path,
    cut: Cut,
    score: Score,
    output: str | int | None,
    link: str | None,
    seed: int,
) -> Game:
    from whence.adapters.pictures import read_picture
    from whence.lenses.inputs.image import image_game

    _none("--part", cut.parts, "a picture")
    _none("--pin", cut.pin, "a picture")
    given: dict[str, Any] = {} if cut.absent is None else {"absent": cut.absent}
    return image_game(
        score,
        read_picture(path),
        units=cut.units or "patches:8",
        output=output,
        link=link,
        rng=seed,
        **given,
    )


def _of_match(source: Source, cut: Cut, pair: Any, seed: int) -> Game:
    from whence.adapters.pictures import read_picture
    from whence.adapters.transformers import match_game

    assert source.image is not None
    assert source.text is not None
    _none("--part", cut.parts, "a picture and a text")
    _none("--pin", cut.pin, "a picture and a text")
    return match_game(
        pair,
        read_picture(source.image),
        source.text,
        image_units=cut.units or "patches:4",
        image_absent=cut.absent or "blur",
        rng=seed,
    )


def _of_row(
    source: Source,
    cut: Cut,
    score: Score,
    output: str | int | None,
    link: str | None,
    seed: int,
) -> Game:
    from whence.adapters.frames import read_table
    from whence.lenses.inputs.table import table_game

    assert source.table is not None
    _none("--units", [cut.units] if cut.units else [], "a table, whose units are its columns")
    _none("--part", cut.parts, "a table; name columns that belong together with --group")
    table = read_table(source.table)
    background = None if source.background is None else read_table(source.background)
    if background is None and len(table) < 2:
        raise InputError(
            f"--table {source.table} has {len(table)} row, so no other row to take the values of "
            "absent columns from. Give --background, rows of the data that the model learned from."
        )
    given: dict[str, Any] = {} if cut.absent is None else {"absent": cut.absent}
    return table_game(
        score,
        source.row,
        table=table,
        background=background,
        units=_groups(source.groups),
        pin=cut.pin,
        size=source.size,
        output=output,
        link=link,
        rng=seed,
        **given,
    )


def _groups(groups: Sequence[str]) -> dict[str, list[str]] | None:
    """Columns by the name of their group, or None."""
    found: dict[str, list[str]] = {}
    for group in groups:
        name, equals, columns = group.partition("=")
        if not (name and equals and columns):
            raise InputError(
                f"--group {group!r} came; write a name and its columns: --group home=rooms,age."
            )
        if name in found:
            raise InputError(
                f"--group {name}=... came twice; put all its columns in one: --group {name}=a,b,c."
            )
        found[name] = [column.strip() for column in columns.split(",")]
    return found or None


def _none(option: str, given: Sequence[str], what: str) -> None:
    if given:
        raise InputError(f"{option} came with {what}. Leave {option} out.")
