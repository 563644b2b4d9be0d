"""Holds scorers that other processes can import, and the contract that every executor keeps.

A scorer here writes down what it was asked in a file, so that a test can count over processes.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from whence.scoring import Facts
from whence.testing.scripted import SentimentRules

ITEMS = [f"item {i} " + "never fails " * (i % 3) for i in range(40)]
BATCH = 3


@dataclass(frozen=True)
class Written:
    """Class scores by word list; every item asked is a line in a file.

    Attributes:
        log: the file.
        refused: items it raises for.
        deadly: items that kill the process that scores them.
        pause: seconds that a batch takes.
        custom: whether it raises an error that no other process can make.
    """

    log: Path
    refused: tuple[str, ...] = ()
    deadly: tuple[str, ...] = ()
    pause: float = 0.0
    custom: bool = False

    @property
    def facts(self):
        """Those of a model that counts tokens, with an identity."""
        return Facts(
            name="word list",
            identity="word list v1",
            labels=("negative", "positive"),
            batch=BATCH,
            count_tokens=lambda items: np.array([len(item.split()) for item in items]),
            token_spans=lambda text: [(0, 1), (1, len(text))],
        )

    def __call__(self, items):
        """`(b, 2)` scores."""
        write(self.log, items)
        time.sleep(self.pause)
        if set(self.deadly) & set(items):
            os.kill(os.getpid(), signal.SIGKILL)
        for item in items:
            if item in self.refused:
                raise Unmakeable(item, 1) if self.custom else ArithmeticError(f"not {item!r}")
        return SentimentRules()(items) + [[len(item) / 7, 0] for item in items]


class Unmakeable(Exception):
    """An error that cannot be made again from its arguments, as many libraries have them."""

    def __init__(self, item, code):
        super().__init__(f"code {code} for {item}")


def write(log, items):
    """Append a line for each item, in one piece."""
    place = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(place, "".join(f"{item}\n" for item in items).encode())
    finally:
        os.close(place)


def asked(log):
    """How often each item was asked."""
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


def another(log):
    """A scorer that says it is another model in every process."""
    return Other(log)


@dataclass(frozen=True)
class Other:
    """Scores nothing; its identity is its process."""

    log: Path

    @property
    def facts(self):
        """Another identity in every process."""
        return Facts(identity=f"process {os.getpid()}")

    def __call__(self, items):
        """Zeros `(b,)`, slowly."""
        time.sleep(0.2)
        return np.zeros(len(items))


def closed_door(folder):
    """A factory whose model is not there."""
    raise FileNotFoundError(f"no model in {folder}")


def dying(folder):
    """A factory that kills its process."""
    os.kill(os.getpid(), signal.SIGKILL)


def check_each_once(executor, log):
    """Every position comes once, with the values of a run in this process, each asked once."""
    parts = list(executor.stream(ITEMS))
    where = np.concatenate([rows for rows, _ in parts])
    assert sorted(where) == list(range(len(ITEMS)))
    expected = Written(log.with_suffix(".alone"))(ITEMS)
    for rows, values in parts:
        np.testing.assert_array_equal(values, expected[rows])
    assert asked(log) == Counter(ITEMS)
    assert list(executor.stream([])) == []


def gather(parts, came):
    """Add the positions to `came` as they arrive."""
    for rows, _ in parts:
        came += rows.tolist()


def check_error_last(executor, log):
    """An item that the model refuses: its error comes after all parts that were scored."""
    came = []
    with pytest.raises(ArithmeticError, match="not 'item 17"):
        gather(executor.stream(ITEMS), came)
    scored = {i for i, item in enumerate(ITEMS) if asked(log)[item]}
    batch = range(15, 18)
    assert sorted(came) == sorted(scored - set(batch))
    assert len(came) == len(set(came))


def check_early_close(executor, log, most):
    """Closed after one part: at most `most` further batches were begun, and none comes later."""
    parts = executor.stream(ITEMS)
    rows, _ = next(parts)
    assert len(rows) == BATCH
    parts.close()
    time.sleep(0.3)
    begun = asked(log).total()
    assert begun <= (1 + most) * BATCH
    time.sleep(0.2)
    assert asked(log).total() == begun


def check_back_pressure(executor, log, most):
    """While nobody takes the next part, no more than `most` batches are out."""
    parts = executor.stream(ITEMS)
    next(parts)
    time.sleep(0.5)
    assert asked(log).total() <= most * BATCH
    parts.close()
