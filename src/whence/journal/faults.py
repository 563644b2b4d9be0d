"""Holds the words for what a journal's file can refuse: what came, what is needed, which knob.

It does not know when a file is opened, read or written (the store does). No message names a value
or an identity in full: identities may hold a whole input.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from whence.errors import JournalError
from whence.samples import Samples

_KEPT = "Every value written before is still in the file."
_DAMAGED = (
    "It is left as it is. Move it away and the next run starts a new one there, or recover what "
    "can be read with `sqlite3 FILE .recover`; Journal(path) takes another path."
)

# SQLite's primary result codes, by name; extended codes begin with these.
_WORDS = {
    "SQLITE_FULL": f"the disk is full. {_KEPT} Free some room, prune another journal, or copy this "
    "one to a larger disk and give Journal(path) that path.",
    "SQLITE_IOERR": f"the system refused to read or write it (disk full, file size limit, or a "
    f"failing or network disk). {_KEPT} Give Journal(path) a path on a local disk with room.",
    "SQLITE_READONLY": "the file is read-only and a journal is written to. Change the file's "
    "permissions, or copy it where you may write and give Journal(path) that path.",
    "SQLITE_CANTOPEN": "the file, or the -wal and -shm files beside it, cannot be opened for "
    "writing. Give Journal(path) a path in a folder where you may write.",
    "SQLITE_PERM": "this user may not open it. Give Journal(path) a path where you may write.",
    "SQLITE_AUTH": "this user may not open it. Give Journal(path) a path where you may write.",
    "SQLITE_NOTADB": f"the file is not a journal: it is no SQLite database, or its beginning is "
    f"damaged. {_DAMAGED}",
    "SQLITE_CORRUPT": f"the file is damaged (truncated, or overwritten in places). {_DAMAGED}",
    "SQLITE_BUSY": f"another process has held its lock for longer than wait_s. {_KEPT} End that "
    "process, or raise Journal(path, wait_s=).",
    "SQLITE_LOCKED": f"another connection has held its lock for longer than wait_s. {_KEPT} End "
    "that work, or raise Journal(path, wait_s=).",
}


def broken(error: sqlite3.Error, path: Path) -> JournalError:
    """What SQLite could not do, said of the journal at `path`."""
    code = code_of(error)
    for name, words in _WORDS.items():
        if code.startswith(name):
            return JournalError(f"journal {path}: {words} ({code})")
    return JournalError(
        f"journal {path}: SQLite could not do what was asked of it: {error} ({code}). A file "
        "written by whence and untouched since is needed; Journal(path) takes another path."
    )


def code_of(error: sqlite3.Error) -> str:
    """SQLite's name for the error; "no code" for errors of Python's own."""
    return getattr(error, "sqlite_errorname", None) or "no code"


def damaged(path: Path) -> JournalError:
    """A stored value or shape that is not what was written."""
    return JournalError(
        f"journal {path}: the file is damaged: what is stored does not match its checksum. "
        f"{_DAMAGED}"
    )


def folder(path: Path) -> JournalError:
    """A path that names a folder."""
    return JournalError(
        f"journal {path}: a folder came; a file is needed. Name one in it, such as "
        f"Journal({str(path / 'journal.whence.db')!r})."
    )


def no_folder(path: Path) -> JournalError:
    """A path into a folder that is not there."""
    return JournalError(
        f"journal {path}: there is no folder {path.parent} that this user may enter; a journal is "
        "a file in a folder that exists. Make the folder, or give Journal(path) another path."
    )


def stranger(path: Path) -> JournalError:
    """A SQLite database that whence did not write."""
    return JournalError(
        f"journal {path}: a SQLite database of something else came; a file written by whence, or a "
        "new one, is needed. Give Journal(path) another path."
    )


def newer(path: Path, version: int, known: int) -> JournalError:
    """A journal written by a later whence."""
    return JournalError(
        f"journal {path}: its schema is version {version} and this whence reads up to version "
        f"{known}. Upgrade whence, or give Journal(path) another path."
    )


def not_wal(path: Path, mode: str) -> JournalError:
    """A file system on which SQLite cannot keep a write-ahead log."""
    return JournalError(
        f"journal {path}: SQLite's write-ahead log is not available there (mode {mode!r}); a "
        "journal needs a local disk. Give Journal(path) a path on one."
    )


def closed(path: Path) -> JournalError:
    """Use after `close`."""
    return JournalError(
        f"journal {path}: it is closed; a game it remembers needs it open. Keep the run inside "
        "`with Journal(path) as journal:`, or open it again."
    )


def forked(path: Path) -> JournalError:
    """Use in a child of the process that opened it."""
    return JournalError(
        f"journal {path}: it was opened in another process, and SQLite forbids carrying a "
        "connection across a fork. Open Journal(path) in each process; they may share the file."
    )


def mismatch(path: Path, identity: str, what: str, came: object, stored: object) -> JournalError:
    """A game that is not the one stored under its identity."""
    return JournalError(
        f"journal {path}: the game {short(identity)} came with {what} {came}; the journal holds a "
        f"game of that identity with {what} {stored}. Two games that differ need different "
        "Game(identity=...); or remove the old one with journal.prune(identity=...)."
    )


def unwritten(error: JournalError, samples: Samples) -> JournalError:
    """The same error, handing over what was paid for and could not be stored."""
    handing = JournalError(
        f"{error} The {len(samples)} values just paid for are in this error's `samples`."
    )
    handing.samples = samples
    return handing


def short(identity: str) -> str:
    """An identity for a message: its first 40 characters."""
    return repr(identity if len(identity) <= 40 else identity[:40] + "...")
