"""Holds the rows of a journal's file: values put in and read back under (game, repeat, mask).

It does not know what a game is worth nor when the model is asked, and leaves the file's layout to
schema and the words for what the file refuses to faults.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.game import Values
from whence.journal import faults
from whence.journal.schema import all_or_nothing, opened
from whence.masks import Masks, pack

_INSERT = "INSERT OR IGNORE INTO value (game, repeat, mask, raw, crc) VALUES (?, ?, ?, ?, ?)"
#: Masks per SELECT; SQLite before 3.32 takes at most 999 parameters.
_MANY = 500

Row = tuple[bytes, bytes, int]  # mask, raw, crc


@dataclass(frozen=True)
class GameRecord:
    """What a journal holds of one game.

    Attributes:
        identity: as the game gave it.
        description: as the game gave it when it was first stored.
        n: number of units.
        out: shape of one raw value; () for a scalar.
        values: number of distinct masks with a value.
        repeats: number of them with a fresh second answer as well.
        bytes: size of the masks and values, without the file's overhead.
        created: when the first value was stored, ISO 8601 in UTC.
        used: when a Journal last remembered the game, ISO 8601 in UTC.
    """

    identity: str
    description: str
    n: int
    out: tuple[int, ...]
    values: int
    repeats: int
    bytes: int
    created: str
    used: str


class Slot(NamedTuple):
    """Where the values of one game go: its identity and size, and which repeat."""

    identity: str
    description: str
    n: int
    repeat: int


class _Game(NamedTuple):
    id: int
    n: int
    out: tuple[int, ...]


def now() -> str:
    """The time in UTC, ISO 8601, to the second; such strings sort as the times do."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Store:
    """One open journal file. Safe in threads: a lock lets one of them use the connection."""

    def __init__(self, path: Path, wait_s: float) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._connection: sqlite3.Connection | None = opened(path, wait_s)

    def close(self) -> None:
        """Close the file; a second time does nothing. In a forked child it only lets go."""
        with self._lock:
            if self._connection is not None and os.getpid() == self._pid:
                self._connection.close()
                self._connection = None

    # ---- values -------------------------------------------------------------------------------

    def known(self, slot: Slot, masks: Masks) -> NDArray[np.bool_]:
        """Which masks `(b, n)` have a value: `(b,)` booleans."""
        with self._session() as db:
            game = self._agreed(db, slot)
            rows = [] if game is None else _select(db, "mask", game.id, slot.repeat, _keys(masks))
            there = {mask for (mask,) in rows}
        return np.fromiter((key in there for key in _keys(masks)), np.bool_, len(masks))

    def get(self, slot: Slot, masks: Masks) -> tuple[NDArray[np.bool_], Values]:
        """Which distinct masks `(b, n)` have a value `(b,)`, and those values `(k, *out)`."""
        with self._session() as db:
            game = self._agreed(db, slot)
            if game is None:
                return np.zeros(len(masks), dtype=np.bool_), np.zeros(0)
            return self._read(db, game, slot, _keys(masks))

    def put(self, slot: Slot, masks: Masks, values: Values) -> Values:
        """Store values `(b, *out)` of distinct masks `(b, n)` and return what is now stored.

        Where another process or thread was first, its value stands and is returned.
        """
        keys, seed = _keys(masks), _seed(slot, values.shape[1:])
        raws = [row.tobytes() for row in np.ascontiguousarray(values, dtype="<f8")]
        rows = [(key, raw, _crc(seed, key, raw)) for key, raw in zip(keys, raws, strict=True)]
        with self._transaction() as db:
            game = self._made(db, slot, values.shape[1:])
            written = db.executemany(
                _INSERT, [(game.id, slot.repeat, *row) for row in rows]
            ).rowcount
            return values if written == len(keys) else self._read(db, game, slot, keys)[1]

    def touch(self, slot: Slot) -> None:
        """Check the game against what is stored, and note that it is used now.

        Raises:
            JournalError: another number of units is stored under that identity.
        """
        with self._session() as db:
            game = self._agreed(db, slot)
            # The date serves people and `prune`: a busy or full disk is no reason to refuse.
            with suppress(sqlite3.OperationalError):
                if game is not None:
                    db.execute("UPDATE game SET used = ? WHERE id = ?", (now(), game.id))

    # ---- the whole file -----------------------------------------------------------------------

    def games(self) -> list[GameRecord]:
        """What is stored, oldest game first."""
        with self._session() as db:
            rows = db.execute(
                "SELECT identity, description, n, out, COALESCE(SUM(repeat = 0), 0), "
                "COALESCE(SUM(repeat > 0), 0), COALESCE(SUM(LENGTH(mask) + LENGTH(raw)), 0), "
                "created, used FROM game LEFT JOIN value ON value.game = game.id "
                "GROUP BY game.id ORDER BY game.id"
            ).fetchall()
        return [GameRecord(r[0], r[1], r[2], self._out(r[3]), *r[4:]) for r in rows]

    def entries(self, record: GameRecord) -> Iterator[tuple[int, bytes, Values]]:
        """Every (repeat, packed mask, raw value `out`) of one game, by repeat and mask."""
        last: tuple[int, bytes] = (0, b"")
        while page := self._page(record.identity, last):
            for repeat, mask, raw, crc in page:
                seed = _seed(Slot(record.identity, "", record.n, repeat), record.out)
                yield repeat, mask, self._decode([(mask, raw, crc)], seed, record.out)[0]
            last = page[-1][:2]

    def _page(self, identity: str, last: tuple[int, bytes]) -> list[Any]:
        """The next rows of a game after (repeat, mask): the file is not held between pages."""
        with self._session() as db:
            return db.execute(
                "SELECT repeat, mask, raw, crc FROM value "
                "WHERE game = (SELECT id FROM game WHERE identity = ?) "
                "AND (repeat, mask) > (?, ?) ORDER BY repeat, mask LIMIT 100",
                (identity, *last),
            ).fetchall()

    def delete(self, identity: str | None, before: str | None) -> int:
        """Remove the games that match all that is given; the number of values removed."""
        with self._transaction() as db:
            ids = db.execute(
                "SELECT id FROM game WHERE (:identity IS NULL OR identity = :identity) "
                "AND (:before IS NULL OR used < :before)",
                {"identity": identity, "before": before},
            ).fetchall()
            removed = db.executemany("DELETE FROM value WHERE game = ?", ids).rowcount if ids else 0
            db.executemany("DELETE FROM game WHERE id = ?", ids)
        # Without room for the compact copy the file keeps its size, and later values fill the gap.
        with self._session() as db, suppress(sqlite3.OperationalError):
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    # ---- inside -------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Generator[sqlite3.Connection]:
        """The connection, for one thread at a time; SQLite's errors become JournalErrors."""
        with self._lock:
            if os.getpid() != self._pid:
                raise faults.forked(self.path)
            if self._connection is None:
                raise faults.closed(self.path)
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise faults.broken(error, self.path) from error

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """The connection inside one write transaction: all of it is written, or nothing."""
        with self._session() as db, all_or_nothing(db):
            yield db

    def _agreed(self, db: sqlite3.Connection, slot: Slot) -> _Game | None:
        """The stored game of that identity, checked for its number of units; None if new."""
        row = db.execute(
            "SELECT id, n, out FROM game WHERE identity = ?", (slot.identity,)
        ).fetchone()
        if row is None:
            return None
        if row[1] != slot.n:
            raise faults.mismatch(self.path, slot.identity, "number of units", slot.n, row[1])
        return _Game(row[0], row[1], self._out(row[2]))

    def _made(self, db: sqlite3.Connection, slot: Slot, out: tuple[int, ...]) -> _Game:
        """The stored game of that identity, checked for its outputs too; made if new."""
        db.execute(
            "INSERT OR IGNORE INTO game (identity, description, n, out, created, used) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (slot.identity, slot.description, slot.n, json.dumps(out), now(), now()),
        )
        game = self._agreed(db, slot)
        assert game is not None, "the game was inserted in this transaction"
        if game.out != out:
            raise faults.mismatch(self.path, slot.identity, "raw values of shape", out, game.out)
        return game

    def _read(
        self, db: sqlite3.Connection, game: _Game, slot: Slot, keys: Sequence[bytes]
    ) -> tuple[NDArray[np.bool_], Values]:
        """Which keys have a value, and those values in the order of the keys."""
        rows = _select(db, "mask, raw, crc", game.id, slot.repeat, keys)
        place = {key: i for i, key in enumerate(keys)}
        rows.sort(key=lambda row: place[row[0]])
        there = np.zeros(len(keys), dtype=np.bool_)
        there[[place[row[0]] for row in rows]] = True
        return there, self._decode(rows, _seed(slot, game.out), game.out)

    def _decode(self, rows: Sequence[Row], seed: int, out: tuple[int, ...]) -> Values:
        """Raw bytes as values `(k, *out)`; a value that is not what was written is refused."""
        size = 8 * int(np.prod(out, dtype=int))
        try:
            bad = [1 for mask, raw, crc in rows if _crc(seed, mask, raw) != crc or len(raw) != size]
        except TypeError:  # a damaged column may come back as a number or as text
            bad = rows
        if bad:
            raise faults.damaged(self.path)
        joined = np.frombuffer(b"".join([raw for _, raw, _ in rows]), dtype="<f8")
        return joined.astype(np.float64).reshape(len(rows), *out)

    def _out(self, text: str) -> tuple[int, ...]:
        """The shape written in a game's row; anything else there is damage."""
        try:
            return tuple(int(size) for size in json.loads(text))
        except (TypeError, ValueError) as error:
            raise faults.damaged(self.path) from error


def _keys(masks: Masks) -> list[bytes]:
    """One packed mask per row."""
    packed, width = pack(masks).tobytes(), -(-masks.shape[1] // 8)
    return [packed[i : i + width] for i in range(0, len(packed), width)]


def _seed(slot: Slot, out: tuple[int, ...]) -> int:
    """Where the checksums of a slot start, so that a value moved to another slot is noticed."""
    return zlib.crc32(f"{slot.repeat} {slot.n} {json.dumps(out)} {slot.identity}".encode())


def _crc(seed: int, mask: bytes, raw: bytes) -> int:
    """The checksum of one value."""
    return zlib.crc32(raw, zlib.crc32(mask, seed))


def _select(
    db: sqlite3.Connection, columns: str, game: int, repeat: int, keys: Sequence[bytes]
) -> list[Any]:
    """The rows of the keys that have one, in no order."""
    found: list[Any] = []
    for start in range(0, len(keys), _MANY):
        some = keys[start : start + _MANY]
        marks = ",".join("?" * len(some))
        found += db.execute(
            f"SELECT {columns} FROM value WHERE game = ? AND repeat = ? AND mask IN ({marks})",
            (game, repeat, *some),
        ).fetchall()
    return found
