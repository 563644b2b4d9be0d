"""In: a Game; out: the same Game, whose raw values are kept in a file and asked for once."""

from whence.journal.export import read_export
from whence.journal.journal import Journal
from whence.journal.store import GameRecord

__all__ = ["GameRecord", "Journal", "read_export"]
