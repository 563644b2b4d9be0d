"""The checks themselves: they pass what is right, and name what is broken."""

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brute
from whence import Game, explain, indices, masks, recipes, text_game
from whence.errors import BudgetError, InputError
from whence.explainer import Paired
from whence.samplers.uniform import Uniform
from whence.solvers.low_degree import LowDegree
from whence.testing import (
    SentimentRules,
    check_explainer,
    check_game,
    explainer_checks,
    game_checks,
    planted,
)

MAKERS = ["sparse", "hierarchical", "peak", "and_or", "near_linear", "additive", "constant"]


@pytest.mark.parametrize("out", [(), (3,), (2, 2)])
@pytest.mark.parametrize("name", MAKERS)
def test_planted_games_are_their_truth(name, out):
    """Every planted game, of any outputs and 2 to 9 units, is a right Game and equals its truth."""
    for n in (2, 3, 9):
        p = getattr(planted, name)(n, 1, out=out)
        check_game(p.game)
        rows = masks.every(n)
        np.testing.assert_array_equal(p.game(rows), p.truth(rows))
        assert p.truth.out == out
        again = getattr(planted, name)(n, np.random.default_rng(1), out=out)
        assert again.truth.sets == p.truth.sets
        np.testing.assert_array_equal(again.truth.values, p.truth.values)


@given(st.integers(5, 30), st.integers(0, 10**6))
def test_planted_games_are_as_described(n, seed):
    """Sparse games have their terms, peaks one size, hierarchies every subset, AND/OR its form."""
    assert len(planted.sparse(n, seed, terms=5).truth) == 5
    assert set(planted.peak(n, seed, terms=2).truth.sizes.tolist()) <= {5}
    held = set(planted.hierarchical(n, seed).truth.sets)
    assert all(u in held for s in held for u in brute.subsets(s) if u)
    p = planted.and_or(n, seed, ands=0, ors=1)
    assert p.truth(masks.ends(n))[1] == pytest.approx(0)
    answers = np.unique(np.round(p.truth(masks.uniform(n, 30, np.random.default_rng(0))), 9))
    assert len(answers) <= 2


def test_near_linear_games_have_the_stated_share_of_pairs():
    """Pairs hold exactly the asked share of the variance."""
    f = planted.near_linear(8, 0, share=0.1).truth
    energy = f.values**2
    assert energy[f.sizes == 2].sum() / energy.sum() == pytest.approx(0.1)


def test_noise_has_its_size_and_its_seed():
    """Noisy games answer differently each time, by the stated deviation, repeatably by seed."""
    p = planted.sparse(6, 0)
    loud = planted.noisy(p, 3, sd=0.2)
    rows = masks.every(6)
    draws = np.array([loud.game(rows) for _ in range(50)])
    assert loud.truth is None
    assert (draws - p.game(rows)).std() == pytest.approx(0.2, rel=0.05)
    np.testing.assert_array_equal(planted.noisy(p, 3, sd=0.2).game(rows), draws[0])
    check_game(loud.game, noisy=True)
    with pytest.raises(AssertionError, match="noisy=True"):
        check_game(loud.game)


def test_planted_games_need_two_units():
    """One unit is refused."""
    with pytest.raises(InputError, match="n=1 came"):
        planted.sparse(1, 0)


def test_rules_score_by_hand():
    """Weights add up per class, a negator turns what follows, two turn it back, reach is kept."""
    rules = SentimentRules()
    scores = dict(
        zip(
            texts := ["good bad", "not good", "never not good", "not a b c good", "NOT Good!", ""],
            rules(texts).tolist(),
            strict=True,
        )
    )
    assert scores["good bad"] == [1.5, 1.5]
    assert scores["not good"] == [1.5, 0.0]
    assert scores["never not good"] == [0.0, 1.5]
    assert scores["not a b c good"] == [0.0, 1.5]
    assert scores["NOT Good!"] == [1.5, 0.0]
    assert scores[""] == [0.0, 0.0]
    assert rules([]).shape == (0, 2)


def test_rules_make_a_game_with_a_known_interaction():
    """In "never fails" the pair is worth the double weight, more than either word."""
    rules = SentimentRules()
    game = text_game(rules, "her acting never fails", labels=rules.labels, output="positive")
    check_game(game)
    found = explain(game).interactions("mobius", 2).top(1)
    assert found.sets == [(2, 3)]


def broken(**changes):
    """A right game with some parts changed."""
    truth = planted.sparse(4, 0).truth
    return Game(**{"value": truth, "units": 4, **changes})


def counting():
    """A value function whose answer grows with every call."""
    calls = []

    def value(rows):
        calls.append(1)
        return np.full(len(rows), float(len(calls)))

    return value


def scribbling(rows):
    """A value function that changes the masks it gets."""
    rows[:, 0] = True
    return rows.sum(axis=1)


def seeding(rows):
    """A value function that seeds the global generator."""
    np.random.seed(0)  # noqa: NPY002
    return rows.sum(axis=1)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("shapes", {"value": lambda rows: np.zeros(3)}, "ShapeError"),
        ("shapes", {"value": lambda rows: np.full(len(rows), np.nan)}, "NotFinite"),
        ("shapes", {"value": lambda rows: np.zeros((len(rows), len(rows)))}, "same outputs"),
        ("shapes", {"readout": lambda raw: raw[:1]}, "ShapeError"),
        ("outputs", {"outputs": ["a", "b"]}, r"2 names came for outputs of shape \(\)"),
        ("masks", {"value": scribbling}, "holds something else"),
        ("masks", {"value": seeding}, "global random state"),
        ("masks", {"value": lambda rows: random.random()}, "global random state"),
        ("identity", {"identity": ""}, "identity=''"),
        ("identity", {"identity": 3}, "identity=3"),
        ("tokens", {"tokens": lambda rows: 5}, r"shape \(\) for 14 masks"),
        ("tokens", {"tokens": lambda rows: rows.sum(axis=1) * 0.5}, "type float64"),
        ("tokens", {"tokens": lambda rows: -rows.sum(axis=1, dtype=int)}, "-4 tokens"),
        ("repeats", {"value": counting()}, "a difference of 1 between two calls"),
        ("neighbours", {"value": lambda rows: rows.sum(axis=1) / len(rows)}, "one call each"),
        ("neighbours", {"value": lambda rows: np.arange(len(rows)) * 1.0}, "one call each"),
        ("duplicates", {"value": lambda rows: np.arange(len(rows)) * 1.0}, "equal masks in one"),
        ("batches", {"value": lambda rows: rows.sum(axis=1) / len(rows)}, "batch=3"),
        ("again", {"again": lambda rows: np.zeros((len(rows), 2))}, r"shape \(14, 2\)"),
    ],
)
def test_a_broken_game_fails_by_name(name, changes, message):
    """Each broken promise of a Game is found by its check, with what came."""
    check = dict(game_checks())[name]
    check(broken(), 0)
    with pytest.raises(AssertionError, match=message):
        check(broken(**changes), 0)
    with pytest.raises(AssertionError):
        check_game(broken(**changes))


def test_rounding_within_the_tolerance_passes():
    """A model that rounds differently in another batch passes with a tolerance for it."""

    def value(rows):
        return rows.sum(axis=1) + 1e-4 * len(rows)

    check_game(broken(value=value), tolerance=1e-2)
    with pytest.raises(AssertionError, match="independently"):
        check_game(broken(value=value))


@dataclasses.dataclass(frozen=True)
class Broken:
    """A right explainer, with some parts changed."""

    asking: object = None
    fitting: object = None
    least: int = 12

    def ask(self, n, budget, rng, seen):
        if budget < self.least:
            raise BudgetError(f"{self.least} are needed")
        right = Uniform()(n, budget, rng, seen)
        return right if self.asking is None else self.asking(right, n, seen)

    def fit(self, samples):
        f = LowDegree(1).fit(samples)
        return f if self.fitting is None else self.fitting(f, samples)


CALLS = []


def forgetful(f, samples):
    """Another function at every call."""
    CALLS.append(1)
    return f * float(len(CALLS))


@pytest.mark.parametrize(
    ("name", "explainer", "message"),
    [
        ("budgets", Broken(asking=lambda m, n, s: np.repeat(m, 2, axis=0)), "24 masks for"),
        ("budgets", Broken(least=10**6), "was refused for 6 units"),
        ("masks", Broken(asking=lambda m, n, s: np.repeat(m, 2, axis=0)), "a mask twice"),
        ("masks", Broken(asking=lambda m, n, s: m[:, :-1]), "shape"),
        ("masks", Broken(asking=lambda m, n, s: m.astype(int)), "type int64"),
        (
            "masks",
            Broken(asking=lambda m, n, s: np.concatenate([m[1:], masks.ends(n)[:1]])),
            "full or the empty",
        ),
        ("seen", Broken(asking=lambda m, n, s: np.concatenate([m[1:], s.masks[-1:]])), "some"),
        (
            "generator",
            Broken(asking=lambda m, n, s: np.random.default_rng().permutation(m)),
            "different masks",
        ),
        ("feeds", Broken(least=2), "BudgetError"),
        ("pure", Broken(fitting=forgetful), "other terms or coefficients"),
        ("order", Broken(fitting=lambda f, s: f + f * float(s.values.flat[-1])), "shuffling"),
        ("shapes", Broken(fitting=lambda f, s: f.output(0) if f.out == (1,) else f), "outputs"),
        ("shapes", Broken(fitting=lambda f, s: f * np.nan), "nan or inf"),
        ("columns", Broken(fitting=lambda f, s: f * float(s.values.std())), "joint=True"),
        ("copies", Broken(fitting=lambda f, s: f * float(s.values.ndim)), "alike"),
        ("constant", Broken(fitting=lambda f, s: f * 0.5), "from the constant"),
        ("scale", Broken(fitting=lambda f, s: f * float(np.abs(s.values).max())), "scales"),
        ("additive", Broken(fitting=lambda f, s: f.truncate(top=2)), "R²"),
    ],
)
def test_a_broken_explainer_fails_by_name(name, explainer, message):
    """Each broken promise of an Explainer is found by its check, with what came."""
    check = dict(explainer_checks())[name]
    check(Broken(), 0)
    with pytest.raises(AssertionError, match=message):
        check(explainer, 0)


def test_a_sampler_that_touches_global_state_is_found():
    """Drawing from the global generator of numpy is noticed where masks are asked."""

    def careless(n, budget, rng, seen):
        np.random.rand()  # noqa: NPY002
        return masks.uniform(n, budget, rng, avoid=seen.masks)

    with pytest.raises(AssertionError, match="global random state"):
        check_explainer(Paired(careless, LowDegree(1)))


def test_a_crash_is_a_broken_promise():
    """An explainer that raises anything but BudgetError at a small budget is named."""

    def crashing(n, budget, rng, seen):
        if budget < 9:
            raise ZeroDivisionError
        return masks.uniform(n, budget, rng, avoid=seen.masks)

    with pytest.raises(AssertionError, match=r"refused with BudgetError.*ZeroDivisionError"):
        check_explainer(Paired(crashing, LowDegree(1)))


def test_check_names_are_different():
    """Every check has a name of its own, and `joint` leaves one of them out."""
    for checks in (game_checks(), explainer_checks()):
        names = [name for name, _ in checks]
        assert len(names) == len(set(names))
    without = {n for n, _ in explainer_checks()} - {n for n, _ in explainer_checks(joint=True)}
    assert without == {"columns"}


def test_a_right_explainer_passes_whole():
    """`check_explainer` runs every check, and a recipe keeps them all."""
    check_explainer(recipes.banzhaf())
    assert indices.shapley(planted.constant(3, 0).truth).tolist() == [0.0, 0.0, 0.0]
