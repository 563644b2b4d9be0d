"""Holds Journal: games that wrap games, so that every raw value is paid for once and kept.

It does not know how values lie in the file (store), what is explained of them (a readout), nor
which masks are worth asking for (samplers).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError, JournalError
from whence.game import Game, InParts, Part, Values, arriving, raw_values
from whence.journal import export, faults
from whence.journal.store import GameRecord, Slot, Store
from whence.masks import Masks, as_masks, distinct
from whence.samples import Samples

_VALUE, _AGAIN = 0, 1  # which repeat a stored value is


class Journal:
    """A file of raw values that remembers what games were worth.

    Use it as a context manager, or `close` it. Threads may share one Journal; processes open one
    each on the same path. The file is written before the next batch is asked for, so a killed run
    loses at most the batch in flight.

    Attributes:
        path: the file.
        paid: masks valued by a model since opening, repeats for noise included.
        recalled: distinct masks answered from the file since opening, summed over calls.

    Raises:
        JournalError: the file cannot be opened for reading and writing.
    """

    path: Path
    paid: int
    recalled: int

    def __init__(self, path: str | os.PathLike[str], *, wait_s: float = 30.0) -> None:
        """Open the journal at `path`, and make it if there is none.

        Args:
            path: a file on a local disk, in a folder that exists.
            wait_s: seconds to wait for another process that holds the file's lock.
        """
        self.path = Path(path).expanduser().absolute()
        self.paid = 0
        self.recalled = 0
        self._counting = threading.Lock()
        self._store = Store(self.path, wait_s)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. A second time does nothing."""
        self._store.close()

    def remember(self, game: Game) -> Game:
        """The same game, asking its model only for masks that the journal does not hold.

        Raw outputs are stored under the game's identity, so a game with another readout shares
        them. `again` is stored too, one fresh answer per mask, so that a resumed run finds the
        same noise and pays for it once.

        Raises:
            InputError: the game has no identity.
            JournalError: the journal holds another number of units under that identity, or cannot
                be read. Later, from `value`: the outputs have another shape than those stored, or
                could not be written; then `samples` holds the raw values just paid for.
        """
        slot = _slot(game, _VALUE)
        self._store.touch(slot)
        fresh = replace(game, value=game.again or game.value)
        again = _slot(game, _AGAIN)
        return replace(
            game,
            value=InParts(self._remembered(game, slot)),
            again=InParts(self._remembered(fresh, again)),
        )

    def known(self, game: Game, masks: ArrayLike) -> NDArray[np.bool_]:
        """Which masks `(b, n)` would cost no call: `(b,)` booleans. Asks no model.

        Raises:
            InputError: the game has no identity, or the masks are not `(b, n)` booleans.
            JournalError: as `remember`.
        """
        return self._store.known(_slot(game, _VALUE), as_masks(masks, game.n))

    def games(self) -> list[GameRecord]:
        """What the journal holds, oldest game first."""
        return self._store.games()

    def size(self) -> int:
        """Bytes on disk: the file and its write-ahead log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def export(self, path: str | os.PathLike[str], identity: str | None = None) -> int:
        """Write the games, or one of them, as JSON lines (see `read_export`).

        An existing file is replaced, once the new one is complete.

        Returns:
            The number of values written.

        Raises:
            InputError: no game of that identity is stored, or `path` is the journal itself.
            JournalError: the journal cannot be read or the export not written.
        """
        target = Path(path).expanduser().absolute()
        if os.path.exists(target) and os.path.samefile(target, self.path):
            raise InputError(
                f"export to {target} came, which is the journal itself; give another path."
            )
        records = [r for r in self.games() if identity in (None, r.identity)]
        if identity is not None and not records:
            raise InputError(
                f"journal {self.path} holds no game {faults.short(identity)}; journal.games() "
                "lists what it holds. Leave identity out to export everything."
            )
        return export.write(target, ((r, self._store.entries(r)) for r in records))

    def prune(self, identity: str | None = None, older_than_days: float | None = None) -> int:
        """Remove games with all their values, and give the room back to the disk.

        Args:
            identity: only the game of that identity.
            older_than_days: only games that no Journal has remembered for that many days.

        Returns:
            The number of values removed.

        Raises:
            InputError: neither is given, or the days are negative.
        """
        if identity is None and older_than_days is None:
            raise InputError(
                "prune() came without a choice; give identity= or older_than_days=, or both. To "
                "remove everything, give older_than_days=0 or delete the file."
            )
        if older_than_days is None:
            return self._store.delete(identity, None)
        if not older_than_days >= 0:
            raise InputError(f"older_than_days={older_than_days} came; it must be 0 or more.")
        # Times are kept to the second: a game used in this very second is older than 0 days.
        before = datetime.now(UTC) + timedelta(seconds=1) - timedelta(days=older_than_days)
        return self._store.delete(identity, before.isoformat(timespec="seconds"))

    def _remembered(self, game: Game, slot: Slot) -> Callable[[Masks], Iterator[Part]]:
        """The game's raw values, with the journal in front of them, part by part."""

        def stream(masks: Masks) -> Iterator[Part]:
            rows = as_masks(masks, game.n)
            if len(rows) == 0:
                yield np.zeros(0, dtype=np.intp), raw_values(game.value, rows)
                return
            first, inverse = distinct(rows)
            copies = _copies(inverse, len(first))
            for where, values in self._answers(game, slot, rows[first]):
                same = [copies[at] for at in where.tolist()]
                yield np.concatenate(same), np.repeat(values, list(map(len, same)), axis=0)

        return stream

    def _answers(self, game: Game, slot: Slot, masks: Masks) -> Iterator[Part]:
        """Raw values of distinct masks `(b, n)`: from the file, then from the model."""
        known, recalled = self._store.get(slot, masks)
        self._count(recalled=len(recalled))
        if len(recalled):
            yield np.flatnonzero(known), recalled
        missing = np.flatnonzero(~known)
        for where, values in arriving(game, masks[missing]):
            rows = missing[where]
            yield rows, self._keep(slot, masks[rows], values)

    def _keep(self, slot: Slot, masks: Masks, values: Values) -> Values:
        """What the model answered, stored before anything else happens."""
        self._count(paid=len(masks))
        try:
            return self._store_through(slot, masks, values)
        except JournalError as error:
            raise faults.unwritten(error, Samples(masks, values)) from error

    def _store_through(self, slot: Slot, masks: Masks, values: Values) -> Values:
        """Store, also when Ctrl-C arrives meanwhile: what is paid for is written first."""
        try:
            return self._store.put(slot, masks, values)
        except KeyboardInterrupt:
            self._store.put(slot, masks, values)
            raise

    def _count(self, *, paid: int = 0, recalled: int = 0) -> None:
        with self._counting:
            self.paid += paid
            self.recalled += recalled


def _copies(inverse: NDArray[np.intp], distinct_rows: int) -> list[NDArray[np.intp]]:
    """The rows that each distinct mask came in."""
    ends = np.cumsum(np.bincount(inverse, minlength=distinct_rows))
    return np.split(np.argsort(inverse, kind="stable"), ends[:-1])


def _slot(game: Game, repeat: int) -> Slot:
    if not game.identity:
        raise InputError(
            f"a game with identity {game.identity!r} came; a journal finds values again by it, and "
            "nothing about a bare callable says which model and input it is. Give "
            "Game(identity=...) a string that changes whenever the raw values could: model and its "
            "version, input, units and absent policy."
        )
    try:
        game.identity.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"an identity that is not valid text came ({error.reason}); a string that UTF-8 can "
            "write is needed, such as a hash. Change Game(identity=...)."
        ) from error
    description = game.description.encode(errors="replace").decode()
    return Slot(game.identity, description, game.n, repeat)
