"""ProxySPEX: the repaired rule finds what the released one drops, and each does what it says."""

import numpy as np
import pytest

from whence import Samples, masks, set_function
from whence.errors import BudgetError, InputError
from whence.solvers.proxyspex import ProxySpex
from whence.testing import planted

PROBES = {
    "one term has nearly all energy": {(1,): 3.0, (2,): 0.01},
    "two equal terms": {(1,): 1.0, (2,): 1.0},
    "a large constant": {(): 50.0, (1,): 1.0, (2,): 0.8},
}


def drawn(game, n, count, seed=0):
    """The ends and uniform masks with their values."""
    ends = masks.ends(n)
    rows = np.concatenate([ends, masks.uniform(n, count, np.random.default_rng(seed), avoid=ends)])
    return Samples(rows, game(rows))


def unexplained(f, truth, n):
    """1 - R² over all masks."""
    every = masks.every(n)
    return ((f(every) - truth(every)) ** 2).mean() / truth(every).var()


@pytest.mark.parametrize("terms", PROBES.values(), ids=PROBES)
def test_the_fixed_rule_passes_the_probes(terms):
    """On 400 noiseless masks the fixed rule leaves less than a thousandth of each probe."""
    truth = set_function(12, terms)
    assert unexplained(ProxySpex().fit(drawn(truth, 12, 400)), truth, 12) < 1e-3


@pytest.mark.parametrize(
    ("probe", "kept"),
    [("one term has nearly all energy", 0), ("two equal terms", 1), ("a large constant", 1)],
)
def test_the_faithful_rule_drops_the_term_that_crosses(probe, kept):
    """The released rule drops the term that completes 95 % of the energy, whatever it holds."""
    truth = set_function(12, PROBES[probe])
    f = ProxySpex("faithful", checkpoints=(200,)).fit(drawn(truth, 12, 400))
    assert (f.sizes > 0).sum() == kept


@pytest.mark.parametrize("mode", ["fixed", "faithful"])
def test_a_hierarchy_is_found(mode):
    """From 400 masks over 20 units a planted hierarchy is explained to four fifths or more."""
    p = planted.hierarchical(20, 1, terms=3, degree=3)
    f = ProxySpex(mode, checkpoints=(100, 300)).fit(drawn(p.game, 20, 400))
    rows = masks.uniform(20, 2000, np.random.default_rng(5))
    assert ((f(rows) - p.game(rows)) ** 2).mean() < 0.2 * p.game(rows).var()


def test_outputs_are_fitted_alone():
    """An output's function is the same whether or not others are fitted beside it."""
    p = planted.sparse(10, 3, degree=2, out=(2,))
    samples = drawn(p.game, 10, 150)
    how = ProxySpex(checkpoints=(50, 100))
    both = how.fit(samples)
    alone = how.fit(Samples(samples.masks, samples.values[:, 1]))
    every = masks.every(10)
    np.testing.assert_allclose(both(every)[:, 1], alone(every), atol=1e-10)


def test_values_in_other_units_give_the_same_function_in_them():
    """Shift and scale of the values shift and scale the function and change nothing else."""
    p = planted.sparse(10, 3, degree=2)
    samples = drawn(p.game, 10, 150)
    how = ProxySpex(checkpoints=(60,))
    moved = how.fit(Samples(samples.masks, 7.0 + 1e4 * samples.values))
    every = masks.every(10)
    np.testing.assert_allclose(moved(every), 7 + 1e4 * how.fit(samples)(every), rtol=1e-6)


def test_noise_is_answered_by_hardly_more_than_the_constant():
    """On pure noise the function varies far less than the values do."""
    rng = np.random.default_rng(4)
    rows = masks.uniform(15, 200, rng)
    f = ProxySpex().fit(Samples(rows, rng.normal(size=200)))
    assert f(masks.every(15)).std() < 0.3


@pytest.mark.parametrize("mode", ["fixed", "faithful"])
def test_a_constant_game_is_a_constant(mode):
    """Values that never vary give the constant alone."""
    samples = Samples(masks.uniform(8, 60, np.random.default_rng(0)), np.full(60, 2.5))
    f = ProxySpex(mode, checkpoints=(10,)).fit(samples)
    assert f.terms == {(): pytest.approx(2.5)}


def test_an_outlier_at_an_end_bends_nothing():
    """A wild value of the empty mask, one of 2^14, leaves the fit as it was."""
    p = planted.sparse(14, 2, degree=2)
    calm = drawn(p.game, 14, 150)
    wild = Samples(calm.masks, np.where(calm.masks.any(axis=1), calm.values, -100.0))
    f, g = (ProxySpex(checkpoints=(60,)).fit(s) for s in (calm, wild))
    rows = masks.uniform(14, 1000, np.random.default_rng(8))
    assert ((f(rows) - g(rows)) ** 2).mean() < 0.02 * p.game(rows).var()


def test_a_degree_cap_caps():
    """With degree 2 no larger set is returned."""
    p = planted.hierarchical(12, 1, degree=4)
    assert ProxySpex(degree=2, checkpoints=(60,)).fit(drawn(p.game, 12, 200)).degree == 2


@pytest.mark.parametrize("wrong", [{"mode": "quick"}, {"max_terms": 0}, {"checkpoints": (0,)}])
def test_settings_are_checked(wrong):
    """Settings outside their domain are refused by name."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        ProxySpex(**wrong)


def test_too_few_samples_are_refused():
    """Ten samples are refused with the number needed."""
    with pytest.raises(BudgetError, match="16"):
        ProxySpex().fit(drawn(lambda m: m.sum(axis=1), 8, 8))
