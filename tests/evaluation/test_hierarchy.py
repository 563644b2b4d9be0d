"""Hierarchy rates: equal to their definitions by enumeration, and known at the extremes."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.evaluation.hierarchy import hierarchy
from whence.setfunction import set_function
from whence.testing import planted


def by_definition(sets):
    """DSR, SCR and SHR of a list of sets, written from their definitions."""
    there = {frozenset(s) for s in sets} | {frozenset()}
    direct, chain, strong = [], [], []
    for s in sets:
        direct.append(np.mean([frozenset(c) in there for c in combinations(s, len(s) - 1)]))
        chain.append(
            any(
                all(frozenset(order[:j]) in there for j in range(len(order)))
                for order in permutations(s)
            )
        )
        strong.append(all(frozenset(c) in there for r in range(len(s)) for c in combinations(s, r)))
    return np.mean(direct), np.mean(chain), np.mean(strong)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 50), st.integers(0, 10**6))
def test_rates_are_those_of_the_definitions(n, terms, top, seed):
    """On random families the three rates are what their definitions say, for any top."""
    rng = np.random.default_rng(seed)
    every = [s for r in range(1, n + 1) for s in combinations(range(n), r)]
    chosen = [every[i] for i in rng.permutation(len(every))[:terms]]
    f = set_function(n, {s: rng.normal() for s in [(), *chosen]})
    kept = [s for s in f.truncate(top=top).sets if s]
    found = hierarchy(f, top)
    assert found.terms == len(kept)
    expected = by_definition(kept)
    np.testing.assert_allclose((found.direct, found.chain, found.strong), expected)


def test_a_full_hierarchy_scores_one_and_peaks_zero():
    """Downward closed sets have all rates one; parities of five units with nothing below, zero."""
    closed = hierarchy(planted.hierarchical(12).truth, 10**6)
    assert (closed.direct, closed.chain, closed.strong) == (1.0, 1.0, 1.0)
    alone = hierarchy(planted.peak(12).truth, 10**6)
    assert (alone.direct, alone.chain, alone.strong) == (0.0, 0.0, 0.0)


def test_the_strength_of_a_set_is_over_all_outputs():
    """Of two sets, the one that is larger over both outputs together is the top one."""
    f = set_function(3, ([(0,), (0, 1)], [[1.0, 1.0], [1.2, 0.0]]))
    assert hierarchy(f, 1).strong == 1.0
    assert hierarchy(f.output(0), 1).strong == 0.0


@pytest.mark.parametrize(("terms", "top"), [({(): 1.0}, 5), ({(0,): 1.0}, 0)])
def test_nothing_to_look_at_is_refused(terms, top):
    """A constant, and a top of zero, are refused by name."""
    with pytest.raises(InputError, match="top="):
        hierarchy(set_function(2, terms), top)
