"""Holds Crew: the workers that hold copies of a scorer, let in when ready, replaced when lost.

It is the only file that speaks to Ray. It does not know which items are with whom, nor in which
order answers are wanted (ray).
"""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from whence.errors import InputError, MissingExtra, ModelError
from whence.scoring import Facts, Score, facts_of, scores_of

#: Seconds to wait for the cluster to place the first worker; opening the model may take longer.
PATIENCE = 300.0

#: Seconds that a cluster's address may take to answer.
SILENCE = 10.0

#: Room for what is on its way between the processes of a cluster that is started here, in bytes;
#: Ray writes what is over to disk.
STORE = 256 * 2**20


class Lost(Exception):
    """What was asked of a worker is lost with it, and may be asked again of another."""


class Hello(NamedTuple):
    """What a copy says when it is open.

    Attributes:
        facts: the scorer's, without the callables.
        counts: whether it counts tokens.
        spans: whether it finds their places.
        node: where it runs.
        process: the worker's process there.
    """

    facts: Facts
    counts: bool
    spans: bool
    node: str
    process: int


@dataclass(frozen=True)
class Needs:
    """What one worker holds of its node, whole or in part: processor cores and GPUs."""

    cpus: float
    gpus: float

    def fit(self, there: dict[str, float]) -> int:
        """How many such workers the resources `there` hold."""
        pairs = ((self.cpus, "CPU"), (self.gpus, "GPU"))
        return min(int(there.get(name, 0) // need) for need, name in pairs if need)

    def __str__(self) -> str:
        return f"cpus={self.cpus:g}, gpus={self.gpus:g}"


class Copy:
    """A scorer in a worker: what Ray runs there, one call at a time."""

    def __init__(self, factory: Callable[[], Score]) -> None:
        self._factory = factory

    def placed(self) -> None:
        """Nothing; the answer says that the worker is there, though not yet open."""

    def open(self) -> Hello:
        """Make the scorer. Not in the constructor, whose errors Ray takes for a lost worker."""
        import ray

        self._score = self._factory()
        facts = facts_of(self._score)
        self._count, self._spans = facts.count_tokens, facts.token_spans
        node = ray.get_runtime_context().get_node_id()
        plain = replace(facts, count_tokens=None, token_spans=None)
        return Hello(plain, self._count is not None, self._spans is not None, node, os.getpid())

    def answer(self, what: str, items: Sequence[Any]) -> Any:
        """The "scores" or the token "counts" of some items, or the token "spans" of one text."""
        if what == "counts" and self._count is not None:
            return self._count(items)
        if what == "spans" and self._spans is not None:
            return list(self._spans(items[0]))
        return scores_of(self._score(items), len(items))


@dataclass(eq=False)
class Worker:
    """One worker of a crew.

    Attributes:
        actor: Ray's handle of its `Copy`.
        placed: Ray's reference, answered once the cluster has found room for it.
        opening: Ray's reference to its `Hello`.
        hello: what it said, once it is open.
    """

    actor: Any
    placed: Any
    opening: Any
    hello: Hello | None = None

    def ask(self, what: str, items: Sequence[Any]) -> Any:
        """Ray's reference to the answer, see `Copy.answer`."""
        return self.actor.answer.remote(what, items)


class Crew:
    """Workers that hold copies of one scorer.

    Attributes:
        lost: workers that died so far.
        hello: what the first that was open said; None before.
    """

    def __init__(self, factory: Callable[[], Score], needs: Needs, retries: int) -> None:
        self._ray = framework()
        self._factory, self._needs, self._retries = factory, needs, retries
        self._joined = False
        self._workers: list[Worker] = []
        self._lost_opening = 0
        self.lost = 0
        self.hello: Hello | None = None

    def hire(self, count: int | None, address: str | None) -> None:
        """Join a cluster, unless this process is on one, and hire workers; None as many as fit.

        Raises:
            InputError: no cluster, no room, or a factory that cannot be sent.
        """
        if not self._ray.is_initialized():
            _join(self._ray, address, count, self._needs)
            self._joined = True
        elif address is not None:
            raise InputError(
                f"address={address!r} came, and this process is on a cluster already. Leave it "
                "out, or call ray.shutdown() before."
            )
        fit = self._needs.fit(self._ray.cluster_resources())
        self._workers += [self._hired() for _ in range(count or max(1, fit))]

    @property
    def size(self) -> int:
        """Workers that were hired."""
        return len(self._workers)

    def first(self) -> Hello:
        """What the first worker says that is open; waits for it.

        Raises:
            InputError: the cluster has no room for a worker.
            ModelError: workers die while they open the model. What the factory raises is raised.
        """
        while self.hello is None:
            self.wait([])
        return self.hello

    def ready(self) -> list[Worker]:
        """Those that are open."""
        return [one for one in self._workers if one.hello is not None]

    def wait(self, asked: list[Any]) -> list[Any]:
        """Those of the references that are answered, at least one unless a worker became open.

        Raises:
            InputError, ModelError: as `first`.
        """
        opening = {one.opening: one for one in self._workers if one.hello is None}
        if not asked and not opening:
            raise InputError("the workers are stopped; make them anew with whence.adapters.ray.")
        patience = None if asked else PATIENCE
        done, _ = self._ray.wait([*asked, *opening], num_returns=1, timeout=patience)
        for reference in done:
            if reference in opening:
                self._let_in(opening[reference])
        if not done:
            self._refuse_full()
        return [one for one in done if one not in opening]

    def get(self, reference: Any) -> Any:
        """The answer behind a reference that is there.

        Raises:
            Lost: it went with its worker. What the scorer raised is raised.
        """
        from ray import exceptions as kinds

        lost = (
            kinds.RayActorError,
            kinds.WorkerCrashedError,
            kinds.NodeDiedError,
            kinds.OutOfMemoryError,
            kinds.ObjectLostError,
        )
        try:
            return self._ray.get(reference)
        except lost as error:
            raise Lost(type(error).__name__) from error
        except kinds.RayTaskError as error:
            raise error.cause from error
        except kinds.UnserializableException as error:
            last = str(error).strip().splitlines()[-1]
            raise ModelError(f"the model raised on a worker: {last}") from error

    def replace(self, worker: Worker) -> None:
        """Stop a worker that was lost, and hire another, unless that is done already."""
        if worker in self._workers:
            self.lost += 1
            self._dismiss(worker)
            self._workers.append(self._hired())

    def close(self) -> None:
        """Stop all workers, and leave the cluster if it was joined here."""
        for worker in list(self._workers):
            self._dismiss(worker)
        if self._joined:
            self._joined = False
            self._ray.shutdown()

    def _hired(self) -> Worker:
        # Retries are ours: what is lost goes to a worker that is ready, not to the one that dies.
        kind = self._ray.remote(Copy).options(
            num_cpus=self._needs.cpus,
            num_gpus=self._needs.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        try:
            actor = kind.remote(self._factory)
        except TypeError as error:
            raise InputError(
                f"the factory cannot be sent to the workers: {error}. Give a function that they "
                "can import, or a functools.partial of one, which opens the model there."
            ) from error
        return Worker(actor, actor.placed.remote(), actor.open.remote())

    def _dismiss(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._ray.kill(worker.actor)

    def _let_in(self, worker: Worker) -> None:
        try:
            hello = self.get(worker.opening)
        except Lost as error:
            self._lost_opening += 1
            if self._lost_opening > self._retries:
                self._dismiss(worker)
                raise ModelError(
                    f"{self._lost_opening} workers in a row died while they opened the model "
                    f"({error}). It may need more memory than a worker has: give each more of its "
                    f"node (now {self._needs}), or run fewer."
                ) from error
            self.replace(worker)
            return
        except Exception:
            self._dismiss(worker)
            raise
        self._lost_opening = 0
        first = self.hello or hello
        if hello.facts.identity != first.facts.identity:
            self._dismiss(worker)
            raise InputError(
                f"node {hello.node} opened another model ({hello.facts.identity}) than the first "
                f"worker ({first.facts.identity}). Put the same files on every node."
            )
        self.hello, worker.hello = first, hello

    def _refuse_full(self) -> None:
        placed, _ = self._ray.wait([one.placed for one in self._workers], timeout=0)
        if not placed:
            raise InputError(_no_room(self._needs, self._ray.cluster_resources()))


def framework() -> Any:
    """Ray itself.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            'Ray is not installed, and workers on a cluster need it: pip install "whence[ray]"'
        ) from error
    return ray


def _join(ray: Any, address: str | None, count: int | None, needs: Needs) -> None:
    """Join the cluster at an address, that in RAY_ADDRESS, or start one on this machine."""
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if where != "local":
        try:
            _knock(where)
            ray.init(where, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster could be joined at {where!r}: {error}. Start one with `ray start "
                "--head`; set RAY_AUTH_MODE=token if it asks for a token; or leave address= and "
                "RAY_ADDRESS out for one on this machine."
            ) from error
        return
    cores = max(os.cpu_count() or 1, math.ceil((count or 1) * needs.cpus))
    with _no_reports():
        ray.init(
            "local", num_cpus=cores, include_dashboard=False, object_store_memory=STORE, **quiet
        )
    if not needs.fit(ray.cluster_resources()):
        there = ray.cluster_resources()
        ray.shutdown()
        raise InputError(_no_room(needs, there))


def _knock(address: str) -> None:
    """Nothing, if somebody listens there. Ray itself would try for minutes, then end the process.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=SILENCE).close()


def _no_room(needs: Needs, there: dict[str, float]) -> str:
    has = ", ".join(f"{name.lower()}s={there.get(name, 0):g}" for name in ("CPU", "GPU"))
    return (
        f"the cluster has no room for a worker: each holds {needs}, and all nodes together have "
        f"{has}. Ask for less with cpus= and gpus=, or add nodes."
    )


@contextmanager
def _no_reports() -> Generator[None]:
    """A cluster started meanwhile sends no usage statistics to anybody."""
    name = "RAY_USAGE_STATS_ENABLED"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
