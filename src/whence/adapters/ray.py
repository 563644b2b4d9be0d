"""Holds Replicas: copies of a scorer on the workers of a Ray cluster, as one scorer.

It does not know what is scored, how a copy is made (a factory does that inside each worker), nor
how workers are found and replaced (`_ray_crew`).
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters._ray_crew import Crew, Lost, Needs, Worker
from whence.errors import InputError, ModelError
from whence.executors import batches, check_numbers, share
from whence.game import Values
from whence.scoring import WINDOW, Facts, Part, Score, in_order


class Replicas:
    """Copies of a scorer in the workers of a Ray cluster: a scorer and an executor.

    Made by `replicas`. Use it as a context manager, or `close` it.

    Attributes:
        facts: what the first copy says of itself, its identity included, so that a journal serves
            copies and a scorer in this process alike.
        batch: items at a time.
        in_flight: batches that are with one worker at a time, the one being scored included.
        retries: how many times a batch may be lost with its worker and asked again.
    """

    facts: Facts
    batch: int
    in_flight: int
    retries: int

    def __init__(self, crew: Crew, batch: int | None, in_flight: int, retries: int) -> None:
        hello = crew.first()
        self._crew = crew
        self.batch = batch or share(hello.facts)
        self.facts = replace(
            hello.facts,
            batch=WINDOW,
            lanes=crew.size,
            lane=self.batch,
            count_tokens=self._counts if hello.counts else None,
            token_spans=self._spans if hello.spans else None,
        )
        self.in_flight, self.retries = in_flight, retries

    @property
    def workers(self) -> tuple[tuple[str, int], ...]:
        """Node and process of each worker that is ready."""
        hellos = [one.hello for one in self._crew.ready()]
        return tuple((hello.node, hello.process) for hello in hellos if hello is not None)

    @property
    def lost(self) -> int:
        """Workers that died so far."""
        return self._crew.lost

    def __call__(self, items: Sequence[Any]) -> Values:
        """Raw scores `(b, *raw)`, one row per item, in their order."""
        return in_order(self.stream(items))

    def stream(self, items: Sequence[Any]) -> Iterator[Part]:
        """Every position among `items` once, with its raw scores, as the workers answer.

        A batch that is lost with its worker is asked again of another; one that has been given is
        never asked again. When the model raises no more are asked, those that are with a worker
        are waited for and given, and then its error is raised. Closing the iterator asks no more;
        what is with a worker runs to its end.

        Raises:
            ModelError: a batch was lost more than `retries` times, or workers die while they open
                the model.
            InputError: it is closed, or a node opened another model than the first.
        """
        return _Asking(self, self._crew, "scores", batches(items, self.batch)).parts()

    def close(self) -> None:
        """Stop the copies, and the cluster if it was started here. A second time does nothing."""
        self._crew.close()

    def __enter__(self) -> Replicas:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _counts(self, items: Sequence[Any]) -> NDArray[np.int64]:
        parts = _Asking(self, self._crew, "counts", batches(items, WINDOW)).parts()
        return in_order(parts).astype(np.int64)

    def _spans(self, text: str) -> Sequence[tuple[int, int]]:
        parts = _Asking(self, self._crew, "spans", batches([text], 1)).parts()
        return next(spans for _, spans in parts)


def replicas(
    factory: Callable[[], Score],
    count: int | None = None,
    *,
    address: str | None = None,
    batch: int | None = None,
    cpus: float = 1,
    gpus: float = 0,
    in_flight: int = 2,
    retries: int = 3,
) -> Replicas:
    """A scorer copied to the workers of a Ray cluster, which score its batches.

    Values do not depend on who scores which batch nor on how many there are: on machines of one
    kind they are, to the bit, those of `InProcess(scorer, batch)`. A scorer that makes its batches
    itself may group items otherwise when it has all of them, and round otherwise.

    Fewer than `count` may fit the cluster at first; the others join when there is room. The
    process may be on a cluster already, and is then left on it; else it joins the one at
    `address`, that in the environment's RAY_ADDRESS, or one that is started on this machine, and
    leaves or stops it when closed. (`ray.init` alone would also join whatever cluster was last
    started on the machine; say address="auto" for that.)

    Args:
        factory: makes the scorer, inside each worker: the model is opened there and never sent.
            A function that the workers can import, or a `functools.partial` of one.
        count: workers; None as many as the cluster holds now.
        address: the cluster, such as "10.0.0.1:6379" or "auto".
        batch: items at a time; None as many as the scorer likes, at most `executors.SHARE`.
        cpus: processor cores that a worker holds; it also bounds its numerical threads.
        gpus: GPUs that a worker holds; 0.5 puts two on one.
        in_flight: batches that are with one worker at a time.
        retries: how many times a batch may be lost with its worker and asked again.

    Raises:
        MissingExtra: Ray is not installed.
        InputError: arguments that cannot be used, no cluster at `address`, or no room for a worker.
        ModelError: workers die while they open the model. What the factory raises is raised.
    """
    _check(factory, count, batch, in_flight, retries, cpus, gpus)
    crew = Crew(factory, Needs(cpus, gpus), retries)
    try:
        crew.hire(count, address)
        return Replicas(crew, batch, in_flight, retries)
    except BaseException:
        crew.close()
        raise


@dataclass
class _Batch:
    where: NDArray[np.intp]
    items: Sequence[Any]
    lost: int = 0


class _Asking:
    """The batches of one call: those still to be asked, and those that are with a worker."""

    def __init__(
        self,
        replicas: Replicas,
        crew: Crew,
        what: str,
        rest: Iterator[tuple[NDArray[np.intp], Sequence[Any]]],
    ) -> None:
        self.crew, self.what = crew, what
        self.in_flight, self.retries = replicas.in_flight, replicas.retries
        self.rest = (_Batch(where, items) for where, items in rest)
        self.again: deque[_Batch] = deque()
        self.asked: dict[Any, tuple[_Batch, Worker]] = {}
        self.load: Counter[Worker] = Counter()
        self.failure: Exception | None = None

    def parts(self) -> Iterator[tuple[NDArray[np.intp], Any]]:
        """Positions and answers, as they arrive."""
        while self._hand_out():
            for reference in self._arrivals():
                yield from self._taken(reference)
        if self.failure is not None:
            raise self.failure

    def _hand_out(self) -> bool:
        """Whether anything is to be waited for, once every worker has as much as it may.

        Nothing is taken back from a worker: Ray's `cancel` throws away what an actor is scoring,
        and scores what waits there all the same.
        """
        while self.failure is None and (batch := self._next()) is not None:
            idle = min(self.crew.ready(), key=self.load.__getitem__, default=None)
            if idle is None or self.load[idle] >= self.in_flight:
                self.again.appendleft(batch)
                return True
            self.asked[idle.ask(self.what, batch.items)] = batch, idle
            self.load[idle] += 1
        return bool(self.asked)

    def _next(self) -> _Batch | None:
        return self.again.popleft() if self.again else next(self.rest, None)

    def _arrivals(self) -> list[Any]:
        """References that are answered; a worker that has become ready is let in meanwhile."""
        try:
            return self.crew.wait(list(self.asked))
        except Exception as error:
            self.failure = self.failure or error
            return []

    def _taken(self, reference: Any) -> Iterator[tuple[NDArray[np.intp], Any]]:
        batch, worker = self.asked.pop(reference)
        self.load[worker] -= 1
        try:
            answer = self.crew.get(reference)
        except Lost as error:
            self._lost(batch, worker, error)
        except Exception as error:
            self.failure = self.failure or error
        else:
            yield batch.where, answer

    def _lost(self, batch: _Batch, worker: Worker, error: Lost) -> None:
        if self.failure is not None:
            return
        self.crew.replace(worker)
        batch.lost += 1
        if batch.lost > self.retries:
            self.failure = _given_up(batch, error)
        else:
            self.again.append(batch)


def _given_up(batch: _Batch, error: Lost) -> ModelError:
    return ModelError(
        f"a batch of {len(batch.items)} items was lost {batch.lost} times with the worker that "
        f"scored it ({error}). If workers run out of memory give a smaller batch=; if nodes come "
        "and go raise retries=."
    )


def _check(
    factory: object,
    count: int | None,
    batch: int | None,
    in_flight: int,
    retries: int,
    cpus: float,
    gpus: float,
) -> None:
    if not callable(factory):
        raise InputError(
            f"factory came as {type(factory).__name__}; a function without arguments that makes a "
            "scorer is needed, such as functools.partial(load, folder)."
        )
    check_numbers({"count": count, "batch": batch, "in_flight": in_flight})
    check_numbers({"retries": retries}, lowest=0)
    if not (cpus >= 0 and gpus >= 0 and 0 < cpus + gpus < math.inf):
        raise InputError(
            f"cpus={cpus!r}, gpus={gpus!r} came; a worker must hold some of a node's cores or GPUs."
        )
