"""Facts about the surrogate: the blend of fits that is the default explainer."""

from __future__ import annotations

import numpy as np
import pytest

from whence import masks, recipes
from whence.errors import BudgetError, InputError
from whence.game import Game
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.solvers.walsh_process import Conditioned
from whence.surrogate import MANY, Member, Surrogate, judging_folds, processes, stacked
from whence.surrogate import _promoted as promoted
from whence.testing import planted


def drawn(game: Game, count: int, seed: int = 0) -> Samples:
    """The ends and what the surrogate asks for, valued."""
    ends = masks.ends(game.n)
    first = Samples(ends, game(ends))
    asked = Surrogate().ask(game.n, count, np.random.default_rng(seed), first)
    return first.join(Samples(asked, game(asked)))


def r2(f: SetFunction, game: Game) -> float:
    """R² over all masks."""
    every = masks.every(game.n)
    y = game(every)
    return float(1 - ((f(every) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


@pytest.mark.parametrize("seed", range(3))
def test_an_additive_game_gives_an_additive_function(seed: int) -> None:
    """Without interactions the answer has degree 1, and is the game."""
    p = planted.additive(10, seed)
    f = Surrogate().fit(drawn(p.game, 100, seed))
    assert f.degree == 1
    assert r2(f, p.game) == pytest.approx(1.0)


def test_noise_hardly_conjures_up_interactions() -> None:
    """Noisy additive games give additive functions in at least five draws of six."""
    degrees = []
    for seed in range(6):
        p = planted.additive(12, seed)
        clean = drawn(p.game, 200, seed)
        noise = np.random.default_rng(seed).normal(size=len(clean)) * 0.3 * clean.values.std()
        degrees.append(Surrogate().fit(Samples(clean.masks, clean.values + noise)).degree)
    assert sorted(degrees)[:5] == [1] * 5


@pytest.mark.parametrize("name", ["near_linear", "sparse", "hierarchical", "and_or", "peak"])
def test_the_blend_is_not_materially_worse_than_any_single_explainer(name: str) -> None:
    """On planted games it is within 0.05 R² of the best other that explains anything at all."""
    game = getattr(planted, name)(11, 0).game
    samples = drawn(game, 140)
    rivals = (recipes.regression(), recipes.process(), recipes.tree_ridge(), recipes.proxyspex())
    best = max(r2(e.fit(samples), game) for e in rivals)
    assert r2(Surrogate().fit(samples), game) >= (best - 0.05 if best > 0.1 else -0.02)


@pytest.mark.parametrize("count", [*range(2, 20), 40])
def test_whatever_is_asked_can_be_fitted(count: int) -> None:
    """Any number of masks that it accepts gives a finite function, however few."""
    f = Surrogate().fit(drawn(planted.sparse(6, 0).game, count))
    assert np.isfinite(f(masks.every(6))).all()


def test_too_few_samples_are_refused() -> None:
    """Three samples are refused, with the number that is needed."""
    with pytest.raises(BudgetError, match="at least 4 masks"):
        Surrogate().fit(Samples(masks.every(6)[:3], np.arange(3.0)))


def test_a_squashed_game_is_seen_through() -> None:
    """A signed confidence of a sum, far from sparse itself, is fitted through its link."""
    weights = np.random.default_rng(1).normal(size=14)

    def value(rows: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-3 * (rows - 0.5) @ weights))
        return np.where(p > 0.5, p, p - 1)

    game = Game(value, 14)
    samples = drawn(game, 300)
    assert r2(Surrogate().fit(samples), game) > 0.95
    assert r2(recipes.regression().fit(samples), game) < 0.8


def test_an_outlying_empty_mask_bends_nothing() -> None:
    """One mask of 2^n with a far-off value changes the function at other masks not at all."""
    p = planted.sparse(12, 0, degree=2)
    samples = drawn(p.game, 96)
    far = samples.values.copy()
    far[~samples.masks.any(axis=1)] = 1e3
    near, bent = Surrogate().fit(samples), Surrogate().fit(Samples(samples.masks, far))
    inner = masks.every(12)[1:]
    assert np.abs(near(inner) - bent(inner)).max() < 0.05 * samples.values.std()


def test_outputs_are_fitted_together() -> None:
    """Each of several outputs is fitted about as well as alone, a constant one exactly."""
    one, two = planted.sparse(9, 0).game, planted.hierarchical(9, 1).game
    a, b = drawn(one, 150), drawn(two, 150)
    table = np.stack([a.values, np.full(len(a), 0.25), b.values], axis=1)
    f = Surrogate().fit(Samples(a.masks, table))
    assert f.out == (3,)
    assert np.allclose(f.output(1)(masks.every(9)), 0.25, atol=1e-9)
    for j, game, single in ((0, one, a), (2, two, b)):
        assert r2(f.output(j), game) > r2(Surrogate().fit(single), game) - 0.1


def test_errors_shrink_to_zero_with_all_masks() -> None:
    """With every mask valued the function is exact and its errors are zero."""
    f = Surrogate().fit(drawn(planted.peak(8, 0).game, 300))
    assert r2(f, planted.peak(8, 0).game) == pytest.approx(1.0)
    assert f.errors is not None
    assert f.errors.max() == 0


def test_the_order_of_samples_changes_nothing() -> None:
    """The same samples in another order give the same function."""
    samples = drawn(planted.hierarchical(9, 0).game, 120)
    other = samples.take(np.random.default_rng(0).permutation(len(samples)))
    every = masks.every(9)
    assert np.allclose(Surrogate().fit(samples)(every), Surrogate().fit(other)(every), atol=1e-9)


def test_many_units_are_fitted_through_the_link_as_well() -> None:
    """Beyond the units whose spectrum is written out, a squashed sum is still seen through."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=40) * (np.arange(40) < 12)
    rows = rng.random((3400, 40)) < 0.5
    y = np.tanh(2 * (rows - 0.5) @ weights)
    f = Surrogate().fit(Samples(rows[:400], y[:400]))
    test = y[400:]
    assert 1 - ((f(rows[400:]) - test) ** 2).sum() / ((test - test.mean()) ** 2).sum() > 0.85
    assert len(f) <= 4000


def test_weights_are_non_negative_and_prefer_the_simple() -> None:
    """Of two members that predict alike the first, simple one gets all the weight."""
    y = np.random.default_rng(0).normal(size=200)
    good = y + 0.1 * np.random.default_rng(2).normal(size=200)
    weights = stacked(np.stack([good, good, good + 1e-9], axis=1), y, 2)
    assert weights.tolist() == [1.0, 0.0, 0.0]
    noise = np.random.default_rng(1).normal(size=200)
    weights = stacked(np.stack([noise, -noise, y], axis=1), y, 2)
    assert (weights >= 0).all()
    assert weights[2] == pytest.approx(1.0, abs=1e-6)


def fitted(samples: Samples) -> SetFunction:
    """The surrogate's function, finite in values and errors."""
    f = Surrogate().fit(samples)
    assert np.isfinite(f.values).all()
    assert f.errors is None or np.isfinite(f.errors).all()
    return f


def test_without_additive_members_the_blend_is_all_there_is() -> None:
    """With no additive member named, weights are those of the least squares alone."""
    y = np.random.default_rng(0).normal(size=200)
    noisy = y + 0.1 * np.random.default_rng(1).normal(size=(2, 200))
    weights = stacked(noisy.T, y, 0)
    assert weights.min() > 0.3
    assert stacked(noisy.T[:, :0], y, 0).shape == (0,)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_masks_of_few_units_are_exact(count: int) -> None:
    """One, two or three units are answered exactly."""
    rows = masks.every(count)
    y = np.random.default_rng(0).normal(size=len(rows))
    assert np.allclose(fitted(Samples(rows, y))(rows), y)


HARD = {
    "few levels": lambda y: np.round(2 * y) / 2,
    "two values": lambda y: (y > 0).astype(float),
    "95 % zeros": lambda y: np.where(y > np.quantile(y, 0.95), y, 0.0),
    "one one": lambda y: (y == y.max()).astype(float),
    "an outlier": lambda y: np.where(y == np.sort(y)[50], 1e6, y),
    "large": lambda y: y * 1e30,
    "tiny": lambda y: y * 1e-30,
    "far off": lambda y: 1e9 + 1e-3 * y,
}


@pytest.mark.parametrize("name", HARD)
def test_awkward_values_give_a_finite_function(name: str) -> None:
    """Ties, outliers and extreme scales give finite values and errors, without a warning."""
    samples = drawn(planted.hierarchical(11, 0).game, 100)
    f = fitted(Samples(samples.masks, HARD[name](samples.values)))
    assert np.isfinite(f(masks.every(11))).all()


@pytest.mark.parametrize("name", ["no ends", "odd sizes", "one unit always there", "doubled"])
def test_awkward_masks_give_a_finite_function(name: str) -> None:
    """Designs without ends, of odd sizes only, with an idle unit, with repeats: all are fitted."""
    samples = drawn(planted.hierarchical(11, 0).game, 160)
    rows = {
        "no ends": np.arange(2, 162),
        "odd sizes": np.flatnonzero(samples.masks.sum(axis=1) % 2),
        "one unit always there": np.flatnonzero(samples.masks[:, 3]),
        "doubled": np.arange(324) % 162,
    }[name]
    assert fitted(samples.take(rows)).degree >= 1


def test_repeats_count_once() -> None:
    """Repeated samples change no bit of the function."""
    samples = drawn(planted.hierarchical(9, 0).game, 100)
    twice = samples.join(samples.take(slice(0, 40)))
    assert np.array_equal(Surrogate().fit(samples).values, Surrogate().fit(twice).values)


@pytest.mark.parametrize(("scale", "shift"), [(-3.7, 0.0), (1e-12, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_other_units_of_value_give_the_same_function(scale: float, shift: float) -> None:
    """Values times a number plus a number: the function and its errors go along."""
    samples = drawn(planted.hierarchical(11, 0).game, 120)
    other = Samples(samples.masks, scale * samples.values + shift)
    one, two = fitted(samples), fitted(other)
    every = masks.every(11)
    assert np.allclose(two(every), scale * one(every) + shift, rtol=1e-9, atol=1e-6 * abs(scale))
    assert one.errors is not None
    assert two.errors is not None
    assert two.errors.max() == pytest.approx(abs(scale) * one.errors.max(), rel=1e-6)


def test_equal_samples_give_equal_bits() -> None:
    """Fitted twice, with other global seeds, values and deviations are the same bits."""
    samples = drawn(planted.hierarchical(11, 0).game, 120)
    np.random.seed(1)  # noqa: NPY002
    one = Surrogate().fit(samples)
    np.random.seed(2)  # noqa: NPY002
    two = Surrogate().fit(samples)
    assert np.array_equal(one.values, two.values)
    assert one.deviations is not None
    assert two.deviations is not None
    assert np.array_equal(one.deviations, two.deviations)


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_no_output_s_scale_decides_for_the_others(scale: float) -> None:
    """Beside an additive output of any scale, one with interactions is fitted with them."""
    one, two = planted.hierarchical(11, 0).game, planted.additive(11, 3).game
    samples = drawn(one, 150)
    table = np.stack([samples.values, scale * two(samples.masks)], axis=1)
    f = Surrogate().fit(Samples(samples.masks, table))
    assert r2(f.output(0), one) > 0.95
    assert r2(f.output(1) * (1 / scale), two) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e7 + 0.1])
def test_constant_outputs_change_nothing_in_the_others(value: float) -> None:
    """Beside three constant outputs one that varies is fitted, and told of, as alone."""
    samples = drawn(planted.hierarchical(11, 0).game, 120)
    beside = np.column_stack([samples.values, *[np.full(len(samples), value)] * 3])
    f, alone = fitted(Samples(samples.masks, beside)), fitted(samples)
    every = masks.every(11)
    assert np.allclose(f.output(0)(every), alone(every), atol=1e-6)
    assert np.allclose(f(every)[:, 1:], value, rtol=1e-12, atol=0)
    assert f.fitted_by == alone.fitted_by
    assert f.errors is not None
    assert f.errors[:, 1:].max() < 1e-9 * max(1.0, value)


def test_outputs_of_a_shape_are_those_of_the_flat_row() -> None:
    """Outputs (2, 3) and six outputs give the same function."""
    samples = drawn(planted.hierarchical(8, 0, out=(2, 3)).game, 90)
    shaped = fitted(samples)
    flat = fitted(Samples(samples.masks, samples.columns))
    assert shaped.out == (2, 3)
    assert np.array_equal(shaped.columns, flat.columns)


def test_complementary_pairs_are_left_out_together() -> None:
    """On masks drawn in pairs the folds keep pairs, and a hierarchical game is still found."""
    game = planted.hierarchical(11, 0).game
    ends = masks.ends(11)
    explainer = recipes.shapley()
    asked = explainer.ask(11, 150, np.random.default_rng(0), Samples(ends, game(ends)))
    rows = np.concatenate([ends, asked])
    group = judging_folds(Samples(rows, game(rows)), 5)
    lookup = dict(zip(map(bytes, rows), group, strict=True))
    assert all(lookup[bytes(~row)] == g for row, g in zip(rows, group, strict=True))
    assert r2(explainer.fit(Samples(rows, game(rows))), game) > 0.9


def test_of_many_samples_some_are_judged() -> None:
    """Beyond 1,500 samples about 900 are in three folds, the others in none."""
    rng = np.random.default_rng(0)
    rows = masks.uniform(30, 6000, rng)
    group = judging_folds(Samples(rows, np.zeros(6000)), 5)
    assert set(group) == {-1, 0, 1, 2}
    assert 800 < (group >= 0).sum() < 1000
    few = judging_folds(Samples(rows[:MANY], np.zeros(MANY)), 5)
    assert set(few) == {0, 1, 2, 3}


def test_a_process_that_counts_gets_all_samples() -> None:
    """Auditioned without the judged samples, it keeps its rates and is then given them all."""
    rng = np.random.default_rng(0)
    rows = masks.uniform(12, 1600, rng, avoid=masks.ends(12))
    y = planted.hierarchical(12, 0, terms=8).game(rows) + 0.3 * rng.normal(size=1600)
    samples = Samples(rows, y)
    group = judging_folds(samples, 5)
    first = next(processes(samples, group))
    idle = Member("idle", np.where(group[:, None] >= 0, 0.0 * y[:, None], np.nan), first.fit)
    assert isinstance(first.fit, Conditioned)
    assert not np.isin(np.flatnonzero(group >= 0), np.flatnonzero(group < 0)[first.fit.rows]).any()
    full, left = promoted([first, idle], samples, group)
    assert isinstance(full.fit, Conditioned)
    assert len(full.fit.rows) == 1600
    assert np.array_equal(full.fit.theta, first.fit.theta)
    assert left.fit is first.fit
    judged = group >= 0
    assert np.isnan(full.guesses[~judged]).all()
    gaps = [((m.guesses[judged, 0] - y[judged]) ** 2).mean() for m in (first, full)]
    assert gaps[1] < 1.05 * gaps[0]


@pytest.mark.parametrize(("groups", "most"), [(1, 4000), (5, 0)])
def test_bad_settings_are_refused(groups: int, most: int) -> None:
    """One fold, or no term, is refused with what came."""
    with pytest.raises(InputError, match=f"groups={groups}, max_terms={most} came"):
        Surrogate(groups=groups, max_terms=most)


@pytest.mark.slow
def test_two_thousand_units_are_fitted() -> None:
    """Three hundred samples of 2,000 units, of which few matter, give a finite function."""
    rng = np.random.default_rng(0)
    rows = rng.random((300, 2000)) < 0.5
    y = (rows[:, :10] - 0.5) @ rng.normal(size=10) + 2.0 * (rows[:, 0] & rows[:, 1])
    f = fitted(Samples(rows, y))
    assert len(f) <= 4000


@pytest.mark.slow
def test_fifty_outputs_are_fitted_at_once() -> None:
    """Fifty outputs of one game of 24 units come out about as well as planted."""
    game = planted.hierarchical(24, 0, out=(50,)).game
    f = fitted(drawn(game, 200))
    rows = masks.uniform(24, 1000, np.random.default_rng(5))
    y = game(rows)
    wrong = ((f(rows) - y) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    assert np.median(wrong) < 0.1
