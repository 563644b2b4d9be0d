"""Holds what the checks of both contracts share: messages, untouched state, equal numbers.

It does not know which promises there are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.masks import Masks, ends, uniform
from whence.setfunction import SetFunction


def require(kept: bool, promise: str, came: str) -> None:
    """Fail with the promise and what came instead."""
    if not kept:
        raise AssertionError(f"Promise: {promise} Broken: {came}")


def run(promise: str, action: Callable[[], Any]) -> Any:
    """What an action returns; what it raises becomes a broken promise."""
    try:
        return action()
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"Promise: {promise} Broken: it raised {type(error).__name__}: {error}"
        ) from error


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two arrays have one shape and, relative to their size, the same numbers."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        return False
    scale = max(1.0, float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)))
    return bool((np.abs(a - b) <= tolerance * scale).all())


def gap(a: Any, b: Any) -> str:
    """How far two answers are apart, in words."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return f"shape {a.shape} and shape {b.shape}"
    return f"a difference of {np.abs(a - b).max(initial=0.0):.3g}"


@contextmanager
def untouched(*arrays: NDArray[Any]) -> Generator[None]:
    """Fail if the arrays, or the global random state of numpy or Python, change meanwhile.

    The global state is set aside and put back, so that one who seeds it always with the same
    number is noticed too.
    """
    before = [a.tobytes() for a in arrays]
    with _marked_global_state() as moved:
        yield
        touched = moved()
    require(
        [a.tobytes() for a in arrays] == before,
        "arguments are not changed.",
        "an array that was passed in holds something else now.",
    )
    require(
        not touched,
        "global random state is left alone.",
        "numpy.random or random was drawn from or seeded. Draw from the generator given.",
    )


@contextmanager
def _marked_global_state() -> Generator[Callable[[], bool]]:
    """Global random state that nobody else would choose; yields whether it has moved."""
    legacy: Any = np.random
    kept, kept_python = legacy.get_state(legacy=True), random.getstate()
    legacy.seed(20_250_213)
    random.seed("whence.testing")
    marked, marked_python = legacy.get_state(legacy=True), random.getstate()

    def moved() -> bool:
        now = legacy.get_state(legacy=True)
        same = now[1].tobytes() == marked[1].tobytes() and now[2:] == marked[2:]
        return not same or random.getstate() != marked_python

    try:
        yield moved
    finally:
        legacy.set_state(kept)
        random.setstate(kept_python)


def some_masks(n: int, count: int, rng: np.random.Generator) -> Masks:
    """The two ends and up to `count` other distinct random masks, `(b, n)`."""
    both = ends(n)
    return np.concatenate([both, uniform(n, count, rng, avoid=both)])


def finite(f: SetFunction) -> bool:
    """Whether coefficients and standard errors are finite."""
    spread = f.deviations is None or bool(np.isfinite(f.deviations).all())
    return bool(np.isfinite(f.values).all()) and spread
