"""Holds 0/1 programmes whose best point is the best subset for a sum of terms, and their solver.

Sets and coefficients in, mask and bound out. It knows nothing of set functions or bases beyond
what a term is worth: a parity or a conjunction of its units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Set = tuple[int, ...]
Mask = NDArray[np.bool_]

#: More three-way links than this are thinned out to those that a programme cannot do without.
MAX_LINKS = 15_000


class Programme(NamedTuple):
    """`max cost @ v` with `rows @ v <= upper`, v in [0, 1], the first n entries whole numbers.

    `rows` is given as triplets: row numbers, columns, entries. The first n entries say which units
    are present; at all absent the objective is 0.
    """

    cost: Floats
    row: Ints
    column: Ints
    entry: Floats
    upper: Floats


def parities(n: int, sets: Sequence[Set], values: Floats) -> Programme | None:
    """The programme for a sum of parities, or None if it would have too many links.

    A variable per parity of present units, 0 even and 1 odd. Every link is p = a xor b; a chain of
    them defines each parity, and those that follow between parities that are there anyway tighten
    the relaxation.

    Source:
        The inequalities of p = a xor b are the parity polytope of three: Jeroslow (1975).
    """
    column: dict[Set, int] = {(i,): i for i in range(n)}
    for s in sets:
        for stop in range(2, len(s) + 1):
            column.setdefault(s[:stop], len(column))
    chain = [(p, column[s[:-1]], s[-1]) for s, p in column.items() if len(s) > 1]
    if len(chain) > MAX_LINKS:
        return None
    more = set(_links(column)).difference(chain)
    links = np.array(chain + (sorted(more) if len(more) + len(chain) <= MAX_LINKS else []))
    links = links.reshape(-1, 3).astype(np.int64)
    # The four inequalities whose only whole solutions are those of p = a xor b.
    corner = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1]], dtype=np.float64)
    return Programme(
        _costs(column, sets, -2.0 * values),
        np.repeat(np.arange(4 * len(links)), 3),
        np.repeat(links, 4, axis=0).reshape(-1),
        np.tile(corner, (len(links), 1)).reshape(-1),
        np.tile([0.0, 0.0, 0.0, 2.0], len(links)),
    )


def _costs(column: dict[Set, int], sets: Sequence[Set], values: Floats) -> Floats:
    cost = np.zeros(len(column))
    for s, value in zip(sets, values.tolist(), strict=True):
        if s:
            cost[column[s]] += value
    return cost


def _links(column: dict[Set, int]) -> Iterator[tuple[int, int, int]]:
    """Other ways to write a parity with two that are there: they follow, but tighten the bound."""
    for s, p in column.items():
        # Splits of larger sets are many, and hardly ever are both parts there.
        parts = range(1, len(s) // 2 + 1) if len(s) <= 6 else (1,)
        for part in (q for h in parts for q in combinations(s, h)):
            rest = tuple(u for u in s if u not in part)
            if rest and part in column and rest in column and (len(s) > 2 or part < rest):
                yield p, column[rest], column[part]
        if len(s) == 3:
            a, b, c = combinations(s, 2)
            if a in column and b in column and c in column:
                yield column[a], column[b], column[c]


def conjunctions(n: int, sets: Sequence[Set], values: Floats) -> Programme:
    """The programme for a sum of conjunctions.

    A variable per set, 1 if all of it is present, with both sides of its definition.
    """
    column: dict[Set, int] = {(i,): i for i in range(n)}
    for s in sets:
        if len(s) > 1:
            column[s] = len(column)
    rows: list[tuple[Sequence[int], Sequence[int], float]] = []
    for s, y in column.items():
        if len(s) < 2:
            continue
        rows.append(([*s, y], [1] * len(s) + [-1], len(s) - 1.0))
        for unit in s:
            # Of two bounds y <= x_i and y <= y_Q the one by the smaller set is the tighter.
            below = column.get(tuple(u for u in s if u != unit))
            rows.append(([y, unit], [1, -1], 0.0))
            if below is not None and len(s) > 2:
                rows.append(([y, below], [1, -1], 0.0))
                rows.append(([below, unit, y], [1, 1, -1], 1.0))
    lengths = [len(c) for c, _, _ in rows]
    return Programme(
        _costs(column, sets, values),
        np.repeat(np.arange(len(rows)), lengths),
        np.array([u for c, _, _ in rows for u in c], dtype=np.int64),
        np.array([v for _, e, _ in rows for v in e], dtype=np.float64),
        np.array([b for _, _, b in rows]),
    )


def solve(
    programme: Programme,
    n: int,
    room: tuple[int, int],
    scale: float,
    known: float,
    seconds: float,
    gap: float,
) -> tuple[Mask | None, float]:
    """A mask `(n,)` with a large objective, if one was found, and an upper bound on all of them.

    Args:
        programme: what to maximise.
        n: number of units.
        room: the fewest and the most units present.
        scale: what the objective varies by at most, positive.
        known: the objective at a subset known already.
        seconds: time limit.
        gap: stop when the bound is so close to the best found.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_matrix

    width = len(programme.cost) + 1
    # Costs are scaled, since the solver's tolerances are absolute. The last column, fixed at 1,
    # puts `known` at 1: what matters then lies in [1, 3], and a relative gap is a known one.
    cost = -np.append(programme.cost / scale, 1.0 - known / scale)
    units: Any = (np.arange(width) < n).astype(np.float64)
    low: Any = np.append(np.zeros(width - 1), 1.0)
    limits = [LinearConstraint(units[None], *room)]
    if len(programme.upper):
        shape = (len(programme.upper), width)
        triplets = (programme.entry, (programme.row, programme.column))
        upper: Any = programme.upper
        limits.append(LinearConstraint(coo_matrix(triplets, shape=shape).tocsr(), -np.inf, upper))
    answer: Any = milp(
        cost,
        integrality=units,
        bounds=Bounds(low, 1.0),
        constraints=limits,
        options={"time_limit": seconds, "mip_rel_gap": gap / scale / 3.0},
    )
    mask = None if answer.x is None else np.asarray(answer.x)[:n] > 0.5
    dual = answer.mip_dual_bound
    if dual is None or not np.isfinite(dual):
        return mask, np.inf
    return mask, known + (-float(dual) - 1.0) * scale
