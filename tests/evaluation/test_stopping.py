"""The rules that stop a run: what they claim holds in 95 of 100 runs, however often one looks."""

import numpy as np
import pytest

from whence import Samples, SetFunction, indices, masks, set_function
from whence.errors import InputError
from whence.evaluation import stopping
from whence.evaluation.stopping import Goal, fits, goal, interval, told_apart
from whence.testing import planted

N = 11
EVERY = masks.every(N)
#: Held-out masks at the four looks of a run with a budget of 1,024.
LOOKS = (50, 51, 102, 204)


def cases():
    """Games with a function that misses some of them: by pairs, ANDs, ORs and high parities."""
    for kind in ("sparse", "hierarchical", "and_or"):
        for seed in range(2):
            truth = getattr(planted, kind)(N, seed).truth.to("fourier")
            for top in (3, 6):
                yield pytest.param(truth, truth.truncate(top=top), id=f"{kind}-{seed}-{top}")


def true_r2(truth, f):
    """R² over all masks."""
    return 1 - ((truth(EVERY) - f(EVERY)) ** 2).mean() / truth(EVERY).var()


def runs(truth, count, rng):
    """Held-out masks of as many runs, each in one order."""
    values = truth(EVERY)
    for _ in range(count):
        rows = 1 + rng.permutation(len(EVERY) - 2)[: LOOKS[-1]]
        yield Samples(EVERY[rows], values[rows])


@pytest.mark.parametrize(("truth", "f"), list(cases()))
def test_a_run_seldom_claims_what_is_not_so(truth, f):
    """At any of four looks the interval lies above the true R² in at most 5 % of the runs."""
    want, rng = true_r2(truth, f), np.random.default_rng(7)
    missed = [
        any(interval(f, given.take(slice(m)), len(LOOKS))[0][0] > want for m in LOOKS)
        for given in runs(truth, 600, rng)
    ]
    # 5 %, and two and a half standard errors of 600 draws.
    assert np.mean(missed) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 600)


def test_false_claims_over_all_games():
    """Over all games together false claims are well below 5 %, and both ends are missed seldom."""
    low = high = count = 0
    for case in cases():
        truth, f = case.values
        want = true_r2(truth, f)
        for given in runs(truth, 60, np.random.default_rng(3)):
            ends = [interval(f, given.take(slice(m)), len(LOOKS)) for m in LOOKS]
            low += any(a[0] > want for a, _ in ends)
            high += any(b[0] < want for _, b in ends)
            count += 1
    assert low / count <= 0.04
    assert high / count <= 0.06


def test_the_interval_is_of_use():
    """A function that explains 97 % is shown to explain 90 % by 102 masks, more often than not."""
    truth = planted.sparse(N, 1).truth
    order = np.argsort(-(truth.values**2))
    share = np.cumsum(truth.values[order] ** 2) / (truth.values**2).sum()
    f = truth.truncate(top=int(np.searchsorted(share, 0.97)) + 1)
    assert true_r2(truth, f) < 1
    cleared = [
        interval(f, given.take(slice(102)), 4)[0][0] > 0.9
        for given in runs(truth, 100, np.random.default_rng(0))
    ]
    assert np.mean(cleared) > 0.5


def test_the_interval_by_its_definition():
    """Both ends are those of log W / V with its delta-method error, and one mask added above."""
    from scipy import stats

    rng = np.random.default_rng(5)
    rows = masks.uniform(8, 60, rng)
    y = rng.normal(size=60)
    f = set_function(8, ([(0,), (1, 2)], [0.3, -0.2]))
    w = (y - f(rows)) ** 2
    rho = w.mean() / y.var(ddof=1)
    influence = w / w.mean() - (y - y.mean()) ** 2 / y.var()
    reach = stats.t.ppf(1 - 0.05 / 6, 59) * influence.std(ddof=1) / np.sqrt(60)
    low, high = interval(f, Samples(rows, y), 3)
    np.testing.assert_allclose(low, 1 - rho * np.exp(reach) - 1 / 60)
    np.testing.assert_allclose(high, 1 - rho * np.exp(-reach))


def test_more_looks_widen_the_interval():
    """The interval of one look lies within that of four."""
    truth = planted.sparse(N, 0).truth
    given = next(runs(truth, 1, np.random.default_rng(1)))
    f = truth.truncate(top=4)
    (low1, high1), (low4, high4) = interval(f, given, 1), interval(f, given, 4)
    assert low4 < low1 < high1 < high4


def test_a_perfect_fit_is_not_taken_for_proof():
    """Without an error on m masks, R² of up to 1 - 1 / m is cleared and no more."""
    truth = planted.sparse(N, 0).truth
    given = next(runs(truth, 1, np.random.default_rng(1)))
    low, high = interval(truth, given, 4)
    np.testing.assert_allclose([low, high], [[1 - 1 / 204], [1.0]])
    exactly = Samples(given.masks, truth(given.masks))
    np.testing.assert_allclose(interval(truth, exactly, 4)[0], 1 - 1 / 204)


def test_few_masks_and_constants_claim_nothing():
    """Below 50 masks, and for an output that does not vary, the interval is not known."""
    truth = planted.sparse(N, 0).truth
    given = next(runs(truth, 1, np.random.default_rng(1)))
    assert np.isnan(interval(truth, given.take(slice(stopping.LEAST - 1)), 4)).all()
    flat = Samples(given.masks, np.full(len(given), 0.1))
    assert np.isnan(interval(truth, flat, 4)).all()
    assert not fits(-9.0, truth, flat, np.array([False]), 4)


def test_every_output_that_varies_must_clear():
    """One output that falls short stops the claim; one that is constant does not."""
    rng = np.random.default_rng(2)
    truth = planted.sparse(N, 0, out=(3,)).truth
    rows = EVERY[1 + rng.permutation(len(EVERY) - 2)[:100]]
    flat = Samples(rows, truth(rows) * [1.0, 1.0, 0.0])
    assert fits(0.9, _scaled(truth, [1, 1, 0]), flat, np.array([True, True, False]), 4)
    assert not fits(0.9, _scaled(truth, [1, 0, 0]), flat, np.array([True, True, False]), 4)
    # Constant where it is judged, but not elsewhere: nothing is known of it.
    assert not fits(0.9, _scaled(truth, [1, 1, 0]), flat, np.array([True, True, True]), 4)


def _scaled(f, factors):
    return set_function(f.n, (f.sets, f.values * factors), f.basis)


def _units(values, spread):
    """One value per unit with independent normal errors of the given size, from ten replicates."""
    n = len(values)
    deviations = np.zeros((11, n))
    deviations[:10] = spread / np.sqrt(10)
    sets = indices.attributions(planted.additive(n, 0).truth, "shapley").f
    return SetFunction(n, sets.indptr, sets.indices, values, "mobius", deviations)


def test_units_apart_by_hand():
    """The top k are apart just when their nearest rival is out of reach of both intervals."""
    from scipy import stats

    values = np.array([3.0, -5.0, 1.0, 0.2])
    reach = stats.t.ppf(1 - 0.05 / (2 * 4 * 3), 9)
    yes = np.array([True])
    for spread in np.linspace(0.05, 1.5, 30):
        single = _units(values, spread)
        for k, gap in ((1, 2.0), (2, 2.0), (3, 0.8)):
            assert told_apart(k, single, yes, 3) == (gap > 2 * reach * spread)


def test_units_are_not_apart_without_errors():
    """Without standard errors, or an output that varies, nothing stands apart."""
    single = _units(np.array([3.0, 1.0, 0.0]), 0.0)
    assert told_apart(1, single, np.array([True]), 3)
    assert not told_apart(1, single, np.array([False]), 3)
    bare = SetFunction(3, single.indptr, single.indices, single.values, "mobius")
    assert not told_apart(1, bare, np.array([True]), 3)


def test_false_rankings_are_rare():
    """With errors estimated from ten replicates, a wrong top unit is claimed in under 5 %."""
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 1.001, 0.2, 0.1, 0.0])
    base = _units(truth, 0.0)
    wrong = 0
    for _ in range(400):
        errors = rng.normal(size=(10, 5)) * 0.05
        deviations = np.concatenate([(errors - errors.mean(axis=0)) / 3, np.zeros((1, 5))])
        values = truth + rng.normal(size=5) * 0.05
        single = SetFunction(5, base.indptr, base.indices, values, "mobius", deviations)
        wrong += told_apart(1, single, np.array([True]), 1) and values.argmax() != 1
    assert wrong / 400 <= 0.05


@pytest.mark.parametrize("bad", [1, 1.0, 2.5, np.nan, np.inf, -np.inf, "0.9", True])
def test_targets_that_cannot_be_cleared_are_refused(bad):
    """An R² of 1 or more, one that is no number, and what is no R² are refused by name."""
    with pytest.raises(InputError, match=r"target_r2=.* came; a number below 1"):
        goal(bad, None, 5)


@pytest.mark.parametrize("bad", [0, -1, 5, 6, 1.5, "x"])
def test_numbers_of_units_that_leave_no_rest_are_refused(bad):
    """Fewer than one unit, all of them, and what is no integer are refused by name."""
    with pytest.raises(InputError, match=r"separate=.* came for 5 units"):
        goal(None, bad, 5)


def test_goals():
    """A goal is there if either is given; numpy numbers count as numbers."""
    assert not goal(None, None, 5)
    assert goal(np.float32(0.5), None, 5) == Goal(0.5, None)
    assert goal(0, np.int64(4), 5) == Goal(0.0, 4)
