"""Every index against enumeration of its definition, and the axioms that hold."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brute
from whence import indices
from whence.errors import InputError
from whence.setfunction import set_function

N = 6


def random_function(rng, n, out=(), k=14, basis="fourier"):
    """A function with k random sets and normal coefficients."""
    sets = {
        tuple(sorted(rng.choice(n, size=rng.integers(0, n + 1), replace=False))) for _ in range(k)
    } | {()}
    sets = sorted(sets)
    return set_function(n, (sets, rng.normal(size=(len(sets), *out))), basis)


def definition(index, v, n, order):
    """Index -> set -> value for every set of 1..order units, by enumeration."""
    sets = [t for t in brute.subsets(range(n)) if 1 <= len(t) <= order]
    whole = {
        "faith_shap": brute.faith_shap,
        "faith_banzhaf": brute.faith_banzhaf,
        "k_sii": brute.k_sii,
    }
    if index in whole:
        return {t: whole[index](v, n, order)[t] for t in sets}
    if index in ("mobius", "co_mobius"):
        every = getattr(brute, index)(v, n)
        return {t: every[t] for t in sets}
    if index == "shapley_taylor":
        return {t: brute.stii(v, n, t, order) for t in sets}
    one = {"shapley_interaction": brute.sii, "banzhaf_interaction": brute.bii}[index]
    return {t: one(v, n, t) for t in sets}


@pytest.mark.parametrize("out", [(), (2,)])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("index", sorted(indices.INDICES))
def test_index_equals_enumeration(index, order, out):
    """Each interaction index of orders 1 to 3 equals its definition, from either basis."""
    f = random_function(np.random.default_rng(order), N, out)
    want = definition(index, brute.table(f, N), N, order)
    for g in (f, f.to("mobius")):
        got = indices.interactions(g, index, order)
        for t, value in want.items():
            np.testing.assert_allclose(got.value(t), value, atol=1e-8)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8])
def test_sii_and_faith_shap_equal_enumeration_at_every_n(n):
    """Shapley interactions and Faith-Shap equal their definitions from 2 to 8 units."""
    f = random_function(np.random.default_rng(n), n, k=9)
    v = brute.table(f, n)
    order = min(2, n)
    sii = indices.interactions(f, "sii", order)
    fsii = indices.interactions(f, "fsii", order)
    truth = brute.faith_shap(v, n, order)
    for t in [t for t in brute.subsets(range(n)) if 1 <= len(t) <= order]:
        assert sii.value(t) == pytest.approx(brute.sii(v, n, t), abs=1e-9)
        assert fsii.value(t) == pytest.approx(truth[t], abs=1e-7)


def test_shapley_is_the_mean_over_all_orders():
    """The Shapley value equals the mean marginal contribution over all 120 orders of 5 units."""
    n = 5
    f = random_function(np.random.default_rng(0), n, (3,))
    v = brute.table(f, n)
    want = np.zeros((n, 3))
    for order in permutations(range(n)):
        for place, i in enumerate(order):
            before = tuple(sorted(order[:place]))
            want[i] += v[tuple(sorted((*before, i)))] - v[before]
    np.testing.assert_allclose(indices.shapley(f), want / 120, atol=1e-12)


def test_banzhaf_is_the_mean_over_all_sets_of_the_others():
    """The Banzhaf value equals the plain mean of marginal contributions."""
    f = random_function(np.random.default_rng(1), N)
    v = brute.table(f, N)
    want = [brute.bii(v, N, (i,)) for i in range(N)]
    np.testing.assert_allclose(indices.banzhaf(f), want, atol=1e-12)


def test_influence_is_the_energy_that_flips_with_the_unit():
    """The influence equals the mean of ((f with i) - (f without i))^2 / 4 over all masks."""
    f = random_function(np.random.default_rng(2), N, (2,))
    v = brute.table(f, N)
    for i in range(N):
        rest = [j for j in range(N) if j != i]
        gaps = [(brute.delta(v, (i,), s)) ** 2 / 4 for s in brute.subsets(rest)]
        np.testing.assert_allclose(indices.influence(f)[i], np.mean(gaps, axis=0), atol=1e-12)


functions = st.builds(
    lambda seed, n, basis: random_function(np.random.default_rng(seed), n, k=8, basis=basis),
    st.integers(0, 10**6),
    st.integers(2, 7),
    st.sampled_from(["fourier", "mobius"]),
)


@given(
    functions,
    st.integers(1, 4),
    st.sampled_from(["k_sii", "shapley_taylor", "faith_shap", "mobius"]),
)
def test_efficiency(f, order, index):
    """k-SII, Shapley-Taylor and Faith-Shap of any order (Möbius of full order) add up to f(all)."""
    order = f.n if index == "mobius" else min(order, f.n)
    found = indices.interactions(f, index, order)
    full = f(np.ones((1, f.n), dtype=bool))[0]
    assert found.values.sum() == pytest.approx(full, abs=1e-7)


@given(functions)
def test_shapley_efficiency(f):
    """Shapley values add up to f(all) - f(none)."""
    ends = f(np.array([[True] * f.n, [False] * f.n]))
    assert indices.shapley(f).sum() == pytest.approx(ends[0] - ends[1], abs=1e-9)


@given(functions, st.sampled_from(sorted(indices.INDICES)), st.integers(1, 3), st.randoms())
def test_symmetry(f, index, order, random):
    """Renaming the units renames the index and changes no number."""
    names = list(range(f.n))
    random.shuffle(names)
    sets = [tuple(names[i] for i in s) for s in f.sets]
    renamed = set_function(f.n, (sets, f.values), f.basis)
    old = indices.interactions(f, index, order)
    new = indices.interactions(renamed, index, order)
    for t in old.sets:
        assert new.value(tuple(names[i] for i in t)) == pytest.approx(old.value(t), abs=1e-9)


@given(functions, st.sampled_from(sorted(indices.INDICES)), st.integers(1, 3))
def test_dummy(f, index, order):
    """A unit that is in no term has the value zero, alone and in every set."""
    wider = set_function(f.n + 1, (f.sets, f.values), f.basis)
    found = indices.interactions(wider, index, order)
    assert all(f.n not in t for t, value in zip(found.sets, found.values, strict=True) if value)


@given(
    functions,
    st.integers(0, 10**6),
    st.floats(-3, 3),
    st.sampled_from(sorted(indices.INDICES)),
    st.integers(1, 3),
)
def test_linearity(f, seed, factor, index, order):
    """The index of a f + g is a times that of f plus that of g."""
    g = random_function(np.random.default_rng(seed), f.n, k=6)
    both = indices.interactions(f * factor + g, index, order)
    one, two = (indices.interactions(h, index, order) for h in (f, g))
    for t in combinations(range(f.n), min(order, f.n)):
        want = factor * one.value(t) + two.value(t)
        assert both.value(t) == pytest.approx(want, abs=1e-7)


def test_standard_errors_follow_the_covariance():
    """Errors of an index equal the spread of the index over draws of the coefficients."""
    rng = np.random.default_rng(0)
    f = random_function(rng, 4, k=8)
    root = rng.normal(size=(5, len(f)))
    g = set_function(4, (f.sets, f.values), deviations=root)
    draws = f.values + rng.normal(size=(20000, 5)) @ root
    many = set_function(4, (f.sets, draws.T))
    found = indices.attributions(g, "shapley")
    np.testing.assert_allclose(found.errors, indices.shapley(many).std(axis=1), rtol=0.05)


def test_influence_errors_are_the_linearised_spread():
    """Errors of the influence equal its spread over small draws of the coefficients."""
    rng = np.random.default_rng(0)
    f = random_function(rng, 4, k=8)
    root = rng.normal(size=(5, len(f))) * 1e-3
    g = set_function(4, (f.sets, f.values), deviations=root)
    draws = f.values + rng.normal(size=(20000, 5)) @ root
    many = set_function(4, (f.sets, draws.T))
    found = indices.attributions(g, "influence")
    np.testing.assert_allclose(found.errors, indices.influence(many).std(axis=1), rtol=0.05)


def test_top_is_by_strength_and_leaves_the_baseline_out():
    """`top` returns the strongest sets first, never the empty set, and singles only if asked."""
    f = set_function(3, {(): 9.0, (0,): 1.0, (1,): -3.0, (0, 2): 2.0}, "mobius")
    found = indices.interactions(f, "mobius", 2)
    assert found.top(2).sets == [(1,), (0, 2)]
    assert found.top(5, smallest=2).sets == [(0, 2)]
    assert found.of_order(1).sets == [(0,), (1,)]


def test_unknown_index_names_the_known_ones():
    """An unknown index is refused with the list of indices, an order below 1 with the knob."""
    f = set_function(3, {(0,): 1.0})
    with pytest.raises(InputError, match="faith_banzhaf"):
        indices.interactions(f, "shap")
    with pytest.raises(InputError, match="order=0"):
        indices.interactions(f, "sii", 0)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_shapley_interactions_of_the_ends_equal_enumeration(n):
    """A function of the two ends alone has the interactions of the definition, at every order."""
    empty, full = 1.5, -0.7
    v = {s: 0.0 for s in brute.subsets(range(n))}
    v[()] = empty
    v[tuple(range(n))] = full
    found = indices.shapley_of_ends(n, min(3, n), np.float64(empty), np.float64(full)).terms
    want = definition("shapley_interaction", v, n, min(3, n))
    assert sorted(found) == sorted(want)
    for t, value in want.items():
        np.testing.assert_allclose(found[t], value, atol=1e-12)
