"""SetFunction: evaluation, change of basis, truncation, sums and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brute
from whence import masks
from whence.errors import InputError, ShapeError
from whence.setfunction import constant, set_function


@st.composite
def functions(draw, out=()):
    """Random functions of 2 to 9 units in either basis, with three deviations."""
    n = draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    k = draw(st.integers(1, 25))
    sets = [tuple(rng.choice(n, size=rng.integers(0, n + 1), replace=False)) for _ in range(k)]
    basis = draw(st.sampled_from(["fourier", "mobius"]))
    return set_function(n, (sets, rng.normal(size=(k, *out))), basis, rng.normal(size=(3, k, *out)))


def by_definition(f, rows):
    """Values at masks by the defining sum, one set and one mask at a time."""
    total = np.zeros((len(rows), *f.out))
    for s, value in zip(f.sets, f.values, strict=True):
        present = rows[:, list(s)].sum(axis=1)
        e = (-1.0) ** present if f.basis == "fourier" else (present == len(s)).astype(float)
        total += e.reshape(-1, *[1] * len(f.out)) * value
    return total


@pytest.mark.parametrize("out", [(), (3,), (2, 5)])
def test_evaluation_equals_the_defining_sum(out):
    """f(masks) equals the sum over terms, for scalar, few and many outputs, in both bases."""

    @given(functions(out))
    def check(f):
        rows = masks.every(f.n)
        np.testing.assert_allclose(f(rows), by_definition(f, rows), atol=1e-10)

    check()


@given(functions((2,)))
def test_change_of_basis_keeps_the_function(f):
    """Both bases have the same values and the same deviations at every mask, there and back."""
    other = f.to("mobius" if f.basis == "fourier" else "fourier")
    rows = masks.every(f.n)
    np.testing.assert_allclose(other(rows), f(rows), atol=1e-8)
    back = other.to(f.basis)
    np.testing.assert_allclose(back(rows), f(rows), atol=1e-8)
    for g in (other, back):
        for d, e in zip(f.deviations, g.deviations, strict=True):
            one = set_function(f.n, (f.sets, d), f.basis)
            two = set_function(g.n, (g.sets, e), g.basis)
            np.testing.assert_allclose(one(rows), two(rows), atol=1e-8)


def test_change_of_basis_equals_enumeration():
    """Fourier and Möbius coefficients equal the defining averages and inclusion-exclusion."""
    n = 5
    rng = np.random.default_rng(0)
    f = set_function(n, (list(brute.subsets(range(n))), rng.normal(size=32)))
    v = brute.table(f, n)
    for t, value in brute.mobius(v, n).items():
        assert f.to("mobius").terms[t] == pytest.approx(value, abs=1e-9)
    for t, value in brute.fourier(v, n).items():
        assert f.to("mobius").to("fourier").terms[t] == pytest.approx(value, abs=1e-9)


def test_change_of_basis_refuses_high_degrees_by_knob():
    """A set of 30 units is refused with `max_degree` named, and 17 pass when it is raised."""
    f = set_function(40, {tuple(range(30)): 1.0})
    with pytest.raises(InputError, match=r"max_degree=16.*truncate"):
        f.to("mobius")
    assert len(set_function(40, {tuple(range(17)): 1.0}).to("mobius", max_degree=17)) == 2**17


@given(functions(), functions())
def test_sums_add_values_and_variances(f, g):
    """f + g has the sum of the values and, the two being independent, of the variances."""
    g = set_function(
        f.n,
        (
            [s for s in g.sets if max(s, default=0) < f.n],
            g.values[[max(s, default=0) < f.n for s in g.sets]],
        ),
        g.basis,
    )
    rows = masks.every(f.n)
    np.testing.assert_allclose((f + g)(rows), f(rows) + g(rows), atol=1e-7)
    np.testing.assert_allclose((f - f)(rows), 0, atol=1e-9)
    np.testing.assert_allclose((f + f).errors, np.sqrt(2) * f.errors, atol=1e-9)


def test_truncation_keeps_the_largest_and_the_baseline():
    """`truncate(top=)` keeps the largest terms and the empty set; `degree` cuts by size."""
    f = set_function(4, {(): 0.1, (0,): 3.0, (1,): -2.0, (0, 1): 2.5, (0, 1, 2): 9.0})
    assert f.truncate(top=2).sets == [(), (0,), (0, 1, 2)]
    assert f.truncate(degree=2, top=2).sets == [(), (0,), (0, 1)]
    assert f.truncate(top=0).sets == [()]
    assert f.degree == 3


def test_fourier_truncation_is_the_best_fit_under_uniform_masks():
    """Truncation to degree 1 in the Fourier basis equals least squares over all masks."""
    rng = np.random.default_rng(3)
    f = set_function(4, (list(brute.subsets(range(4))), rng.normal(size=16)))
    best = brute.faith_banzhaf(brute.table(f, 4), 4, 1)
    cut = f.truncate(degree=1).to("mobius")
    assert all(cut.terms[t] == pytest.approx(value, abs=1e-9) for t, value in best.items())


def test_repeated_sets_are_added_up_with_their_deviations():
    """A set given twice is one term with the sum of values, and deviations added before squares."""
    f = set_function(3, ([(1, 0), (0, 1), ()], [1.0, 2.0, 5.0]), deviations=[[1.0, 1.0, 0.0]])
    assert f.terms == {(): 5.0, (0, 1): 3.0}
    np.testing.assert_allclose(f.errors, [0.0, 2.0])


def test_outputs_are_separate_functions():
    """`output(i)` of a multi-output function is that output alone, errors included."""
    rng = np.random.default_rng(0)
    f = set_function(
        3, ([(), (0,), (1, 2)], rng.normal(size=(3, 2))), deviations=rng.normal(size=(4, 3, 2))
    )
    rows = masks.every(3)
    np.testing.assert_allclose(f.output(1)(rows), f(rows)[:, 1])
    np.testing.assert_allclose(f.output(1).errors, f.errors[:, 1])


def test_a_million_masks_in_bounded_memory():
    """Scratch memory of one pass over 200,000 masks and 2,000 terms stays under 150 MB."""
    import tracemalloc

    rng = np.random.default_rng(0)
    sets = [rng.choice(100, size=rng.integers(1, 6), replace=False) for _ in range(2000)]
    f = set_function(100, (sets, rng.normal(size=2000)))
    rows = rng.integers(0, 2, size=(200_000, 100), dtype=np.int8).astype(bool)
    tracemalloc.start()
    values = f(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * 2**20
    np.testing.assert_allclose(values[:50], by_definition(f, rows[:50]), atol=1e-9)


def test_constant_is_the_same_everywhere():
    """`constant` has its value at every mask, for any output shape."""
    np.testing.assert_array_equal(constant(3, [1.0, 2.0])(masks.every(3)), [[1.0, 2.0]] * 8)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({(0, 5): 1.0}, "numbered 0 to 2"),
        ({(-1,): 1.0}, "numbered 0 to 2"),
        ({(1, 1): 1.0}, "one unit twice"),
    ],
)
def test_bad_sets_are_refused(terms, message):
    """Units out of range, or twice in a set, are refused by name."""
    with pytest.raises(InputError, match=message):
        set_function(3, terms)


def test_bad_shapes_are_refused():
    """Values and deviations that do not match the sets are refused with both shapes."""
    with pytest.raises(ShapeError, match=r"2 sets and values of shape \(3,\)"):
        set_function(3, ([(0,), (1,)], [1.0, 2.0, 3.0]))
    with pytest.raises(ShapeError, match="deviations must be"):
        set_function(3, ([(0,), (1,)], [1.0, 2.0]), deviations=[1.0, 2.0])
    with pytest.raises(InputError, match="outputs"):
        set_function(3, {(0,): 1.0}) + set_function(4, {(0,): 1.0})
    with pytest.raises(InputError, match="walsh"):
        set_function(3, {(0,): 1.0}, "walsh")
