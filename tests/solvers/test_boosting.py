"""Boosted trees: what is read from LightGBM is LightGBM, and it is repeatable and silent."""

import numpy as np
import pytest

from whence import masks
from whence._kernels.evaluate import evaluate
from whence._kernels.tree_spectra import outputs
from whence.errors import InputError
from whence.solvers import boosting
from whence.solvers.boosting import Boosting, grow, read, spectra, staged


def drawn(m=300, n=9, q=2, seed=0):
    """Masks and values with interactions."""
    rng = np.random.default_rng(seed)
    rows = masks.uniform(n, m, rng)
    sign = 1.0 - 2.0 * rows
    y = sign @ rng.normal(size=(n, q)) + (sign[:, 0] * sign[:, 1] * sign[:, 2])[:, None]
    return rows, y


@pytest.mark.parametrize("depth", [None, 1, 3])
def test_what_is_read_predicts_as_lightgbm(depth):
    """The forest read from the model's text predicts what the booster predicts."""
    import lightgbm

    rows, y = drawn()
    settings = {"verbose": -1, "num_threads": 1, "max_depth": depth or -1, "num_leaves": 12}
    data = lightgbm.Dataset(rows.astype(np.float64), y[:, 0])
    booster = lightgbm.train(settings, data, 20)
    fresh = masks.every(9)
    found = outputs(read(booster.model_to_string()), fresh).sum(axis=0)
    np.testing.assert_allclose(found, booster.predict(fresh.astype(np.float64)), atol=1e-12)


def test_staged_predictions_are_those_of_shorter_fits():
    """A checkpoint of one fit equals a fit of so many rounds."""
    rows, y = drawn()
    long = grow(rows, y, np.ones(len(rows)), Boosting(40))
    found = staged(long, rows, [10, 40], 2)
    for trees, stage in zip((10, 40), found, strict=True):
        short = grow(rows, y, np.ones(len(rows)), Boosting(trees))
        values = outputs(short.forest, rows)
        np.testing.assert_allclose(stage[:, 1], values[short.output == 1].sum(axis=0), atol=1e-12)


def test_spectra_of_several_fits_evaluate_to_each():
    """One call gives the spectrum of every fit and output, each equal to its own trees."""
    rows, y = drawn()
    parts = [grow(rows[:k], y[:k], np.ones(k), Boosting(15)) for k in (150, 300)]
    found = spectra(parts, 9, 2)
    family = found.family(np.arange(len(found.values)), found.values)
    every = masks.every(9)
    values = evaluate(every, family.indptr, family.indices, family.values, True)
    for j, part in enumerate(parts):
        expected = staged(part, every, [15], 2)[0]
        np.testing.assert_allclose(values[:, 2 * j : 2 * j + 2], expected, atol=1e-12)


def test_weights_of_zero_leave_rows_out():
    """A row of weight zero has no say, whatever its value."""
    rows, y = drawn()
    weights = np.ones(len(rows))
    weights[:2] = 0.0
    wild = y.copy()
    wild[:2] = 1e9
    one, two = (grow(rows, v, weights, Boosting(5)) for v in (y, wild))
    np.testing.assert_array_equal(one.forest.value, two.forest.value)


def test_a_constant_is_a_forest_of_leaves():
    """Values that do not vary give a forest whose only term is the constant."""
    rows, _ = drawn()
    grown = grow(rows, np.full((len(rows), 1), 3.5), np.ones(len(rows)), Boosting(5))
    found = spectra([grown], 9, 1)
    np.testing.assert_allclose(found.values, [[3.5]])


def test_a_large_offset_costs_no_precision():
    """Values a million from zero give the same trees, moved."""
    rows, y = drawn()
    near, far = (grow(rows, y + shift, np.ones(len(rows)), Boosting(20)) for shift in (0.0, 1e6))
    a, b = (staged(g, rows, [20], 2)[0] for g in (near, far))
    np.testing.assert_allclose(b - 1e6, a, atol=1e-4)


def test_few_samples_grow_stumps_without_a_word(capfd):
    """Three samples, too few to split, give a constant, and nothing is printed."""
    grown = grow(masks.ends(4)[[0, 1, 0]], np.arange(3.0)[:, None], np.ones(3), Boosting(3))
    assert (grown.forest.unit < 0).all()
    assert capfd.readouterr() == ("", "")


def test_deep_trees_are_cut_at_the_degree_that_can_be_paid(monkeypatch):
    """When contributions exceed the limit, the terms left are exact up to a lower degree."""
    rows, y = drawn(q=1)
    grown = grow(rows, y, np.ones(len(rows)), Boosting(30, smallest=2))
    whole = spectra([grown], 9, 1)
    monkeypatch.setattr(boosting, "MAX_TERMS", 8000)
    cut = spectra([grown], 9, 1)
    assert 1 < cut.sizes.max() < whole.sizes.max()
    kept = whole.sizes <= cut.sizes.max()
    np.testing.assert_allclose(np.sort(cut.values[:, 0]), np.sort(whole.values[kept, 0]))


def test_settings_are_checked():
    """A forest of no trees is refused by name."""
    with pytest.raises(InputError, match="trees=0"):
        Boosting(0)
