"""Facts about distillation: a weighted sum of predictors as one set function."""

from __future__ import annotations

import numpy as np
import pytest

from whence import masks
from whence.masks import Masks
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function
from whence.solvers.distil import distil
from whence.solvers.walsh_process import Conditioned, WalshProcess, condition
from whence.testing import planted

ONE = np.ones(1)


def truth(f: SetFunction | None) -> SetFunction:
    """The function behind a planted game."""
    assert f is not None
    return f


def process(n: int, count: int = 200, *, linked: bool = False, seed: int = 0) -> Conditioned:
    """A process conditioned on uniform masks of a planted hierarchical game."""
    rows = masks.uniform(n, count, np.random.default_rng(seed), avoid=masks.ends(n))
    return condition(
        WalshProcess(linked=linked), Samples(rows, planted.hierarchical(n, seed).game(rows))
    )


def r2(f: SetFunction, y: np.ndarray, rows: Masks) -> float:
    """Share of the variance of `y` at rows that f explains."""
    return float(1 - ((f(rows) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def test_few_units_are_written_out_exactly() -> None:
    """With up to 16 units and room for every term the function is the weighted sum, everywhere."""
    plain, linked, other = truth(planted.and_or(7, 0).truth), process(7, 60, linked=True), 0.7

    def bare(rows: Masks) -> np.ndarray:
        return np.sin(rows.sum(axis=1))

    parts = [(ONE * 0.3, plain), (ONE * other, linked), (-ONE, process(7, 60)), (ONE, bare)]
    f = distil(parts, 7, (), 128)
    every = masks.every(7)
    wanted = 0.3 * plain(every) + 0.7 * linked(every) - process(7, 60)(every) + bare(every)
    assert np.allclose(f(every), wanted, atol=1e-10)


def test_every_output_has_its_weight() -> None:
    """Weights are per output, also in outputs of shape (2, 2)."""
    one = truth(planted.sparse(6, 0, out=(2, 2)).truth)
    two = truth(planted.sparse(6, 1, out=(2, 2)).truth)
    weights = np.array([0.1, 0.0, 2.0, -1.0])
    every = masks.every(6)

    def bare(rows: Masks) -> np.ndarray:
        return two(rows)

    for second in (two, bare):
        f = distil([(weights, one), (1 - weights, second)], 6, (2, 2), 64)
        share = weights.reshape(2, 2)
        assert np.allclose(f(every), share * one(every) + (1 - share) * two(every))


@pytest.mark.parametrize("n", [9, 24])
def test_set_functions_are_summed_exactly(n: int) -> None:
    """Without other predictors the terms are added, however many units there are."""
    one, two = truth(planted.sparse(n, 0).truth), truth(planted.and_or(n, 1).truth)
    f = distil([(ONE * 2, one), (ONE * -0.5, two)], n, (), 4000)
    rows = masks.uniform(n, 300, np.random.default_rng(0))
    assert np.allclose(f(rows), 2 * one(rows) - 0.5 * two(rows))


@pytest.mark.parametrize("linked", [False, True])
def test_many_units_are_fitted_on_a_draw(linked: bool) -> None:
    """Of a sparse game's process over 24 units the function explains over 0.99."""
    found, plain = process(24, 600, linked=linked), truth(planted.sparse(24, 3).truth)
    f = distil([(ONE * 0.5, plain), (ONE * 0.5, found)], 24, (), 2000)
    rows = masks.uniform(24, 2000, np.random.default_rng(7))
    assert r2(f, 0.5 * plain(rows) + 0.5 * found(rows), rows) > 0.99


@pytest.mark.parametrize("n", [10, 24])
@pytest.mark.parametrize("most", [1, 20])
def test_no_more_terms_than_asked_for(n: int, most: int) -> None:
    """At most so many terms, the constant among them."""
    plain = truth(planted.hierarchical(n, 1, terms=8).truth)
    for parts in ([(ONE, plain)], [(ONE, plain), (ONE, process(n, 80))]):
        f = distil(parts, n, (), most)
        assert len(f) <= most
        assert () in f.sets


def test_the_largest_terms_are_kept() -> None:
    """Cut to 3 terms, the constant and the two largest are left with their coefficients."""
    f = set_function(20, {(): 0.1, (0,): 3.0, (1, 2): -2.0, (3,): 0.5})
    assert distil([(ONE, f)], 20, (), 3).terms == pytest.approx({(): 0.1, (0,): 3.0, (1, 2): -2.0})


@pytest.mark.parametrize("n", [8, 20])
def test_no_output_s_scale_decides(n: int) -> None:
    """The largest term of an output a millionth as large is kept as well."""
    sets = [(), (0,), (1,), (2,), (3,)]
    table = np.array([[0, 0], [5e6, 0], [1e6, 0], [2e6, 0], [0, 1.0]])
    f = set_function(n, (sets, table))
    assert distil([(np.ones(2), f)], n, (2,), 3).sets == [(), (0,), (3,)]


def test_no_output_s_scale_decides_what_is_written_out() -> None:
    """The same holds where a predictor without terms is asked at all masks."""

    def bare(rows: Masks) -> np.ndarray:
        x = 1.0 - 2.0 * rows
        return np.stack([5e6 * x[:, 0] + 1e6 * x[:, 1] + 2e6 * x[:, 2], x[:, 3]], axis=1)

    assert distil([(np.ones(2), bare)], 8, (2,), 3).sets == [(), (0,), (3,)]


@pytest.mark.parametrize("n", [8, 20])
def test_a_constant_output_stays_constant(n: int) -> None:
    """Beside a varying output one of the value 0.1 is that everywhere."""
    rows = masks.uniform(n, 100, np.random.default_rng(0), avoid=masks.ends(n))
    y = np.stack([planted.hierarchical(n, 0).game(rows), np.full(100, 0.1)], axis=1)
    found = condition(WalshProcess(linked=True), Samples(rows, y))
    f = distil([(np.ones(2), found)], n, (2,), 1000)
    at = masks.uniform(n, 200, np.random.default_rng(1))
    assert np.allclose(f.output(1)(at), 0.1, atol=1e-9)


def test_the_same_parts_give_the_same_bits() -> None:
    """The draw of masks is fixed, so nothing is left to chance."""
    found = process(20, 100, linked=True)
    one, two = (distil([(ONE, found)], 20, (), 100) for _ in range(2))
    assert np.array_equal(one.values, two.values)
