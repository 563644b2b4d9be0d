"""The tree-spectrum ridge: it beats a plain polynomial where it should, and judges honestly."""

import numpy as np
import pytest
from scipy.optimize import minimize

from brute import fourier, table
from whence import Samples, masks, set_function
from whence.errors import BudgetError, InputError
from whence.masks import folds
from whence.solvers.boosting import Boosting
from whence.solvers.ridge import Ridge
from whence.solvers.tree_ridge import TreeRidge, paths, tree_ridge_cv
from whence.testing import planted


def drawn(game, n, count, seed=0):
    """The ends and uniform masks with their values."""
    ends = masks.ends(n)
    rows = np.concatenate([ends, masks.uniform(n, count, np.random.default_rng(seed), avoid=ends)])
    return Samples(rows, game(rows))


def explained(f, game, n):
    """R² on 2,000 fresh uniform masks."""
    rows = masks.uniform(n, 2000, np.random.default_rng(77))
    return 1 - ((f(rows) - game(rows)) ** 2).mean() / game(rows).var()


@pytest.mark.parametrize("k", [6, 60])
def test_paths_minimise_what_they_say(k):
    """With fewer and with more columns than rows, each fit is the penalised least-squares fit."""
    rng = np.random.default_rng(k)
    x, y, w = rng.normal(size=(25, k)), rng.normal(size=25), rng.uniform(0.2, 1, 25)
    scale = rng.uniform(0.3, 1, k)

    def loss(b, penalty):
        left = y - b[0] - x @ b[1:]
        shrunk = (b[1:] / scale) @ (b[1:] / scale)
        return w @ left**2 + penalty * (scale @ scale) * shrunk

    found = paths(x, y, w, [np.ones(k), scale], [0.5, 0.02])
    for row, penalty in zip(found[1], [0.5, 0.02], strict=True):
        least = minimize(loss, row, (penalty,), method="L-BFGS-B").fun
        assert loss(row, penalty) <= least + 1e-8
        assert loss(row + 0.01, penalty) > least


def test_a_hierarchy_beats_the_plain_ridge():
    """Terms of four units among 20 are found from 400 masks, where a ridge to degree 2 is blind."""
    p = planted.hierarchical(20, 2, terms=4, degree=4)
    samples = drawn(p.game, 20, 400)
    found = explained(TreeRidge().fit(samples), p.game, 20)
    assert found > 0.9
    assert found > explained(Ridge(2).fit(samples), p.game, 20) + 0.1


def test_a_fit_to_every_mask_nearly_is_the_function():
    """Given all masks of seven units, terms and coefficients are those of the game to 2 %."""
    p = planted.hierarchical(7, 0, terms=2, degree=3)
    every = masks.every(7)
    f = TreeRidge().fit(Samples(every, p.game(every)))
    truth = fourier(table(p.game, 7), 7)
    far = max(abs(f.terms.get(t, 0.0) - c) for t, c in truth.items())
    assert far < 0.02 * max(abs(c) for t, c in truth.items() if t)


def test_held_out_predictions_never_saw_their_rows():
    """Changing a fold's values changes nothing in that fold's own predictions but their judge."""
    p = planted.sparse(10, 1, degree=2)
    samples = drawn(p.game, 10, 90)
    group = folds(samples.masks, 3)
    wild = samples.values.copy()
    wild[group == 1] += np.random.default_rng(0).normal(size=int((group == 1).sum())) * 50
    # One shape and penalty, so that the choice among them cannot tell the fold's values either.
    how = TreeRidge(shapes=((1.0, 0.01),), penalties=(0.1,))
    calm = tree_ridge_cv(samples, group, how)[0]
    after = tree_ridge_cv(Samples(samples.masks, wild), group, how)[0]
    np.testing.assert_array_equal(after[group == 1], calm[group == 1])
    assert not np.allclose(after[group == 0], calm[group == 0])


def test_a_row_has_no_vote_in_the_setting_it_is_judged_with():
    """Held-out predictions are those of the setting that is best on the other folds."""
    p = planted.sparse(10, 1, degree=3)
    samples = drawn(p.game, 10, 90)
    group = folds(samples.masks, 3)
    strengths = (5.0, 0.1, 0.001)
    alone = [
        tree_ridge_cv(samples, group, TreeRidge(shapes=((1.0, 0.01),), penalties=(s,)))[0][:, 0]
        for s in strengths
    ]
    found = tree_ridge_cv(samples, group, TreeRidge(shapes=((1.0, 0.01),), penalties=strengths))
    for g in range(3):
        others = (group != g) & (group >= 0)
        losses = [((a[others] - samples.values[others]) ** 2).sum() for a in alone]
        best = alone[int(np.argmin(losses))]
        np.testing.assert_allclose(found[0][group == g, 0], best[group == g])


def test_rows_of_no_fold_are_never_judged():
    """The ends have no held-out prediction: NaN, and all other rows have one."""
    p = planted.sparse(10, 1, degree=2, out=(2,))
    samples = drawn(p.game, 10, 60)
    group = folds(samples.masks, 3)
    guess, f = tree_ridge_cv(samples, group)
    np.testing.assert_array_equal(np.isnan(guess).any(axis=1), group < 0)
    assert f.out == (2,)


def test_outputs_are_fitted_alone():
    """An output's function is the same whether or not others are fitted beside it."""
    p = planted.sparse(10, 3, degree=2, out=(2,))
    samples = drawn(p.game, 10, 80)
    every = masks.every(10)
    alone = TreeRidge().fit(Samples(samples.masks, samples.values[:, 1]))
    np.testing.assert_allclose(TreeRidge().fit(samples)(every)[:, 1], alone(every), atol=1e-10)


def test_order_changes_nothing():
    """The same samples in another order give the same function."""
    p = planted.sparse(12, 3, degree=3)
    samples = drawn(p.game, 12, 120)
    mixed = samples.take(np.random.default_rng(0).permutation(len(samples)))
    rows = masks.uniform(12, 500, np.random.default_rng(1))
    f, g = TreeRidge().fit(samples), TreeRidge().fit(mixed)
    np.testing.assert_allclose(f(rows), g(rows), atol=1e-6)


def test_an_outlier_at_an_end_bends_nothing():
    """A wild value of the empty mask, one of 2^14, leaves the fit as it was."""
    p = planted.sparse(14, 2, degree=2)
    calm = drawn(p.game, 14, 150)
    wild = Samples(calm.masks, np.where(calm.masks.any(axis=1), calm.values, -100.0))
    f, g = TreeRidge().fit(calm), TreeRidge().fit(wild)
    rows = masks.uniform(14, 1000, np.random.default_rng(8))
    assert ((f(rows) - g(rows)) ** 2).mean() < 0.02 * p.game(rows).var()


def test_a_constant_game_is_a_constant():
    """Values that never vary give the constant alone."""
    samples = Samples(masks.uniform(8, 60, np.random.default_rng(0)), np.full(60, 2.5))
    f = TreeRidge().fit(samples)
    assert f.truncate(top=0).terms == {(): pytest.approx(2.5)}
    assert f(masks.every(8)).std() < 1e-9


def test_a_thousand_units_are_no_obstacle():
    """Pairs among 1,000 units are fitted from 400 masks, few columns in memory."""
    truth = set_function(1000, {(3,): 2.0, (500,): -1.5, (3, 500): 1.0})
    f = TreeRidge(boosting=Boosting(50, leaves=7)).fit(drawn(truth, 1000, 400))
    assert explained(f, truth, 1000) > 0.9


@pytest.mark.parametrize("wrong", [{"max_terms": 0}, {"shapes": ()}, {"penalties": (0.0,)}])
def test_settings_are_checked(wrong):
    """Settings outside their domain are refused by name."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        TreeRidge(**wrong)


def test_too_few_samples_are_refused():
    """Ten samples are refused with the number needed."""
    with pytest.raises(BudgetError, match="16"):
        TreeRidge().fit(drawn(lambda m: m.sum(axis=1), 8, 8))
