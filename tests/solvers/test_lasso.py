"""Lasso: it finds planted terms, screens where they are many, and scales with its outputs."""

import numpy as np
import pytest

from whence import Samples, masks
from whence.errors import BudgetError, InputError
from whence.solvers.lasso import Lasso
from whence.testing import planted


def drawn(game, n, count, seed=0):
    """The ends and uniform masks with their values."""
    ends = masks.ends(n)
    rows = np.concatenate([ends, masks.uniform(n, count, np.random.default_rng(seed), avoid=ends)])
    return Samples(rows, game(rows))


@pytest.mark.parametrize("seed", range(5))
def test_planted_terms_are_found(seed):
    """Of 211 candidate terms over 20 units, 150 masks single out every planted one above 0.1."""
    p = planted.sparse(20, seed, degree=2)
    f = Lasso(2).fit(drawn(p.game, 20, 150))
    clear = {s for s, v in p.truth.terms.items() if abs(v) > 0.1}
    assert clear <= set(f.truncate(top=len(p.truth)).sets)
    rows = masks.uniform(20, 500, np.random.default_rng(99))
    left = f(rows) - p.game(rows)
    assert 1 - left.var() / p.game(rows).var() > 0.99


def test_pairs_are_screened_when_they_are_many():
    """Of 44,850 pairs over 300 units the planted ones are found from 700 masks."""
    p = planted.sparse(300, 1, terms=8, degree=2)
    f = Lasso(2).fit(drawn(p.game, 300, 700))
    assert len(f) < 2000
    strong = [s for s, v in p.truth.terms.items() if abs(v) > 0.3]
    assert any(len(s) == 2 for s in strong)
    assert set(strong) <= set(f.truncate(top=12).sets)


def test_outputs_have_their_own_penalty():
    """An output of other size and noise is fitted as it would be alone."""
    p = planted.sparse(12, 0, degree=2, out=(2,))
    samples = drawn(p.game, 12, 100)
    values = samples.values * [1.0, 1e4] + [0.0, 7.0]
    both = Lasso(2).fit(Samples(samples.masks, values))
    alone = Lasso(2).fit(Samples(samples.masks, values[:, 1]))
    rows = masks.every(12)[::37]
    np.testing.assert_allclose(both(rows)[:, 1], alone(rows), rtol=1e-7, atol=1e-5)


def test_the_empty_mean_is_the_fit_of_nothing():
    """A constant game gives its constant, and no other term."""
    f = Lasso(2).fit(drawn(planted.constant(9, 0).game, 9, 40))
    assert f.sets == [()]


def test_global_random_state_is_left_alone():
    """Fitting neither draws from nor seeds the global generator of numpy."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Lasso(2).fit(drawn(planted.sparse(9, 0).game, 9, 40))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_few_samples_and_many_terms_are_refused():
    """Fewer than eight samples, or a cubic of too many terms, are refused with the number."""
    with pytest.raises(BudgetError, match="given 6 samples and needs at least 8"):
        Lasso(2).fit(drawn(planted.sparse(5, 0).game, 5, 4))
    with pytest.raises(BudgetError, match="at most max_terms=2,000"):
        Lasso(3).needs(40)


@pytest.mark.parametrize(
    "arguments", [{"degree": 0}, {"max_terms": 0}, {"penalties": 1}, {"least": 0.0}]
)
def test_bad_settings_are_refused(arguments):
    """Settings outside their domain are refused when it is made."""
    with pytest.raises(InputError, match="at least 1, 1, 2"):
        Lasso(**arguments)
