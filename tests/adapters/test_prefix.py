"""Facts about shared prefixes: what a plan claims is so, and it saves what it says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whence.adapters._prefix import Plan, planned

TEXTS = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12).map(lambda x: np.array(x, dtype=np.int64)),
    max_size=25,
)


def passed(sequences: list[np.ndarray], plans: list[tuple[np.ndarray, Plan]]) -> int:
    """Tokens that go through the model."""
    return sum(
        plan.tokens + sum(len(sequences[row]) for row in rows) - int(plan.begin.sum())
        for rows, plan in plans
    )


@given(TEXTS, st.integers(0, 20), st.integers(0, 40), st.data())
def test_a_plan_is_true(
    sequences: list[np.ndarray], overhead: int, most: int, data: st.DataObject
) -> None:
    """Every sequence is in one plan and begins with the prefix it goes on from, within bounds."""
    free = np.array([data.draw(st.integers(0, len(one) - 1)) for one in sequences], dtype=np.int64)
    plans = planned(sequences, free, overhead, most)
    assert sorted(int(r) for rows, _ in plans for r in rows) == list(range(len(sequences)))
    for rows, plan in plans:
        assert plan.tokens <= most
        mine = [sequences[row] for row in rows]
        for node, parent in enumerate(plan.parent.tolist()):
            assert parent < node
            start, stop = int(plan.start[node]), int(plan.stop[node])
            assert start == (0 if parent < 0 else plan.stop[parent])
            assert start < stop
            if parent >= 0:
                above, own = mine[plan.row[parent]], mine[plan.row[node]]
                assert (above[:start] == own[:start]).all()
        for row, node, begin in zip(rows, plan.below, plan.begin, strict=True):
            assert begin <= free[row]
            if node >= 0:
                own = sequences[row][:begin]
                assert (mine[plan.row[node]][:begin] == own).all()
                assert len(own) == plan.stop[node]
    assert passed(sequences, plans) <= sum(map(len, sequences))


@given(TEXTS)
def test_no_room_means_no_sharing(sequences: list[np.ndarray]) -> None:
    """With room for no tokens every sequence starts from nothing."""
    free = np.array([len(one) - 1 for one in sequences], dtype=np.int64)
    assert all(len(plan.row) == 0 for _, plan in planned(sequences, free, 0, 0))


def test_a_pinned_beginning_is_computed_once() -> None:
    """Of 20 sequences with 300 tokens in front of 5 of their own, 400 tokens are computed."""
    sequences = [np.array([*range(300), *[1000 + i] * 5]) for i in range(20)]
    plans = planned(sequences, np.full(20, 304), 100, 10**6)
    assert passed(sequences, plans) == 300 + 20 * 5


def documents() -> list[np.ndarray]:
    """Six documents of 40 tokens, kept or left out in all 64 ways, and a question of 5."""
    masks = (np.arange(64)[:, None] >> np.arange(6)) & 1
    return [
        np.array([d * 100 + t for d in np.flatnonzero(row) for t in range(40)] + [9, 8, 7, 6, 5])
        for row in masks
    ]


def test_documents_before_the_first_absent_one_are_computed_once() -> None:
    """Each different run of documents from the start is computed once: 63 of 192 that are read."""
    sequences = documents()
    free = np.array([len(one) - 1 for one in sequences])
    plans = planned(sequences, free, 8, 10**6)
    assert passed(sequences, plans) == 63 * 40 + 64 * 5


def test_little_room_costs_sharing_but_not_bounds() -> None:
    """With less room more is computed again, and never more than without sharing."""
    sequences = documents()
    free = np.array([len(one) - 1 for one in sequences])
    costs: list[int] = []
    for most in (50, 200, 1000):
        plans = planned(sequences, free, 8, most)
        assert all(plan.tokens <= most for _, plan in plans)
        costs.append(passed(sequences, plans))
    assert costs == sorted(costs, reverse=True)
    assert 63 * 40 + 64 * 5 <= costs[2] < costs[0] <= sum(map(len, sequences))


def test_a_dear_forward_pass_makes_fewer_of_them() -> None:
    """The more one more forward pass costs, the fewer depths a plan has; in the end none."""
    sequences = documents()
    free = np.array([len(one) - 1 for one in sequences])
    depths = [
        1 + int(plan.depth.max(initial=-1))
        for cost in (8, 300, 1500, 10**6)
        for _, plan in planned(sequences, free, cost, 10**6)
    ]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] >= 5
    assert depths[-1] == 0


def test_what_is_asked_of_a_sequence_is_never_shared() -> None:
    """Equal sequences share what is free and no more."""
    sequences = [np.arange(50)] * 4
    plans = planned(sequences, np.full(4, 47), 8, 10**6)
    assert [plan.begin.tolist() for _, plan in plans] == [[47] * 4]
