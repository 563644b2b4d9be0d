"""Holds the schema of a journal's file, and how a connection to it is opened.

It does not know which rows are read or written (the store does).

Schema, version 1 (`PRAGMA user_version`; `PRAGMA application_id` is 0x574E4345, "WNCE")::

    game   id, identity (unique), description, n, out (JSON list: shape of one raw value),
           created, used (ISO 8601, UTC)
    value  game, repeat (0: the value; 1: a fresh second answer), mask (packed, unit 0 the lowest
           bit of byte 0), raw (float64, little-endian, C order), crc (CRC-32 of the text
           "{repeat} {n} {out} {identity}" in UTF-8, then mask, then raw; `out` as in its column)
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from whence.journal import faults

VERSION = 1
APPLICATION = 0x574E4345
# An id is never used twice (AUTOINCREMENT), so one that was pruned meanwhile finds nothing.
_GAME_TABLE = """CREATE TABLE game (
    id INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL, n INTEGER NOT NULL, out TEXT NOT NULL,
    created TEXT NOT NULL, used TEXT NOT NULL)"""
_VALUE_TABLE = """CREATE TABLE value (
    game INTEGER NOT NULL REFERENCES game (id), repeat INTEGER NOT NULL, mask BLOB NOT NULL,
    raw BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (game, repeat, mask)) WITHOUT ROWID"""


def opened(path: Path, wait_s: float) -> sqlite3.Connection:
    """A connection to the journal at `path`, made if there is none.

    Raises:
        JournalError: it cannot be read and written, or is not a journal of this version.
    """
    if os.path.isdir(path):
        raise faults.folder(path)
    if not os.path.isdir(path.parent):
        raise faults.no_folder(path)
    try:
        db = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise faults.broken(error, path) from error
    try:
        _prepare(db, path, wait_s)
    except sqlite3.Error as error:
        db.close()
        raise faults.broken(error, path) from error
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, wait_s: float) -> None:
    """Check whose file it is, set how it is written, and make the tables of a new one."""
    _version(db, path)
    _write_ahead(db, path, wait_s)
    # In WAL mode a commit survives the death of the process under either setting. FULL also syncs
    # the log to disk at every commit, so that it survives a power cut; NORMAL could lose the last
    # commits then. FULL costs one sync per batch of model calls (measured: 2.7 ms more on a
    # cloud disk, per batch of 256), and what it protects has been paid for.
    for pragma in ("synchronous = FULL", "trusted_schema = OFF", "cell_size_check = ON"):
        db.execute(f"PRAGMA {pragma}")
    with all_or_nothing(db):
        if _version(db, path) == 0:
            _make(db)
        # A file that cannot be written is refused here, before a model is asked: BEGIN IMMEDIATE
        # alone passes on a read-only one. This changes nothing, so a full disk can still be read.
        db.execute("DELETE FROM game WHERE id < 0")


def _version(db: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, 0 for a new file; files that are not ours are refused."""
    # In this order, a file that another process makes meanwhile cannot pass for a stranger's.
    (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise faults.stranger(path)
    if version > VERSION:
        raise faults.newer(path, version, VERSION)
    return int(version)


def _write_ahead(db: sqlite3.Connection, path: Path, wait_s: float) -> None:
    """Switch to a write-ahead log; SQLite does not wait by itself when two processes do so."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not faults.code_of(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise faults.not_wal(path, mode)
        return


def _make(db: sqlite3.Connection) -> None:
    for statement in (
        _GAME_TABLE,
        _VALUE_TABLE,
        f"PRAGMA application_id = {APPLICATION}",
        f"PRAGMA user_version = {VERSION}",
    ):
        db.execute(statement)


@contextmanager
def all_or_nothing(db: sqlite3.Connection) -> Generator[None]:
    """One write transaction: all of it is written, or, when an exception passes, nothing."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already, and a failing one may not be able to.
        with suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise
