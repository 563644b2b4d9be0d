"""Facts about intervals and discoveries: unbiased, covering, and honest where nothing is there."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brute
from whence import explain, masks
from whence.errors import BudgetError, InputError
from whence.evaluation.inference import discoveries, intervals
from whence.evaluation.weights import SUPPORTED, read, strongest, weights
from whence.masks import every
from whence.samplers.sizes import EvenSizes
from whence.samplers.uniform import Antithetic
from whence.samples import Samples
from whence.setfunction import constant, set_function
from whence.solvers.lasso import Lasso
from whence.solvers.low_degree import LowDegree
from whence.solvers.ridge import Ridge
from whence.testing import planted


def drawn(f, m, seed, noise=0.0):
    """The two ends and m uniform masks, with values."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([masks.ends(f.n), masks.uniform(f.n, m, rng, avoid=masks.ends(f.n))])
    clean = f(rows)
    return Samples(rows, clean + noise * rng.normal(size=clean.shape))


def flat(samples):
    """The poorest fit: the mean, whatever the mask."""
    return constant(samples.n, samples.values.mean(axis=0))


def some_sets(f, rng, count=8):
    """Sets of the function and random ones of up to three units, chosen without its values."""
    own = [s for s in f.to("fourier").sets if s]
    chosen = {own[i] for i in rng.permutation(len(own))[:count]}
    while len(chosen) < 2 * count:
        size = int(rng.integers(1, 4))
        chosen.add(tuple(sorted(rng.choice(f.n, size, replace=False).tolist())))
    return sorted(chosen)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["fourier", "mobius"]))
def test_weights_average_to_the_index(seed, basis):
    """The mean over all masks of weight times value is the index by its definition."""
    n = 4
    f = planted.sparse(n, seed, terms=9, degree=4).truth.to(basis)
    v, sets = brute.table(f, n), [t for t in brute.subsets(range(n)) if 1 <= len(t) <= 2]
    truth = {
        "fourier": brute.fourier(v, n),
        "banzhaf_interaction": {t: brute.bii(v, n, t) for t in sets},
        "faith_banzhaf": brute.faith_banzhaf(v, n, 2),
    }
    for name in SUPPORTED:
        expected = [float(np.squeeze(truth[name][t])) for t in sets]
        found = weights(every(n), sets, name, 2).T @ f(every(n)) / 2**n
        assert np.allclose(found, expected)
        assert np.allclose(read(f, sets, name, 2)[:, 0], expected)


def test_split_estimate_is_exactly_unbiased():
    """Over all 495 splits the estimate averages to the truth, and its squared error to its error².

    Any fit will do: here it is wrong on purpose, and fitted to masks that are far from uniform.
    """
    f = planted.sparse(4, 0, terms=10, degree=4).truth
    wrong = set_function(4, {(): 0.3, (0,): 2.0, (1, 2): -1.0})
    rows = every(4)
    fitted = Samples(rows[[0, 1, 2, 15]], f(rows[[0, 1, 2, 15]]))
    left = np.delete(rows, [0, 1, 2, 15], axis=0)
    sets = [(0,), (1, 2), (0, 1, 3)]
    found = [
        discoveries(wrong, Samples(held, f(held)), fitted, sets=sets)
        for held in (left[list(rows)] for rows in combinations(range(12), 4))
    ]
    values, errors = (np.array([getattr(d, name) for d in found]) for name in ("values", "errors"))
    truth = read(f, sets, "fourier", 2)[:, 0]
    assert np.allclose(values.mean(axis=0), truth)
    assert np.allclose((errors**2).mean(axis=0), values.var(axis=0))


GAMES = {
    "near-linear": planted.near_linear,
    "hierarchical": planted.hierarchical,
    "and-or": planted.and_or,
    "sparse": planted.sparse,
    "peak": planted.peak,
}


def coverage(made, fit, *, index="fourier", n=20, m=300, repeats=40, noise=0.0):
    """Share of intervals of 16 sets that hold the truth, over fresh games and masks."""
    hit = []
    for seed in range(repeats):
        f = made(n, seed).truth
        sets = some_sets(f, np.random.default_rng(seed))
        if index == "faith_banzhaf":
            sets = [s for s in sets if len(s) <= 2]
        found = intervals(fit, drawn(f, m, 900 + seed, noise), sets, index, noise=noise)
        truth = read(f, sets, found.index, 2)[:, 0]
        hit += ((found.low <= truth) & (truth <= found.high)).tolist()
    return np.mean(hit)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("noise", [0.0, 0.5], ids=["noiseless", "noisy"])
def test_named_in_advance_are_covered(game, noise):
    """Nominal 95 % intervals cover 90 to 98 % of the sets named in advance, fits good or bad."""
    for fit in (LowDegree(1).fit, *([] if noise else [flat])):
        assert 0.90 < coverage(GAMES[game], fit, noise=noise) < 0.98


@pytest.mark.parametrize(
    ("game", "fit"),
    [
        ("hierarchical", Ridge(2).fit),
        ("and-or", Ridge(2).fit),
        pytest.param("sparse", Lasso(2, penalties=6).fit, marks=pytest.mark.slow),
    ],
    ids=["hierarchical-ridge", "and-or-ridge", "sparse-lasso"],
)
def test_tuned_fits_are_covered_too(game, fit):
    """The same with fits that tune themselves, on 14 units and 200 masks."""
    assert 0.90 < coverage(GAMES[game], fit, n=14, m=200, repeats=16) < 0.98


def test_noise_is_counted_where_nearly_all_is_known():
    """With 240 of 256 masks and noisy answers the declared noise keeps the intervals covering."""
    options = {"n": 8, "m": 238, "repeats": 60, "noise": 1.0}
    assert 0.90 < coverage(planted.near_linear, LowDegree(1).fit, **options) < 0.98


def test_noise_stays_when_every_mask_is_known():
    """With all masks, only declared noise is left: its size over the root of their number."""
    f = planted.sparse(6, 0).truth
    everything = Samples(every(6), f(every(6)))
    told = intervals(flat, everything, [(0,)], noise=0.8)
    found = discoveries(f, everything, sets=[(0,)], noise=0.8)
    assert told.errors == pytest.approx(0.1)
    assert found.errors == pytest.approx(0.1)


def test_nothing_listed_is_nothing_confirmed():
    """A constant fit lists no set, so none is tested and none is confirmed."""
    f = planted.sparse(8, 0).truth
    found = discoveries(constant(8, 1.0), drawn(f, 40, 0))
    assert found.sets == ()
    assert found.confirmed.shape == (0,)


def test_thousands_of_units_are_no_trouble():
    """The number of all masks may be beyond any float."""
    f = set_function(3000, {(0,): 1.0, (1, 2): 2.0, (5,): 0.1})
    found = discoveries(set_function(3000, {(0,): 0.5, (7,): 1.0}), drawn(f, 200, 0), top=2)
    assert found.sets == ((7,), (0,))
    assert found.low[1] < 1.0 < found.high[1]
    assert (intervals(flat, drawn(f, 100, 1), [(0,)]).errors > 0).all()


@pytest.mark.parametrize("index", ["banzhaf", "faith_banzhaf"])
def test_other_indices_are_covered(index):
    """Banzhaf interactions and Faith-Banzhaf values of order 2 are covered like terms."""
    assert 0.90 < coverage(planted.hierarchical, LowDegree(1).fit, index=index) < 0.98


@pytest.mark.parametrize("noise", [0.0, 0.3], ids=["noiseless", "noisy"])
def test_few_masks_left_are_covered(noise):
    """Where 200 of 256 masks are known, the shorter intervals still cover."""
    games = {"n": 8, "m": 198, "repeats": 60, "noise": noise}
    assert 0.90 < coverage(planted.sparse, LowDegree(1).fit, **games) < 0.98


def test_what_is_known_shortens_intervals():
    """Errors fall as the masks come to be all 2^n, and with every mask they are zero and exact."""
    f = planted.sparse(8, 3, terms=20, degree=4).truth
    sets = [(0,), (1, 2), (3, 4, 5)]
    told = [intervals(flat, drawn(f, m, 0), sets) for m in (60, 120, 240, 254)]
    spread = [d.errors.mean() for d in told]
    assert spread[0] > 1.5 * spread[1] > 3 * spread[2] > 0
    assert (told[3].errors == 0).all()
    assert np.allclose(told[3].values, read(f, sets, "fourier", 2)[:, 0])
    assert np.array_equal(told[3].low, told[3].high)


def test_better_fit_gives_shorter_intervals():
    """On a nearly linear game a linear fit shortens the intervals of the mean by five and more."""
    samples = drawn(planted.near_linear(20, 0).truth, 300, 0)
    poor, good = (intervals(fit, samples, [(0,), (1, 2)]) for fit in (flat, LowDegree(1).fit))
    assert (poor.errors > 5 * good.errors).all()


def test_outputs_are_answered_together():
    """Several outputs give the intervals of each alone."""
    f = planted.sparse(12, 0, out=(2,)).truth
    samples, sets = drawn(f, 100, 0), [(0,), (1, 2)]
    both = intervals(flat, samples, sets)
    first = intervals(flat, Samples(samples.masks, samples.values[:, 0]), sets)
    assert both.low.shape == (2, 2)
    assert np.allclose(both.low[:, 0], first.low)


def test_order_of_samples_changes_nothing():
    """Shuffled samples give the same intervals up to rounding, and a higher level wider ones."""
    samples = drawn(planted.sparse(12, 0).truth, 100, 0)
    rows = np.random.default_rng(0).permutation(len(samples))
    sets = [(0,), (1, 2)]
    first, second = (intervals(LowDegree(1).fit, s, sets) for s in (samples, samples.take(rows)))
    assert np.allclose(first.low, second.low)
    wide = intervals(LowDegree(1).fit, samples, sets, level=0.99)
    assert (wide.low < first.low).all()
    assert (wide.high > first.high).all()


def replicate(made, seed, *, n=12, fitting=200, held=60, **options):
    """One fit, its discoveries on held-out masks, and which of those are true."""
    f = made(n, seed).truth
    fitted = drawn(f, fitting, 2000 + seed)
    rows = masks.uniform(n, held, np.random.default_rng(seed), avoid=fitted.masks)
    found = discoveries(Ridge(2).fit(fitted), Samples(rows, f(rows)), fitted, **options)
    truth = read(f, found.sets, found.index, 2)[:, 0]
    return found, truth


@pytest.mark.parametrize("game", GAMES)
def test_false_discoveries_are_rare(game):
    """Over 60 fits the mean share of false ones among the confirmed is at most the 10 % asked for.

    Two standard errors (about 5 points at most) are allowed for. On `peak`, where a fit to pairs
    finds nothing true, any confirmation is false.
    """
    shares, missed, power = [], [], []
    for seed in range(60):
        found, truth = replicate(GAMES[game], seed)
        real = np.abs(truth) > 1e-9
        count = max(int(found.confirmed.sum()), 1)
        shares.append((found.confirmed & ~real).sum() / count)
        missed.append(
            (found.confirmed & ((truth < found.low) | (truth > found.high))).sum() / count
        )
        power.append((found.confirmed & real).sum())
    allowed = 0.1 + 2 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= allowed
    assert np.mean(missed) <= 0.1 + 2 * np.std(missed) / np.sqrt(len(missed))
    assert np.mean(power) > 2 if game != "peak" else np.sum(power) == 0


def test_confirmed_signs_are_right():
    """Of what is confirmed and true, hardly any has the wrong sign."""
    wrong = right = 0
    for seed in range(20):
        found, truth = replicate(planted.hierarchical, seed)
        told = found.confirmed & (np.abs(truth) > 1e-9)
        wrong += (np.sign(found.values[told]) != np.sign(truth[told])).sum()
        right += told.sum()
    assert wrong <= 0.02 * right


def test_any_dependence_confirms_less():
    """The rule for any dependence confirms a part of what the default confirms."""
    for seed in range(5):
        found, _ = replicate(planted.sparse, seed)
        strict, _ = replicate(planted.sparse, seed, any_dependence=True)
        assert (found.confirmed | ~strict.confirmed).all()


def test_explanation_has_what_is_needed():
    """The judged and fitted samples of an Explanation are a ready split; exact runs are exact."""
    game = planted.hierarchical(14, 0).game
    told = explain(game, "ridge", budget=600)
    found = discoveries(told.f, told.judged, told.fitted, top=5)
    assert found.samples == 120
    assert found.confirmed.all()
    assert "5 of 5 confirmed" in repr(found)
    small = planted.sparse(6, 0).game
    exact = explain(small, budget=64)
    found = discoveries(exact.f, exact.judged, exact.fitted)
    assert (found.errors == 0).all()
    assert np.allclose(found.values, found.fitted)
    assert found.confirmed.all()


def test_list_is_the_strongest_of_the_fit():
    """The tested sets are the fit's largest coefficients, in order; or those that were given."""
    f = set_function(6, {(): 9.0, (0,): 1.0, (1, 2): -3.0, (0, 3, 4): 2.0})
    assert strongest(f, "fourier", 2, 2) == [(1, 2), (0, 3, 4)]
    assert strongest(f.to("mobius"), "fourier", 2, 3) == [(1, 2), (0, 3, 4), (0,)]
    assert strongest(f, "banzhaf_interaction", 2, 2) == [(0, 3, 4), (1, 2)]
    assert (0, 3, 4) not in strongest(f, "faith_banzhaf", 2, 9)


REFUSED = [
    "shapley", "sii", "k_sii", "mobius", "or", "stii", "faith_shap", "influence",
]  # fmt: skip


@pytest.mark.parametrize("index", REFUSED)
def test_indices_without_honest_intervals_are_refused(index):
    """An index that uniform masks cannot estimate is refused by name, with those that they can."""
    samples = drawn(planted.sparse(8, 0).truth, 50, 0)
    with pytest.raises(InputError, match=r"no honest interval.*faith_banzhaf"):
        intervals(flat, samples, [(0,)], index)


@pytest.mark.parametrize("sampler", [EvenSizes(), Antithetic()], ids=["sizes", "pairs"])
def test_other_masks_are_refused(sampler):
    """Masks of even sizes, or in pairs, would give wrong errors and are refused."""
    f = planted.sparse(20, 0).truth
    ends = Samples(masks.ends(20), f(masks.ends(20)))
    rows = sampler(20, 200, np.random.default_rng(0), ends)
    with pytest.raises(InputError, match="Uniform"):
        intervals(flat, ends.join(Samples(rows, f(rows))), [(0,)])


def test_too_few_masks_are_refused():
    """Fewer than two masks a fold, or four held-out ones, are refused with the knob to turn."""
    f = planted.sparse(8, 0).truth
    with pytest.raises(BudgetError, match="groups"):
        intervals(flat, drawn(f, 9, 0), [(0,)])
    with pytest.raises(BudgetError, match="at least 4"):
        discoveries(f, drawn(f, 1, 0))


def test_judges_that_helped_to_choose_are_refused():
    """Held-out masks that were fitted as well are refused."""
    samples = drawn(planted.sparse(8, 0).truth, 40, 0)
    with pytest.raises(InputError, match="helped to choose"):
        discoveries(flat(samples), samples, samples)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fdr": 1.0}, "fdr=1.0"),
        ({"top": 0}, "top=0"),
        ({"sets": [(8,)]}, "0 to 7"),
        ({"sets": [(0, 1, 2)], "index": "faith_banzhaf"}, "order=2"),
    ],
)
def test_bad_wishes_are_refused(options, told):
    """A rate, a length or a set that makes no sense is named."""
    f = planted.sparse(8, 0).truth
    with pytest.raises(InputError, match=told):
        discoveries(f, drawn(f, 40, 0), **options)


def test_several_outputs_are_refused():
    """Discoveries are made one output at a time."""
    f = planted.sparse(8, 0, out=(2,)).truth
    with pytest.raises(InputError, match="output"):
        discoveries(f, drawn(f, 40, 0))
