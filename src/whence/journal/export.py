"""Holds the export of a journal: JSON lines, written and read back.

It does not know SQLite. The format, version 1, is one JSON object per line::

    {"whence_export": 1}
    {"game": {"identity": ..., "description": ..., "n": 3, "out": [2], "created": ..., "used": ...}}
    {"mask": "101", "repeat": 0, "value": [0.25, 0.75]}
    {"end": 1}

The values that follow a game are its own. Character i of a mask is unit i, "1" meaning present.
Repeat 0 is the value, 1 a fresh second answer. Numbers are written so that they read back exactly.
The last line counts the values, so that a file cut short is noticed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from whence.errors import InputError, JournalError
from whence.game import Values
from whence.journal.store import GameRecord
from whence.masks import unpack
from whence.samples import Samples

FORMAT = 1
_FIELDS = ("identity", "description", "n", "out", "created", "used")

Entries = Iterable[tuple[int, bytes, Values]]


def write(path: Path, games: Iterable[tuple[GameRecord, Entries]]) -> int:
    """Write games with their entries to `path`, whole or not at all; the number of values.

    Raises:
        JournalError: the file cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with draft.open("w", encoding="ascii", newline="\n") as file:
            count = _write(file, games)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return count
    except JournalError:
        raise
    except OSError as error:
        raise JournalError(
            f"the export {path} could not be written: {error.strerror}. A file in a folder where "
            "you may write, with room for it, is needed; export(path) takes another path."
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def read_export(path: str | os.PathLike[str], repeat: int = 0) -> dict[str, Samples]:
    """What `Journal.export` wrote: the raw values of every game, by identity.

    Args:
        path: the exported file.
        repeat: 0 for the values, 1 for the fresh second answers (games without any are left out).

    Raises:
        InputError: the file is absent or is not a whole export of this version.
    """
    try:
        with Path(path).expanduser().open(encoding="ascii") as file:
            return _read((json.loads(line) for line in file), repeat)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"the file {path} could not be read as an export ({type(error).__name__}); the JSON "
            f"lines of Journal.export, version {FORMAT}, are needed, complete. Export it again."
        ) from error


def _write(file: IO[str], games: Iterable[tuple[GameRecord, Entries]]) -> int:
    _line(file, {"whence_export": FORMAT})
    count = 0
    for record, entries in games:
        fields = asdict(record)
        _line(file, {"game": {name: fields[name] for name in _FIELDS}})
        for repeat, mask, raw in entries:
            _line(file, {"mask": _bits(mask, record.n), "repeat": repeat, "value": raw.tolist()})
            count += 1
    _line(file, {"end": count})
    return count


def _line(file: IO[str], content: dict[str, Any]) -> None:
    file.write(json.dumps(content, allow_nan=False) + "\n")


def _bits(packed: bytes, n: int) -> str:
    present = unpack(np.frombuffer(packed, dtype=np.uint8)[None, :], n)[0]
    return "".join("1" if unit else "0" for unit in present)


def _read(lines: Iterator[Any], repeat: int) -> dict[str, Samples]:
    if next(lines, {}).get("whence_export") != FORMAT:
        raise ValueError("not an export of this version")
    found: dict[str, Any] = {}
    game: dict[str, Any] = {}
    count, end = 0, None
    for line in lines:
        if "game" in line:
            game = line["game"]
        elif "end" in line:
            end = line["end"]
        else:
            count += 1
            if line["repeat"] == repeat:
                _, masks, values = found.setdefault(game["identity"], (game, [], []))
                masks.append(line["mask"])
                values.append(line["value"])
    if end != count:
        raise ValueError("cut short")
    return {identity: _samples(*parts) for identity, parts in found.items()}


def _samples(game: dict[str, Any], masks: list[str], values: list[Any]) -> Samples:
    bits = np.frombuffer("".join(masks).encode(), dtype=np.uint8) == ord("1")
    array = np.asarray(values, dtype=np.float64).reshape(len(masks), *game["out"])
    return Samples(bits.reshape(len(masks), game["n"]), array)
