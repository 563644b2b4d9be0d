"""Holds deletion and insertion curves: what the model is worth as units go, or come, in an order.

It does not know where an order comes from, nor what a unit is. It is the one evaluation that asks
the model: it says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError, ShapeError
from whence.masks import Masks, as_masks, distinct
from whence.optimize import best_subset, flips
from whence.setfunction import SetFunction

Floats = NDArray[np.float64]
Mode = Literal["deletion", "insertion"]


@dataclass(frozen=True)
class Curves:
    """Values along orders of the units, one by one, beside reversed and random orders.

    Attributes:
        mode: "deletion" starts with all units present, "insertion" with none.
        names: of the r given orders.
        values: `(r, n + 1, *out)`; column j is the value after j units.
        reversed: `(r, n + 1, *out)`, the same orders from their other end.
        random: `(random, n + 1, *out)`, random orders.
        calls: distinct masks that were valued, in one call.
    """

    mode: Mode
    names: tuple[str, ...]
    values: Floats
    reversed: Floats
    random: Floats
    calls: int

    @property
    def areas(self) -> Floats:
        """Area under each given curve `(r, *out)`: its mean over the share of units, trapezoids.

        For orders of the strongest support first: a good one has a small area under deletion and
        a large one under insertion, compared with the others.
        """
        return area(self.values)

    @property
    def gains(self) -> Floats:
        """How far each area is on the good side of the mean of random orders, `(r, *out)`.

        Good is below for deletion and above for insertion. In the game's units; the areas of the
        random orders, `area(curves.random)`, say how much of it is luck.
        """
        sign = 1.0 if self.mode == "insertion" else -1.0
        return sign * (self.areas - area(self.random).mean(axis=0))

    def __repr__(self) -> str:
        chance = area(self.random)
        lines = [f"{self.mode}, {self.calls} calls; area under the curve:"]
        rows = [*zip(self.names, self.areas, area(self.reversed), strict=True)]
        lines += [f"  {name}: {_told(a)}, reversed {_told(b)}" for name, a, b in rows]
        spread = f", sd {_told(chance.std(axis=0, ddof=1))}" if len(chance) > 1 else ""
        return "\n".join(
            [*lines, f"  {len(chance)} random orders: {_told(chance.mean(0))}{spread}"]
        )


def curves(
    value: Callable[[Masks], ArrayLike],
    orders: Mapping[str, ArrayLike],
    rng: np.random.Generator,
    *,
    mode: Mode = "deletion",
    random: int = 20,
) -> Curves:
    """Value the masks along orders of the units, all in one call.

    Args:
        value: masks `(b, n)` -> values `(b, *out)`: a Game, or a SetFunction (then it says how
            the function thinks of the order, and costs nothing).
        orders: name -> order `(n,)` of the units, first to go (or come) first; or masks
            `(n + 1, n)` by number of units gone (come), which need not be nested: `best_masks`.
        rng: for the random orders.
        mode: "deletion" or "insertion".
        random: number of random orders, at least 1.

    Raises:
        InputError: no order, one that is not an order of the units, or masks of other sizes.
        ShapeError: values that are not one row per mask.

    Source:
        Deletion: Samek et al. (2017). Insertion: Petsiuk, Das and Saenko (2018).
    """
    if mode not in ("deletion", "insertion") or random < 1 or not orders:
        raise InputError(
            f"mode={mode!r}, random={random} and {len(orders)} orders came; the mode is "
            "'deletion' or 'insertion', and at least one random and one given order are needed."
        )
    given = [_chain(name, np.asarray(order), mode) for name, order in orders.items()]
    n = given[0].shape[1]
    if any(chain.shape[1] != n for chain in given):
        raise InputError("orders of different numbers of units came; all must be of one game.")
    drawn = [_along(rng.permutation(n), mode) for _ in range(random)]
    chains = np.stack([*given, *(_reversed(chain) for chain in given), *drawn])
    rows = chains.reshape(-1, n)
    first, inverse = distinct(rows)
    told = np.asarray(value(rows[first]), dtype=np.float64)
    if told.shape[:1] != (len(first),):
        raise ShapeError(
            f"values of shape {told.shape} came for {len(first)} masks; value must return (b,) or "
            "(b, *out), one row per mask."
        )
    found = told[inverse].reshape(*chains.shape[:2], *told.shape[1:])
    r = len(given)
    return Curves(mode, tuple(orders), found[:r], found[r : 2 * r], found[2 * r :], len(first))


def area(values: ArrayLike) -> Floats:
    """Area under curves `(r, steps, *out)` over the share of units, 0 to 1: `(r, *out)`."""
    table = np.asarray(values, dtype=np.float64)
    return 0.5 * (table[:, 1:] + table[:, :-1]).mean(axis=1)


def strongest_first(attributions: ArrayLike) -> NDArray[np.intp]:
    """The order `(n,)` of the units by their attributions `(n,)`, largest first, ties in place.

    Largest, not largest by magnitude: units that speak against the output come last, so that a
    deletion curve falls as fast as it can.

    Raises:
        InputError: attributions that are not one number per unit.
    """
    values = np.asarray(attributions, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(
            f"attributions of shape {values.shape} came; an order needs one number per unit, (n,). "
            "Choose an output."
        )
    return np.argsort(-values, kind="stable")


def greedy_order(f: SetFunction, mode: Mode = "deletion") -> NDArray[np.intp]:
    """The order `(n,)` in which a set function falls (insertion: rises) fastest, step by step.

    Unlike an order by attributions it knows, at each step, what has gone already.

    Raises:
        InputError: a function with several outputs.
    """
    _one_output(f)
    deleting = mode == "deletion"
    mask = np.full(f.n, deleting)
    order = np.zeros(f.n, dtype=np.intp)
    for step in range(f.n):
        change = flips(f, mask) * (-1.0 if deleting else 1.0)
        order[step] = np.where(mask == deleting, change, -np.inf).argmax()
        mask[order[step]] = not deleting
    return order


def best_masks(f: SetFunction, mode: Mode = "deletion", *, seconds: float = 1.0) -> Masks:
    """For each number of units gone (come) the best subset of that size, `(n + 1, n)`.

    Not nested: the best pair to remove need not hold the best single unit. Give it to `curves`.

    Args:
        f: a function with one output.
        mode: "deletion" looks for the smallest value, "insertion" for the largest.
        seconds: wall time per size; see `best_subset`.

    Raises:
        InputError: a function with several outputs.
    """
    _one_output(f)
    rising = mode == "insertion"
    sizes = range(f.n + 1) if rising else range(f.n, -1, -1)
    return np.stack([best_subset(f, s, maximize=rising, seconds=seconds).mask for s in sizes])


def _one_output(f: SetFunction) -> None:
    if f.out:
        raise InputError(
            f"a function with outputs {f.out} came; an order is for one output: f.output(i)."
        )


def _chain(name: str, given: NDArray[np.generic], mode: Mode) -> Masks:
    """Masks `(n + 1, n)` of one entry, an order or masks already."""
    if given.ndim == 2:
        masks = as_masks(given, given.shape[1])
        gone = masks.sum(axis=1) if mode == "insertion" else (~masks).sum(axis=1)
        if np.array_equal(gone, np.arange(given.shape[1] + 1)):
            return masks
    elif given.ndim == 1 and np.array_equal(np.sort(given), np.arange(len(given))):
        return _along(given.astype(np.intp), mode)
    raise InputError(
        f"the order {name!r} came with shape {given.shape}; it must hold each of the n units once, "
        "(n,), or be masks (n + 1, n) with 0, 1, ... n units gone (insertion: come)."
    )


def _along(order: NDArray[np.intp], mode: Mode) -> Masks:
    """The masks `(n + 1, n)` after 0, 1, ... n units of an order."""
    step = np.empty(len(order), dtype=np.intp)
    step[order] = np.arange(len(order))
    come = step[None] < np.arange(len(order) + 1)[:, None]
    return come if mode == "insertion" else ~come


def _reversed(chain: Masks) -> Masks:
    """The masks of the order from its other end: what was left over goes (comes) first."""
    return ~chain[::-1]


def _told(values: Floats) -> str:
    return np.array2string(np.asarray(values), precision=4)
