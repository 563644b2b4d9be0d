"""Holds spread: a scorer whose batches go to several workers, as the command line writes it.

It does not know what is scored, nor how threads (executors) and copies (ray) are run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whence.errors import InputError
from whence.executors import Threads
from whence.lenses.inputs.rows import TableReader
from whence.scoring import Facts, Score, Scorer

#: How many rows of a table a worker is given at a time by default, since a row is soon scored.
ROWS = 1024

_NEEDED = (
    "it must be 'threads:' and how many, or 'ray:' and how many copies of the model; then, if need "
    "be, the items each is given at a time, and what each copy holds of its node: 'threads:8', "
    "'ray:4', 'ray:8,gpus=1', 'ray:8,cpus=2,batch=256'."
)


def spread(spec: str, factory: Callable[[], Score]) -> Scorer:
    """A scorer whose batches are scored by several workers.

    Args:
        spec: "threads:8", "ray:4", or "ray:4,cpus=2,gpus=0.5,batch=256". Ray joins the cluster
            that the environment's RAY_ADDRESS names, or starts one on this machine.
        factory: makes the scorer: once in this process for threads, in every worker for Ray.

    Returns:
        `executors.Threads` or `adapters.ray.Replicas`, in `SpreadRows` where a model reads rows;
        replicas hold processes until they are closed, or this process ends.

    Raises:
        InputError: another spec, a count below one; what `adapters.ray.replicas` raises.
    """
    kind, _, rest = spec.partition(":")
    count, *said = rest.split(",")
    if kind not in ("threads", "ray"):
        raise InputError(f"workers={spec!r} came; {_NEEDED}")
    workers = _whole(count, spec)
    known = ("batch",) if kind == "threads" else ("batch", "cpus", "gpus")
    told = dict(_named(part, known, spec) for part in said)
    batch = _whole(told["batch"], spec) if "batch" in told else None
    if kind == "threads":
        own = factory()
        reader = _reader(own)
        made = Threads(own, workers, batch or (None if reader is None else ROWS))
        return made if reader is None else SpreadRows(made, reader)
    from whence.adapters.ray import replicas

    cpus, gpus = _number(told.get("cpus", "1"), spec), _number(told.get("gpus", "0"), spec)
    made = replicas(factory, workers, batch=batch, cpus=cpus, gpus=gpus)
    reader = _reader(factory()) if made.facts.reads == frozenset({"row"}) else None
    if reader is None:
        return made
    made.batch = batch or ROWS
    return SpreadRows(made, reader)


def _reader(score: object) -> TableReader | None:
    """A model of rows that knows its columns; None for any other."""
    return score if isinstance(score, TableReader) else None


@dataclass(frozen=True)
class SpreadRows:
    """Workers of a model of rows, which still says which columns it reads; see `TableReader`.

    Attributes:
        score: the workers.
        reader: the model in this process.
    """

    score: Scorer
    reader: TableReader

    @property
    def facts(self) -> Facts:
        """What the model says of itself."""
        return self.score.facts

    @property
    def names(self) -> tuple[str, ...]:
        """See `TableReader`."""
        return self.reader.names

    def __call__(self, rows: Any, /) -> Any:
        """Scores of a table's rows."""
        return self.score(rows)

    def reads(self, columns: Sequence[str]) -> tuple[str, ...]:
        """See `TableReader`."""
        return self.reader.reads(columns)

    def ready(self, rows: Any) -> Any:
        """See `TableReader`."""
        return self.reader.ready(rows)


def _named(part: str, known: tuple[str, ...], spec: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    if name not in known:
        raise InputError(f"workers={spec!r} came with {part!r}; {_NEEDED}")
    return name, value


def _whole(text: str, spec: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise InputError(
            f"workers={spec!r} came with {text!r} where a whole number is needed; {_NEEDED}"
        )
    return int(text)


def _number(text: str, spec: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"workers={spec!r} came with {text!r} where a number is needed; {_NEEDED}"
        ) from None
