"""ShapleyFlow: permutation sampling by hand, efficiency, exactness, and a refusal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import Samples, indices, masks
from whence.errors import BudgetError
from whence.samplers.chains import Chains
from whence.solvers.flow import ShapleyFlow
from whence.testing import planted


def chains(game, n, budget, seed):
    """The ends and whole chains, with their values."""
    ends = masks.ends(n)
    asked = Chains()(n, budget, np.random.default_rng(seed), Samples(ends, np.zeros(2)))
    rows = np.concatenate([ends, asked])
    return Samples(rows, game(rows))


@given(st.integers(2, 9), st.integers(0, 10**6))
def test_values_add_up(n, seed):
    """Values always sum to f(all) - f(none), and the empty mask keeps its value."""
    game = planted.hierarchical(n, seed, degree=n).game
    samples = chains(game, n, 5 * n, seed)
    f = ShapleyFlow().fit(samples)
    np.testing.assert_allclose(f(masks.ends(n)), game(masks.ends(n)), atol=1e-9)


def test_one_chain_gives_its_marginal_contributions():
    """With one order, a unit's value is what it adds when its turn comes."""
    order = [2, 0, 1]
    rows = np.array([[i in order[:k] for i in range(3)] for k in range(4)])
    f = ShapleyFlow().fit(Samples(rows, np.array([1.0, 5.0, 4.0, 10.0])))
    np.testing.assert_allclose(indices.shapley(f), [-1.0, 6.0, 4.0])


@pytest.mark.parametrize("n", [2, 3, 6])
def test_all_masks_give_shapley_values(n):
    """With every mask the values are the Shapley values of the game, per output."""
    truth = planted.hierarchical(n, 0, degree=n, out=(2,)).truth
    f = ShapleyFlow().fit(Samples(masks.every(n), truth(masks.every(n))))
    np.testing.assert_allclose(indices.shapley(f), indices.shapley(truth), atol=1e-9)


def test_error_falls_with_the_budget():
    """Sixteen times the chains leave at most a third of the error, over 20 seeds."""
    truth = planted.and_or(10, 0).truth
    want = indices.shapley(truth)

    def error(budget):
        fits = [ShapleyFlow().fit(chains(truth, 10, budget, s)) for s in range(20)]
        return np.sqrt(np.mean([(indices.shapley(f) - want) ** 2 for f in fits]))

    assert error(480) < error(30) / 3


def test_samples_without_a_chain_are_refused():
    """Masks that join no chain from empty to full are refused with the sampler to use."""
    rows = masks.every(4)[[0, 15, 3, 12]]
    with pytest.raises(BudgetError, match=r"no chain .* needs 5 masks .* Chains"):
        ShapleyFlow().fit(Samples(rows, np.zeros(4)))
