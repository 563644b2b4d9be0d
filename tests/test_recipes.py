"""Every named explainer: the whole contract, its definition with all masks, its refusals."""

from pathlib import Path

import numpy as np
import pytest

import brute
from tools.tree import ROOT
from whence import Game, explain, indices, masks, recipes
from whence.errors import BudgetError, InputError
from whence.testing import explainer_checks, planted

NAMES = [
    "exact",
    "kernel_shap",
    "faith_shap",
    "faith_shap:3",
    "lime",
    "banzhaf",
    "faith",
    "faith:3",
    "permutation",
    "lasso",
    "default",
]
CHECKS = [name for name, _ in explainer_checks()]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_recipe_keeps_every_promise(name, check):
    """Each recipe passes each check of `check_explainer`; the default chooses for all outputs."""
    checks = dict(explainer_checks(n=6, joint=name == "default"))
    if check in checks:
        checks[check](recipes.named(name), 0)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_recipe_keeps_its_promises_for_few_units(name, n):
    """With 2, 3 and 4 units too, all but the recovery from half of the few masks there are."""
    for check, run in explainer_checks(n=n, joint=name == "default"):
        if check != "additive":
            run(recipes.named(name), 1)


@pytest.mark.parametrize("out", [(), (2,)])
@pytest.mark.parametrize(
    ("name", "index", "order", "definition"),
    [
        ("faith", "faith_banzhaf", 2, brute.faith_banzhaf),
        ("faith:3", "faith_banzhaf", 3, brute.faith_banzhaf),
        ("banzhaf", "faith_banzhaf", 1, brute.faith_banzhaf),
        ("faith_shap", "faith_shap", 2, brute.faith_shap),
        ("kernel_shap", "faith_shap", 1, brute.faith_shap),
    ],
)
def test_all_masks_give_the_definition(name, index, order, definition, out):
    """With every mask a regression's index is its definition by enumeration."""
    game = planted.hierarchical(5, 2, degree=5, out=out).game
    e = explain(game, name, budget=32)
    want = definition(brute.table(game, 5), 5, order)
    got = e.interactions(index, order)
    for t in [t for t in want if t]:
        np.testing.assert_allclose(got.value(t), want[t], atol=1e-8)


@pytest.mark.parametrize("name", ["exact", "permutation", "kernel_shap"])
def test_all_masks_give_shapley_values(name):
    """Exact, permutation and Kernel SHAP agree on Shapley values when all masks are valued."""
    p = planted.and_or(6, 0)
    np.testing.assert_allclose(
        explain(p.game, name, budget=64).attributions().values, indices.shapley(p.truth), atol=1e-8
    )


@pytest.mark.parametrize("n", range(2, 11))
def test_exact_is_the_game(n):
    """Up to ten units, several outputs: the function is the game and so is every index."""
    p = planted.hierarchical(n, 0, degree=n, out=(2,))
    e = explain(p.game, "exact", budget=2**n)
    rows = masks.every(n)
    np.testing.assert_allclose(e.f(rows), p.game(rows), atol=1e-9)
    assert e.cost.calls == 2**n
    np.testing.assert_allclose(indices.shapley(e.f), indices.shapley(p.truth), atol=1e-9)


@pytest.mark.parametrize("name", ["kernel_shap", "faith_shap", "permutation"])
@pytest.mark.parametrize("budget", [140, 171, 400])
def test_efficiency_at_any_budget(name, budget):
    """Shapley estimates sum to f(all) - f(none), however few the masks."""
    game = planted.hierarchical(10, 0, degree=6).game
    e = explain(game, name, budget=budget)
    assert e.attributions().values.sum() == pytest.approx(e.full - e.empty, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("kernel_shap", 24),
        ("faith_shap", 134),
        ("banzhaf", 15),
        ("faith", 81),
        ("permutation", 13),
        ("lasso", 8),
        ("lime", 4),
        ("default", 4),
        ("exact", 4096),
    ],
)
def test_a_small_budget_is_refused_with_the_need(name, needed):
    """Each recipe names the masks it needs for 12 units, and values nothing before it refuses."""
    asked = []

    def value(rows):
        asked.append(len(rows))
        return rows.sum(axis=1)

    with pytest.raises(BudgetError, match=rf"\b{needed}\b") as caught:
        explain(Game(value, 12), name, budget=min(needed, 30) - 1 + 8, held_out=8)
    assert asked == []
    assert "budget=" in str(caught.value)


@pytest.mark.parametrize("name", ["kernel_shap", "banzhaf", "faith", "permutation"])
def test_the_need_is_enough(name):
    """With exactly the needed masks a recipe runs."""
    game = planted.sparse(8, 0).game
    needed = recipes.named(name).solver.needs(8)
    e = explain(game, name, budget=needed + 8, held_out=8)
    assert e.cost.calls <= needed + 8


def test_names_take_a_degree():
    """A degree follows a name, case and hyphens are free."""
    assert recipes.named("faith:3") == recipes.faith(3)
    assert recipes.named("Kernel-SHAP") == recipes.kernel_shap()
    assert recipes.named("faith-shap:1") == recipes.faith_shap(1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shap", "there are default, exact"),
        ("lime:2", "a degree follows only"),
        ("faith:x", "a degree follows only"),
        ("faith:0", "degree=0"),
        ("", "there are"),
    ],
)
def test_unknown_names_are_refused(name, message):
    """No such explainer, or a degree it does not take: refused with what there is."""
    with pytest.raises(InputError, match=message):
        recipes.named(name)


def test_every_recipe_is_named_after_its_maker():
    """The name that `explain` takes is the name of the function that makes the explainer."""
    assert {maker.__name__ for maker in recipes.RECIPES.values()} == set(recipes.RECIPES)


GAMES = ROOT.parent / "shared" / "data" / "games"
SMALL = sorted(GAMES.glob("*/[89]/*.npz"), key=lambda p: p.stat().st_size)[::12][:6]


def load(path: Path):
    """A game from a table of coalitions and values."""
    with np.load(path) as file:
        rows, values = file["coalitions"].astype(bool), file["values"]
    order = np.argsort(rows @ 2 ** np.arange(rows.shape[1]))
    return Game(lambda m: values[order][m @ 2 ** np.arange(m.shape[1])], rows.shape[1])


@pytest.mark.skipif(not SMALL, reason="needs ../shared/data/games")
@pytest.mark.parametrize("path", SMALL, ids=lambda p: p.parts[-3])
def test_exact_shapley_values_equal_enumeration(path):
    """On real games of 8 and 9 units the exact run has the defining Shapley values."""
    game = load(path)
    v = brute.table(game, game.n)
    e = explain(game, "exact", budget=2**game.n)
    want = [brute.sii(v, game.n, (i,)) for i in range(game.n)]
    np.testing.assert_allclose(e.attributions().values, want, atol=1e-9)
    np.testing.assert_allclose(e.predict(masks.every(game.n)), game(masks.every(game.n)), atol=1e-9)
