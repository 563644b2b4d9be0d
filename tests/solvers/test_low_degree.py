"""LowDegree: with all masks the definitions, with few masks the constraints."""

import numpy as np
import pytest

import brute
from whence import Samples, indices, masks
from whence.errors import BudgetError, InputError
from whence.solvers.low_degree import LowDegree, lime_weights, shapley_weights, uniform_weights
from whence.testing import planted


def whole(n, seed, out=()):
    """A game with interactions of every order, and all its masks."""
    game = planted.hierarchical(n, seed, degree=n, out=out).game
    return game, Samples(masks.every(n), game(masks.every(n)))


@pytest.mark.parametrize("out", [(), (2,)])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize(
    ("weights", "definition"), [("uniform", brute.faith_banzhaf), ("shapley", brute.faith_shap)]
)
def test_all_masks_give_the_definition(weights, definition, degree, out):
    """With every mask the fit is Faith-Banzhaf or Faith-Shap as defined."""
    game, samples = whole(5, degree, out)
    f = LowDegree(degree, weights).fit(samples).to("mobius")
    want = definition(brute.table(game, 5), 5, degree)
    assert f.sets == [t for t in brute.subsets(range(5)) if len(t) <= degree]
    for t, value in want.items():
        np.testing.assert_allclose(f.terms[t], value, atol=1e-8)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_degree_one_is_shapley_and_banzhaf(n):
    """Degree 1 with every mask: Shapley and Banzhaf values of the game itself."""
    truth = planted.hierarchical(n, 1, degree=n).truth
    samples = Samples(masks.every(n), truth(masks.every(n)))
    for weights, index in (("shapley", indices.shapley), ("uniform", indices.banzhaf)):
        np.testing.assert_allclose(
            index(LowDegree(1, weights).fit(samples)), index(truth), atol=1e-9
        )


@pytest.mark.parametrize("degree", [1, 2])
def test_shapley_weights_hold_both_ends(degree):
    """At any number of samples the Shapley fit equals the game at the full and empty mask."""
    game = planted.hierarchical(8, 0).game
    rows = np.concatenate(
        [masks.ends(8), masks.uniform(8, 90, np.random.default_rng(0), avoid=masks.ends(8))]
    )
    f = LowDegree(degree, "shapley").fit(Samples(rows, game(rows)))
    np.testing.assert_allclose(f(rows[:2]), game(rows[:2]), atol=1e-9)


def test_ridge_shrinks_terms_and_not_the_constant():
    """A huge ridge leaves the weighted mean; a tiny one, least squares; primal and dual agree."""
    _, samples = whole(4, 3)
    flat = LowDegree(1, ridge=1e12).fit(samples)
    assert flat.terms[()] == pytest.approx(samples.values.mean())
    np.testing.assert_allclose(flat.values[1:], 0, atol=1e-9)
    np.testing.assert_allclose(
        LowDegree(1, ridge=1e-12).fit(samples).values, LowDegree(1).fit(samples).values, atol=1e-9
    )


def test_an_outlier_at_an_end_does_not_bend_a_small_fit():
    """The ends, which are always asked, weigh no more than their share of all masks."""
    n, rng = 16, np.random.default_rng(0)
    truth = planted.additive(n, 0).truth
    rows = np.concatenate([masks.ends(n), masks.uniform(n, 60, rng, avoid=masks.ends(n))])
    values = truth(rows)
    values[1] += 1000.0
    f = LowDegree(1).fit(Samples(rows, values))
    np.testing.assert_allclose(f.to("mobius").values[1:], truth.values[1:], atol=2.0)


def test_weights_by_definition():
    """Uniform weights discount the ends, Shapley weights give sizes 1 / s(n - s), LIME a kernel."""
    rows = masks.every(4)
    np.testing.assert_array_equal(uniform_weights(rows), 1.0)
    few = np.concatenate([masks.ends(4), rows[[1, 2, 5]]])
    np.testing.assert_allclose(uniform_weights(few), [3 / 14] * 2 + [1] * 3)
    inner = rows[1:-1]
    got, size = shapley_weights(inner), inner.sum(axis=1)
    totals = np.array([got[size == s].sum() for s in (1, 2, 3)])
    np.testing.assert_allclose(totals / totals[0], [1, 3 / 4, 1])
    np.testing.assert_allclose(
        lime_weights(rows[[-1, 3]]), [1.0, np.exp(-((100 * (1 - np.sqrt(0.5)) / 25) ** 2) / 2)]
    )


@pytest.mark.parametrize("solver", [LowDegree(1), LowDegree(2), LowDegree(2, "shapley")])
def test_too_few_samples_name_the_need(solver):
    """Fewer samples than terms are refused with the number that is needed."""
    rows = masks.every(6)[[0, 63, 1, 2, 3]]
    with pytest.raises(BudgetError, match=f"at least {solver.needs(6)}"):
        solver.fit(Samples(rows, np.arange(5.0)))


def test_shapley_fit_without_ends_is_refused():
    """Shapley weights need the values of both ends."""
    _, samples = whole(4, 0)
    with pytest.raises(BudgetError, match="full and the empty mask"):
        LowDegree(1, "shapley").fit(samples.take(slice(1, None)))


def test_too_many_terms_are_refused():
    """More terms than can be solved at once are refused, with the count."""
    with pytest.raises(BudgetError, match=r"has 2,001,001 terms .* at most 12,000"):
        LowDegree(2).needs(2000)


@pytest.mark.parametrize("arguments", [{"degree": 0}, {"weights": "flat"}, {"ridge": -1.0}])
def test_bad_settings_are_refused(arguments):
    """Degrees below one, unknown weights and negative ridges are refused when it is made."""
    with pytest.raises(InputError, match="came"):
        LowDegree(**arguments)
