"""Holds tests of which units are told from zero."""

from __future__ import annotations

import numpy as np
import pytest

from whence import explain
from whence.explainer import Paired
from whence.game import Game
from whence.lenses.inputs.opening import told_from_zero
from whence.samplers.uniform import Uniform
from whence.solvers.low_degree import LowDegree

#: An additive fit to uniform masks: right or wrong, what is told must be right.
ADDITIVE = Paired(Uniform(), LowDegree(1, ridge=1.0))
BITS = 2.0 ** np.arange(10)


def table_game(table, weights=0.0):
    """A game of ten units: a table of all masks, and a weight for each unit."""
    return Game(lambda m: table[(m @ BITS).astype(int)] + m @ np.broadcast_to(weights, 10), 10)


def found(table, weights=0.0, seed=0, budget=100, **options):
    """What is told from zero after a run."""
    e = explain(table_game(table, weights), ADDITIVE, budget=budget, rng=seed, repeats=0)
    return told_from_zero(e, **options)


@pytest.mark.parametrize("uniform", [True, False])
def test_noise_is_seldom_told_from_zero(uniform):
    """Of ten units without any effect but noise, next to none is told from zero."""
    rng = np.random.default_rng(0)
    chance = [len(found(rng.normal(size=1024), seed=s, uniform=uniform)) for s in range(12)]
    assert np.mean(np.array(chance) > 0) < 0.2


@pytest.mark.parametrize("uniform", [True, False])
def test_few_of_those_told_from_zero_are_chance(uniform):
    """Of three real units among ten all are told from zero, and hardly any other."""
    rng = np.random.default_rng(1)
    weights = np.array([1.0, -1.0, 0.8] + 7 * [0.0])
    told = [
        set(found(0.4 * rng.normal(size=1024), weights, seed=s, uniform=uniform)) for s in range(12)
    ]
    false = [len(units - {0, 1, 2}) / max(len(units), 1) for units in told]
    assert np.mean(false) < 0.12
    assert np.mean([len(units & {0, 1, 2}) for units in told]) > 2.8


def test_all_masks_serve_where_they_are_uniform():
    """With few masks, weak units are told from zero that the held-out masks alone cannot tell."""
    rng = np.random.default_rng(2)
    weights = np.array([1.0, -1.0, 0.8] + 7 * [0.0])
    tables = 0.6 * rng.normal(size=(12, 1024))
    count = {
        uniform: sum(
            len(set(found(t, weights, seed=s, budget=45, uniform=uniform)) & {0, 1, 2})
            for s, t in enumerate(tables)
        )
        for uniform in (True, False)
    }
    assert count[True] > count[False] + 5


def test_a_pair_without_single_effects_is_told():
    """Two units that matter only against each other, which an additive fit does not see."""
    masks = (np.arange(1024)[:, None] >> np.arange(10)) & 1
    turned = 1.0 * (masks[:, 2] != masks[:, 5])
    assert set(found(turned, uniform=True)) == {2, 5}


def test_with_all_masks_the_values_are_exact():
    """Everything that is not zero is told, and nothing else; `least` leaves the weak out."""
    e = explain(table_game(np.zeros(1024), [3.0, 0.1, -1.0, *7 * [0.0]]), budget=1024)
    for uniform in (True, False):
        assert told_from_zero(e, uniform=uniform) == pytest.approx({0: 3.0, 1: 0.1, 2: 1.0})
        assert set(told_from_zero(e, least=0.1, uniform=uniform)) == {0, 2}


def test_several_outputs_are_told_together():
    """A unit that matters to any output is told; a constant output says nothing."""

    def values(masks):
        return np.stack([2.0 * masks[:, 0], np.ones(len(masks)), -1.0 * masks[:, 3]], axis=1)

    e = explain(Game(values, 10), ADDITIVE, budget=100)
    assert set(told_from_zero(e, uniform=True)) == {0, 3}


def test_masks_too_few_for_folds_are_judged_by_the_held_out_ones():
    """A handful of masks tells what an exact fit shows."""
    e = explain(Game(lambda m: 5.0 * m[:, 0] - m[:, 1], 4), ADDITIVE, budget=14, held_out=5)
    assert set(told_from_zero(e, uniform=True)) >= {0}
