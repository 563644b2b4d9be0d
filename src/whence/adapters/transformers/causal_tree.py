"""Holds the way of sequences through a language model: shared prefixes first, then each one's end.

It does not know how sequences were read, nor how a batch of them is run (causal_forward).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.adapters._batches import Size, in_batches
from whence.adapters._prefix import Plan, planned
from whence.adapters._torch import out_of_memory
from whence.adapters.transformers.causal_forward import Arena, Forward, Row
from whence.game import Values
from whence.scoring import Part


class Passage(NamedTuple):
    """A prompt and all but the last token of an ending.

    Attributes:
        tokens: `(t,)` token ids.
        hidden: `(t,)` whether each may not be attended to.
        which: the number of the ending.
    """

    tokens: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    which: int


class Pace(NamedTuple):
    """How a model is fed.

    Attributes:
        size: tokens that go through at once; it shrinks when that was too much.
        overhead: tokens' worth of time that one more forward pass costs.
        most: tokens whose keys and values may be kept; 0 for no sharing of prefixes.
    """

    size: Size
    overhead: int
    most: int


def passed(
    forward: Forward,
    passages: Sequence[Passage],
    pace: Pace,
    named: Callable[[int], str] = lambda row: f"item {row}",
) -> Iterator[Part]:
    """The log-probabilities of every passage's ending, as batches are done.

    Args:
        forward: the model.
        passages: what goes through it; each different from the others.
        pace: how.
        named: a passage's number -> how to speak of it.

    Raises:
        ModelError: a passage that does not fit in memory, even alone.
    """
    keys = [2 * one.tokens + one.hidden for one in passages]
    # The last token of the prompt is never shared: what follows it is what is asked.
    sizes = [len(forward.endings[one.which][0]) for one in passages]
    free = np.array([len(key) for key in keys], dtype=np.int64) - sizes
    for rows, plan in planned(keys, free, pace.overhead, pace.most):
        mine = [passages[row] for row in rows]
        for at, values in _one_plan(forward, mine, plan, pace, lambda i, r=rows: named(int(r[i]))):
            yield rows[at], values


def _one_plan(
    forward: Forward,
    passages: Sequence[Passage],
    plan: Plan,
    pace: Pace,
    named: Callable[[int], str],
) -> Iterator[Part]:
    arena, slots = Arena(plan.tokens), _slots(plan)
    _keep_prefixes(forward, passages, plan, pace, named, arena, slots)
    begin = plan.begin
    rows = [
        Row(one.tokens, one.hidden, int(start), len(one.tokens), slots[node])
        for one, start, node in zip(passages, begin, plan.below, strict=True)
    ]

    def run(some: NDArray[np.intp]) -> Values:
        which = [passages[i].which for i in some]
        return forward.log_probabilities([rows[i] for i in some], which, arena)

    lengths = np.array([len(one.tokens) for one in passages], dtype=np.int64) - begin
    yield from in_batches(
        lengths, run, pace.size, out_of_memory,
        named=named, overhead=pace.overhead, carried=begin,
    )  # fmt: skip


def _keep_prefixes(
    forward: Forward,
    passages: Sequence[Passage],
    plan: Plan,
    pace: Pace,
    named: Callable[[int], str],
    arena: Arena,
    slots: Sequence[NDArray[np.int64]],
) -> None:
    """Computes the prefixes of a plan, those of one depth together."""
    depth = plan.depth
    for level in range(int(depth.max(initial=-1)) + 1):
        nodes = np.flatnonzero(depth == level)
        start, stop = plan.start[nodes], plan.stop[nodes]

        def run(some: NDArray[np.intp], nodes: NDArray[np.intp] = nodes) -> Values:
            mine = nodes[some].tolist()
            forward.keep(
                [_row(passages, plan, slots, node) for node in mine],
                arena,
                [slots[node][plan.start[node] :] for node in mine],
            )
            return np.zeros(len(mine))

        batches = in_batches(
            stop - start, run, pace.size, out_of_memory,
            named=lambda i, n=nodes: named(int(plan.row[n[i]])),
            overhead=pace.overhead, carried=start,
        )  # fmt: skip
        for _ in batches:
            pass


def _row(
    passages: Sequence[Passage], plan: Plan, slots: Sequence[NDArray[np.int64]], node: int
) -> Row:
    one, start, stop = passages[plan.row[node]], int(plan.start[node]), int(plan.stop[node])
    return Row(one.tokens, one.hidden, start, stop, slots[node][:start])


def _slots(plan: Plan) -> list[NDArray[np.int64]]:
    """Where the tokens of each node's whole prefix are kept; none, last, for no node."""
    ends = np.cumsum(plan.stop - plan.start)
    none = np.zeros(0, dtype=np.int64)
    slots = [none] * (len(ends) + 1)
    for node, end in enumerate(ends.tolist()):
        own = np.arange(end - int(plan.stop[node] - plan.start[node]), end)
        slots[node] = np.concatenate([slots[plan.parent[node]], own])
    return slots
