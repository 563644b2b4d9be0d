"""Holds the process that the durability tests kill, crowd and starve: one run with a journal.

It values planned masks with a scripted model and appends every call to a side file, so that a test
can say afterwards what was paid for. It is run by path, not collected.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from whence import errors
from whence.game import Game
from whence.journal import Journal

N = 12


def masks(count, seed):
    """The planned masks `(count, N)`: distinct, in an order of the seed's own."""
    rows = np.random.default_rng(0).permutation(2**N)[:count]
    rows = np.random.default_rng(seed).permutation(rows)
    return (rows[:, None] >> np.arange(N)) & 1 == 1


def truth(rows):
    """What the scripted model answers: two outputs with all their digits, in any batch the same."""
    number = rows @ 2 ** np.arange(N)
    return np.stack([number / 7, number**2 / 11], axis=1)


def game(side=None, delay_s=0.0, offset=0.0, batch=4):
    """The scripted game; `offset` makes one process's answers tell from another's."""

    def value(rows):
        if side is not None:
            lines = "".join("".join("01"[int(unit)] for unit in row) + "\n" for row in rows)
            file = os.open(side, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(file, lines.encode())
            os.close(file)
        time.sleep(delay_s)
        return truth(rows) + offset

    return Game(value, N, identity="durability", batch=batch)


def main():
    """Play the game as told on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("journal")
    parser.add_argument("--side")
    parser.add_argument("--out", help="where to save the answers")
    parser.add_argument("--go", help="wait for this file before opening the journal")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--offset", type=float, default=0.0)
    parser.add_argument("--limit", type=int, help="largest file this process may write, in bytes")
    parser.add_argument("--user", type=int, help="drop to this user first")
    told = parser.parse_args()
    planned = masks(told.count, told.seed)  # loads what another user may not be able to load
    if told.user is not None:
        os.setuid(told.user)
    if told.limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (told.limit, told.limit))
    print("ready", flush=True)
    while told.go and not Path(told.go).exists():
        time.sleep(0.001)
    try:
        play(told, planned)
    except errors.JournalError as error:
        print(type(error).__name__, error)
        print("samples", 0 if error.samples is None else len(error.samples))
        sys.exit(3)


def play(told, planned):
    """One run: every planned mask, then the answers saved."""
    plain = game(told.side, told.delay, told.offset, told.batch)
    with Journal(told.journal) as journal:
        answers = journal.remember(plain).value(planned)
        if told.out:
            np.save(told.out, answers)


if __name__ == "__main__":
    main()
