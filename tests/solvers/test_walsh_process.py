"""Facts about the Walsh-kernel process as a solver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whence import indices, masks
from whence._kernels import cube, process
from whence._kernels.walsh import walsh
from whence.errors import BudgetError, InputError
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function
from whence.solvers.low_degree import LowDegree
from whence.solvers.walsh_process import Conditioned, WalshProcess, condition
from whence.testing import planted


def drawn(n: int, count: int, seed: int = 0, *, out: tuple[int, ...] = ()) -> Samples:
    """The ends and uniform masks of a planted hierarchical game."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([masks.ends(n), masks.uniform(n, count, rng, avoid=masks.ends(n))])
    return Samples(rows, planted.hierarchical(n, seed, out=out).game(rows))


def with_rates(samples: Samples, rate: float, noise: float) -> Conditioned:
    """A process whose rates are all `rate`, conditioned on samples."""
    found = condition(WalshProcess(steps=1), samples)
    theta = np.zeros_like(found.theta)
    theta[0], theta[2] = np.log(rate / (1 - rate)), np.log(noise)
    return replace(found, theta=theta).again(samples)


def r2(f: SetFunction, seed: int) -> float:
    """R² over masks of the planted hierarchical game of that seed."""
    rows = masks.uniform(f.n, 2000, np.random.default_rng(99))
    y = planted.hierarchical(f.n, seed).game(rows)
    return float(1 - ((f(rows) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


@pytest.mark.parametrize("n", [12, 24])
def test_it_beats_an_additive_fit_where_sets_come_with_their_subsets(n: int) -> None:
    """On a planted hierarchical game it explains over 0.9, and far more than single units do."""
    samples = drawn(n, 240)
    found = r2(WalshProcess().fit(samples), 0)
    assert found > 0.9
    assert found > r2(LowDegree(1).fit(samples), 0) + 0.1


@pytest.mark.parametrize("n", [10, 20])
def test_terms_are_closed_form_coefficients(n: int) -> None:
    """Written out or searched, each term is the posterior mean of its coefficient."""
    samples = drawn(n, 120)
    found = condition(WalshProcess(), samples)
    f = found.function(300)
    truth = cube.coefficients(found.post, f.indptr, f.indices)[:, 0] * found.spread
    truth[f.sizes == 0] += found.centre
    assert len(f) == 300
    assert np.allclose(f.values, truth, atol=1e-10)


def test_the_search_finds_what_writing_out_finds() -> None:
    """Beyond 16 units at least 95 of the 100 largest terms of the mean are found by search."""
    samples = drawn(18, 150)
    found = condition(WalshProcess(), samples)
    table = process.every_mean(found.post)
    top = np.argsort(-np.abs(walsh(table)[1:, 0]))[:100] + 1
    truth = {tuple(np.flatnonzero((row >> np.arange(18)) & 1)) for row in top}
    assert len(truth & set(found.function(101).sets)) >= 95


@pytest.mark.parametrize(("linked", "most"), [(False, 4000), (True, 4000), (False, 60)])
def test_guesses_are_refits_with_the_rates_kept(linked: bool, most: int) -> None:
    """Each fold's guesses are those of the process given the other rows, fold by fold."""
    samples = drawn(9, 100)
    how = WalshProcess(linked=linked, most_rows=most)
    found = condition(how, samples)
    group = masks.folds(samples.masks, 4)
    guesses = found.guesses(samples, group)
    post = found.post
    k = process.kernel(post.x, post.x, post.prior)
    k[np.diag_indices(len(k))] += post.prior.noise + process.JITTER
    y = k @ post.a
    for g in range(4):
        used = group[found.rows] != g
        part = replace(found, post=process.condition(post.x[used], y[used], post.prior))
        at = found.rows[~used]
        assert np.allclose(guesses[at], part(samples.masks[at])[:, None], atol=1e-8)
    beyond = np.setdiff1d(np.flatnonzero(group >= 0), found.rows)
    assert len(beyond) == max(0, 100 - most)
    assert np.allclose(guesses[beyond], found(samples.masks[beyond])[:, None])
    assert np.isnan(guesses[group < 0]).all()


def test_deviations_carry_the_posterior_spread() -> None:
    """Errors are the closed-form posterior standard deviations, within the draws' own error."""
    samples = drawn(8, 80)
    found = condition(WalshProcess(), samples)
    f = found.function(60)
    truth = np.sqrt(np.diag(cube.covariance(found.post, f.indptr, f.indices))) * found.spread
    errors = np.sqrt((found.deviations(f, 4000) ** 2).sum(axis=0))
    assert np.allclose(errors, truth, rtol=5 / np.sqrt(2 * 4000))


def test_intervals_cover_games_drawn_from_the_prior() -> None:
    """Coefficients drawn from the prior lie in their 95 % intervals in 90 to 99 % of cases."""
    n, rate, noise, hits = 7, 0.25, 0.05, []
    rng = np.random.default_rng(0)
    rows = masks.every(n)
    v = rate ** rows.sum(axis=1) / (1 + rate) ** n
    for _ in range(40):
        truth = rng.normal(size=len(v)) * np.sqrt(v)
        game = set_function(n, ([np.flatnonzero(r) for r in rows], truth))
        seen = masks.uniform(n, 60, rng, avoid=masks.ends(n))
        samples = Samples(seen, game(seen) + np.sqrt(noise) * rng.normal(size=60))
        f = WalshProcess(pooling=30.0).fit(samples)
        assert f.errors is not None
        wanted = game.terms
        gap = [abs(value - wanted[s]) for s, value in f.terms.items() if s]
        hits.append(np.mean(np.array(gap) < 1.96 * f.errors[f.sizes > 0]))
    assert 0.90 < np.mean(hits) < 0.99


def test_outputs_with_equal_rates_are_fitted_as_alone() -> None:
    """Rates kept, each of several outputs has the function it has alone."""
    samples = drawn(8, 70, out=(2, 2))
    every = masks.every(8)
    table = with_rates(samples, 0.3, 0.02)(every)
    for at in np.ndindex(2, 2):
        alone = Samples(samples.masks, samples.values[(slice(None), *at)])
        assert np.allclose(table[(slice(None), *at)], with_rates(alone, 0.3, 0.02)(every))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e20])
def test_a_constant_output_has_no_say_and_no_error(value: float) -> None:
    """Beside an output of one value the other is fitted as alone; the constant has no error."""
    samples = drawn(8, 70)
    beside = np.stack([samples.values, np.full(len(samples), value)], axis=1)
    f = WalshProcess().fit(Samples(samples.masks, beside))
    every = masks.every(8)
    assert np.allclose(f.output(0)(every), WalshProcess().fit(samples)(every), atol=1e-9)
    assert np.allclose(f.output(1)(every), value, rtol=1e-12, atol=0)
    errors = f.output(1).errors
    assert errors is not None
    assert errors.max() == 0


def test_a_constant_game_is_a_constant() -> None:
    """Of values that are all 0.1, no binary fraction, nothing but the constant is left."""
    rows = masks.uniform(8, 50, np.random.default_rng(0))
    f = WalshProcess().fit(Samples(rows, np.full(50, 0.1)))
    assert f.sets == [()]
    assert f.values == pytest.approx(0.1)
    assert f.errors == pytest.approx(0.0)


def test_ends_are_left_out() -> None:
    """The values of the full and the empty mask change nothing."""
    samples = drawn(8, 70)
    far = samples.values.copy()
    far[masks.folds(samples.masks, 2) < 0] = 1e6
    one, two = WalshProcess().fit(samples), WalshProcess().fit(Samples(samples.masks, far))
    assert np.array_equal(one.values, two.values)


def test_order_and_chance_change_nothing() -> None:
    """Samples in another order, and another global seed, give the same bits."""
    samples = drawn(9, 90)
    np.random.seed(1)  # noqa: NPY002
    one = WalshProcess().fit(samples)
    np.random.seed(2)  # noqa: NPY002
    other = samples.take(np.random.default_rng(1).permutation(len(samples)))
    assert np.array_equal(one.values, WalshProcess().fit(other).values)


def test_too_few_samples_are_refused() -> None:
    """Seven samples besides the ends are refused, by number."""
    with pytest.raises(BudgetError, match="7 samples besides the full and the empty mask"):
        WalshProcess().fit(drawn(6, 7))


def test_all_masks_of_few_units_are_answered_exactly() -> None:
    """Six masks besides the ends are too few for the process, but all there are of three units."""
    rows = masks.every(3)
    y = np.random.default_rng(0).normal(size=8)
    assert np.allclose(WalshProcess().fit(Samples(rows, y))(rows), y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pooling", 0.0),
        ("pairs", -1.0),
        ("steps", 0),
        ("rows", 7),
        ("most_rows", 7),
        ("max_terms", 0),
    ],
)
def test_bad_settings_are_refused(name: str, value: float) -> None:
    """The message holds the setting that came."""
    with pytest.raises(InputError, match=f"{name}={value}"):
        WalshProcess(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [WalshProcess(linked=True), WalshProcess(pairs=1.0)])
def test_too_many_units_to_write_out_are_refused_beforehand(how: WalshProcess) -> None:
    """Linked or with pairs, 17 units are refused when the budget is checked."""
    with pytest.raises(InputError, match="17 units"):
        how.needs(17)
    assert how.needs(16) == WalshProcess().needs(17) == 10


def test_again_keeps_the_rates_and_takes_the_new_samples() -> None:
    """Conditioned again on its own samples it is the same; on more of them it fits better."""
    few, many = drawn(10, 60), drawn(10, 300)
    found = condition(WalshProcess(), few)
    every = masks.every(10)
    truth = planted.hierarchical(10, 0).game(every)
    assert np.array_equal(found.again(few)(every), found(every))
    more = found.again(many)
    assert np.array_equal(more.theta, found.theta)
    assert ((more(every) - truth) ** 2).mean() < 0.5 * ((found(every) - truth) ** 2).mean()
    assert len(found.again(many, 80).rows) == 80


def test_shapley_values_are_those_of_the_full_function() -> None:
    """The closed form equals the index of the function with all its terms."""
    found = condition(WalshProcess(), drawn(8, 70, out=(2,)))
    assert np.allclose(found.shapley(), indices.shapley(found.function(256)), atol=1e-10)


def test_shapley_values_behind_a_link_are_refused() -> None:
    """There is no closed form, and the message says so."""
    with pytest.raises(InputError, match="no closed Shapley values"):
        condition(WalshProcess(linked=True), drawn(6, 40)).shapley()


def test_a_sketch_is_the_function_where_there_is_no_link() -> None:
    """With every term asked for, the sketch's values are the process's."""
    found = condition(WalshProcess(), drawn(6, 40))
    every = masks.every(6)
    assert np.allclose(found.sketch(64)(every), found(every), atol=1e-10)


def test_a_sketch_behind_a_link_points_the_same_way() -> None:
    """Linear in the scores, it correlates above 0.9 with what the process says."""
    found = condition(WalshProcess(linked=True), drawn(9, 120))
    every = masks.every(9)
    assert np.corrcoef(found.sketch(100)(every), found(every))[0, 1] > 0.9


def test_variance_is_small_where_it_was_told_and_the_prior_elsewhere() -> None:
    """Variance at samples is below the noise's reach; with no rate it is that of the constant."""
    samples = drawn(8, 70).take(slice(2, None))
    found = with_rates(samples, 0.3, 0.01)
    told = found.variance(samples.masks)
    assert (told >= 0).all()
    assert told.max() < 0.011
    assert found.variance(masks.every(8)).max() > 0.1


def test_pairs_sharpen_one_strong_interaction() -> None:
    """A pair that is strong alone and in larger sets is fitted far better with columns of pairs."""
    rng = np.random.default_rng(0)
    rows = masks.uniform(12, 80, rng, avoid=masks.ends(12))
    signs = 1.0 - 2.0 * masks.every(12)
    x = 1.0 - 2.0 * rows
    weights = rng.normal(size=12) * 0.3

    def value(z: np.ndarray) -> np.ndarray:
        return z @ weights + z[:, 0] * z[:, 1] * (2 + z[:, 2] * z[:, 3])

    errors = [
        ((condition(how, Samples(rows, value(x)))(masks.every(12)) - value(signs)) ** 2).mean()
        for how in (WalshProcess(), WalshProcess(pairs=1.0))
    ]
    assert errors[1] < 0.1 * errors[0]
