"""Holds the choice of units to keep: the subset for which a set function is largest or smallest.

A mixed-integer programme with a proof of how far from the best its answer can be, and a greedy
search that it is never worse than. It does not know how the function was fitted: the best subset
of a poor fit is a poor subset of the game.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence._kernels import programmes
from whence._kernels import terms as csr
from whence.errors import InputError
from whence.masks import as_masks, every
from whence.setfunction import MAX_DEGREE, SetFunction, set_function

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Method = Literal["every subset", "exact milp", "greedy"]
Set = tuple[int, ...]

#: Up to this many free units every subset is valued, which no programme beats.
EVERY = 16
#: A function with more sets, or subsets of sets, than this makes no programme but greedy.
MAX_SETS = 20_000
#: Swaps of two units are tried among at most this many pairs at a time.
SWAPS = 4096
#: Share of the time that is spent on leaving the first local optimum.
KICKS = 0.2
#: Seconds that the greedy search may take where fewer, or none, are given.
LEAST_SECONDS = 1.0
#: The solver's own tolerance, as a share of the sum of all coefficients' sizes.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Subset:
    """A subset of units with the value of the function there, and a proof of how good that is.

    Attributes:
        mask: `(n,)` booleans, True for the units to keep present.
        value: the function at the mask, in the game's units.
        bound: no allowed subset has a value beyond this one (above it when maximising, below it
            when minimising).
        gap: distance from value to bound, in the game's units; 0 when every subset was valued.
        method: "every subset" was valued, or "exact milp": the solver ran, or "greedy" alone: the
            solver was given no time, or the function is too big for it. Then the bound is only
            the sum of coefficients that could at best be had.
        seconds: wall time.
        proven: whether the gap is within the one that was asked for (or the solver's tolerance, a
            millionth of the sum of the coefficients' sizes).
    """

    mask: NDArray[np.bool_]
    value: float
    bound: float
    gap: float
    method: Method
    seconds: float
    proven: bool

    @property
    def units(self) -> Set:
        """Positions of the units to keep."""
        return tuple(np.flatnonzero(self.mask).tolist())


class Range(NamedTuple):
    """How many units may be present."""

    low: int
    high: int


def best_subset(
    f: SetFunction,
    size: int | None = None,
    *,
    at_most: bool = False,
    maximize: bool = True,
    seconds: float = 10.0,
    gap: float = 0.0,
    keep: Iterable[int] = (),
    drop: Iterable[int] = (),
) -> Subset:
    """Which units to keep present so that `f` is largest (or smallest).

    To remove the r units that matter most: `best_subset(f, f.n - r, maximize=False)`. To compress
    a context, or prune heads, to k units: `best_subset(f, k)`.

    Up to 16 free units every subset is valued. Beyond, a greedy search (add or drop the best unit,
    then single flips and pairwise swaps until none helps, then the same with each unit held the
    other way) finds a subset, and HiGHS looks for a better one and for a bound until the time is
    up; the answer is never worse than greedy. The result says what was proven: read `gap`.

    Args:
        f: a function with one output, from any solver, in either basis.
        size: how many units are present, kept ones included; None leaves it free.
        at_most: `size` is the most units; otherwise exactly so many.
        maximize: False for the smallest value.
        seconds: wall time, greedy included; 0 is greedy alone, which takes up to a second. The
            solver looks at the clock now and then, so it may overrun by a little.
        gap: stop as soon as no subset is better by more than this, in the game's units.
        keep: units that must be present.
        drop: units that must be absent.

    Raises:
        InputError: several outputs, units that do not exist or are both kept and dropped, or a
            size that they leave no room for.

    Source:
        The task is that of ProxySPEX, Butler et al. (2025), solved there with a variable per
        Möbius monomial. Here the variables are parities, tied to each other by the parity polytope
        of three (Jeroslow 1975): on planted games its relaxation was never the looser one, and
        usually by far the tighter (docs/methods/best-subset.md). Monomials are used where
        a function in the Möbius basis has sets too large to write out their subsets.
    """
    start = perf_counter()
    wanted, free, room = _checked(f, size, at_most, keep, drop)
    sign = 1.0 if maximize else -1.0
    g = sign * _restricted(f, wanted, free)
    inner, bound, method = _solved(g, room, start, seconds, max(gap, 0.0))
    mask = wanted.copy()
    mask[free] = inner
    value = float(f(mask)[0])
    # Rounding must not put the bound on the wrong side of a value that was reached.
    distance = max(0.0, bound - sign * value) if method != "every subset" else 0.0
    tolerance = TOLERANCE * float(np.abs(g.values[g.sizes > 0]).sum())
    return Subset(
        mask,
        value,
        value + sign * distance,
        distance,
        method,
        perf_counter() - start,
        distance <= max(gap, tolerance),
    )


def flips(f: SetFunction, mask: ArrayLike) -> Floats:
    """How much `f` changes when each unit of a mask is switched: `(n,)`, in O(size of f).

    Args:
        f: a function with one output.
        mask: `(n,)` booleans.

    Raises:
        InputError: a mask that is not `(n,)` booleans.
    """
    present = as_masks(mask, f.n)[0]
    owner = np.repeat(np.arange(len(f)), f.sizes)
    inside = present[f.indices]
    held = np.bincount(owner, weights=inside, minlength=len(f))
    if f.basis == "fourier":
        change = -2.0 * (f.values * np.where(held % 2 == 1, -1.0, 1.0))[owner]
    else:
        # A conjunction switches with a unit only if no other of its units is absent.
        pivotal = (f.sizes - held)[owner] == np.where(inside, 0, 1)
        change = np.where(inside, -1.0, 1.0) * pivotal * f.values[owner]
    return np.bincount(f.indices, weights=change, minlength=f.n).astype(np.float64)


def _checked(
    f: SetFunction, size: int | None, at_most: bool, keep: Iterable[int], drop: Iterable[int]
) -> tuple[NDArray[np.bool_], Ints, Range]:
    """The mask of kept units, the free units, and how many of those may be present."""
    if f.out:
        raise InputError(
            f"a function with outputs {f.out} came; a subset is best for one output. Choose it: "
            "f.output(i)."
        )
    kept, dropped = set(keep), set(drop)
    wrong = sorted(u for u in kept | dropped if not 0 <= u < f.n)
    if wrong or kept & dropped:
        raise InputError(
            f"keep={sorted(kept)}, drop={sorted(dropped)} came for units 0 to {f.n - 1}; a unit "
            "must exist and can be kept or dropped, not both."
        )
    free = np.array([i for i in range(f.n) if i not in kept | dropped], dtype=np.int64)
    room = Range(0, len(free))
    if size is not None:
        if not len(kept) <= size <= (f.n if at_most else f.n - len(dropped)):
            raise InputError(
                f"size={size} came with {len(kept)} units to keep and {len(dropped)} to drop of "
                f"{f.n}; it must be from {len(kept)} to {f.n - len(dropped)}."
            )
        most = min(size - len(kept), len(free))
        room = Range(0 if at_most else most, most)
    wanted = np.zeros(f.n, dtype=np.bool_)
    wanted[sorted(kept)] = True
    return wanted, free, room


def _restricted(f: SetFunction, wanted: NDArray[np.bool_], free: Ints) -> SetFunction:
    """`f` as a function of the free units, the others present where wanted and absent elsewhere."""
    if len(free) == f.n:
        return replace(f, deviations=None)
    place = {unit: j for j, unit in enumerate(free.tolist())}
    sets: list[Set] = []
    values: list[float] = []
    for s, value in zip(f.sets, f.values.tolist(), strict=True):
        fixed = [u for u in s if u not in place]
        if f.basis == "fourier":
            value *= (-1.0) ** sum(bool(wanted[u]) for u in fixed)
        elif not all(wanted[u] for u in fixed):
            continue
        sets.append(tuple(place[u] for u in s if u in place))
        values.append(value)
    return set_function(len(free), (sets, values), f.basis)


def _solved(
    f: SetFunction, room: Range, start: float, seconds: float, gap: float
) -> tuple[NDArray[np.bool_], float, Method]:
    """A mask with a large value, an upper bound on all of them, and how they were found."""
    if f.n <= EVERY:
        masks = every(f.n)
        count = masks.sum(axis=1)
        masks = masks[(count >= room.low) & (count <= room.high)]
        values = f(masks)
        return masks[values.argmax()], float(values.max()), "every subset"
    deadline = start + seconds
    found = _greedy(f, room, start + max(seconds, LEAST_SECONDS))
    loose = float(f.values[f.sizes == 0].sum() + _at_best(f))
    programme = _programme(f) if perf_counter() < deadline else None
    left = deadline - perf_counter()
    if programme is None or left <= 0:
        return found, loose, "greedy"
    base = float(f(np.zeros(f.n, dtype=np.bool_))[0])
    known = float(f(found)[0])
    scale = float(np.abs(f.values[f.sizes > 0]).sum()) or 1.0
    better, bound = programmes.solve(programme, f.n, room, scale, known - base, left, gap)
    if better is not None:
        # Stopped early, the solver's subset is often no local optimum.
        better = _improved(f, better, room, perf_counter() + 0.1)
        found = better if f(better)[0] > known else found
    return found, min(bound + base, loose), "exact milp"


def _at_best(f: SetFunction) -> float:
    """What the terms above the constant could add up to, each at its best."""
    above = f.values[f.sizes > 0]
    return float((np.abs(above) if f.basis == "fourier" else np.maximum(above, 0.0)).sum())


def _greedy(f: SetFunction, room: Range, deadline: float) -> NDArray[np.bool_]:
    """The better of growing from nothing and shrinking from everything, each then improved."""
    grown = _filled(f, np.zeros(f.n, dtype=np.bool_), room, deadline)
    shrunk = _filled(f, np.ones(f.n, dtype=np.bool_), room, deadline)
    first, second = (_improved(f, m, room, deadline) for m in (grown, shrunk))
    values = f(np.stack([first, second]))
    best = first if values[0] >= values[1] else second
    return _kicked(f, best, room, perf_counter() + KICKS * max(deadline - perf_counter(), 0.0))


def _kicked(
    f: SetFunction, best: NDArray[np.bool_], room: Range, deadline: float
) -> NDArray[np.bool_]:
    """The best after each unit in turn was switched, held there, and all the rest improved."""
    unit, since = 0, 0
    while since < f.n and perf_counter() < deadline:
        held = np.arange(f.n) == unit
        other = _filled(f, best ^ held, room, deadline, held)
        other = _improved(f, _improved(f, other, room, deadline, held), room, deadline)
        since += 1
        # A unit that the size leaves no room for cannot be held.
        fits = room.low <= other.sum() <= room.high
        if fits and f(other)[0] > f(best)[0] + 1e-12 * float(np.abs(f.values).sum()):
            best, since = other, 0
        unit = (unit + 1) % f.n
    return best


def _filled(
    f: SetFunction,
    mask: NDArray[np.bool_],
    room: Range,
    deadline: float,
    held: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """The mask after the best single flips towards the allowed sizes, while needed or of use."""
    mask = mask.copy()
    adding = mask.sum() <= room.low
    for _ in range(f.n):
        count = int(mask.sum())
        needed = room.low - count if adding else count - room.high
        allowed = room.high - count if adding else count - room.low
        gain = np.where(_shut(mask == adding, held), -np.inf, flips(f, mask))
        if perf_counter() > deadline:
            # No time to look again after each: what is needed, by what it is worth now.
            mask[np.argsort(-gain, kind="stable")[: max(needed, 0)]] = adding
            break
        at = int(gain.argmax())
        if allowed <= 0 or gain[at] == -np.inf or not (needed > 0 or gain[at] > 0):
            break
        mask[at] = adding
    return mask


def _shut(closed: NDArray[np.bool_], held: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    return closed if held is None else closed | held


def _improved(
    f: SetFunction,
    mask: NDArray[np.bool_],
    room: Range,
    deadline: float,
    held: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """A local optimum: no allowed flip and no tried swap raises the value."""
    mask = mask.copy()
    least = 1e-12 * float(np.abs(f.values).sum())
    while perf_counter() < deadline:
        gain = flips(f, mask)
        count = int(mask.sum())
        closed = np.where(mask, count <= room.low, count >= room.high)
        single = np.where(_shut(closed, held), -np.inf, gain)
        at = int(single.argmax())
        if single[at] > least:
            mask[at] = not mask[at]
            continue
        swapped = _best_swap(f, mask, gain, least, held)
        if swapped is None:
            break
        mask = swapped
    return mask


def _best_swap(
    f: SetFunction,
    mask: NDArray[np.bool_],
    gain: Floats,
    least: float,
    held: NDArray[np.bool_] | None,
) -> NDArray[np.bool_] | None:
    """The best mask with one unit in and one out, among units whose own flips look best."""
    order = np.argsort(-gain, kind="stable")
    order = order if held is None else order[~held[order]]
    absent, present = order[~mask[order]], order[mask[order]]
    if not len(absent) or not len(present):
        return None
    side = int(SWAPS**0.5)
    come = absent[: max(side, SWAPS // len(present))]
    go = present[: max(side, SWAPS // len(come))]
    masks = np.repeat(mask[None], len(come) * len(go), axis=0)
    rows = np.arange(len(masks))
    masks[rows, np.repeat(come, len(go))] = True
    masks[rows, np.tile(go, len(come))] = False
    values = f(masks)
    at = int(values.argmax())
    return masks[at] if values[at] > f(mask)[0] + least else None


def _programme(f: SetFunction) -> programmes.Programme | None:
    """Parities where they can be written out, else conjunctions; None where both are too many."""
    subsets = csr.count_subsets(f.indptr, range(f.degree + 1))
    if f.basis == "mobius" and f.degree <= MAX_DEGREE and subsets <= MAX_SETS:
        f = f.to("fourier")
    if len(f.indices) > MAX_SETS:
        return None
    write = programmes.parities if f.basis == "fourier" else programmes.conjunctions
    return write(f.n, f.sets, f.values)
