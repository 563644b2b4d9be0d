"""Holds executors: threads, and any pool of `concurrent.futures`, as scorers that answer in parts.

It does not know what the items are nor what scores them, and it imports no framework: copies of a
model on a cluster are an adapter's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.game import Values
from whence.scoring import WINDOW, Facts, Part, Score, facts_of, in_order, scores_of

#: Items of a batch that a worker is given, at most, unless said otherwise: enough to outweigh the
#: way there and back, few enough that a run of some hundred masks keeps several workers busy. It
#: does not depend on how many there are, so neither does the last bit of a value.
SHARE = 64


@dataclass(frozen=True)
class Futures:
    """A scorer whose batches are handed to a pool of `concurrent.futures`: a scorer, an executor.

    Values do not depend on who scores which batch nor on how many there are. The pool stays the
    caller's: it is not shut down. A pool of processes is sent `score` with every batch, so `score`
    must be a function at the top of a module that the processes can import, and best one that
    opens its model once; `whence.adapters.ray.replicas` does that by itself, on one machine too.

    Attributes:
        score: items -> raw scores; a pool of threads calls it from several at a time.
        pool: who calls it.
        in_flight: batches that are with the pool at a time, waiting ones included.
        batch: items at a time; None as many as the scorer likes, at most SHARE.
    """

    score: Score
    pool: Executor
    in_flight: int
    batch: int | None = None

    def __post_init__(self) -> None:
        """Refuses numbers below one, and a score that cannot be called."""
        _check_callable(self.score)
        check_numbers({"in_flight": self.in_flight, "batch": self.batch})

    @property
    def facts(self) -> Facts:
        """What `score` says of itself."""
        told = facts_of(self.score)
        return replace(told, batch=WINDOW, lanes=self.in_flight, lane=self.batch or share(told))

    def __call__(self, items: Sequence[Any]) -> Values:
        """Raw scores `(b, *raw)`, one row per item, in their order."""
        return in_order(self.stream(items))

    def stream(self, items: Sequence[Any]) -> Iterator[Part]:
        """Every position among `items` once, with its raw scores, as the batches are done.

        When one fails no more are asked, those that are being scored are waited for and given,
        and then its error is raised. Closing the iterator drops the batches that no worker has
        begun.

        Raises:
            ShapeError: not one score, or row of scores, for each item.
        """
        rest = batches(items, self.batch or share(facts_of(self.score)))
        asked: dict[Future[Any], NDArray[np.intp]] = {}
        failure: BaseException | None = None
        try:
            while self._hand_out(rest, asked, failure):
                for future in wait(asked, return_when=FIRST_COMPLETED).done:
                    where = asked.pop(future)
                    values, error = _answer(future, len(where))
                    if values is not None:
                        yield where, values
                    failure = failure or error
        finally:
            _drop_waiting(asked)
        if failure is not None:
            raise failure

    def _hand_out(
        self,
        rest: Iterator[tuple[NDArray[np.intp], Sequence[Any]]],
        asked: dict[Future[Any], NDArray[np.intp]],
        failure: BaseException | None,
    ) -> bool:
        """Whether anything is to be waited for, once the pool has as much as it may."""
        if failure is not None:
            _drop_waiting(asked)
        while failure is None and len(asked) < self.in_flight:
            where, items = next(rest, (None, ()))
            if where is None:
                break
            asked[self.pool.submit(self.score, items)] = where
        return bool(asked)


@dataclass(frozen=True)
class Threads:
    """A scorer whose batches are scored by several threads: a scorer, an executor.

    It pays where scoring waits or leaves Python's lock: servers, onnxruntime, tree libraries. The
    threads end with each run. At most two batches for each are out at a time.

    Attributes:
        score: items -> raw scores; called from several threads at a time, so it must allow that.
        workers: threads.
        batch: items at a time; None as many as the scorer likes, at most SHARE.
    """

    score: Score
    workers: int = 4
    batch: int | None = None

    def __post_init__(self) -> None:
        """Refuses numbers below one, and a score that cannot be called."""
        _check_callable(self.score)
        check_numbers({"workers": self.workers, "batch": self.batch})

    @property
    def facts(self) -> Facts:
        """What `score` says of itself."""
        told = facts_of(self.score)
        lanes = self.workers * told.lanes
        return replace(told, batch=WINDOW, lanes=lanes, lane=self.batch or share(told))

    def __call__(self, items: Sequence[Any]) -> Values:
        """Raw scores `(b, *raw)`, one row per item, in their order."""
        return in_order(self.stream(items))

    def stream(self, items: Sequence[Any]) -> Iterator[Part]:
        """See `Futures.stream`. Closing the iterator waits for the batches already begun."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="whence") as pool:
            yield from Futures(self.score, pool, 2 * self.workers, self.batch).stream(items)


def batches(items: Sequence[Any], size: int) -> Iterator[tuple[NDArray[np.intp], Sequence[Any]]]:
    """Positions and items, `size` at a time, in their order."""
    for start in range(0, len(items), size):
        chunk = items[start : start + size]
        yield np.arange(start, start + len(chunk)), chunk


def share(facts: Facts) -> int:
    """Items that a worker is given at a time, unless said otherwise."""
    return min(facts.batch, SHARE)


def check_numbers(numbers: Mapping[str, int | None], lowest: int = 1) -> None:
    """Nothing, if every number is None or a whole one of at least `lowest`.

    Raises:
        InputError: one that is not.
    """
    for name, number in numbers.items():
        whole = isinstance(number, int | np.integer)
        if number is not None and (not whole or number < lowest):
            raise InputError(f"{name}={number!r} came; a whole number from {lowest} is needed.")


def _answer(future: Future[Any], items: int) -> tuple[Values | None, BaseException | None]:
    """The scores of a batch that is done, or why there are none."""
    error = future.exception()
    if error is not None:
        return None, error
    try:
        return scores_of(future.result(), items), None
    except Exception as wrong:
        return None, wrong


def _drop_waiting(asked: dict[Future[Any], NDArray[np.intp]]) -> None:
    for future in [one for one in asked if one.cancel()]:
        del asked[future]


def _check_callable(score: object) -> None:
    if not callable(score):
        raise InputError(
            f"score came as {type(score).__name__}; a function from items to raw scores is needed."
        )
