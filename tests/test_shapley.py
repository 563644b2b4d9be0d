"""Facts about the explainer for Shapley values."""

from __future__ import annotations

import numpy as np
import pytest

from whence import indices, masks
from whence.explain import explain
from whence.game import Game
from whence.samples import Samples
from whence.shapley import ShapleyValues
from whence.solvers.walsh import Walsh
from whence.testing import check_explainer, planted


def test_it_keeps_the_promises_of_an_explainer() -> None:
    """Every promise of the contract holds."""
    check_explainer(ShapleyValues(), joint=True)


def _error(game: Game, name: str, budget: int, seed: int) -> float:
    every = masks.every(game.n)
    truth = indices.shapley(Walsh().fit(Samples(every, game(every))))
    found = explain(game, name, budget=budget, rng=seed, repeats=0).attributions().values
    return float(((found - truth) ** 2).sum() / (truth**2).sum())


@pytest.mark.parametrize("budget", [150, 400])
def test_values_are_closer_than_those_of_kernel_shap(budget: int) -> None:
    """On hierarchical games the squared error is at most half of Kernel SHAP's, over four seeds."""
    games = [planted.hierarchical(11, seed).game for seed in range(4)]
    ours, theirs = (
        np.mean([_error(g, name, budget, s) for s, g in enumerate(games)])
        for name in ("shapley", "kernel_shap")
    )
    assert ours < 0.5 * theirs


def test_the_correction_moves_no_sum() -> None:
    """The correction is additive and zero from none to all: only shares move."""
    p = planted.hierarchical(10, 0)
    ends = masks.ends(10)
    first = Samples(ends, p.game(ends))
    asked = ShapleyValues().ask(10, 300, np.random.default_rng(0), first)
    samples = first.join(Samples(asked, p.game(asked)))
    moved = ShapleyValues().fit(samples) - ShapleyValues(per_unit=1e9).fit(samples)
    change = moved(ends)
    assert change[0] == pytest.approx(change[1], abs=1e-9)
    big = [abs(v) for s, v in moved.terms.items() if len(s) > 1]
    assert max(big, default=0.0) < 1e-12
