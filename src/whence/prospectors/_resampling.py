"""Holds the bootstrap of a kernel: weights from bags drawn again, by class and by group.

It does not know what is counted, nor what the drawings are used for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError
from whence.prospectors._weights import Kernel, Resampled, checked, classes
from whence.prospectors.folds import checked_groups

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Times that drawings without one of the classes are drawn again.
TRIES = 100


def drawn_times(
    targets: Floats, rng: np.random.Generator, resamples: int, groups: Any = None
) -> Floats:
    """How often each bag is drawn `(R, b)`: bags with replacement, within their class.

    Whole groups are drawn where they are given, within those that have the same classes; sets of
    classes that only one group has are drawn from together, with the next smallest set where that
    leaves nothing to draw. A drawing in which a class vanishes is drawn again, up to 100 times;
    after that, the groups of that class are taken once each. Numbers are drawn from all.

    Raises:
        InputError: see `checked_groups`; every group (or bag) is the only one of some class.
    """
    names = checked_groups(groups, len(targets))
    group = _numbered(np.arange(len(targets)) if names is None else names)
    has = _classes_of(targets, group)
    stratum = _strata(has)
    times = _drawn(stratum, rng, resamples)
    for _ in range(TRIES):
        lost = ((times > 0) @ has < 1).any(axis=1)
        if not lost.any():
            return times[:, group]
        times[lost] = _drawn(stratum, rng, int(lost.sum()))
    lost = (times > 0) @ has < 1
    return np.maximum(times, lost @ has.T > 0)[:, group]


def _drawn(stratum: Ints, rng: np.random.Generator, resamples: int) -> Floats:
    """How often each group is drawn `(R, groups)`, within its stratum."""
    times = np.zeros((resamples, len(stratum)))
    for s in range(stratum.max() + 1):
        members = np.flatnonzero(stratum == s)
        chances = np.full(len(members), 1 / len(members))
        times[:, members] = rng.multinomial(len(members), chances, size=resamples)
    return times


def _classes_of(targets: Floats, group: Ints) -> Floats:
    """1 for the classes that a group has, else 0 `(groups, classes)`; numbers are one class."""
    label = _numbered(targets) if classes(targets) else np.zeros(len(targets), np.intp)
    has = np.zeros((group.max() + 1, label.max() + 1))
    has[group, label] = 1
    return has


def _strata(has: Floats) -> Ints:
    """For every group the number of those that it is drawn with."""
    needed = has[:, has.sum(axis=0) == 1].sum(axis=1) > 0
    if needed.all():
        raise InputError(
            f"each of {len(has)} groups (or bags) is the only one of some class, so none can be "
            "drawn again; add groups, or set bootstrap=0 to go without standard errors"
        )
    stratum = _numbered(has)
    sizes = np.bincount(stratum)
    pool = sizes[stratum] == 1
    if pool.sum() == 1 or (pool.any() and needed[pool].all()):
        # Such a pool could only be drawn as it is.
        others = np.where(sizes > 1, sizes, len(has) + 1)
        pool |= stratum == others.argmin()
    return _numbered(np.where(pool, len(sizes), stratum))


def _numbered(rows: NDArray[Any]) -> Ints:
    """Rows or items numbered from 0 by what they are."""
    axis = 0 if rows.ndim > 1 else None
    return np.unique(rows, axis=axis, return_inverse=True)[1].reshape(-1)


def bootstrapped(
    kernel: Kernel,
    frequencies: Floats,
    targets: Floats,
    rng: np.random.Generator,
    resamples: int,
    groups: Any = None,
) -> Floats:
    """Drawings of a kernel's weights `(R, p, c)`, over the training bags drawn with replacement.

    Bags are drawn within their class, and whole groups where those are given (within the groups
    that have the same classes, as far as there are such; see `drawn_times`), so that no class
    vanishes. The standard error of a weight is the deviation of its drawings. What `fdr` leaves out
    is left in here. Closed-form kernels and ridge are given how often each bag came, and all
    drawings at once; others are fitted to repeated rows, one drawing after the other. Ridge keeps
    the scale that features have in all bags.

    Args:
        frequencies, targets: as a kernel takes them, `(b, p)` and `(b, c)`.
        resamples: R, at least 2.
        groups: `(b,)` one name per bag, or None.

    Raises:
        InputError: see the kernel; fewer than 2 resamples; see `drawn_times`.

    Source:
        Efron (1979); stratified.
    """
    if resamples < 2:
        raise InputError(f"resamples={resamples} came; at least 2 are needed, 200 are usual.")
    x, y = checked(frequencies, targets, "bootstrapped", numbers=True)
    times = drawn_times(y, rng, resamples, groups)
    if isinstance(kernel, Resampled):
        return kernel.resampled(x, y, times)
    rows = (np.repeat(np.arange(len(x)), m) for m in times.astype(np.intp))
    return np.stack([kernel(x[r], y[r]).values for r in rows])
