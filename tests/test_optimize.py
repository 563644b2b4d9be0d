"""Facts about the best subset: it is the best, its bound holds, and the clock is kept."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whence import optimize
from whence.errors import InputError
from whence.masks import every
from whence.optimize import best_subset, flips
from whence.setfunction import set_function
from whence.testing import planted

#: The fixture below is the same for every example.
SAME = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def solver(monkeypatch):
    """No subset is valued just because the units are few: the programme has to find it."""
    monkeypatch.setattr(optimize, "EVERY", 0)


@st.composite
def functions(draw):
    """Random functions of 1 to 9 units in either basis."""
    n = draw(st.integers(1, 9))
    sets = draw(st.lists(st.sets(st.integers(0, n - 1), max_size=5), max_size=14))
    values = [draw(st.floats(-5, 5).map(lambda x: round(x, 2))) for _ in sets]
    basis = draw(st.sampled_from(["fourier", "mobius"]))
    return set_function(n, ([(), *sets], [1.0, *values]), basis)


def truth(f, allowed, maximize):
    """The best value over the masks that `allowed` lets pass."""
    masks = every(f.n)
    values = f(masks)[allowed(masks)]
    return values.max() if maximize else values.min()


@settings(max_examples=60, deadline=None, suppress_health_check=SAME)
@given(functions(), st.data(), st.booleans(), st.booleans())
def test_programme_finds_the_best_of_a_size(solver, f, data, at_most, maximize):
    """On any function the solver's subset has the best value that enumeration finds, proven."""
    size = data.draw(st.none() | st.integers(0, f.n))
    found = best_subset(f, size, at_most=at_most, maximize=maximize)
    count = found.mask.sum()

    def allowed(masks):
        sizes = masks.sum(axis=1)
        if size is None:
            return sizes >= 0
        return sizes <= size if at_most else sizes == size

    assert found.value == pytest.approx(truth(f, allowed, maximize), abs=1e-9)
    assert found.proven
    assert found.method == "exact milp"
    assert size is None or (count <= size if at_most else count == size)


@settings(max_examples=30, deadline=None, suppress_health_check=SAME)
@given(functions(), st.data())
def test_programme_obeys_keep_and_drop(solver, f, data):
    """Kept units are present, dropped ones absent, and the value is the best among such masks."""
    roles = st.sampled_from(["keep", "drop", "free"])
    role = data.draw(st.lists(roles, min_size=f.n, max_size=f.n))
    keep = [i for i, r in enumerate(role) if r == "keep"]
    drop = [i for i, r in enumerate(role) if r == "drop"]
    found = best_subset(f, keep=keep, drop=drop)
    best = truth(f, lambda m: m[:, keep].all(axis=1) & ~m[:, drop].any(axis=1), True)
    assert found.mask[keep].all()
    assert not found.mask[drop].any()
    assert found.value == pytest.approx(best, abs=1e-9)


def test_conjunctions_serve_large_sets(solver):
    """Möbius sets too large for parities get the other programme, and it finds the best too."""
    rng = np.random.default_rng(3)
    large = {tuple(range(18)): 4.0, tuple(range(2, 20)): -3.0}
    pairs = {(i, j): rng.normal() for i in range(8) for j in range(i)}
    triples = {(i, i + 1, i + 2): rng.normal() for i in range(10)}
    f = set_function(20, {**large, **pairs, **triples, (19,): 0.5}, "mobius")
    found = best_subset(f, keep=[10, 11, 12, 13])
    masks = every(16)
    full = np.concatenate([masks[:, :10], np.ones((len(masks), 4), bool), masks[:, 10:]], axis=1)
    assert found.method == "exact milp"
    assert found.proven
    assert found.value == pytest.approx(f(full).max(), abs=1e-9)


@pytest.mark.parametrize("kind", [planted.sparse, planted.and_or])
def test_few_units_are_enumerated(kind):
    """Up to 16 free units every subset is valued: the bound is the value, the gap zero."""
    f = kind(12, 1).truth
    found = best_subset(f, 5, maximize=False)
    assert found.method == "every subset"
    assert found.bound == found.value == truth(f, lambda m: m.sum(axis=1) == 5, False)
    assert found.gap == 0.0
    assert found.proven


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_bound_holds_when_time_is_short(solver, seed, maximize):
    """Stopped at once or soon, the bound still is beyond the best value, and the gap reaches it."""
    f = planted.sparse(14, seed, terms=80, degree=4).truth
    best = truth(f, lambda m: m.sum(axis=1) == 7, maximize)
    sign = 1 if maximize else -1
    for seconds in (0.0, 0.05):
        found = best_subset(f, 7, maximize=maximize, seconds=seconds)
        assert sign * found.bound >= sign * best - 1e-6
        assert found.gap == pytest.approx(abs(found.bound - found.value))


def test_no_time_is_greedy_and_says_so():
    """With no seconds the answer is greedy, not proven, and has a bound that is no promise."""
    found = best_subset(planted.hierarchical(40, 0, terms=20).truth, 10, seconds=0)
    assert found.method == "greedy"
    assert not found.proven
    assert found.bound > found.value


def test_gap_asked_for_is_kept():
    """A proven answer is within the gap that was asked for; a smaller one would take longer."""
    f = planted.hierarchical(40, 0, terms=12).truth
    loose = best_subset(f, 12, gap=5.0)
    exact = best_subset(f, 12)
    assert loose.proven
    assert exact.proven
    assert loose.value >= exact.value - 5.0
    assert exact.gap < 1e-5 * np.abs(f.values).sum()


def test_large_function_keeps_to_its_seconds():
    """100 units and 2,000 terms end near the limit, with a gap, and no worse than greedy."""
    f = planted.sparse(100, 0, terms=2000, degree=4).truth
    start = time.perf_counter()
    found = best_subset(f, 30, seconds=3.0)
    # Building the programme and the solver's own looks at the clock come on top.
    assert time.perf_counter() - start < 8.0
    assert found.mask.sum() == 30
    assert found.value >= best_subset(f, 30, seconds=0.0).value
    assert found.bound - found.value == pytest.approx(found.gap)
    assert found.value == pytest.approx(float(f(found.mask)[0]))


def test_many_units_are_no_trouble():
    """A function too big for a programme is left to the greedy search, in time."""
    rng = np.random.default_rng(0)
    sets = [np.unique(row) for row in rng.integers(0, 3000, (20_000, 3))]
    f = set_function(3000, (sets, rng.normal(size=len(sets))))
    found = best_subset(f, 1500, seconds=1.0)
    assert found.method == "greedy"
    assert found.mask.sum() == 1500
    assert found.seconds < 4.0
    assert found.value > f(rng.random((200, 3000)) < 0.5).max()


def test_removal_is_the_smallest_rest():
    """Removing two takes the pair that stand in for each other, which no single removal shows."""
    either = {(0,): 3.0, (1,): 3.0, (0, 1): -3.0}
    f = set_function(20, {**either, **{(i,): 0.5 for i in range(2, 20)}}, "mobius")
    removed = ~best_subset(f, 18, maximize=False).mask
    assert np.flatnonzero(removed).tolist() == [0, 1]
    assert flips(f, np.ones(20, bool))[0] == 0.0


@settings(max_examples=40, deadline=None)
@given(functions(), st.integers(0, 2**9 - 1))
def test_flips_are_differences(f, code):
    """The change by switching a unit is the difference of the two values."""
    mask = np.array([bool(code >> i & 1) for i in range(f.n)])
    other = mask ^ np.eye(f.n, dtype=bool)
    assert np.allclose(flips(f, mask), f(other) - f(mask), atol=1e-9)


def test_standard_errors_are_no_hindrance():
    """A fitted function with deviations is optimised like one without."""
    f = set_function(18, {(0,): 1.0, (1, 2): -2.0}, deviations=np.ones((3, 2)))
    assert best_subset(f, drop=[5]).value == best_subset(f).value == 3.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"size": 9}, "size=9"),
        ({"size": 1, "keep": [0, 1]}, "from 2 to 8"),
        ({"keep": [1], "drop": [1]}, "not both"),
        ({"drop": [8]}, "0 to 7"),
    ],
)
def test_impossible_wishes_are_refused(arguments, told):
    """A size or a unit that cannot be had is named in the error."""
    with pytest.raises(InputError, match=told):
        best_subset(planted.sparse(8, 0).truth, **arguments)


def test_several_outputs_are_refused():
    """A function with several outputs is refused, and the way out is named."""
    with pytest.raises(InputError, match=r"f\.output\(i\)"):
        best_subset(planted.sparse(8, 0, out=(2,)).truth)
