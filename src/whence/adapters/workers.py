"""Holds spread: a scorer whose batches go to several workers, as the command line writes it.

It does not know what is scored, nor how threads (executors) and copies (ray) are run.
"""

from __future__ import annotations

from collections.abc import Callable

from whence.errors import InputError
from whence.executors import Threads
from whence.scoring import Score, Scorer

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
        `executors.Threads` or `adapters.ray.Replicas`; the latter holds processes until it is
        closed, or this process ends.

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
        return Threads(factory(), workers, batch)
    from whence.adapters.ray import replicas

    cpus, gpus = _number(told.get("cpus", "1"), spec), _number(told.get("gpus", "0"), spec)
    return replicas(factory, workers, batch=batch, cpus=cpus, gpus=gpus)


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
