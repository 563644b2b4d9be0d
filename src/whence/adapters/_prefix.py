"""Holds the plan of shared prefixes: what many sequences begin with, and is computed once for all.

It does not know what a token is, nor what is kept of a prefix that was computed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

LEAST = 5
"""One in how many tokens must be saved: what goes on from a known prefix takes longer by a token's
share, since what is known is copied to every row, and attention cannot take its shortest way."""


@dataclass(frozen=True)
class Plan:
    """A forest of prefixes, parents before their children.

    Attributes:
        row: `(nodes,)` a sequence that begins with the prefix.
        start: `(nodes,)` where its parent's prefix ends; what lies before is known by then.
        stop: `(nodes,)` where it ends.
        parent: `(nodes,)` the node it goes on from, -1 for none.
        below: `(b,)` the node that each sequence goes on from, -1 for none.
    """

    row: Integers
    start: Integers
    stop: Integers
    parent: Integers
    below: Integers

    @property
    def tokens(self) -> int:
        """How many tokens' worth of prefixes must be kept."""
        return int((self.stop - self.start).sum())

    @property
    def begin(self) -> Integers:
        """`(b,)` how much of each sequence is known when its prefix is."""
        return np.where(self.below < 0, 0, np.append(self.stop, 0)[self.below])

    @property
    def depth(self) -> Integers:
        """`(nodes,)` ancestors of each node: those of one depth can be computed together."""
        depth = np.zeros(len(self.row), dtype=np.int64)
        for node, parent in enumerate(self.parent.tolist()):
            depth[node] = 0 if parent < 0 else depth[parent] + 1
        return depth

    @property
    def dependents(self) -> Integers:
        """`(nodes,)` sequences and nodes that go on right from each node."""
        count = np.zeros(len(self.row), dtype=np.int64)
        np.add.at(count, self.below[self.below >= 0], 1)
        np.add.at(count, self.parent[self.parent >= 0], 1)
        return count


def planned(
    sequences: Sequence[Integers], free: Integers, overhead: int, most: int
) -> list[tuple[NDArray[np.intp], Plan]]:
    """Plans that together reach every sequence, in the order of the sequences' tokens.

    A prefix is worth computing apart when what it saves is more than what it costs. One more
    forward pass costs `overhead` tokens' worth of time; prefixes of one depth go together, and
    each must save at least an eighth of that, and all together a fifth of the tokens.

    Args:
        sequences: b arrays of tokens, as non-negative integers below 2^32.
        free: `(b,)` how much of each may be shared: what is asked of a sequence lies behind that.
        overhead: tokens' worth of time that one more forward pass costs.
        most: tokens of prefixes that one plan may keep; 0 for no sharing.

    Returns:
        Rows of `sequences`, and the plan of those; every row once.
    """
    if most <= 0:
        return [(np.arange(len(sequences)), _none(len(sequences)))] if len(sequences) else []
    texts = [one.astype(">u4").tobytes() for one in sequences]
    order = np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.intp)
    common = np.array(
        [_common(texts[a], texts[b]) for a, b in itertools.pairwise(order)],
        dtype=np.int64,
    )
    common = np.minimum(common, np.minimum(free[order[:-1]], free[order[1:]]))
    sizes = np.array([len(text) // 4 for text in texts], dtype=np.int64)[order]
    waiting, plans = [(0, len(order))], list[tuple[NDArray[np.intp], Plan]]()
    while waiting:
        first, end = waiting.pop()
        plan = _plan(common[first : end - 1], end - first, overhead)
        if plan.tokens > most:
            middle = (first + end) // 2
            waiting += [(middle, end), (first, middle)]
        elif end > first:
            worth = (plan.begin.sum() - plan.tokens) * LEAST >= sizes[first:end].sum()
            plans.append((order[first:end], plan if worth else _none(end - first)))
    return plans


def _none(count: int) -> Plan:
    """No prefixes."""
    no = np.zeros(0, dtype=np.int64)
    return Plan(no, no, no, no, np.full(count, -1, dtype=np.int64))


def _common(one: bytes, other: bytes) -> int:
    """How many tokens of four bytes two sequences have in common at their beginning."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size // 4
    a, b = np.frombuffer(one[:size], np.uint32), np.frombuffer(other[:size], np.uint32)
    return int((a != b).argmax())


def _plan(common: Integers, count: int, overhead: int) -> Plan:
    """The plan of `count` sorted sequences, neighbours of which have `common` tokens alike."""
    chosen: list[tuple[int, int, int, int]] = []  # first and last row, stop, parent
    above: list[int] = []
    below = np.full(count, -1, dtype=np.int64)
    for first, last, stop in _intervals(common, count):
        while above and chosen[above[-1]][1] < first:
            above.pop()
        parent = above[-1] if above else -1
        start = chosen[parent][2] if above else 0
        if (last - first) * (stop - start) * 8 > overhead:
            above.append(len(chosen))
            below[first : last + 1] = len(chosen)
            chosen.append((first, last, stop, parent))
    told = np.array(chosen, dtype=np.int64).reshape(-1, 4)
    stop, parent = told[:, 2], told[:, 3]
    return _thinned(Plan(told[:, 0], _starts(stop, parent), stop, parent, below), overhead)


def _starts(stop: Integers, parent: Integers) -> Integers:
    return np.where(parent < 0, 0, np.append(stop, 0)[parent])


def _intervals(common: Integers, count: int) -> list[tuple[int, int, int]]:
    """First and last row and length of every prefix at which sequences part, parents first."""
    found: list[tuple[int, int, int]] = []
    open_: list[tuple[int, int]] = [(0, 0)]
    for row, alike in enumerate([*common.tolist(), 0][:count]):
        first = row
        while open_[-1][0] > alike:
            stop, first = open_.pop()
            found.append((first, row, stop))
        if open_[-1][0] < alike:
            open_.append((alike, first))
    return sorted(found, key=lambda one: (one[0], -one[1]))


def _thinned(plan: Plan, overhead: int) -> Plan:
    """Without the depths whose prefixes together save less than a forward pass costs."""
    depth = plan.depth
    for level in range(int(depth.max(initial=-1)), -1, -1):
        saved = (plan.dependents - 1) * (plan.stop - plan.start)
        if saved[depth == level].sum() < overhead:
            plan = _without(plan, depth == level)
            depth = depth[depth != level]
    return plan


def _without(plan: Plan, gone: NDArray[np.bool_]) -> Plan:
    """Some nodes left out; what went on from them goes on from their parents, which stay."""
    number = np.append(np.cumsum(~gone) - 1, -1)
    to = np.append(np.where(gone, plan.parent, np.arange(len(gone))), -1)
    parent = number[to[plan.parent[~gone]]]
    stop = plan.stop[~gone]
    return Plan(plan.row[~gone], _starts(stop, parent), stop, parent, number[to[plan.below]])
