"""The ridge by degree: its posterior mean, its choice of strength, its refusals."""

import numpy as np
import pytest

from whence import masks
from whence.errors import BudgetError, InputError
from whence.samples import Samples
from whence.setfunction import set_function
from whence.solvers.paths import setting
from whence.solvers.ridge import Ridge
from whence.testing import planted


def drawn(game, m, seed=0):
    """Values at the two ends and m uniform masks."""
    rows = masks.ends(game.n)
    rows = np.concatenate([rows, masks.uniform(game.n, m, np.random.default_rng(seed), rows)])
    return Samples(rows, game(rows))


def test_path_is_the_posterior_mean_of_its_prior():
    """With all masks, each strength shrinks a term of d units by v / (v + strength / 2^n)."""
    n, rng = 4, np.random.default_rng(0)
    sets = [s for d in range(3) for s in masks_of(n, d)]
    f = set_function(n, (sets, rng.normal(size=len(sets))))
    rows = masks.every(n)
    ridge = Ridge(2, decay=0.5)
    path = ridge.path(Samples(rows, f(rows)))
    for at, strength in enumerate(ridge.strengths):
        found = setting(path, np.array([at])).terms
        for s, value in f.terms.items():
            v = 0.5 ** (len(s) - 1)
            shrunk = value * v / (v + strength / 2**n) if s else value
            assert found.get(s, 0.0) == pytest.approx(shrunk, abs=1e-10)


def masks_of(n, size):
    """All sets of a size, as tuples."""
    from itertools import combinations

    return list(combinations(range(n), size))


def test_it_chooses_a_weak_strength_without_noise_and_a_stronger_one_with():
    """An additive game is recovered without noise; with much noise the fit is shrunk."""
    game = planted.additive(12, 0).game
    clean = drawn(game, 60)
    noise = np.random.default_rng(1).normal(size=len(clean)) * 10 * clean.values.std()
    noisy = Samples(clean.masks, clean.values + noise)
    one, two = Ridge(1).fit(clean), Ridge(1).fit(noisy)
    rows = masks.uniform(12, 200, np.random.default_rng(2))
    np.testing.assert_allclose(one(rows), game(rows), atol=0.02 * clean.values.std())
    assert "strength 0.1" in one.fitted_by
    assert "strength 256" in two.fitted_by


def test_bad_settings_and_too_little_are_refused():
    """A decay outside (0, 1], too many terms and too few samples are refused with the numbers."""
    with pytest.raises(InputError, match="decay=0"):
        Ridge(2, decay=0)
    with pytest.raises(BudgetError, match="max_terms=5,000"):
        Ridge(2).needs(200)
    with pytest.raises(BudgetError, match="given 6 samples and needs at least 8"):
        Ridge(1).fit(drawn(planted.sparse(5, 0).game, 4))
