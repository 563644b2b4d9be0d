"""The coded design and its decoding against their definitions, and planted sets found again."""

import hashlib

import numpy as np
import pytest

import brute
from whence import masks
from whence._kernels.peeling import Aliasing, peel, transform
from whence._kernels.peeling_design import Design
from whence._kernels.peeling_refit import Moments, Terms, lasso_fits, loss, moments, refit
from whence.testing import planted


def decoded(design, values, *, soft):
    """Sets -> coefficients, as decoded from the values of the design's masks."""
    shape = (design.groups, 2**design.b, design.code.p + 1, -1)
    bins = transform(values.reshape(shape))[..., 0]
    aliasing = Aliasing(design.code, design.bins(), design.flips())
    units, found = peel(bins, aliasing, soft=soft)
    return {
        tuple(u for u in row if u < design.n): float(v)
        for row, v in zip(units.tolist(), found, strict=True)
    }


def rows(design):
    """The design's masks, as booleans."""
    return masks.unpack(design.packed(), design.n)


@pytest.mark.parametrize(("n", "t"), [(5, 1), (20, 2), (70, 5)])
def test_masks_are_subspaces_moved_by_delays(n, t):
    """Row (c, l, i) is the sum over GF(2) of the columns that l names, the delay and the shift."""
    d = Design(3, n, 3, t, 2)
    columns = np.unpackbits(d.columns(), axis=-1, count=n, bitorder="little")
    delay = np.concatenate([np.zeros((1, n), dtype=int), d.code.parity])
    shift = np.unpackbits(d.shifts(), axis=-1, count=n, bitorder="little")
    table = rows(d).reshape(2, 8, d.code.p + 1, n)
    for c in range(2):
        for word in range(8):
            bits = np.array([word >> k & 1 for k in range(3)])
            wanted = (bits @ columns[:, c] + delay + shift[c]) % 2
            np.testing.assert_array_equal(table[c, word], wanted == 1)


def test_designs_of_one_number_are_nested():
    """A smaller b and fewer groups ask a subset of the masks."""
    large = Design(9, 40, 5, 3, 3)
    for small in (Design(9, 40, 4, 3, 3), Design(9, 40, 5, 3, 1)):
        assert masks.among(rows(small), rows(large)).all()


def test_designs_never_change():
    """The masks of a numbered design are fixed for good, so that stored samples stay readable."""
    digest = hashlib.sha256(Design(7, 100, 3, 2, 2).packed().tobytes()).hexdigest()
    assert digest[:16] == "2ecd33e431be75f9"


@pytest.mark.parametrize(("n", "t"), [(6, 1), (7, 2)])
def test_bins_hold_the_sums_of_their_sets(n, t):
    """Bin (c, i, j) is the signed sum of the coefficients of all sets that fall into j."""
    d = Design(1, n, 3, t, 2)
    values = np.random.default_rng(0).normal(size=2**n)
    every = masks.every(n)
    worth = {m.tobytes(): v for m, v in zip(every, values, strict=True)}
    asked = np.array([worth[m.tobytes()] for m in rows(d)])
    bins = transform(asked.reshape(2, 8, d.code.p + 1, 1))[..., 0]
    exact = brute.fourier(
        {tuple(np.flatnonzero(m).tolist()): v for m, v in zip(every, values, strict=True)}, n
    )
    columns = np.unpackbits(d.columns(), axis=-1, count=n, bitorder="little").astype(int)
    delay = np.concatenate([np.zeros((1, n), dtype=int), d.code.parity])
    shift = np.unpackbits(d.shifts(), axis=-1, count=n, bitorder="little").astype(int)
    wanted = np.zeros_like(bins)
    for units, coefficient in exact.items():
        inside = np.isin(np.arange(n), units).astype(int)
        for c in range(2):
            j = int((columns[:, c] @ inside % 2) @ [1, 2, 4])
            wanted[c, j] += coefficient * (-1.0) ** ((delay ^ shift[c]) @ inside)
    np.testing.assert_allclose(bins, wanted, atol=1e-12)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("n", "b", "terms"), [(64, 5, 25), (300, 5, 25)])
def test_planted_sets_are_found_exactly(n, b, terms, soft):
    """Sparse functions of up to 5 units a set are found whole, without a wrong set."""
    d = Design(2, n, b, 5)
    truth = planted.peak(n, 4, terms=terms, degree=5).truth + planted.sparse(n, 5).truth
    found = decoded(d, truth(rows(d)), soft=soft)
    assert set(found) == set(truth.sets)
    assert found == pytest.approx(truth.terms, abs=1e-7)


def test_soft_decoding_finds_more_under_noise():
    """Over five noisy games soft decoding finds clearly more of the sets than plain decoding."""
    share = {True: 0.0, False: 0.0}
    for seed in range(5):
        d = Design(seed, 64, 5, 5)
        truth = planted.peak(64, seed, terms=12, degree=3).truth
        noise = np.random.default_rng(seed).normal(size=d.rows)
        values = (truth(rows(d)) / np.sqrt(12)) + 1.6 * noise
        for soft in share:
            share[soft] += len(set(decoded(d, values, soft=soft)) & set(truth.sets)) / 60
    assert share[True] > share[False] + 0.1


def test_nothing_is_found_in_nothing():
    """Values that are all zero name no set."""
    d = Design(0, 20, 3, 2)
    assert decoded(d, np.zeros(d.rows), soft=True) == {}


def random_problem(seed, m=200, n=8):
    """Masks, a target with noise, and single units as terms with wrong coefficients."""
    rng = np.random.default_rng(seed)
    table = masks.uniform(n, m, rng)
    y = planted.additive(n, rng).game(table)
    y = (y - y.mean()) / y.std() + 0.3 * rng.normal(size=m)
    units = np.full((n, 2), n)
    units[:, 0] = np.arange(n)
    return Terms(units, rng.normal(size=n)), table, y


def test_unpenalised_refit_is_least_squares():
    """The path's end is the least-squares fit, and its start is the mean alone."""
    terms, table, y = random_problem(0)
    sums = moments(terms, 0.0, table, y, np.ones(len(y)))
    slopes, base = lasso_fits(sums, np.array([1.0, 0.1, 0.0]))
    x = np.concatenate([np.ones((len(y), 1)), 1.0 - 2.0 * table], axis=1)
    exact = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(np.append(base[2], slopes[:, 2]), exact, atol=1e-7)
    np.testing.assert_allclose(np.append(base[0], slopes[:, 0]), [y.mean(), *[0.0] * 8], atol=1e-9)


def test_path_solves_the_lasso():
    """At every penalty the fit satisfies the lasso's conditions of optimality."""
    terms, table, y = random_problem(1)
    sums = moments(terms, 0.0, table, y, np.ones(len(y)))
    ratios = np.array([1.0, 0.5, 0.2, 0.05, 0.0])
    slopes, base = lasso_fits(sums, ratios)
    x = 1.0 - 2.0 * table
    centred = x - x.mean(axis=0)
    largest = np.abs(centred.T @ y).max()
    for b, c, ratio in zip(slopes.T[:-1], base, ratios, strict=False):
        pull = centred.T @ (y - c - x @ b) / (ratio * largest)
        assert np.abs(pull).max() <= 1 + 0.02
        np.testing.assert_allclose(pull[b != 0], np.sign(b[b != 0]), atol=0.02)


def test_left_out_loss_is_the_squared_error():
    """The loss from sums is the squared error of the fits on the rows left out."""
    terms, table, y = random_problem(2)
    parts: list[Moments] = [
        moments(terms, 0.0, table[rows], y[rows], np.ones(100))
        for rows in (slice(0, 100), slice(100, 200))
    ]
    ratios = np.array([0.3, 0.01, 0.0])
    slopes, base = lasso_fits(parts[1], ratios)
    left = y[:100, None] - base - (1.0 - 2.0 * table[:100]) @ slopes
    np.testing.assert_allclose(loss(parts[0], parts[1], ratios), (left**2).sum(axis=0))
    direct = y[:100] - (1.0 - 2.0 * table[:100]) @ terms.values
    assert parts[0].missed == pytest.approx((direct**2).sum())


@pytest.mark.parametrize("right", [True, False])
def test_a_refit_is_kept_only_if_it_predicts_better(right):
    """Wrong coefficients are replaced by a better fit; those of least squares stay as they are."""
    terms, table, y = random_problem(3)
    x = np.concatenate([np.ones((len(y), 1)), 1.0 - 2.0 * table], axis=1)
    if right:
        best = np.linalg.lstsq(x, y, rcond=None)[0]
        none = np.full((1, 2), 8)
        terms = Terms(np.concatenate([none, terms.units]), best)
    got, at = refit(terms, table, y, np.ones(len(y)), np.arange(len(y)) % 5)
    if right:
        assert at is None
        assert got is terms
    else:
        assert at is not None
        assert np.abs(got.values[1:]).sum() > 0


def test_a_refit_needs_folds_and_room(monkeypatch):
    """With one fold, or with more sets than columns allowed, the terms stay as they are."""
    terms, table, y = random_problem(4)
    alone = np.zeros(len(y), dtype=np.int64)
    assert refit(terms, table, y, np.ones(len(y)), alone) == (terms, None)
    monkeypatch.setattr("whence._kernels.peeling_refit.MOST_COLUMNS", 7)
    assert refit(terms, table, y, np.ones(len(y)), np.arange(len(y)) % 5) == (terms, None)
