"""Spex as an explainer: the contract, planted functions at many units, noise, cost, messages."""

import numpy as np
import pytest

from whence import Game, Samples, explain, masks
from whence.errors import BudgetError, InputError
from whence.spex import Spex
from whence.testing import check_explainer, planted


def asked(spex, n, seed=0):
    """The ends and what is asked for an ample budget."""
    ends = Samples(masks.ends(n), np.zeros(2))
    rows = spex.ask(n, 10**7, np.random.default_rng(seed), ends)
    return np.concatenate([masks.ends(n), rows])


def r2(f, truth, n):
    """Share of the variance explained on 2,000 fresh uniform masks."""
    rows = np.random.default_rng(12345).random((2000, n)) < 0.5
    exact = truth(rows)
    return 1 - ((f(rows) - exact) ** 2).mean() / exact.var()


@pytest.mark.parametrize("n", [6, 8])
@pytest.mark.parametrize("decoding", ["soft", "hard"])
def test_contract(n, decoding):
    """Spex keeps the contract of an Explainer, with 6 units and with 8."""
    check_explainer(Spex(t=2, decoding=decoding), n=n)


@pytest.mark.slow
def test_contract_of_the_default():
    """Spex as it comes keeps the contract too."""
    check_explainer(Spex(), n=6)


@pytest.mark.parametrize("decoding", ["soft", "hard"])
@pytest.mark.parametrize(("n", "b"), [(64, 5), (256, 5), (1000, 4)])
def test_sparse_functions_are_recovered_exactly(n, b, decoding):
    """Without noise every set and coefficient of a sparse function comes back, and nothing else."""
    game = planted.sparse(n, n, terms=20, degree=5)
    rows = asked(Spex(b=b), n)
    f = Spex(decoding=decoding).fit(Samples(rows, game.game(rows)))
    exact = {(): 0.0, **game.truth.terms}
    assert f.terms == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize(("noise", "least"), [(0.1, 0.999), (0.5, 0.98), (1.0, 0.94), (2.0, 0.75)])
def test_noise_is_borne(noise, least):
    """With noise of 10 to 200 % of the standard deviation, R² on fresh masks falls gently."""
    found = []
    for seed in range(3):
        game = planted.sparse(64, seed, terms=20, degree=4)
        rows = asked(Spex(b=6), 64, seed)
        clean = game.game(rows)
        values = clean + noise * clean.std() * np.random.default_rng(seed).normal(size=len(rows))
        found.append(r2(Spex().fit(Samples(rows, values)), game.truth, 64))
    assert np.mean(found) >= least


def test_high_orders_without_lower_ones_are_found():
    """Parities of five units with nothing below them, which no hierarchy leads to, are found."""
    game = planted.peak(100, 1, terms=15)
    result = explain(game.game, Spex(), budget=6000)
    assert result.fidelity.r2 == pytest.approx(1)
    assert set(result.f.sets) - {()} == set(game.truth.sets)


def test_masks_are_paid_once():
    """No mask is valued twice, and never more than the budget, where designs repeat themselves."""
    truth = planted.sparse(9, 0, terms=5).truth
    calls = []

    def value(rows):
        calls.extend(m.tobytes() for m in rows)
        return truth(rows)

    result = explain(Game(value, 9), Spex(b=3, t=2), budget=450, repeats=0)
    assert len(calls) == len(set(calls)) == result.cost.calls <= 450


def test_budget_is_told_in_full():
    """The refusal through explain names the whole budget that would do."""
    game = planted.sparse(64, 0).game
    with pytest.raises(BudgetError, match=r"A budget of 243 would do") as caught:
        explain(game, Spex(), budget=200)
    assert "192 (b=3, t=1)" in str(caught.value)
    explain(game, Spex(), budget=243)


def test_outputs_are_explained_together():
    """One run explains several outputs."""
    game = planted.sparse(50, 1, terms=8, out=(3,))
    result = explain(game.game, Spex(), budget=4000)
    assert result.f.out == (3,)
    np.testing.assert_allclose(result.fidelity.r2, 1)


def test_how_it_was_fitted_is_told():
    """The function says which design was decoded, how, and whether it was refitted."""
    game = planted.sparse(40, 1)
    rows = asked(Spex(b=3, t=3, groups=2), 40)
    f = Spex(decoding="hard").fit(Samples(rows, game.game(rows)))
    assert f.fitted_by.startswith("Spex, b=3, t=3, 2 groups, hard decoding,")


@pytest.mark.parametrize("settings", [{"b": 2}, {"t": 9}, {"groups": 0}, {"decoding": "warm"}])
def test_settings_are_checked_when_made(settings):
    """Settings that cannot work are refused when the explainer is made."""
    with pytest.raises(InputError, match="came"):
        Spex(**settings)
